import Primitives
import WireProtocol
import XCTest

@testable import LoadTest

final class PullCheckTests: XCTestCase {
    private func answer(size: UInt64, _ pages: [(UInt32, UInt8)]) -> [UInt8] {
        var bytes = PullResponseHeader(serverRevision: "r", databaseSize: size).framedBytes()
        for (id, fill) in pages {
            PageFraming.appendPrefix(of: PageID(id), to: &bytes)
            bytes += [UInt8](repeating: fill, count: 4096)
        }
        return bytes
    }

    private func check(_ bytes: [UInt8], isWhole: Bool = true) -> Result<
        PullCheck.Answer, PullCheck.Failure
    > {
        var check = PullCheck(isWhole: isWhole)
        for start in stride(from: 0, to: bytes.count, by: 1000) {
            check.receive(Array(bytes[start..<min(start + 1000, bytes.count)]).span)
        }
        return check.finish()
    }

    func testGoodAnswersAreSummed() throws {
        let one = try check(answer(size: 3, [(0, 1), (1, 2), (2, 3)])).get()
        XCTAssertEqual(one.pages, 3)
        XCTAssertEqual(one.revision, "r")
        XCTAssertEqual(try check(answer(size: 3, [(0, 1), (1, 2), (2, 3)])).get(), one)
        for other in [[(0, 1), (1, 3), (2, 2)], [(0, 1), (1, 2), (2, 4)]] as [[(UInt32, UInt8)]] {
            XCTAssertNotEqual(try check(answer(size: 3, other)).get().sum, one.sum)
        }
    }

    func testBadAnswersAreTold() {
        let good = answer(size: 3, [(0, 1), (1, 2), (2, 3)])
        let rows: [([UInt8], String)] = [
            (answer(size: 3, [(0, 1), (1, 2)]), "2 pages of a database with 3"),
            (answer(size: 3, [(0, 1), (1, 2), (1, 3)]), "pages that do not ascend: 1"),
            (answer(size: 3, [(0, 1), (1, 2), (3, 3)]), "a page beyond the database's size: 3"),
            ([], "malformed pull answer: truncated"),
            (Array(good.dropLast()), "malformed pull answer: truncated"),
            ([0xFF, 0xFF, 0xFF] + good, "malformed pull answer: badLength"),
        ]
        for (bytes, text) in rows {
            XCTAssertEqual(check(bytes), .failure(.init(text: text)))
        }
        XCTAssertNoThrow(try check(answer(size: 3, [(1, 2)]), isWhole: false).get())
    }

    func testAnswersAtOneRevisionMustBeTheSame() {
        let sums = PageSums()
        let key = PageSums.Key(database: 0, revision: "r")
        XCTAssertTrue(sums.note(1, key))
        XCTAssertTrue(sums.note(1, key))
        XCTAssertFalse(sums.note(2, key))
        XCTAssertTrue(sums.note(2, .init(database: 1, revision: "r")))
        XCTAssertEqual(sums.count, 4)
    }
}
