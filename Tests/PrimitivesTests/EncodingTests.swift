import Primitives
import XCTest

final class EncodingTests: XCTestCase {
    /// A text that is one number and nothing else.
    private func decoded(_ text: some Sequence<UInt8>) -> UInt64? {
        let bytes = Array(text)
        var offset = 0
        let value = Hexadecimal.readNumber(1...16, in: bytes.span, at: &offset)
        return offset == bytes.count ? value : nil
    }

    func testHexadecimal() {
        let rows: [(value: UInt64, text: String)] = [
            (0, "0000000000000000"), (0xABC, "0000000000000abc"), (.max, "ffffffffffffffff"),
        ]
        for row in rows {
            XCTAssertEqual(Hexadecimal.encode(row.value), row.text)
            XCTAssertEqual(decoded(row.text.utf8), row.value)
        }
        XCTAssertEqual(decoded("f".utf8), 15)
        for text in ["", "g", "F", "00000000000000000", "-1", "1 ", "é"] {
            XCTAssertNil(decoded(text.utf8), text)
        }
    }

    /// Vectors of RFC 3720, appendix B.4, and the usual check value.
    func testCRC32C() {
        let rows: [(bytes: [UInt8], checksum: UInt32)] = [
            ([], 0), (Array("123456789".utf8), 0xE306_9283),
            ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
            ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
            (Array(0..<32), 0x46DD_794E), (Array((0..<32).reversed()), 0x113F_DB5C),
        ]
        for row in rows { XCTAssertEqual(CRC32C.checksum(row.bytes), row.checksum) }
        // A seed continues a checksum, wherever the bytes are cut.
        let bytes = Array("The quick brown fox jumps over the lazy dog".utf8)
        for index in 0...bytes.count {
            let first = CRC32C.checksum(Array(bytes[..<index]))
            let whole = bytes[index...].withUnsafeBytes { CRC32C.checksum($0, seed: first) }
            XCTAssertEqual(whole, CRC32C.checksum(bytes))
        }
    }

    func testIntegersAreLittleEndian() {
        var bytes: [UInt8] = []
        bytes.appendLittleEndian(UInt32(0x0102_0304))
        bytes.appendLittleEndian(Int64(-2))
        bytes.appendLittleEndian(UInt8(9))
        XCTAssertEqual(
            bytes, [4, 3, 2, 1, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 9])
        var reader = ByteReader(([0] + bytes)[1...])
        XCTAssertEqual(reader.readLittleEndian(UInt32.self), 0x0102_0304)
        XCTAssertEqual(reader.readLittleEndian(Int64.self), -2)
        XCTAssertEqual(reader.remainingCount, 1)
        XCTAssertNil(reader.readLittleEndian(UInt16.self))
        XCTAssertEqual(reader.remainingCount, 1, "a read that fails takes nothing")
        XCTAssertEqual(reader.readLittleEndian(UInt8.self), 9)
        XCTAssertNil(reader.readLittleEndian(UInt8.self))
    }

    func testPageNumbersAndIDs() {
        XCTAssertNil(PageNumber(0))
        XCTAssertNil(PageNumber(.max))
        XCTAssertEqual(PageNumber(0xFFFF_FFFE)?.byteOffset, 0xFFFF_FFFD * 4096)
        XCTAssertEqual(PageNumber(1)?.byteOffset, 0)
        XCTAssertEqual(PageNumber(PageID(0)), PageNumber(1))
        XCTAssertEqual(PageNumber(5)?.id, PageID(4))
        XCTAssertNil(PageNumber(PageID(.max)))
        XCTAssertNil(PageNumber(PageID(.max - 1)))
        XCTAssertEqual(PageNumber.lockPage.rawValue, 262_145)
        XCTAssertEqual(PageNumber.lockPage.byteOffset, 0x4000_0000)
    }

    func testRandomIdentifiersDiffer() {
        XCTAssertEqual(Set((0..<100).map { _ in RandomIdentifier.epoch() }).count, 100)
        XCTAssertEqual(Set((0..<100).map { _ in RandomIdentifier.databaseID() }).count, 100)
    }
}
