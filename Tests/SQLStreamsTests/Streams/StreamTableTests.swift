import Foundation
import Primitives
import TestSupport
import XCTest

@testable import SQLStreams

final class StreamTableTests: XCTestCase {
    private typealias Table = StreamTable<Int>
    private let start = ContinuousClock.now
    private let database = DatabaseID(high: 1, low: 2)
    private let other = DatabaseID(high: 1, low: 3)

    private func limits(_ perDatabase: Int = 128, _ total: Int = 1024) -> StreamLimits {
        var limits = StreamLimits()
        limits.idleTime = .seconds(5)
        limits.transactionTime = .seconds(60)
        limits.streamsPerDatabase = perDatabase
        limits.streams = total
        return limits
    }

    /// `3` for a stream with that content, else what became of it.
    private func outcome(_ taken: Table.Taken) -> String {
        switch taken {
        case .stream(_, let content): "\(content)"
        case .busy: "busy"
        case .ended(nil, nil): "unknown"
        case .ended(let end, let content):
            "\(end.map { "\($0)" } ?? "-") \(content.map { "\($0)" } ?? "-")"
        }
    }

    private func take(_ table: inout Table, _ baton: String, at seconds: Int = 0) -> String {
        outcome(table.take(baton, of: database, now: start + .seconds(seconds)))
    }

    /// A stream that keeps `content`, idle since `seconds`.
    @discardableResult
    private func store(
        _ table: inout Table, _ content: Int, _ baton: String, holds: Bool = false,
        at seconds: Int = 0
    ) throws -> StreamID {
        let id = try XCTUnwrap(table.open(database))
        XCTAssertTrue(
            table.store(
                content, in: id, under: baton, holdsTransaction: holds,
                now: start + .seconds(seconds)))
        return id
    }

    func testABatonIsGoodForOneRequestOfItsDatabase() throws {
        var table = Table(limits: limits())
        let id = try store(&table, 7, "a")
        XCTAssertEqual(take(&table, "b"), "unknown")
        XCTAssertEqual(outcome(table.take("a", of: other, now: start)), "unknown")
        XCTAssertEqual(take(&table, "a"), "7")
        XCTAssertEqual(take(&table, "a"), "busy")
        XCTAssertEqual(outcome(table.take("a", of: other, now: start)), "unknown")
        XCTAssertTrue(table.store(8, in: id, under: "b", holdsTransaction: false, now: start))
        XCTAssertEqual(take(&table, "a"), "used -")
        XCTAssertEqual(take(&table, "b"), "8")
        // Put back as it was.
        XCTAssertTrue(table.store(8, in: id, under: "b", holdsTransaction: false, now: start))
        XCTAssertEqual(take(&table, "b"), "8")
        XCTAssertNil(table.end(id, .used))
        XCTAssertEqual(take(&table, "b"), "used -")
        XCTAssertEqual(table.count, 0)
    }

    func testDeadlines() throws {
        let idle = "idle(5.0 seconds)"
        let tooLong = "transactionTooLong(60.0 seconds)"
        var table = Table(limits: limits())
        try store(&table, 1, "a")
        XCTAssertEqual(table.nextDeadline, start + .seconds(5))
        XCTAssertEqual(take(&table, "a", at: 5), "\(idle) 1")
        XCTAssertEqual(take(&table, "a", at: 6), "\(idle) -")

        let id = try store(&table, 2, "t0", holds: true)
        for turn in 1...14 {
            let now = start + .seconds(turn * 4)
            XCTAssertEqual(take(&table, "t\(turn - 1)", at: turn * 4), "2")
            XCTAssertNil(table.nextDeadline)
            XCTAssertFalse(table.isTransactionOver(id, now: now))
            XCTAssertTrue(
                table.store(2, in: id, under: "t\(turn)", holdsTransaction: true, now: now))
        }
        XCTAssertEqual(table.nextDeadline, start + .seconds(60))
        XCTAssertEqual(table.expire(now: start + .seconds(59)).count, 0)
        let over = table.expire(now: start + .seconds(60))
        XCTAssertEqual(over.map(\.content), [2])
        XCTAssertEqual(take(&table, "t14", at: 60), "\(tooLong) -")

        // A request that is running is not cut off; the next transaction has its own time.
        let busy = try store(&table, 3, "b0", holds: true)
        XCTAssertEqual(take(&table, "b0", at: 4), "3")
        XCTAssertEqual(table.expire(now: start + .seconds(100)).count, 0)
        XCTAssertTrue(table.isTransactionOver(busy, now: start + .seconds(100)))
        XCTAssertTrue(
            table.store(
                3, in: busy, under: "b1", holdsTransaction: false, now: start + .seconds(100)))
        XCTAssertEqual(take(&table, "b1", at: 104), "3")
        XCTAssertFalse(table.isTransactionOver(busy, now: start + .seconds(104)))
    }

    func testTheNumberOfStreamsIsBounded() throws {
        var table = Table(limits: limits(2, 3))
        let first = try XCTUnwrap(table.open(database))
        XCTAssertNotNil(table.open(database))
        XCTAssertNil(table.open(database))
        XCTAssertNotNil(table.open(other))
        XCTAssertNil(table.open(other))
        table.end(first, .used)
        table.end(first, .used)
        XCTAssertEqual(table.count(of: database), 1)
        XCTAssertNotNil(table.open(other))
        XCTAssertNil(table.open(database))
    }

    func testAStreamThatWasEndedUnderARequestIsNotKept() throws {
        var table = Table(limits: limits())
        let busy = try store(&table, 1, "a")
        try store(&table, 2, "b")
        XCTAssertEqual(take(&table, "a"), "1")
        XCTAssertEqual(table.endAll(.stopping), [2])
        XCTAssertFalse(table.store(1, in: busy, under: "c", holdsTransaction: true, now: start))
        for baton in ["a", "b"] { XCTAssertEqual(take(&table, baton), "stopping -") }
        XCTAssertEqual(take(&table, "c"), "unknown")
    }

    func testWhatIsRememberedOfBatonsIsBounded() throws {
        var table = Table(limits: limits(), endedLimit: 3)
        for baton in ["a", "b", "c", "d"] { table.end(try store(&table, 0, baton), .used) }
        XCTAssertEqual(take(&table, "a"), "unknown")
        for baton in ["b", "c", "d"] { XCTAssertEqual(take(&table, baton), "used -") }
    }

    // MARK: a model

    private struct Modelled {
        let id: StreamID
        let database: Int
        let content: Int
        var baton: String?
        var isIdle: Bool
        var idleDeadline = 0
        var transactionDeadline: Int?

        func isOver(_ now: Int) -> Bool {
            isIdle && (idleDeadline <= now || (transactionDeadline ?? .max) <= now)
        }
    }

    /// Whatever requests, clocks and liars do: a content is in one place at a time and is handed out
    /// once, to who has its newest baton.
    func testRandomTurnsAgainstAModel() throws {
        let databases = [database, other]
        for seed in 1...UInt64(seedCount) {
            var generator = SeededGenerator(seed: seed)
            var table = Table(limits: limits(4, 6))
            var model: [Modelled] = []
            var oldBatons = ["nonsense", ""]
            var now = 0
            var next = 0
            func fail(_ what: String) { XCTFail("seed \(seed): \(what)") }
            for _ in 0..<400 {
                let instant = start + .seconds(now)
                switch generator.number(0...7) {
                case 0, 1:
                    let place = generator.number(0...1)
                    let isRoom =
                        model.count < 6 && model.filter { $0.database == place }.count < 4
                    let id = table.open(databases[place])
                    if (id != nil) != isRoom { fail("room") }
                    next += 1
                    if let id {
                        model.append(
                            Modelled(id: id, database: place, content: next, isIdle: false))
                    }
                case 2, 3:
                    let busy = model.indices.filter { !model[$0].isIdle }
                    guard let index = busy.randomElement(using: &generator) else { break }
                    next += 1
                    let holds = generator.chance(2)
                    let isSame = generator.chance(4) && model[index].baton != nil
                    let baton = isSame ? model[index].baton! : "b\(next)"
                    if !isSame, let old = model[index].baton { oldBatons.append(old) }
                    let kept = table.store(
                        model[index].content, in: model[index].id, under: baton,
                        holdsTransaction: holds, now: instant)
                    if !kept { fail("a live stream was not stored") }
                    model[index].baton = baton
                    model[index].isIdle = true
                    model[index].idleDeadline = now + 5
                    model[index].transactionDeadline =
                        holds ? model[index].transactionDeadline ?? now + 60 : nil
                case 4, 5:
                    let stream = model.randomElement(using: &generator)
                    let isOld = generator.chance(4)
                    guard
                        let baton = isOld
                            ? oldBatons.randomElement(using: &generator) : stream?.baton
                    else { break }
                    let place = generator.chance(5) ? 1 - (stream?.database ?? 0) : stream?.database
                    let index = model.firstIndex { $0.baton == baton && $0.database == place }
                    switch table.take(baton, of: databases[place ?? 0], now: instant) {
                    case .stream(let id, let content):
                        guard let index, model[index].isIdle, !model[index].isOver(now),
                            model[index].id == id, model[index].content == content
                        else { return fail("\(baton) was taken") }
                        model[index].isIdle = false
                    case .busy:
                        guard let index, !model[index].isIdle else { return fail("busy") }
                    case .ended(_, let content?):
                        guard let index, model[index].isOver(now), model[index].content == content
                        else { return fail("\(baton) was ended") }
                        oldBatons.append(model.remove(at: index).baton!)
                    case .ended(_, nil):
                        if index != nil { fail("\(baton) is good") }
                    }
                case 6:
                    now += generator.number(0...3)
                    guard generator.chance(2) else { break }
                    let over = Set(table.expire(now: start + .seconds(now)).map(\.content))
                    if over != Set(model.filter { $0.isOver(now) }.map(\.content)) {
                        fail("expiry")
                    }
                    model.removeAll { $0.isOver(now) }
                default:
                    guard generator.chance(3),
                        let index = model.indices.randomElement(
                            using: &generator)
                    else { break }
                    let stream = model.remove(at: index)
                    let content = table.end(stream.id, .used)
                    if content != (stream.isIdle ? stream.content : nil) { fail("end") }
                    if let baton = stream.baton { oldBatons.append(baton) }
                }
                let deadline = model.filter(\.isIdle)
                    .map { min($0.idleDeadline, $0.transactionDeadline ?? .max) }.min()
                if table.nextDeadline != deadline.map({ start + .seconds($0) }) { fail("deadline") }
                if table.count != model.count { fail("count") }
            }
        }
    }

    private var seedCount: Int {
        ProcessInfo.processInfo.environment["TIDEMARK_SEEDS"].flatMap { Int($0) } ?? 100
    }
}
