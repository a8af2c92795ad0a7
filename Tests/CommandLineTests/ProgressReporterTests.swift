import Synchronization
import XCTest

@testable import CommandLineOptions
@testable import tidemark

final class ProgressReporterTests: XCTestCase {
    private final class Screen: Sendable {
        let text = Mutex("")
    }

    private final class ManualClock {
        var time = ContinuousClock().now
    }

    private func reporter(
        terminal: Bool, quiet: Bool = false
    ) -> (ProgressReporter, Screen, ManualClock) {
        let screen = Screen()
        let clock = ManualClock()
        let console = Console(
            writeOutput: { _ in XCTFail("progress belongs on standard error") },
            writeError: { text in screen.text.withLock { $0 += text } },
            readAnswer: { nil }, isInputTerminal: false, isErrorTerminal: terminal)
        let reporter = ProgressReporter(
            label: "import x", console: console, isQuiet: quiet, now: { clock.time })
        return (reporter, screen, clock)
    }

    private func progress(_ mebibytes: UInt64, of total: UInt64?, _ step: String = "uploading")
        -> TransferProgress
    {
        TransferProgress(
            step: step, completedBytes: mebibytes << 20, totalBytes: total.map { $0 << 20 })
    }

    func testATerminalShowsOneLineThatIsWrittenOver() {
        let (reporter, screen, clock) = reporter(terminal: true)
        reporter.update(progress(1, of: 4))
        reporter.update(progress(2, of: 4))
        clock.time += .milliseconds(100)
        reporter.update(progress(3, of: 4))
        reporter.finish()
        reporter.finish()
        XCTAssertEqual(
            screen.text.withLock { $0 },
            "\r\u{1B}[Kimport x: uploading 25% (1 MiB)\r\u{1B}[Kimport x: uploading 75% (3 MiB)"
                + "\r\u{1B}[K")
    }

    func testALogGetsALineEveryFewSeconds() {
        let (reporter, screen, clock) = reporter(terminal: false)
        reporter.update(progress(1, of: nil))
        clock.time += .seconds(3)
        reporter.update(progress(2, of: nil))
        clock.time += .seconds(1)
        reporter.update(progress(3, of: nil))
        reporter.update(progress(3, of: nil, "checking"))
        reporter.finish()
        XCTAssertEqual(
            screen.text.withLock { $0 },
            "import x: uploading 2 MiB\nimport x: checking 3 MiB\n")
    }

    func testQuietShowsNothing() {
        let (reporter, screen, clock) = reporter(terminal: true, quiet: true)
        clock.time += .seconds(10)
        reporter.update(progress(1, of: 2))
        reporter.finish()
        XCTAssertEqual(screen.text.withLock { $0 }, "")
    }

    func testPercentStaysWithinItsRange() {
        XCTAssertEqual(progress(5, of: 4).percent, 100)
        XCTAssertEqual(progress(0, of: 4).percent, 0)
        XCTAssertNil(progress(5, of: 0).percent)
        XCTAssertNil(progress(5, of: nil).percent)
        let huge = TransferProgress(step: "", completedBytes: .max, totalBytes: .max)
        XCTAssertEqual(huge.percent, 100)
    }
}
