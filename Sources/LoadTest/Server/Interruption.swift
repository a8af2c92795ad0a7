internal import Dispatch
internal import Glibc

/// What SIGINT and SIGTERM do: nothing that the tool started may outlive it.
final class Interruption {
    private var sources: [any DispatchSourceSignal] = []

    /// - Parameter cleanUp: called on a thread of its own; then the process ends with 128 and the
    ///   signal's number.
    init(cleanUp: @escaping @Sendable () -> Void) {
        let queue = DispatchQueue(label: "tidemark-bench.signals")
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                cleanUp()
                exit(128 + number)
            }
            source.activate()
            sources.append(source)
        }
    }

    /// The signals do again what they do to every process.
    func cancel() {
        for source in sources { source.cancel() }
        sources = []
        for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
    }
}
