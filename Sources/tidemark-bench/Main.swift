internal import CommandLineOptions
internal import Glibc
internal import LoadTest

/// The entry point. Only this lives here: closures in the entry file are isolated to the main
/// actor, and would trap on any other thread.
@main
struct TidemarkBench {
    static func main() {
        signal(SIGPIPE, SIG_IGN)
        let arguments = Array(CommandLine.arguments.dropFirst())
        exit(BenchTool.run(arguments, console: .standard()))
    }
}
