import CProtobufC
import CSyncProtos
import Primitives
import TestSupport
import XCTest

@testable import WireProtocol

final class PullResponseTests: XCTestCase {
    private let header = PullResponseHeader(serverRevision: "tm1.é", databaseSize: 300)

    private func page(_ seed: UInt8) -> [UInt8] {
        (0..<pageSize).map { UInt8(truncatingIfNeeded: $0) &* 31 &+ seed }
    }

    private func framed(_ id: PageID, _ page: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        PageFraming.appendPrefix(of: id, to: &bytes)
        return bytes + page
    }

    // MARK: Encoding

    func testHeaderBytes() {
        XCTAssertEqual(
            PullResponseHeader(serverRevision: "r1", databaseSize: 300).framedBytes(),
            [
                11,  // Length.
                0x0A, 2, 0x72, 0x31,  // 1, server_revision.
                0x10, 0xAC, 0x02,  // 2, db_size.
                0x1A, 0,  // 3, raw_encoding.
                0x40, 1,  // 8, protocol.
            ])
    }

    func testALongHeaderRoundTrips() throws {
        for size in [1, 100, 120, 130, 5000, 20_000] {
            let header = PullResponseHeader(
                serverRevision: String(repeating: "é\0\"\\\t", count: size), databaseSize: .max)
            var decoder = PullResponseDecoder()
            guard size < 20_000 else {
                XCTAssertThrowsError(try decoder.decode(header.framedBytes()))
                continue
            }
            XCTAssertEqual(try decoder.decode(header.framedBytes()), [.header(header)])
        }
    }

    func testPrefixesEqualProtobufs() {
        let boundaries = (0..<32).flatMap { shift in
            [-1, 0, 1].map { (1 << shift) + $0 }
        }
        let ids = Array(0...300) + boundaries + [262_144, Int(UInt32.max) - 1, Int(UInt32.max)]
        let page = page(7)
        for id in ids.map({ PageID(UInt32($0)) }) {
            let framed = framed(id, page)
            XCTAssertEqual(framed, packed(id, page), "page \(id.rawValue)")
            XCTAssertEqual(framed.count, PageFraming.framedSize(of: id))
            XCTAssertEqual(framed.count - pageSize, PageFraming.prefixSize(of: id))
            XCTAssertLessThanOrEqual(
                PageFraming.prefixSize(of: id), PageFraming.maximumPrefixSize)
        }
    }

    func testPageZeroHasNoIDField() {
        // proto3 leaves defaults out, and so do the encoders of both protobuf-c and the clients.
        var prefix: [UInt8] = []
        PageFraming.appendPrefix(of: PageID(0), to: &prefix)
        XCTAssertEqual(prefix, [0x83, 0x20, 0x12, 0x80, 0x20])
    }

    /// What protobuf-c makes of the generated message, behind its length.
    private func packed(_ id: PageID, _ page: [UInt8]) -> [UInt8] {
        var page = page
        return page.withUnsafeMutableBufferPointer { buffer in
            var message = Sync__PageData()
            sync__page_data__init(&message)
            message.page_id = UInt64(id.rawValue)
            message.encoded_page.len = buffer.count
            message.encoded_page.data = buffer.baseAddress
            var bytes = [UInt8](repeating: 0, count: sync__page_data__get_packed_size(&message))
            sync__page_data__pack(&message, &bytes)
            XCTAssertLessThan(bytes.count, 1 << 14)
            return [UInt8(bytes.count & 0x7F) | 0x80, UInt8(bytes.count >> 7)] + bytes
        }
    }

    // MARK: Decoding

    func testDecodesAtEverySplit() throws {
        let pages = [(PageID(0), page(1)), (PageID(299), page(2))]
        let body = header.framedBytes() + pages.flatMap { framed($0.0, $0.1) }
        let expected: [PullResponseDecoder.Message] =
            [.header(header)] + pages.map { .page($0.0, $0.1) }
        for split in 0...body.count {
            var decoder = PullResponseDecoder()
            let messages =
                try decoder.decode(Array(body[..<split])) + decoder.decode(Array(body[split...]))
            XCTAssertTrue(messages == expected, "split at \(split)")
            try decoder.finish()
        }
        var decoder = PullResponseDecoder()
        XCTAssertTrue(try body.flatMap { try decoder.decode([$0]) } == expected)
    }

    func testACutIsNotComplete() throws {
        let body = header.framedBytes() + framed(PageID(3), page(1))
        for count in 0..<body.count where count != header.framedBytes().count {
            var decoder = PullResponseDecoder()
            _ = try decoder.decode(Array(body[..<count]))
            XCTAssertThrowsError(try decoder.finish(), "\(count) bytes")
        }
    }

    func testRefusesBadMessages() {
        typealias Failure = PullResponseDecoder.DecodingError
        let good = header.framedBytes()
        let revision: [UInt8] = [0x0A, 1, 0x72]
        func message(_ bytes: [UInt8]) -> [UInt8] { [UInt8(bytes.count)] + bytes }
        let rows: [(name: String, bytes: [UInt8], error: Failure)] = [
            ("a length that does not end", [0x80, 0x80, 0x80], .badLength),
            ("a length of 65537", [0x81, 0x80, 0x04], .badLength),
            ("no header", message([]), .malformedHeader),
            ("garbage", message([0xFF, 0xFF]), .malformedHeader),
            ("no revision", message([0x1A, 0, 0x40, 1]), .malformedHeader),
            ("broken revision", message([0x0A, 1, 0xFF, 0x1A, 0, 0x40, 1]), .malformedHeader),
            ("no encoding", message(revision + [0x40, 1]), .unsupportedEncoding),
            ("zstd", message(revision + [0x22, 0, 0x40, 1]), .unsupportedEncoding),
            ("both", message(revision + [0x1A, 0, 0x22, 0, 0x40, 1]), .unsupportedEncoding),
            ("no protocol", message(revision + [0x1A, 0]), .unsupportedEncoding),
            (
                "replace base", message(revision + [0x1A, 0, 0x30, 1, 0x40, 1]),
                .unsupportedEncoding
            ),
            ("logical log", message(revision + [0x1A, 0, 0x28, 1, 0x40, 1]), .unsupportedEncoding),
            ("a short page", good + message([0x12, 1, 9]), .malformedPage),
            ("a page that is none", good + message([0xFF]), .malformedPage),
            (
                "an id beyond 32 bits",
                good + [0x8A, 0x20, 0x08, 0x80, 0x80, 0x80, 0x80, 0x10, 0x12, 0x80, 0x20]
                    + page(0) + [0], .malformedPage
            ),
        ]
        for row in rows {
            var decoder = PullResponseDecoder()
            XCTAssertThrowsError(try decoder.decode(row.bytes), row.name) { error in
                XCTAssertEqual(error as? Failure, row.error, row.name)
            }
        }
    }

    func testMutationsDecodeOrThrow() {
        var generator = SeededGenerator.announced(for: name)
        let body = header.framedBytes() + framed(PageID(3), page(1))
        for _ in 0..<2000 {
            var decoder = PullResponseDecoder()
            let messages = (try? decoder.decode(generator.mutate(body))) ?? []
            XCTAssertLessThanOrEqual(messages.count, 3)
        }
    }
}
