internal import CommandLineOptions

/// What a load test is doing: on a terminal one line that is written over each second, else a
/// line every ten seconds.
final class ProgressLine {
    private static let logInterval = 10.0

    private let console: Console
    private let isQuiet: Bool
    private var last = RunProgress.none

    init(console: Console, isQuiet: Bool) {
        self.console = console
        self.isQuiet = isQuiet
    }

    func say(_ text: String) {
        guard !isQuiet, console.isErrorTerminal else { return }
        console.writeError("\r\u{1B}[K\(text) ...")
    }

    func show(_ progress: RunProgress, run: Int) {
        guard !isQuiet else { return }
        if progress.seconds < last.seconds { last = RunProgress.none }
        let seconds = progress.seconds - last.seconds
        guard console.isErrorTerminal || seconds >= Self.logInterval, seconds > 0 else { return }
        let line = Self.text(progress, since: last, run: run)
        last = progress
        console.writeError(console.isErrorTerminal ? "\r\u{1B}[K\(line)" : "\(line)\n")
    }

    func clear() {
        if !isQuiet, console.isErrorTerminal { console.writeError("\r\u{1B}[K") }
    }

    static func text(_ progress: RunProgress, since last: RunProgress, run: Int) -> String {
        let seconds = progress.seconds - last.seconds
        let rate = Double(progress.operations - last.operations) / seconds
        let bytes = Double(progress.bytes - last.bytes) / seconds
        return "run \(run), \(Format.fixed(progress.seconds, 0)) s"
            + "\(progress.isWarmingUp ? " (warm-up)" : ""): \(Format.short(rate)) operations/s, "
            + "\(Format.size(bytes))/s, \(Format.grouped(progress.failures)) failed"
    }
}

extension RunProgress {
    static let none = RunProgress(
        seconds: 0, isWarmingUp: true, operations: 0, failures: 0, bytes: 0)
}
