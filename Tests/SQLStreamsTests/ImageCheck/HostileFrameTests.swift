import Primitives
import SQLite
import Storage
import XCTest

@testable import SQLStreams

/// Frames and headers that lie. Every row begins with a push that is sound.
final class HostileFrameTests: XCTestCase {
    private func verdict(
        _ frames: [WALFrame], _ base: MemoryPages
    ) throws -> ImageVerdict { try SoundImageTests.patient.verdict(on: frames, over: base) }

    private func assertRefused(
        _ verdict: ImageVerdict, _ problem: String, _ what: String = "", line: UInt = #line
    ) {
        guard case .refused(let problems) = verdict else {
            return XCTFail("\(what) was taken for sound", line: line)
        }
        XCTAssertTrue(
            problems.contains { $0.contains(problem) }, "\(what): \(problems)", line: line)
    }

    /// A database of at least six pages, and a push with page 1 that makes it grow.
    private func growingPush() throws -> (base: MemoryPages, frames: [WALFrame]) {
        let client = try FrameClient(
            """
            CREATE TABLE t(id INTEGER PRIMARY KEY, v);
            INSERT INTO t SELECT value, randomblob(900) FROM generate_series(1, 40);
            """)
        let push = try client.push(
            "INSERT INTO t SELECT value, randomblob(900) FROM generate_series(100, 120)")
        XCTAssertTrue(push.frames.contains { $0.page == 1 })
        XCTAssertGreaterThan(push.frames.last!.databaseSize, push.base.databaseSize + 3)
        XCTAssertEqual(try verdict(push.frames, push.base), .sound)
        return push
    }

    // MARK: frames

    func testNumbersAndSizes() throws {
        let (base, frames) = try growingPush()
        let size = frames.last!.databaseSize
        let content = frames[0].content
        func with(_ page: UInt32) -> [WALFrame] {
            [WALFrame(page: page, databaseSize: 0, content: content)] + frames
        }
        func ending(_ size: UInt32) -> [WALFrame] {
            frames.dropLast() + [
                WALFrame(
                    page: frames.last!.page, databaseSize: size, content: frames.last!.content)
            ]
        }
        let limit = FrameRules.maximumDistance
        for (what, frames, problem) in [
            ("nothing", [], "there are no frames"),
            ("an open end", ending(0), "does not end a transaction"),
            ("an open tail", frames + [frames[0]], "does not end a transaction"),
            ("page 0", with(0), "there is no page 0"),
            ("no page", with(.max), "there is no page 4294967295"),
            ("the lock page", with(262_145), "lock page"),
            ("a far page", with(size + limit + 1), "beyond the database's end"),
            ("the last page", with(.max - 1), "beyond the database's end"),
            ("too small", ending(size - 1), "page 1 says \(size) pages, the commit \(size - 1)"),
            ("tiny", ending(1), "page 1 says"),
            ("too large", ending(size + 1), "grows by"),
            ("huge", ending(.max - 1), "grows by"),
            ("larger than any", ending(.max), "no database has"),
            (
                "a hole", frames.filter { $0.page != base.databaseSize + 2 },
                "grows by \(size - base.databaseSize) pages, of which"
                    + " \(size - base.databaseSize - 1) were pushed"
            ),
        ] {
            assertRefused(try verdict(frames, base), problem, what)
        }
        // Frames that nobody will ever read are no harm.
        XCTAssertEqual(try verdict(with(size + limit), base), .sound)
    }

    /// A frame client can stop between two transactions, so each must be right.
    func testEveryTransactionsHeaderIsJudged() throws {
        let client = try FrameClient("CREATE TABLE t(a)")
        let push = try client.push("CREATE TABLE u(a); CREATE TABLE v(a); INSERT INTO v VALUES (1)")
        let ends = push.frames.indices.filter { push.frames[$0].databaseSize != 0 }
        XCTAssertEqual(ends.count, 3)
        XCTAssertEqual(try verdict(push.frames, push.base), .sound)
        for (index, frame) in push.frames.enumerated() where frame.page == 1 {
            var frames = push.frames
            var content = frame.content
            content[31] += 1
            frames[index] = WALFrame(
                page: 1, databaseSize: frame.databaseSize, content: content)
            assertRefused(try verdict(frames, push.base), "page 1 says", "frame \(index)")
        }
        // A transaction that leaves page 1 as it was cannot change the size.
        var frames = push.frames
        let last = frames.removeLast()
        XCTAssertNotEqual(last.page, 1)
        frames.append(
            WALFrame(page: last.page, databaseSize: last.databaseSize - 1, content: last.content))
        assertRefused(try verdict(frames, push.base), "page 1 says")
    }

    /// Beyond 1 GiB, where one page is never written.
    func testGrowthOverTheLockPage() throws {
        let lockPage = PageNumber.lockPage.rawValue
        var pageOne = try FrameClient("CREATE TABLE t(a)").base.pages[0]
        func problems(_ pages: [UInt32], size: UInt32) -> [String] {
            for index in 0..<4 {
                pageOne[28 + index] = UInt8(truncatingIfNeeded: size >> UInt32(24 - 8 * index))
            }
            var frames = pages.map { WALFrame(page: $0, databaseSize: 0, content: pageOne) }
            frames.append(WALFrame(page: 1, databaseSize: size, content: pageOne))
            return FrameRules.problems(of: frames, baseSize: lockPage - 2, pageOne: pageOne)
        }
        XCTAssertEqual(problems([lockPage - 1, lockPage + 1], size: lockPage + 1), [])
        XCTAssertEqual(problems([lockPage - 1], size: lockPage - 1), [])
        XCTAssertNotEqual(problems([lockPage + 1], size: lockPage + 1), [])
        XCTAssertNotEqual(problems([lockPage - 1], size: lockPage + 1), [])
        XCTAssertNotEqual(
            problems([lockPage - 1, lockPage, lockPage + 1], size: lockPage + 1), [])
    }

    // MARK: page 1

    func testLiesOfPageOne() throws {
        let (base, frames) = try growingPush()
        let size = UInt8(frames.last!.databaseSize)
        for (offset, bytes, problem) in [
            (0, [0x73], "does not begin like"), (15, [1], "does not begin like"),
            (16, [0, 1], "the page size is 65536"), (16, [0x02, 0], "the page size is 512"),
            (16, [0, 0], "the page size is 0"), (18, [1], "versions are 1 and 2"),
            (18, [1, 1], "versions are 1 and 1"), (19, [3], "versions are 2 and 3"),
            (20, [8], "8 bytes of each page"), (21, [65], "payload fractions"),
            (28, [0, 0, 0, 0], "page 1 says 0 pages"), (28, [0, 0, 0, size + 1], "page 1 says"),
            (28, [0xFF, 0xFF, 0xFF, 0xFF], "page 1 says 4294967295"),
            (44, [0, 0, 0, 5], "schema format 5"), (52, [0, 0, 0, 3], "auto_vacuum"),
            (64, [0, 0, 0, 1], "auto_vacuum"), (56, [0, 0, 0, 2], "UTF-16le"),
            (56, [0, 0, 0, 3], "UTF-16be"), (56, [0, 0, 0, 0], "the text encoding is 0"),
            (56, [0, 0, 0, 4], "the text encoding is 4"), (100, [2], "not the schema's root"),
            (100, [10], "not the schema's root"), (100, [0], "not a page of a b-tree"),
            (32, [0, 0, 0, 3], "used twice"), (32, [1, 0, 0, 0], "something refers to page"),
            (32, [0, 4, 0, 1], "something refers to page"), (36, [0, 0, 0, 9], "free list"),
        ] as [(Int, [UInt8], String)] {
            let changed = frames.map { frame in
                guard frame.page == 1 else { return frame }
                var content = frame.content
                content.replaceSubrange(offset..<offset + bytes.count, with: bytes)
                return WALFrame(page: 1, databaseSize: frame.databaseSize, content: content)
            }
            assertRefused(try verdict(changed, base), problem, "byte \(offset): \(bytes)")
        }
    }

    func testContentThatIsNothing() throws {
        let (base, frames) = try growingPush()
        for byte in [0, 0xFF, 13] as [UInt8] {
            let nothing = [UInt8](repeating: byte, count: pageSize)
            for index in frames.indices {
                var changed = frames
                changed[index] = WALFrame(
                    page: frames[index].page, databaseSize: frames[index].databaseSize,
                    content: nothing)
                XCTAssertNotEqual(
                    try verdict(changed, base), .sound, "page \(frames[index].page)")
            }
            let all = frames.map {
                WALFrame(page: $0.page, databaseSize: $0.databaseSize, content: nothing)
            }
            assertRefused(try verdict(all, base), "does not begin like")
        }
    }

    func testAPushToNothing() throws {
        let client = try FrameClient("CREATE TABLE t(a); INSERT INTO t VALUES (1)")
        let pages = client.base.pages
        let frames = pages.enumerated().map { index, content in
            WALFrame(
                page: UInt32(index + 1),
                databaseSize: index + 1 == pages.count ? UInt32(pages.count) : 0,
                content: content)
        }
        XCTAssertEqual(try verdict(frames, MemoryPages([])), .sound)
        assertRefused(try verdict(Array(frames.dropFirst()), MemoryPages([])), "grows by")
    }

    /// What the server cannot read is not the client's fault.
    func testAnErrorOfTheBaseIsThrown() throws {
        final class Broken: PageSource {
            let good: MemoryPages
            var readsLeft: Int
            init(_ good: MemoryPages, reads: Int) { (self.good, readsLeft) = (good, reads) }
            var databaseSize: UInt32 { good.databaseSize }
            func read(
                page: UInt32, into buffer: UnsafeMutableRawBufferPointer
            ) throws(SQLiteError) {
                readsLeft -= 1
                guard readsLeft >= 0 else { throw SQLiteError(extendedCode: 10) }
                try good.read(page: page, into: buffer)
            }
        }
        let client = try FrameClient(
            """
            CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE w(a);
            INSERT INTO t SELECT value, randomblob(900) FROM generate_series(1, 400);
            """)
        let (base, frames) = try client.push("CREATE TABLE u(a); UPDATE t SET v = 1 WHERE id = 300")
        var reads = 0
        while true {
            do {
                let verdict = try SoundImageTests.patient.verdict(
                    on: frames, over: Broken(base, reads: reads))
                XCTAssertEqual(verdict, .sound, "\(reads)")
                break
            } catch {
                XCTAssertEqual(error, SQLiteError(extendedCode: 10), "\(reads)")
            }
            reads += 1
        }
        XCTAssertGreaterThan(reads, 20)
    }
}
