internal import CProtobufC
internal import CSyncProtos
package import Primitives

/// The first message of an answer to a pull; `PageFraming` tells how pages follow it.
package struct PullResponseHeader: Sendable, Equatable {
    /// Opaque to clients, who echo it.
    package var serverRevision: String
    /// Size of the database at `serverRevision`, in pages.
    package var databaseSize: UInt64

    /// How pages are encoded.
    package var encoding = Encoding.raw

    package enum Encoding: Sendable, Equatable {
        case raw
        /// Each page is a zstd frame. The dictionary is what the client has of these pages, one
        /// behind the other.
        case zstd(level: Int32, dictionary: [PageID])
    }

    /// Clients take an empty revision for none and ask for everything the next time.
    package init(serverRevision: String, databaseSize: UInt64, encoding: Encoding = .raw) {
        self.encoding = encoding
        precondition(!serverRevision.isEmpty, "a revision on the wire must not be empty")
        self.serverRevision = serverRevision
        self.databaseSize = databaseSize
    }

    /// The message behind its length.
    ///
    /// It always says the page protocol and incremental application: all else is refused by
    /// clients, or turns a replica into one of another kind. So are compressed pages by those that
    /// did not ask for them.
    package func framedBytes() -> [UInt8] {
        var message = unsafe Sync__PullUpdatesResponse()
        unsafe sync__pull_updates_response__init(&message)
        unsafe message.db_size = databaseSize
        unsafe message.protocol = SYNC__SYNC_PROTOCOL__PAGES_PROTOCOL
        var revision = Array(serverRevision.utf8)
        return unsafe revision.withUnsafeMutableBufferPointer { revisionBytes in
            unsafe message.server_revision.data = revisionBytes.baseAddress
            unsafe message.server_revision.len = revisionBytes.count
            return unsafe frame(announcing: encoding, in: message)
        }
    }

    private func frame(
        announcing encoding: Encoding, in message: Sync__PullUpdatesResponse
    ) -> [UInt8] {
        var message = unsafe message
        switch encoding {
        case .raw:
            var raw = unsafe Sync__RawEncoding()
            unsafe sync__raw_encoding__init(&raw)
            return unsafe withUnsafeMutablePointer(to: &raw) { raw in
                unsafe message.raw_encoding = raw
                return unsafe Self.frame(message)
            }
        case .zstd(let level, let dictionary):
            var zstd = unsafe Sync__ZstdEncoding()
            unsafe sync__zstd_encoding__init(&zstd)
            unsafe zstd.level = level
            var ids = dictionary.map(\.rawValue)
            return unsafe ids.withUnsafeMutableBufferPointer { ids in
                unsafe zstd.pages_dict = ids.baseAddress
                unsafe zstd.n_pages_dict = ids.count
                return unsafe withUnsafeMutablePointer(to: &zstd) { zstd in
                    unsafe message.zstd_encoding = zstd
                    return unsafe Self.frame(message)
                }
            }
        }
    }

    private static func frame(_ message: Sync__PullUpdatesResponse) -> [UInt8] {
        var message = unsafe message
        let size = unsafe sync__pull_updates_response__get_packed_size(&message)
        return unsafe [UInt8](
            unsafeUninitializedCapacity: Varint.maximumSize + size
        ) { buffer, initializedCount in
            let prefix = UnsafeMutableRawBufferPointer(buffer).baseAddress!
            let prefixSize = unsafe Varint.write(UInt64(size), into: prefix)
            let packed = unsafe sync__pull_updates_response__pack(
                &message, buffer.baseAddress! + prefixSize)
            precondition(packed == size, "protobuf-c wrote another size than it announced")
            initializedCount = prefixSize + size
        }
    }
}
