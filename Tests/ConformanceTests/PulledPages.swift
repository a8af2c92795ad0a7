import Primitives
import WireProtocol
import XCTest

/// A decoded answer to a pull that was checked against everything that holds for all of them.
struct PulledPages {
    let revision: String
    /// In pages.
    let databaseSize: Int
    let pages: [(id: Int, bytes: [UInt8])]

    var ids: [Int] { pages.map(\.id) }

    /// The decoder refuses what real clients refuse: a header that does not come first, any
    /// encoding but raw, pages of another size.
    init(_ reply: HTTPReply, file: StaticString, line: UInt) throws {
        XCTAssertEqual(reply.status, 200, reply.text, file: file, line: line)
        XCTAssertEqual(
            reply["content-type"], "application/protobuf", file: file, line: line)
        // A body with a length that is cut between two messages is a complete one to clients.
        XCTAssertEqual(reply["transfer-encoding"], "chunked", file: file, line: line)
        XCTAssertNil(reply["content-length"], file: file, line: line)
        XCTAssertNil(reply["content-encoding"], file: file, line: line)
        XCTAssertTrue(reply.isComplete, "no final chunk", file: file, line: line)

        var decoder = PullResponseDecoder()
        let messages = try decoder.decode(reply.body)
        try decoder.finish()
        guard case .header(let header) = try XCTUnwrap(messages.first) else {
            throw RawClient.Failure.malformed
        }
        revision = header.serverRevision
        databaseSize = Int(header.databaseSize)
        pages = messages.dropFirst().compactMap { message in
            if case .page(let id, let bytes) = message { (Int(id.rawValue), bytes) } else { nil }
        }
        XCTAssertGreaterThan(databaseSize, 0, file: file, line: line)
        XCTAssertEqual(
            ids, Set(ids).sorted(), "not ascending, or twice", file: file, line: line)
        XCTAssertLessThan(ids.last ?? 0, databaseSize, file: file, line: line)
    }
}
