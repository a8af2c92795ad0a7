/// The result as one HTML file that needs nothing else.
package enum HTMLReport {
    package static func text(_ result: BenchResult) -> String {
        let title = "\(result.workload)\(result.label.isEmpty ? "" : ": \(result.label)")"
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <title>\(HTMLText.escape(title))</title>
            <style>
            body { font: 15px/1.5 system-ui, sans-serif; max-width: 62em; margin: 2em auto;
              padding: 0 1em; color: #222 }
            table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums }
            th, td { padding: .2em .7em; text-align: right; border-bottom: 1px solid #ddd }
            th:first-child, td:first-child { text-align: left }
            svg { font: 12px system-ui, sans-serif; max-width: 100%; height: auto }
            .legend span { margin-right: 1.5em }
            .failed { color: #b00020 }
            </style>
            </head>
            <body>
            <h1>\(HTMLText.escape(title))</h1>
            \(table(result))
            \(failures(result))
            <h2>Latency</h2>
            \(legend(ResultPlots.latency(result)))
            \(ResultPlots.latency(result).svg)
            <h2>Throughput</h2>
            \(legend(ResultPlots.throughput(result)))
            \(ResultPlots.throughput(result).svg)
            <h2>Circumstances</h2>
            \(circumstances(result))
            </body>
            </html>

            """
    }

    private static func table(_ result: BenchResult) -> String {
        let names = [
            "", "operations", "per second", "bytes/s", "p50", "p90", "p99", "p99.9", "max",
            "failed", "server CPU/op", "server memory",
        ]
        var rows = ["<tr>" + names.map { "<th>\($0)</th>" }.joined() + "</tr>"]
        for (index, run) in result.runs.enumerated() {
            let server = [
                run.serverMicrosecondsPerOperation.map(Format.time) ?? "",
                run.server.map { Format.size(Double($0.peakSize)) } ?? "",
            ]
            let all = RunSummary.Kind(
                name: "run \(index + 1)", operations: run.operations, bytes: run.bytes,
                latency: run.latency)
            rows.append(row(all, run, [Format.grouped(run.failures)] + server))
            for kind in run.kinds where run.kinds.count > 1 {
                rows.append(row(kind, run, ["", "", ""]))
            }
        }
        return "<table>\n\(rows.joined(separator: "\n"))\n</table>"
    }

    private static func row(
        _ kind: RunSummary.Kind, _ run: RunSummary, _ rest: [String]
    ) -> String {
        let seconds = max(run.elapsedSeconds, 1e-9)
        let times = [
            kind.latency.p50, kind.latency.p90, kind.latency.p99, kind.latency.p999,
            kind.latency.maximum,
        ]
        let cells =
            [
                kind.name, Format.grouped(kind.operations),
                Format.short(Double(kind.operations) / seconds),
                Format.size(Double(kind.bytes) / seconds),
            ] + times.map(Format.time) + rest
        return "<tr>" + cells.map { "<td>\(HTMLText.escape($0))</td>" }.joined() + "</tr>"
    }

    private static func failures(_ result: BenchResult) -> String {
        let items = result.runs.enumerated().flatMap { index, run in
            run.failureTexts.map {
                "<li>run \(index + 1): \($0.value) &times; \(HTMLText.escape($0.name))</li>"
            }
        }
        return items.isEmpty ? "" : #"<ul class="failed">"# + items.joined() + "</ul>"
    }

    private static func legend(_ plot: Plot) -> String {
        let entries = plot.lines.enumerated().map { index, line in
            let colour = Plot.colours[index % Plot.colours.count]
            return #"<span><b style="color:\#(colour)">&#9644;</b> "#
                + "\(HTMLText.escape(line.name))</span>"
        }
        return #"<p class="legend">"# + entries.joined() + "</p>"
    }

    private static func circumstances(_ result: BenchResult) -> String {
        let fields =
            [BenchResult.Field("target", result.target)] + result.parameters + result.machine
            + result.verified.map { BenchResult.Field("verified", $0) }
        let rows = fields.map {
            "<tr><td>\(HTMLText.escape($0.name))</td><td>\(HTMLText.escape($0.value))</td></tr>"
        }
        return "<table>\n\(rows.joined(separator: "\n"))\n</table>"
    }
}
