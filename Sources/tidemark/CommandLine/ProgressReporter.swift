internal import CommandLineOptions

/// Shows how far a long operation has come: on a terminal one line that is written over, else a
/// line every few seconds, so that a log stays readable.
final class ProgressReporter {
    private static let terminalInterval = Duration.milliseconds(100)
    private static let logInterval = Duration.seconds(3)

    private let label: String
    private let console: Console
    private let isQuiet: Bool
    private let now: () -> ContinuousClock.Instant
    private var lastShown: ContinuousClock.Instant
    private var lastStep: String?
    private var isLineOpen = false

    init(
        label: String, console: Console, isQuiet: Bool,
        now: @escaping () -> ContinuousClock.Instant = { ContinuousClock().now }
    ) {
        self.label = label
        self.console = console
        self.isQuiet = isQuiet
        self.now = now
        lastShown = now()
    }

    func update(_ progress: TransferProgress) {
        guard !isQuiet else { return }
        let isNewStep = progress.step != lastStep
        let interval = console.isErrorTerminal ? Self.terminalInterval : Self.logInterval
        let time = now()
        // The first step of a quick operation is not worth a line in a log.
        let showsStep = isNewStep && (console.isErrorTerminal || lastStep != nil)
        lastStep = progress.step
        guard showsStep || time - lastShown >= interval else { return }
        lastShown = time
        let line = "\(label): \(progress.step) \(Self.amount(progress))"
        // "\r" goes to the start of the line; the escape sequence clears what stood there.
        console.writeError(console.isErrorTerminal ? "\r\u{1B}[K\(line)" : "\(line)\n")
        isLineOpen = console.isErrorTerminal
    }

    /// Clears the line, so that what follows starts on an empty one.
    func finish() {
        if isLineOpen { console.writeError("\r\u{1B}[K") }
        isLineOpen = false
    }

    private static func amount(_ progress: TransferProgress) -> String {
        if progress.totalBytes == nil, progress.completedBytes == 0 { return "…" }
        let mebibytes = "\(progress.completedBytes >> 20) MiB"
        return progress.percent.map { "\($0)% (\(mebibytes))" } ?? mebibytes
    }
}
