internal import CommandLineOptions

/// One workload on the command line.
struct BenchCommand: Sendable {
    let name: String
    let summary: String
    let details: String
    let options: [BenchOptions.Option]
    var defaults = BenchOptions.defaults
    let makeWorkload: @Sendable (BenchSettings) throws(BenchError) -> any Workload

    var table: OptionTable<BenchSettings> { BenchOptions.table(options, defaults) }

    func helpText() -> String {
        let table = table
        let help = "    -h, --help                  Show this help"
        let texts = table.options.map { OptionDocumentation($0).helpText() } + [help]
        return """
            \(summary).

            Usage: tidemark-bench \(name) (--url URL | --start-server PATH) [options]

            \(details)

            Options:
            \(texts.joined(separator: "\n"))

            """
    }
}
