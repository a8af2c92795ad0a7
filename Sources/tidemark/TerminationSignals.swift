internal import Dispatch
internal import Glibc
internal import Synchronization

/// Turns SIGTERM and SIGINT into a call: the first one runs a closure on a queue of its own, the
/// second one ends the process at once with `128 + signal`, as a shell would report it.
///
/// Make at most one at a time: the disposition of a signal belongs to the whole process.
final class TerminationSignals {
    private static let numbers = [SIGTERM, SIGINT]

    private let sources: [any DispatchSourceSignal]

    /// - Parameter onFirst: gets the signal's number; must not block for ever, or the second
    ///   signal is not seen.
    init(onFirst: @escaping @Sendable (Int32) -> Void) {
        let queue = DispatchQueue(label: "tidemark.signals")
        let hasFired = FiredFlag()
        sources = Self.numbers.map { number in
            // Dispatch watches the signal; its default action would still end the process.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                if hasFired.set() { _exit(128 + number) }
                onFirst(number)
            }
            source.resume()
            return source
        }
    }

    /// Gives the signals their default action back.
    func stop() {
        for source in sources { source.cancel() }
        for number in Self.numbers { signal(number, SIG_DFL) }
    }
}

/// Shared by the handlers of both signals.
private final class FiredFlag: Sendable {
    private let value = Atomic(false)

    /// What it was before.
    func set() -> Bool { value.exchange(true, ordering: .relaxed) }
}
