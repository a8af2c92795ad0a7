internal import CommandLineOptions

/// `tidemark-bench compare A.json B.json`.
enum CompareCommand {
    static let helpText = """
        Compare two results.

        Usage: tidemark-bench compare A.json B.json

        Shows for each figure the mean over the runs of both results, the change, and the noise: what
        a change of means would exceed by chance in one of a hundred comparisons (Welch's t test). It
        takes several runs on both sides (--runs 5 or more) to know the noise. Changes of less than
        1 %, and of memory less than 5 %, count as none.

        Exit code 0 whatever the figures say; 65 if a file holds no result.

        """

    static func run(_ arguments: [String], _ console: Console) throws -> Int32 {
        let parsed = try ArgumentParser(options: []).parse(arguments)
        guard !parsed.wantsHelp else {
            console.writeOutput(helpText)
            return ExitCode.success.rawValue
        }
        guard parsed.operands.count == 2 else {
            throw CommandFailure(.usage, "compare needs two files")
        }
        let first = try read(parsed.operands[0])
        let second = try read(parsed.operands[1])
        guard first.workload == second.workload else {
            throw CommandFailure(
                .dataError,
                "results of different workloads: \(first.workload), \(second.workload)")
        }
        console.writeOutput(
            ComparisonReport.text(
                first, second, names: (parsed.operands[0], parsed.operands[1])))
        return ExitCode.success.rawValue
    }

    private static func read(_ path: String) throws(CommandFailure) -> BenchResult {
        guard let bytes = TextFile.readBytes(path) else {
            throw CommandFailure(.noInput, "\(path): cannot be read")
        }
        do throws(BenchResult.ReadingError) {
            return try BenchResult(json: bytes)
        } catch {
            switch error {
            case .notJSON: throw CommandFailure(.dataError, "\(path): no JSON")
            case .otherFormat:
                throw CommandFailure(.dataError, "\(path): no result of tidemark-bench")
            case .missing(let key):
                throw CommandFailure(.dataError, "\(path): '\(key)' is missing or malformed")
            }
        }
    }
}
