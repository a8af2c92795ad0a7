internal import Dispatch
internal import Glibc

/// Watches for SIGTERM and SIGINT: the first one asks for an orderly end, a second one ends the
/// process at once.
///
/// The signals are blocked and waited for, so none is lost between two ways of handling it, as
/// one can be while a Dispatch signal source is being set up. Create it before any thread starts:
/// threads inherit the blocked signals.
final class TerminationSignals: Sendable {
    /// - Parameter onFirst: gets the signal's number, on a thread of its own.
    init(onFirst: @escaping @Sendable (Int32) -> Void) {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGTERM)
        unsafe sigaddset(&signals, SIGINT)
        let code = unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        precondition(code == 0, "signals cannot be blocked")
        let awaited = signals
        DispatchQueue(label: "tidemark.signals").async {
            onFirst(Self.next(of: awaited))
            _exit(128 + Self.next(of: awaited))
        }
    }

    private static func next(of signals: sigset_t) -> Int32 {
        var signals = signals
        var number: Int32 = 0
        while unsafe sigwait(&signals, &number) != 0 {}
        return number
    }
}
