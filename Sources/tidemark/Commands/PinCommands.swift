internal import CommandLineOptions
internal import FoundationEssentials
internal import Primitives

/// `tidemark db pins` and `tidemark db drop-pin`.
extension DatabaseCommand {
    static let pins = Command.leaf(
        "pins", "List the partial replicas that history is kept for", operands: [name],
        DatabaseOptions.list
    ) { resolution, context in
        let name = try databaseName(resolution)
        let pins = try administration(resolution, context).pins(name)
        context.console.writeOutput(
            resolution.settings.printsJSON ? try json(pins) : table(pins))
        return ExitCode.success.rawValue
    }

    static let dropPin = Command.leaf(
        "drop-pin", "Forget a partial replica and free its history",
        details: """
            The replica's next pull brings it every page. Until then, pages that it misses
            are refused, and its statements that need one hang.
            """,
        operands: [name, .init(name: "ID", summary: "The replica's id, as `db pins` shows it")],
        DatabaseOptions.create
    ) { resolution, context in
        let name = try databaseName(resolution)
        guard let id = ReplicaID(hexadecimal: resolution.operands[1]) else {
            throw CommandFailure(
                .dataError, "'\(resolution.operands[1])' is not a pin: 1 to 16 digits 0-9 a-f are")
        }
        try administration(resolution, context).dropPin(id, of: name)
        context.console.writeOutput("dropped \(id.hexadecimal)\n")
        return ExitCode.success.rawValue
    }

    private static func json(_ pins: [PinSummary]) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let lines = try pins.map { String(decoding: try encoder.encode($0), as: UTF8.self) }
        return lines.isEmpty ? "[]\n" : "[\n" + lines.joined(separator: ",\n") + "\n]\n"
    }

    private static func table(_ pins: [PinSummary]) -> String {
        let rows =
            [["ID", "LAST USE", "BASE", "ECHOED", "POSITION", "PAGES"]]
            + pins.map { pin in
                [
                    pin.id, pin.lastUse, String(pin.base), String(pin.echoed),
                    String(pin.position), String(pin.basePages),
                ]
            }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { cell, width in
                cell + String(repeating: " ", count: width - cell.count)
            }
            var line = cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }
}
