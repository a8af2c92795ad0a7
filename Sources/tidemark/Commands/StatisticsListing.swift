internal import Endpoints

/// What `tidemark db stats` prints for people.
enum StatisticsListing {
    /// One figure a line: its name, then its value, in two columns.
    static func text(_ report: StatisticsReport) -> String {
        let rows: [(name: String, value: String)] = [
            ("revision", report.revision),
            ("generation", report.generation.map { "\($0)" } ?? "none"),
            ("pages", "\(report.pages)"),
            ("WAL pages", "\(report.walPages)"),
            ("WAL bytes", "\(report.walBytes)"),
            ("main bytes", "\(report.mainBytes)"),
            ("history bytes", "\(report.historyBytes)"),
            ("frame bytes", "\(report.frameBytes)"),
            ("cache bytes", "\(report.cacheBytes)"),
            ("pins", "\(report.pins)"),
            ("dropped pins", "\(report.droppedPins)"),
            ("rejected changes", "\(report.rejectedChanges)"),
            ("last checkpoint", report.lastCheckpoint.map(text) ?? "none"),
            ("bytes sent", "\(report.bytesSent)"),
            ("bytes received", "\(report.bytesReceived)"),
            ("long polls", "\(report.longPolls)"),
            ("open streams", "\(report.openStreams)"),
        ]
        let width = rows.map(\.name.count).max() ?? 0
        return rows.map { name, value in
            name + String(repeating: " ", count: width - name.count + 2) + value + "\n"
        }.joined()
    }

    /// `passive, complete, 12 of 12 frames, 2026-01-31T12:00:00Z`.
    private static func text(_ checkpoint: StatisticsReport.Checkpoint) -> String {
        var parts = [checkpoint.mode, checkpoint.result]
        if let log = checkpoint.log, let checkpointed = checkpoint.checkpointed {
            parts.append("\(checkpointed) of \(log) frames")
        }
        if let busy = checkpoint.busy, busy != 0 { parts.append("busy") }
        return (parts + [checkpoint.time]).joined(separator: ", ")
    }
}
