internal import Glibc

/// The entry point. Only this lives here: closures in the entry file are isolated to the main
/// actor, and would trap on any other thread.
@main
struct Tidemark {
    static func main() {
        // A client or a pipe that goes away is an error of one write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let arguments = Array(CommandLine.arguments.dropFirst())
        exit(CommandLineTool.run(arguments, .process()))
    }
}
