import Primitives
import SQLite
import Storage
import TestSupport
import XCTest

@testable import SQLStreams

/// Trees and lists of pages that are damaged, on purpose and by chance.
final class HostileTreeTests: XCTestCase {
    private static let filling = """
        CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT UNIQUE, v);
        INSERT INTO t SELECT value, 'key ' || value, randomblob(300)
            FROM generate_series(1, 1500);
        CREATE TABLE u(a PRIMARY KEY, b) WITHOUT ROWID;
        INSERT INTO u SELECT value, randomblob(60) FROM generate_series(1, 500);
        CREATE TABLE long(id INTEGER PRIMARY KEY, v);
        INSERT INTO long SELECT value, randomblob(20000) FROM generate_series(1, 5);
        DELETE FROM t WHERE id BETWEEN 300 AND 500;
        """

    /// Everything at once: trees of both kinds, overflow pages, free pages.
    private func wholePush() throws -> (base: MemoryPages, frames: [WALFrame]) {
        let client = try FrameClient(Self.filling)
        let push = try client.push(
            """
            BEGIN; UPDATE t SET v = randomblob(310); UPDATE u SET b = randomblob(70);
            UPDATE long SET v = randomblob(20001); DELETE FROM t WHERE id BETWEEN 600 AND 800;
            COMMIT
            """)
        XCTAssertEqual(try verdict(push.frames, push.base), .sound)
        return push
    }

    private func verdict(
        _ frames: [WALFrame], _ base: MemoryPages
    ) throws -> ImageVerdict { try SoundImageTests.patient.verdict(on: frames, over: base) }

    private func assertRefused(
        _ verdict: ImageVerdict, _ problem: String, line: UInt = #line
    ) {
        guard case .refused(let problems) = verdict else {
            return XCTFail("taken for sound, not: \(problem)", line: line)
        }
        XCTAssertTrue(problems.contains { $0.contains(problem) }, "\(problems)", line: line)
    }

    private func bigEndian(_ number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * UInt32($0))) }
    }

    /// The push with the newest image of one page changed.
    private func changing(
        _ page: UInt32, of frames: [WALFrame], _ change: (inout [UInt8]) -> Void
    ) -> [WALFrame] {
        var frames = frames
        let index = frames.lastIndex { $0.page == page }!
        var content = frames[index].content
        change(&content)
        frames[index] = WALFrame(
            page: page, databaseSize: frames[index].databaseSize, content: content)
        return frames
    }

    /// A push of one more transaction, of these pages.
    private func frames(_ pages: [(UInt32, [UInt8])], size: UInt32) -> [WALFrame] {
        pages.enumerated().map {
            WALFrame(
                page: $1.0, databaseSize: $0 == pages.count - 1 ? size : 0, content: $1.1)
        }
    }

    private func root(of name: String, in image: MemoryPages) throws -> UInt32 {
        let connection = try Connection.open(image: image)
        defer { connection.close() }
        return UInt32(
            try XCTUnwrap(
                try connection.queryInteger(
                    "SELECT rootpage FROM sqlite_schema WHERE name = '\(name)'")))
    }

    private func tree(_ page: UInt32, in image: MemoryPages) throws -> TreePage {
        try TreePage(number: page, bytes: image.pages[Int(page) - 1])
    }

    // MARK: on purpose

    func testCirclesAndStrangers() throws {
        let base = try FrameClient(Self.filling).base
        let size = base.databaseSize
        let (t, u) = (try root(of: "t", in: base), try root(of: "u", in: base))
        let root = try tree(t, in: base)
        XCTAssertEqual(root.kind, .tableInterior)
        let children = try root.children()
        let leafOfU = try XCTUnwrap(try tree(u, in: base).children().first)
        let firstCell = root.bytes.bigEndian16(at: 12)
        func replacingFirstChild(_ child: UInt32) -> [WALFrame] {
            var bytes = root.bytes
            bytes.replaceSubrange(firstCell..<firstCell + 4, with: bigEndian(child))
            return frames([(t, bytes)], size: size)
        }
        for (child, problem) in [
            (t, "used twice"), (children[1], "used twice"), (1, "used twice"),
            (0, "refers to page 0"), (size + 1, "refers to page \(size + 1)"),
            (.max, "refers to page"), (262_145, "refers to page"),
            (leafOfU, "does not fit into its tree"),
        ] {
            assertRefused(try verdict(replacingFirstChild(child), base), problem)
        }
        // Two children in the wrong order.
        var bytes = root.bytes
        bytes.replaceSubrange(firstCell..<firstCell + 4, with: bigEndian(children[1]))
        let second = root.bytes.bigEndian16(at: 14)
        bytes.replaceSubrange(second..<second + 4, with: bigEndian(children[0]))
        assertRefused(try verdict(frames([(t, bytes)], size: size), base), "quick_check")
    }

    func testRowsOutOfOrder() throws {
        let base = try FrameClient(Self.filling).base
        let root = try tree(try root(of: "t", in: base), in: base)
        let children = try root.children()
        let size = base.databaseSize
        // A leaf that holds another one's rows.
        let foreign = frames([(children[0], base.pages[Int(children[2]) - 1])], size: size)
        assertRefused(try verdict(foreign, base), "out of order")
        // Two cells of a leaf swapped.
        var bytes = base.pages[Int(children[1]) - 1]
        bytes.swapAt(8, 10)
        bytes.swapAt(9, 11)
        assertRefused(
            try verdict(frames([(children[1], bytes)], size: size), base), "out of order")
    }

    func testOverflowPages() throws {
        let base = try FrameClient(Self.filling).base
        let size = base.databaseSize
        let root = try tree(try root(of: "long", in: base), in: base)
        let leafNumber = root.isLeaf ? root.number : try root.children()[0]
        let leaf = try tree(leafNumber, in: base)
        let first = try leaf.cell(0).overflow
        let second = base.pages[Int(first) - 1].bigEndian32(at: 0)
        XCTAssertNotEqual(second, 0)
        func linking(_ page: UInt32, to next: UInt32) -> [WALFrame] {
            var bytes = base.pages[Int(page) - 1]
            bytes.replaceSubrange(0..<4, with: bigEndian(next))
            return frames([(page, bytes), (leafNumber, leaf.bytes)], size: size)
        }
        XCTAssertEqual(try verdict(linking(first, to: second), base), .sound)
        for (next, problem) in [
            (first, "used twice"), (leafNumber, "used twice"), (0, "refers to page 0"),
            (size + 9, "refers to page"),
        ] {
            assertRefused(try verdict(linking(first, to: next), base), problem)
        }
        var last = second
        while case let next = base.pages[Int(last) - 1].bigEndian32(at: 0), next != 0 {
            last = next
        }
        assertRefused(try verdict(linking(last, to: 3), base), "longer than its payload")
    }

    func testFreePages() throws {
        let base = try FrameClient(Self.filling).base
        let size = base.databaseSize
        let trunk = base.pages[0].bigEndian32(at: 32)
        let bytes = base.pages[Int(trunk) - 1]
        XCTAssertGreaterThan(bytes.bigEndian32(at: 4), 1)
        let t = try root(of: "t", in: base)
        for (offset, number, problem) in [
            (0, trunk, "used twice"), (0, t, "used twice"), (0, size + 1, "refers to page"),
            (4, 1023, "too many entries"), (4, .max, "too many entries"),
            (4, bytes.bigEndian32(at: 4) - 1, "free list has"), (8, t, "used twice"),
            (8, trunk, "used twice"), (8, 0, "refers to page 0"),
        ] {
            var bytes = bytes
            bytes.replaceSubrange(offset..<offset + 4, with: bigEndian(number))
            assertRefused(try verdict(frames([(trunk, bytes)], size: size), base), problem)
        }
    }

    /// As many levels as pages, which SQLite's own check would follow until the stack is full.
    func testADeepTree() throws {
        let base = try FrameClient("CREATE TABLE t(x)").base
        let root = try root(of: "t", in: base)
        func chain(_ depth: UInt32) -> [WALFrame] {
            let size = base.databaseSize + depth
            var header = base.pages[0]
            header.replaceSubrange(28..<32, with: bigEndian(size))
            var pages: [(UInt32, [UInt8])] = [(1, header)]
            var page = root
            for index in 0..<depth {
                let next = base.databaseSize + index + 1
                pages.append(
                    (
                        page,
                        [5, 0, 0, 0, 0, 0x10, 0, 0] + bigEndian(next)
                            + [UInt8](repeating: 0, count: pageSize - 12)
                    ))
                page = next
            }
            pages.append((page, base.pages[Int(root) - 1]))
            return frames(pages, size: size)
        }
        XCTAssertEqual(try verdict(chain(0), base), .sound)
        assertRefused(try verdict(chain(1), base), "has no cells")
        assertRefused(try verdict(chain(20_000), base), "has no cells")
        // Also where the time is over at once, and SQLite is asked nevertheless.
        var limits = ImageCheck.Limits()
        limits.time = .zero
        limits.walkTimePerFrame = .zero
        let long = chain(20_000)
        XCTAssertEqual(try ImageCheck(limits: limits).verdict(on: long, over: base), .sound)
        // Many frames bring time of their own.
        limits.walkTimePerFrame = .milliseconds(10)
        assertRefused(
            try ImageCheck(limits: limits).verdict(on: long, over: base), "has no cells")
        XCTAssertThrowsError(
            try QuickCheck(
                PushedImage(frames: long, base: base), deadline: .now + .seconds(60)
            ).run([], trees: [:]))
    }

    /// A page that refers to a hundred others twice, on nineteen levels.
    func testATreeThatBranchesIntoItself() throws {
        let base = try FrameClient("CREATE TABLE t(x)").base
        let root = try root(of: "t", in: base)
        let size = base.databaseSize + 19
        var header = base.pages[0]
        header.replaceSubrange(28..<32, with: bigEndian(size))
        var pages: [(UInt32, [UInt8])] = [(1, header)]
        for level in 0..<UInt32(19) {
            let next = base.databaseSize + level + 1
            var bytes = [UInt8](repeating: 0, count: pageSize)
            bytes.replaceSubrange(0..<12, with: [5, 0, 0, 0, 100, 0x0C, 0, 0] + bigEndian(next))
            for index in 0..<100 {
                let start = pageSize - 5 * (index + 1)
                bytes[12 + 2 * index] = UInt8(start >> 8)
                bytes[13 + 2 * index] = UInt8(start & 0xFF)
                bytes.replaceSubrange(
                    start..<start + 5, with: bigEndian(next) + [UInt8(index + 1)])
            }
            bytes[5] = UInt8((pageSize - 500) >> 8)
            bytes[6] = UInt8((pageSize - 500) & 0xFF)
            pages.append((level == 0 ? root : next - 1, bytes))
        }
        pages.append((size, base.pages[Int(root) - 1]))
        assertRefused(try verdict(frames(pages, size: size), base), "out of order")
        let image = PushedImage(frames: frames(pages, size: size), base: base)
        let time = ContinuousClock().measure {
            try? QuickCheck(image, deadline: .now + .milliseconds(50)).run([], trees: [:])
        }
        XCTAssertLessThan(time, .seconds(5))
    }

    // MARK: by chance

    /// Every bit of the header of every kind of page matters.
    func testBitsOfPageHeaders() throws {
        let (base, frames) = try wholePush()
        let image = base.applying(frames)
        var seen: Set<TreePage.Kind> = []
        for name in ["t", "sqlite_autoindex_t_1", "u", "long"] {
            let root = try tree(try root(of: name, in: image), in: image)
            var pages = [root]
            if !root.isLeaf { pages.append(try tree(try root.children()[1], in: image)) }
            for page in pages where frames.contains(where: { $0.page == page.number }) {
                seen.insert(page.kind)
                for bit in 0..<(page.isLeaf ? 64 : 96) {
                    let changed = changing(page.number, of: frames) {
                        $0[bit / 8] ^= 1 << UInt8(bit % 8)
                    }
                    XCTAssertNotEqual(
                        try verdict(changed, base), .sound,
                        "bit \(bit) of page \(page.number) of \(name)")
                }
            }
        }
        XCTAssertEqual(seen, [.tableLeaf, .indexLeaf, .tableInterior, .indexInterior])
    }

    /// Whatever comes, there is a verdict, soon; and what is called sound can be read.
    func testRandomDamage() throws {
        var random = SeededGenerator.announced(for: name)
        let (base, frames) = try wholePush()
        var refused = 0
        let rounds = 300
        for _ in 0..<rounds {
            var damaged = frames
            for _ in 0..<random.number(1...3) {
                let index = random.number(0...frames.count - 1)
                var content = damaged[index].content
                switch random.number(1...5) {
                case 1...3:
                    // Where the structure is.
                    let offset = random.number(0...63) + (damaged[index].page == 1 ? 100 : 0)
                    content[offset] = UInt8(random.number(0...255))
                case 4: content[random.number(0...pageSize - 1)] ^= 1 << UInt8(random.number(0...7))
                default: content = frames[random.number(0...frames.count - 1)].content
                }
                damaged[index] = WALFrame(
                    page: damaged[index].page, databaseSize: damaged[index].databaseSize,
                    content: content)
            }
            var verdict = ImageVerdict.sound
            let time = try ContinuousClock().measure { verdict = try self.verdict(damaged, base) }
            XCTAssertLessThan(time, .seconds(10))
            guard verdict == .sound else {
                refused += 1
                continue
            }
            let connection = try Connection.open(image: base.applying(damaged))
            defer { connection.close() }
            XCTAssertNoThrow(
                try connection.execute(
                    "SELECT * FROM t; SELECT * FROM u; SELECT * FROM long; "
                        + "SELECT k FROM t INDEXED BY sqlite_autoindex_t_1 ORDER BY k"))
        }
        print("\(refused) of \(rounds) refused")
        XCTAssertGreaterThan(refused, rounds / 3)
    }

    /// Random pages as the schema, with an honest header.
    func testRandomSchemas() throws {
        var random = SeededGenerator.announced(for: name)
        let client = try FrameClient()
        let text = String(repeating: "x", count: 5000)
        let (base, frames) = try client.push(
            "BEGIN;" + (1...40).map { "CREATE TABLE t\($0)(a /* \(text) */, b UNIQUE);" }.joined()
                + "COMMIT")
        XCTAssertEqual(try verdict(frames, base), .sound)
        var refused = 0
        for _ in 0..<150 {
            // Page 1 and the leaves of the schema, and where their structure is.
            let trees = frames.filter { $0.page == 1 || $0.content[0] == 13 }
            let page = trees[random.number(0...trees.count - 1)].page
            let damaged = changing(page, of: frames) { content in
                let start = page == 1 ? 100 : 0
                for _ in 0..<random.number(1...4) {
                    let offset = random.chance(2) ? random.number(0...20) : random.number(0...3900)
                    content[start + offset] = UInt8(random.number(0...255))
                }
            }
            if try verdict(damaged, base) != .sound { refused += 1 }
        }
        XCTAssertGreaterThan(refused, 50)
    }
}
