import Primitives
import TestSupport
import XCTest

@testable import Codecs

final class PageSelectorTests: XCTestCase {
    func testDecodesWhatClientsSend() throws {
        // The selectors of Tests/Fixtures/turso-0.8.3, and the one of a prefix below one page.
        let rows: [(name: String, hex: String, ids: Range<UInt32>)] = [
            ("pull-bootstrap-prefix", "3b3000000100001f00010000001f00", 0..<32),
            ("pull-bootstrap-chunked, 1", "3b3000000100003f00010000003f00", 0..<64),
            ("pull-bootstrap-chunked, 4", "3b3000000100003b000100c0003b00", 192..<252),
            (
                "pull-lazy-segments, 1",
                "3a3000000100000000001f0010000000"
                    + (32..<64).map { String(format: "%02x00", $0) }.joined(), 32..<64
            ),
            ("prefix of nothing", "3a30000000000000", 0..<0),
        ]
        for row in rows {
            let selector = try PageSelector(portableRoaring: bytes(row.hex))
            XCTAssertEqual(selector.pageIDs(below: .max), row.ids.map(PageID.init), row.name)
            XCTAssertEqual(selector.isEmpty, row.ids.isEmpty, row.name)
            XCTAssertEqual(selector.count, UInt64(row.ids.count), row.name)
        }
    }

    func testAnswersOnlyIDsBelowTheSize() throws {
        let ids = [0, 7, 65535, 65536, 1_000_000, UInt32.max].map(PageID.init)
        let selector = try PageSelector(portableRoaring: PageSelector.encode(ids))
        XCTAssertEqual(selector.pageIDs(below: 0), [])
        XCTAssertEqual(selector.pageIDs(below: 1), [PageID(0)])
        XCTAssertEqual(selector.pageIDs(below: 65536), Array(ids[..<3]))
        XCTAssertEqual(selector.pageIDs(below: .max), Array(ids[..<5]))
        XCTAssertTrue(selector.contains(PageID(.max)))
        XCTAssertFalse(selector.contains(PageID(8)))
    }

    func testFourBillionIDsCostNoMoreThanTheDatabaseHas() throws {
        // 65,536 run containers, each of one run from 0 to 65535.
        var bitmap: [UInt8] = []
        bitmap.appendLittleEndian(UInt32(12347 | 65535 << 16))
        bitmap += [UInt8](repeating: 0xFF, count: 8192)
        for key in 0..<65536 {
            bitmap.appendLittleEndian(UInt16(key))
            bitmap.appendLittleEndian(UInt16.max)
        }
        for index in 0..<65536 {
            bitmap.appendLittleEndian(UInt32(4 + 8192 + 65536 * 8 + index * 6))
        }
        for _ in 0..<65536 {
            for number: UInt16 in [1, 0, 65535] { bitmap.appendLittleEndian(number) }
        }
        let selector = try PageSelector(portableRoaring: bitmap)
        XCTAssertEqual(selector.count, 1 << 32)
        XCTAssertEqual(selector.pageIDs(below: 1000), (0..<1000).map { PageID($0) })
    }

    func testRoundTripsEveryKindOfContainer() throws {
        var generator = SeededGenerator.announced(for: name)
        for round in 0..<50 {
            var ids: Set<UInt32> = []
            for _ in 0..<Int.random(in: 0...8, using: &generator) {
                let base = UInt32.random(in: 0..<40, using: &generator) << 14
                let count = UInt32.random(in: 1...9000, using: &generator)
                let stride = UInt32.random(in: 1...3, using: &generator)
                for index in 0..<count { ids.insert(base + index * stride) }
            }
            let encoded = PageSelector.encode(ids.map(PageID.init))
            let selector = try PageSelector(portableRoaring: encoded)
            XCTAssertEqual(
                selector.pageIDs(below: .max).map(\.rawValue), ids.sorted(), "round \(round)")
            XCTAssertEqual(selector.count, UInt64(ids.count))
        }
    }

    func testRefusesWhatCRoaringWouldBelieve() {
        let rows: [(name: String, hex: String, error: PageSelectorError)] = [
            ("nothing", "", .truncated),
            ("half a cookie", "3a30", .truncated),
            ("no cookie", "0000000000000000", .notARoaringBitmap),
            ("upper half set in the cookie without runs", "3a30010000000000", .notARoaringBitmap),
            ("cookie without a count", "3a300000", .truncated),
            ("negative count", "3a300000ffffffff", .tooManyContainers),
            ("count of 65537", "3a30000001000100", .tooManyContainers),
            ("count of 65536 and no more", "3a30000000000100", .truncated),
            ("runs announced, no flags", "3b300000", .truncated),
            ("65536 run containers and no more", "3b30ffff", .truncated),
            ("no header", "3a30000001000000", .truncated),
            ("no offset", "3a300000010000000000", .truncated),
            ("no values", "3a300000010000000000000010000000", .truncated),
            (
                "fewer values than announced",
                "3a30000001000000" + "00000300" + "10000000"
                    + "010002000300", .truncated
            ),
            (
                "values descend", "3a30000001000000" + "00000100" + "10000000" + "02000100",
                .valuesNotAscending(container: 0)
            ),
            (
                "a value twice", "3a30000001000000" + "00000100" + "10000000" + "02000200",
                .valuesNotAscending(container: 0)
            ),
            (
                "offset elsewhere", "3a30000001000000" + "00000000" + "11000000" + "0200",
                .wrongContainerOffset(container: 0)
            ),
            (
                "keys descend",
                "3a30000002000000" + "01000000" + "00000000" + "18000000" + "1a000000"
                    + "01000100", .containersNotAscending
            ),
            (
                "a key twice",
                "3a30000002000000" + "01000000" + "01000000" + "18000000" + "1a000000"
                    + "01000100", .containersNotAscending
            ),
            ("bitset cut off", "3a30000001000000" + "00000010" + "10000000" + "ff", .truncated),
            (
                "bitset with fewer bits than announced",
                "3a30000001000000" + "00000010" + "10000000"
                    + String(repeating: "00", count: 8192), .wrongCardinality(container: 0)
            ),
            (
                "bitset with more bits than announced",
                "3a30000001000000" + "00000010" + "10000000"
                    + String(repeating: "ff", count: 8192), .wrongCardinality(container: 0)
            ),
            ("no number of runs", "3b30000001" + "00000000", .truncated),
            (
                "fewer runs than announced", "3b30000001" + "00000000" + "0200" + "00000000",
                .truncated
            ),
            (
                "65535 runs, and one", "3b30000001" + "00000000" + "ffff" + "00000000", .truncated
            ),
            (
                "runs overlap",
                "3b30000001" + "00000300" + "0200" + "00000100" + "01000100",
                .valuesNotAscending(container: 0)
            ),
            (
                "runs descend",
                "3b30000001" + "00000100" + "0200" + "05000000" + "01000000",
                .valuesNotAscending(container: 0)
            ),
            (
                "a run leaves its container", "3b30000001" + "00000100" + "0100" + "ffff0100",
                .valuesNotAscending(container: 0)
            ),
            (
                "a run longer than announced", "3b30000001" + "00000000" + "0100" + "0000ffff",
                .wrongCardinality(container: 0)
            ),
            (
                "no run at all", "3b30000001" + "00000000" + "0000",
                .wrongCardinality(container: 0)
            ),
            ("trailing byte", "3a3000000000000000", .trailingBytes(1)),
            (
                "trailing bytes after a run", "3b3000000100001f00010000001f00" + "0000",
                .trailingBytes(2)
            ),
        ]
        for row in rows {
            XCTAssertThrowsError(
                try PageSelector(portableRoaring: bytes(row.hex)), row.name
            ) { error in
                XCTAssertEqual(error as? PageSelectorError, row.error, row.name)
            }
        }
    }

    func testEveryPrefixIsRefused() {
        let encoded = PageSelector.encode(
            ([1, 2, 3, 70_000] + (200_000..<205_000)).map { PageID($0) })
        for count in 0..<encoded.count {
            XCTAssertThrowsError(try PageSelector(portableRoaring: encoded[..<count]))
        }
    }

    func testReadsASliceThatDoesNotBeginAtZero() throws {
        let encoded = PageSelector.encode([PageID(5), PageID(70_000)])
        let padded = [1, 2, 3] + encoded + [4]
        let selector = try PageSelector(portableRoaring: padded[3..<padded.count - 1])
        XCTAssertEqual(selector.pageIDs(below: .max), [PageID(5), PageID(70_000)])
    }

    func testMutationsAreRefusedOrWellFormed() throws {
        var generator = SeededGenerator.announced(for: name)
        let originals = [
            PageSelector.encode((0..<10).map { PageID($0 * 3) }),
            PageSelector.encode((0..<100_000).map { PageID($0) }),
            PageSelector.encode((0..<9000).map { PageID($0 * 2) }),
            PageSelector.encode((0..<6).map { PageID($0 << 16) }),
        ]
        for _ in 0..<3000 {
            let original = originals[Int.random(in: 0..<originals.count, using: &generator)]
            guard
                let selector = try? PageSelector(portableRoaring: generator.mutate(original))
            else { continue }
            let ids = selector.pageIDs(below: 1 << 20)
            XCTAssertEqual(ids, Array(Set(ids)).sorted())
            XCTAssertLessThanOrEqual(UInt64(ids.count), selector.count)
        }
    }

    private func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex)
        return stride(from: 0, to: digits.count, by: 2).map {
            UInt8(String(digits[$0...$0 + 1]), radix: 16)!
        }
    }
}
