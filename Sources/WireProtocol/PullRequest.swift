internal import CProtobufC
internal import CSyncProtos

/// What a client asks on `POST /pull-updates`. Every field has a default, and all of them together
/// (a body of 0 bytes) ask for the whole database at its newest revision.
package struct PullRequest: Sendable, Equatable {
    /// How the pages of the answer may be encoded.
    package enum Encoding: Sendable, Equatable {
        case raw, zstd
        /// Made up after this was written.
        case other(UInt32)
    }

    package enum StreamKind: Sendable, Equatable {
        case pages, mvccLogicalLog
        case other(UInt32)
    }

    package var encoding: Encoding = .raw
    /// The revision that the answer must be at: pinned reads. Empty for the newest.
    package var serverRevision = ""
    /// The revision that the client has. Empty for none.
    package var clientRevision = ""
    /// How long the answer may wait for a change; 0 for not at all.
    package var longPollTimeoutMilliseconds: UInt32 = 0
    /// A portable roaring bitmap of page ids, not decoded yet. Empty for no selection, which is
    /// not the same as a bitmap without ids.
    package var selector: [UInt8] = []
    /// A statement whose pages are asked for. Empty for none; may hold NUL characters.
    package var querySelector = ""
    package var streamKind: StreamKind = .pages

    /// All defaults.
    package init() {}
}

extension PullRequest {
    /// The largest message that is decoded, in bytes. The largest real ones are selectors: a few
    /// bytes for each run of pages, and never more than 8 KiB for 256 MiB of database. protobuf-c
    /// allocates some 45 bytes for each byte of a message made of tiny unknown fields, so this
    /// also bounds what a hostile one costs.
    package static let maximumSize = 1 << 20

    /// Decodes the body of a request.
    ///
    /// As protobuf asks, the last of several values of one field counts, fields and enum values
    /// that this server does not know are no error, and bits beyond a number's width are dropped.
    package init(decoding bytes: [UInt8]) throws(PullRequestError) {
        self.init()
        guard bytes.count <= Self.maximumSize else {
            throw .tooLarge(size: bytes.count, limit: Self.maximumSize)
        }
        if bytes.isEmpty { return }
        guard let message = unsafe sync__pull_updates_request__unpack(nil, bytes.count, bytes)
        else {
            throw .malformed
        }
        defer { unsafe sync__pull_updates_request__free_unpacked(message, nil) }
        try unsafe copyFields(of: message.pointee)
    }

    /// The only place where values leave the C message, which is freed after it.
    private mutating func copyFields(
        of message: Sync__PullUpdatesRequest
    ) throws(PullRequestError) {
        serverRevision = try unsafe Self.text(message.server_revision, of: "server_revision")
        clientRevision = try unsafe Self.text(message.client_revision, of: "client_revision")
        querySelector = try unsafe Self.text(
            message.server_query_selector, of: "server_query_selector")
        longPollTimeoutMilliseconds = unsafe message.long_poll_timeout_ms
        selector = unsafe [UInt8](UnsafeBufferPointer(message.server_pages_selector))
        encoding =
            switch unsafe message.encoding {
            case SYNC__PAGE_ENCODING__RAW: .raw
            case SYNC__PAGE_ENCODING__ZSTD: .zstd
            default: unsafe .other(UInt32(truncatingIfNeeded: message.encoding.rawValue))
            }
        streamKind =
            switch unsafe message.stream_kind {
            case SYNC__STREAM_KIND__PAGES: .pages
            case SYNC__STREAM_KIND__MVCC_LOGICAL_LOG: .mvccLogicalLog
            default: unsafe .other(UInt32(truncatingIfNeeded: message.stream_kind.rawValue))
            }
    }

    private static func text(
        _ data: ProtobufCBinaryData, of field: StaticString
    ) throws(PullRequestError) -> String {
        guard let text = unsafe String(validating: UnsafeBufferPointer(data), as: UTF8.self) else {
            throw .invalidUTF8(field: field.description)
        }
        return text
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// A view of bytes that a C message owns.
    init(_ data: ProtobufCBinaryData) {
        unsafe self.init(start: data.data, count: data.len)
    }
}

extension PullRequest {
    /// The message as a client writes it: proto3 leaves out what has its default value.
    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        if case .zstd = encoding {
            Self.append(1 << 3, UInt64(SYNC__PAGE_ENCODING__ZSTD.rawValue), to: &bytes)
        }
        Self.append(2, Array(serverRevision.utf8), to: &bytes)
        Self.append(3, Array(clientRevision.utf8), to: &bytes)
        if longPollTimeoutMilliseconds != 0 {
            Self.append(4 << 3, UInt64(longPollTimeoutMilliseconds), to: &bytes)
        }
        Self.append(5, selector, to: &bytes)
        Self.append(7, Array(querySelector.utf8), to: &bytes)
        return bytes
    }

    private static func append(_ field: UInt8, _ value: [UInt8], to bytes: inout [UInt8]) {
        guard !value.isEmpty else { return }
        append(field << 3 | 2, UInt64(value.count), to: &bytes)
        bytes += value
    }

    private static func append(_ tag: UInt8, _ value: UInt64, to bytes: inout [UInt8]) {
        bytes.append(tag)
        unsafe withUnsafeTemporaryAllocation(byteCount: Varint.maximumSize, alignment: 1) {
            let count = unsafe Varint.write(value, into: $0.baseAddress!)
            unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: $0[..<count]))
        }
    }
}
