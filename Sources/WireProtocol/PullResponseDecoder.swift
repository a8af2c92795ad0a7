internal import CProtobufC
internal import CSyncProtos
package import Primitives

/// Takes the answer to a pull apart as its bytes arrive: the client's half of the protocol, for
/// tests and tools. It refuses what the real clients refuse.
package struct PullResponseDecoder {
    package enum Message: Equatable {
        case header(PullResponseHeader)
        case page(PageID, [UInt8])
    }

    package enum DecodingError: Error, Equatable {
        /// A length that no message of this protocol has, or one that does not end.
        case badLength
        case malformedHeader
        /// Pages are announced as anything but raw ones of the page protocol.
        case unsupportedEncoding
        case malformedPage
        /// `finish` came inside a message or before the header.
        case truncated
    }

    /// Longest revision in use is 5 KB; a page message is 4096 bytes and a few.
    private static let maximumMessageSize = 65536

    private var pending: [UInt8] = []
    private var hasHeader = false

    package init() {}

    /// Returns the messages that `bytes`, the next of the body, complete.
    package mutating func decode(_ bytes: [UInt8]) throws(DecodingError) -> [Message] {
        pending += bytes
        var messages: [Message] = []
        var start = 0
        while let (size, prefixSize) = try length(at: start) {
            let messageStart = start + prefixSize
            guard pending.count - messageStart >= size else { break }
            messages.append(try decodeMessage(Array(pending[messageStart..<messageStart + size])))
            start = messageStart + size
        }
        pending.removeFirst(start)
        return messages
    }

    /// To be called at the body's end.
    package func finish() throws(DecodingError) {
        guard pending.isEmpty && hasHeader else { throw .truncated }
    }

    /// The length prefix at `start`, and its own size; nil where more bytes are needed.
    private func length(at start: Int) throws(DecodingError) -> (size: Int, prefixSize: Int)? {
        var size = 0
        for (index, byte) in pending[start...].prefix(3).enumerated() {
            size |= Int(byte & 0x7F) << (7 * index)
            guard byte < 0x80 else { continue }
            guard size <= Self.maximumMessageSize else { throw .badLength }
            return (size, index + 1)
        }
        guard pending.count - start < 3 else { throw .badLength }
        return nil
    }

    private mutating func decodeMessage(_ bytes: [UInt8]) throws(DecodingError) -> Message {
        if hasHeader { return try Self.decodePage(bytes) }
        hasHeader = true
        return .header(try Self.decodeHeader(bytes))
    }

    private static func decodeHeader(_ bytes: [UInt8]) throws(DecodingError) -> PullResponseHeader {
        guard let message = unsafe sync__pull_updates_response__unpack(nil, bytes.count, bytes)
        else {
            throw .malformedHeader
        }
        defer { unsafe sync__pull_updates_response__free_unpacked(message, nil) }
        let revision = unsafe String(
            validating: UnsafeBufferPointer(message.pointee.server_revision), as: UTF8.self)
        guard let revision, !revision.isEmpty else { throw .malformedHeader }
        guard unsafe message.pointee.raw_encoding != nil,
            unsafe message.pointee.zstd_encoding == nil,
            unsafe message.pointee.protocol == SYNC__SYNC_PROTOCOL__PAGES_PROTOCOL,
            unsafe message.pointee.apply_mode == SYNC__APPLY_MODE__INCREMENTAL,
            unsafe message.pointee.stream_kind == SYNC__STREAM_KIND__PAGES
        else { throw .unsupportedEncoding }
        return PullResponseHeader(
            serverRevision: revision, databaseSize: unsafe message.pointee.db_size)
    }

    private static func decodePage(_ bytes: [UInt8]) throws(DecodingError) -> Message {
        guard let message = unsafe sync__page_data__unpack(nil, bytes.count, bytes) else {
            throw .malformedPage
        }
        defer { unsafe sync__page_data__free_unpacked(message, nil) }
        guard let id = unsafe UInt32(exactly: message.pointee.page_id),
            unsafe message.pointee.encoded_page.len == pageSize
        else { throw .malformedPage }
        return unsafe .page(PageID(id), [UInt8](UnsafeBufferPointer(message.pointee.encoded_page)))
    }
}
