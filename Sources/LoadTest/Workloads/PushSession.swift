package import HTTP

/// A replica that pushes rows of its own.
package final class PushSession: ClientSession {
    private var template: PushTemplate
    private let ledger: PushLedger
    private let firstID: Int
    private let rows: Int
    private let lookUp: [UInt8]?
    private var isLookingUp = false
    /// Rows that were sent, whatever came of them.
    private var sentCount = 0
    private var position = 0
    private var failureScanner = TextScanner(#""message""#)
    private var resultScanner = TextScanner(#""step_results""#)

    /// - Parameter looksUpFirst: ask for the server's position before each push, as clients do.
    package init(
        target: TargetURL, client: Int, rows: Int, rowSize: Int, looksUpFirst: Bool,
        ledger: PushLedger
    ) {
        let name = "tidemark-bench-\(ledger.run)-\(client)"
        template = PushTemplate(
            target: target, client: name, rows: rows, rowSize: rowSize, seed: UInt64(client))
        self.ledger = ledger
        self.rows = rows
        firstID = ledger.firstID(of: client)
        lookUp =
            looksUpFirst
            ? RequestBytes.pipeline(
                target,
                PipelineJSON.execute([
                    "SELECT pull_gen, change_id FROM turso_sync_last_change_id "
                        + "WHERE client_id = '\(name)'"
                ])) : nil
    }

    package func nextRequest() -> [UInt8] {
        failureScanner.reset()
        resultScanner.reset()
        if let lookUp, !isLookingUp {
            isLookingUp = true
            return lookUp
        }
        isLookingUp = false
        precondition(sentCount + rows <= PushLedger.rowsPerClient, "a run with too many rows")
        defer { sentCount += rows }
        position += 1
        return template.request(firstID: firstID + sentCount, position: position)
    }

    package func receive(_ body: Span<UInt8>) {
        failureScanner.receive(body)
        resultScanner.receive(body)
    }

    package func finish(_ head: HTTPResponseHead) -> SessionVerdict {
        // The first look-up of all may find no table.
        if isLookingUp { return .continues }
        guard resultScanner.isFound, !failureScanner.isFound else {
            return .failed("the push was answered with an error")
        }
        ledger.acknowledge(rows)
        return .completed(kind: 0)
    }

    package func fail() {
        let wasPushing = !isLookingUp && sentCount > 0
        isLookingUp = false
        guard wasPushing else { return }
        ledger.leaveOpen(firstID + sentCount - rows..<firstID + sentCount)
    }
}
