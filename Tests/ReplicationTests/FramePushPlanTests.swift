import Storage
import WireProtocol
import XCTest

@testable import Replication

/// Restates the table of docs/protocol.md, "Frame sync"; change the two together.
final class FramePushPlanTests: XCTestCase {
    /// Frame `number` with a page of its own; `size` where it ends a commit.
    private func frame(_ number: UInt32, size: UInt32 = 0, fill: UInt8 = 7) -> WALFrame {
        WALFrame(
            page: number, databaseSize: size, content: [UInt8](repeating: fill, count: 4096))
    }

    /// Those that `range` names; `ends` are the ones that end a commit.
    private func frames(_ range: Range<UInt32>, ends: Set<UInt32> = []) -> [WALFrame] {
        range.map { frame($0, size: ends.contains($0) ? 99 : 0) }
    }

    private func plan(
        _ range: Range<UInt32>, ends: Set<UInt32> = [], generation: UInt32 = 3,
        staged: StagedFrames? = nil, unfinished: [(UInt32, ClosedRange<UInt32>)] = [],
        completeSince: UInt32? = 1, limits: FramePushLimits = FramePushLimits()
    ) throws -> FramePushPlan {
        var pushes = UnfinishedPushes()
        if let completeSince { pushes.began(generation: completeSince) }
        for (index, (generation, range)) in unfinished.enumerated() {
            pushes.willTake(
                StagedFrames(
                    generation: generation, first: range.lowerBound,
                    frames: frames(range.lowerBound..<range.upperBound + 1)),
                under: PushBaton("\(index)"))
        }
        return FramePushPlan(
            range: try XCTUnwrap(
                FrameRange(
                    generation: generation, start: range.lowerBound, end: range.upperBound)),
            frames: frames(range, ends: ends), staged: staged, unfinished: pushes,
            limits: limits)
    }

    private let now = FramePushSituation(generation: 3, lastFrame: 10, previousEnd: 50)
    private let fresh = FramePushSituation(generation: 3, lastFrame: 0, previousEnd: 50)

    func testOtherGenerationsAreConflicts() throws {
        let rows: [(generation: UInt32, start: UInt32, previousEnd: UInt32?, lastFrame: UInt32)] = [
            (2, 50, 50, 50), (2, 1, 50, 50), (2, 49, 50, 50), (2, 51, nil, 0),
            (2, 1, .max, .max), (1, 51, 50, 0), (1, 1, 50, 0), (4, 1, 50, 0), (4, 51, 50, 0),
            (.max, 1, 50, 0),
        ]
        for newest: UInt32 in [0, 10] {
            for row in rows {
                let plan = try plan(
                    row.start..<row.start + 2, ends: [row.start + 1], generation: row.generation)
                let situation = FramePushSituation(
                    generation: 3, lastFrame: newest, previousEnd: row.previousEnd)
                XCTAssertEqual(
                    plan.step(situation), .answer(.conflict, lastFrame: row.lastFrame), "\(row)")
            }
        }
    }

    /// Frame 50 was the last one of generation 2.
    func testAClientThatMissedTheRollCountsOn() throws {
        XCTAssertEqual(
            try plan(51..<53, ends: [52], generation: 2).step(fresh),
            .take(transactions: frames(51..<53, ends: [52]), rest: [], firstStaged: 3))
        XCTAssertEqual(
            try plan(51..<53, generation: 2).step(fresh),
            .take(transactions: [], rest: frames(51..<53), firstStaged: 1))
        let staged = StagedFrames(generation: 3, first: 1, frames: frames(51..<53))
        XCTAssertEqual(
            try plan(53..<54, ends: [53], generation: 2, staged: staged).step(fresh),
            .take(transactions: frames(51..<54, ends: [53]), rest: [], firstStaged: 4))
        // What was committed since the roll is compared, as in the current generation.
        let late = try plan(51..<63, ends: [60, 62], generation: 2)
        XCTAssertEqual(late.step(now), .compare(1...10))
        XCTAssertEqual(
            late.step(now, overlap: .different), .answer(.conflict, lastFrame: 60))
        XCTAssertEqual(
            late.step(now, overlap: .equal),
            .take(transactions: frames(61..<63, ends: [62]), rest: [], firstStaged: 13))
        XCTAssertEqual(
            try plan(62..<64, generation: 2).step(now), .answer(.ok, lastFrame: 60))
        let base = FramePushSituation(generation: 3, lastFrame: 0, previousEnd: 0)
        XCTAssertEqual(
            try plan(1..<2, ends: [1], generation: 2).step(base),
            .take(transactions: frames(1..<2, ends: [1]), rest: [], firstStaged: 2))
    }

    func testNumbersDoNotOverflow() throws {
        let full = FramePushSituation(generation: 3, lastFrame: .max)
        XCTAssertEqual(
            try plan(UInt32.max - 1..<UInt32.max).step(full),
            .answer(.checkpointNeeded, lastFrame: .max - 2))
        let late = FramePushSituation(generation: 3, lastFrame: 10, previousEnd: .max - 10)
        XCTAssertEqual(
            try plan(UInt32.max - 9..<UInt32.max, generation: 2).step(late),
            .answer(.checkpointNeeded, lastFrame: .max - 10))
    }

    func testOverlapsAreComparedUpToTheNewestFrame() throws {
        XCTAssertEqual(try plan(1..<4).step(now), .compare(1...3))
        XCTAssertEqual(try plan(10..<11).step(now), .compare(10...10))
        XCTAssertEqual(try plan(8..<14).step(now), .compare(8...10))
        XCTAssertEqual(try plan(8..<11).step(now), .compare(8...10))
    }

    func testEveryByteOfAnOverlapCounts() throws {
        let plan = try plan(8..<14, ends: [10])
        let stored = frames(8..<11, ends: [10])
        XCTAssertEqual(plan.overlap(with: stored), .equal)
        for index in stored.indices {
            var others = [
                frame(77, size: stored[index].databaseSize),
                frame(stored[index].page, size: stored[index].databaseSize + 1),
            ]
            for byte in 0..<4096 {
                var content = stored[index].content
                content[byte] ^= 1
                others.append(
                    WALFrame(
                        page: stored[index].page, databaseSize: stored[index].databaseSize,
                        content: content))
            }
            for other in others {
                var changed = stored
                changed[index] = other
                XCTAssertEqual(plan.overlap(with: changed), .different, "frame \(index)")
            }
        }
    }

    func testADifferentOverlapIsAConflictAndAnEqualOneGoesOn() throws {
        XCTAssertEqual(
            try plan(8..<14, ends: [13]).step(now, overlap: .different),
            .answer(.conflict, lastFrame: 10))
        // Nothing new, which even a generation that is too long takes.
        let replay = try plan(8..<11, ends: [10], limits: .init(checkpointNeeded: 1, emergency: 1))
        XCTAssertEqual(
            replay.step(now, overlap: .equal),
            .take(transactions: [], rest: [], firstStaged: 11))
        XCTAssertEqual(
            try plan(8..<14, ends: [10, 13]).step(now, overlap: .equal),
            .take(transactions: frames(11..<14, ends: [13]), rest: [], firstStaged: 14))
        XCTAssertEqual(
            try plan(8..<14, ends: [10, 12]).step(now, overlap: .equal),
            .take(
                transactions: frames(11..<13, ends: [12]), rest: frames(13..<14), firstStaged: 13))
        XCTAssertEqual(
            try plan(8..<14, ends: [10]).step(now, overlap: .equal),
            .take(transactions: [], rest: frames(11..<14), firstStaged: 11))
    }

    func testAGapBringsNothing() throws {
        let staged = StagedFrames(generation: 3, first: 11, frames: frames(11..<13))
        let rows: [(Range<UInt32>, StagedFrames?)] = [
            (12..<13, nil), (200..<300, nil), (14..<15, staged),
            (12..<13, StagedFrames(generation: 3, first: 11, frames: [])),
            (UInt32.max - 1..<UInt32.max, staged),
        ]
        for (range, staged) in rows {
            XCTAssertEqual(
                try plan(range, ends: [range.upperBound - 1], staged: staged).step(now),
                .answer(.ok, lastFrame: 10), "\(range)")
        }
    }

    func testATransactionGoesOnBehindWhatIsStaged() throws {
        let staged = StagedFrames(generation: 3, first: 11, frames: frames(11..<14))
        XCTAssertEqual(
            try plan(14..<16, staged: staged).step(now),
            .take(transactions: [], rest: frames(11..<16), firstStaged: 11))
        XCTAssertEqual(
            try plan(14..<16, ends: [15], staged: staged).step(now),
            .take(transactions: frames(11..<16, ends: [15]), rest: [], firstStaged: 16))
        XCTAssertEqual(
            try plan(14..<17, ends: [15], staged: staged).step(now),
            .take(
                transactions: frames(11..<16, ends: [15]), rest: frames(16..<17), firstStaged: 16))
        // A batch that comes again, also one that begins the transaction anew.
        XCTAssertEqual(
            try plan(12..<15, ends: [14], staged: staged).step(now),
            .take(transactions: frames(11..<15, ends: [14]), rest: [], firstStaged: 15))
        XCTAssertEqual(
            try plan(11..<13, ends: [12], staged: staged).step(now),
            .take(transactions: frames(11..<13, ends: [12]), rest: [], firstStaged: 13))
    }

    func testWhatIsStagedIsWorthlessOnceTheHeadMoved() throws {
        // Behind a roll it is a gap: the client sends again, counting on.
        let rows: [(UInt32, UInt32, FrameSyncAnswer.Status)] = [
            (3, 10, .conflict), (3, 9, .conflict), (2, 11, .ok),
        ]
        for (generation, first, status) in rows {
            let staged = StagedFrames(
                generation: generation, first: first, frames: frames(first..<first + 5))
            XCTAssertEqual(
                try plan(14..<16, ends: [15], staged: staged).step(now),
                .answer(status, lastFrame: 10), "\(generation), \(first)")
        }
    }

    /// Frames 9 to 14 were taken once and then lost, and somebody else committed 9 and 10.
    func testWhoeverMayHaveOtherFramesSendsAgainFromWhereAllAgreed() throws {
        let lost: [(UInt32, ClosedRange<UInt32>)] = [(3, 9...14)]
        func step(
            _ range: Range<UInt32>, staged: StagedFrames? = nil
        ) throws -> FramePushPlan.Step {
            try plan(range, ends: [range.upperBound - 1], staged: staged, unfinished: lost)
                .step(now)
        }
        for range: Range<UInt32> in [10..<12, 11..<12, 12..<14, 15..<20, 16..<17] {
            XCTAssertEqual(try step(range), .answer(.ok, lastFrame: 8), "\(range)")
        }
        // These are compared where it matters.
        XCTAssertEqual(try step(9..<12), .compare(9...10))
        XCTAssertEqual(try step(1..<12), .compare(1...10))
        // This one has just been compared, and is not asked again.
        let session = StagedFrames(generation: 3, first: 11, frames: [])
        XCTAssertEqual(
            try step(11..<12, staged: session),
            .take(transactions: frames(11..<12, ends: [11]), rest: [], firstStaged: 12))
        // Nobody committed since, or the frames are behind all that.
        XCTAssertEqual(
            try plan(15..<16, unfinished: [(3, 11...14)]).step(now), .answer(.ok, lastFrame: 10))
        XCTAssertEqual(
            try plan(11..<12, ends: [11], unfinished: [(3, 5...9), (2, 9...14)]).step(now),
            .take(transactions: frames(11..<12, ends: [11]), rest: [], firstStaged: 12))
    }

    func testAGapBehindARestartIsComparedFromTheBeginning() throws {
        for since in [nil, 4 as UInt32?] {
            XCTAssertEqual(
                try plan(12..<13, completeSince: since).step(now), .answer(.ok, lastFrame: 0))
            XCTAssertEqual(
                try plan(11..<12, ends: [11], completeSince: since).step(now),
                .take(transactions: frames(11..<12, ends: [11]), rest: [], firstStaged: 12))
        }
        XCTAssertEqual(
            try plan(12..<13, completeSince: 3).step(now), .answer(.ok, lastFrame: 10))
    }

    /// Generation 2 ended with frame 50.
    func testUnfinishedPushesAreRememberedThroughARoll() throws {
        let rows: [(UInt32, ClosedRange<UInt32>, UInt32, UInt32)] = [
            (2, 51...58, 55, 50), (2, 48...58, 55, 47), (3, 1...8, 55, 50), (3, 4...8, 55, 53),
            (2, 48...58, 63, 47),
        ]
        for (generation, range, start, agreed) in rows {
            XCTAssertEqual(
                try plan(
                    start..<start + 1, generation: 2, unfinished: [(generation, range)]
                ).step(now), .answer(.ok, lastFrame: agreed), "\(generation), \(range)")
        }
    }

    func testACommitTakesAPushOffTheList() throws {
        var pushes = UnfinishedPushes()
        let (one, two) = (PushBaton("1"), PushBaton("2"))
        func staged(_ generation: UInt32, _ range: Range<UInt32>) -> StagedFrames {
            StagedFrames(
                generation: generation, first: range.lowerBound, frames: frames(range))
        }
        pushes.willTake(staged(3, 5..<9), under: one)
        pushes.willTake(staged(3, 5..<7), under: one)
        XCTAssertEqual(pushes.pushes.map(\.frames), [5...8], "the client may know of all of them")
        pushes.willTake(staged(3, 5..<20), under: two)
        pushes.willTake(staged(3, 9..<9), under: one)
        XCTAssertEqual(pushes.pushes.map(\.frames), [5...8, 5...19], "the commit may fail")
        pushes.took(staged(3, 9..<9), under: one)
        XCTAssertEqual(pushes.pushes.map(\.frames), [5...19])
        pushes.willTake(staged(3, 20..<22), under: two)
        XCTAssertEqual(pushes.pushes.map(\.frames), [5...19, 20...21])
        pushes.took(staged(3, 20..<22), under: two)
        XCTAssertEqual(pushes.pushes.map(\.frames), [20...21])
        pushes.willTake(staged(4, 1..<3), under: one)
        XCTAssertEqual(pushes.pushes.count, 2)
        pushes.took(staged(4, 1..<3), under: one)
        pushes.willTake(staged(5, 1..<3), under: one)
        XCTAssertEqual(pushes.pushes.map(\.generation), [4, 5], "that of 3 is of no use")
        for index in 0..<UInt32(500) {
            pushes.willTake(staged(5, index + 1..<index + 3), under: PushBaton("b\(index)"))
        }
        XCTAssertLessThanOrEqual(pushes.pushes.count, UnfinishedPushes.limit)
        XCTAssertEqual(pushes.pushes.map(\.frames.lowerBound).min(), 1)
        XCTAssertEqual(pushes.pushes.map(\.frames.upperBound).max(), 501)
    }

    func testALongGenerationAsksOnceForItsEnd() throws {
        let limits = FramePushLimits(checkpointNeeded: 10, emergency: 20)
        let session = StagedFrames(generation: 3, first: 11, frames: [])
        var asked = now
        asked.hasAskedForCheckpoint = true
        let taken = FramePushPlan.Step.take(
            transactions: frames(11..<13, ends: [12]), rest: [], firstStaged: 13)
        func step(
            _ situation: FramePushSituation, _ limits: FramePushLimits,
            _ staged: StagedFrames? = nil
        ) throws -> FramePushPlan.Step {
            try plan(11..<13, ends: [12], staged: staged, limits: limits).step(situation)
        }
        XCTAssertEqual(try step(now, limits), .askForCheckpoint(lastFrame: 10))
        XCTAssertEqual(try step(asked, limits), taken)
        // A push that has begun is not stopped.
        XCTAssertEqual(try step(now, limits, session), taken)
        XCTAssertEqual(try step(now, .init(checkpointNeeded: 11)), taken)
        XCTAssertEqual(try step(now, .init(checkpointNeeded: 0)), taken)
        // Nor is a replay asked, but for its tail.
        let replay = try plan(9..<12, ends: [10, 11], limits: limits)
        XCTAssertEqual(replay.step(now, overlap: .equal), .askForCheckpoint(lastFrame: 10))
        XCTAssertEqual(
            replay.step(now, overlap: .different), .answer(.conflict, lastFrame: 10))
        // A gap is found first.
        XCTAssertEqual(
            try plan(12..<13, limits: limits).step(now), .answer(.ok, lastFrame: 10))
    }

    func testTheEmergencyLimitIsForEverybody() throws {
        let session = StagedFrames(generation: 3, first: 11, frames: [])
        var asked = now
        asked.hasAskedForCheckpoint = true
        for staged in [nil, session] {
            for needed in [0, 1] {
                let limits = FramePushLimits(checkpointNeeded: needed, emergency: 10)
                XCTAssertEqual(
                    try plan(11..<13, ends: [12], staged: staged, limits: limits).step(asked),
                    .answer(.checkpointNeeded, lastFrame: 10))
            }
        }
        XCTAssertEqual(FramePushLimits().emergency, 121_359)
        XCTAssertEqual(FramePushLimits().checkpointNeeded, 1000)
    }
}
