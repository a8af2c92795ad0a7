internal import CProtobufC
internal import CSyncProtos

/// The first message of an answer to a pull; `PageFraming` tells how pages follow it.
package struct PullResponseHeader: Sendable, Equatable {
    /// Opaque to clients, who echo it.
    package var serverRevision: String
    /// Size of the database at `serverRevision`, in pages.
    package var databaseSize: UInt64

    /// Clients take an empty revision for none and ask for everything the next time.
    package init(serverRevision: String, databaseSize: UInt64) {
        precondition(!serverRevision.isEmpty, "a revision on the wire must not be empty")
        self.serverRevision = serverRevision
        self.databaseSize = databaseSize
    }

    /// The message behind its length.
    ///
    /// It always says raw pages, the page protocol and incremental application: all else is
    /// refused by clients, or turns a replica into one of another kind.
    package func framedBytes() -> [UInt8] {
        var raw = unsafe Sync__RawEncoding()
        unsafe sync__raw_encoding__init(&raw)
        var message = unsafe Sync__PullUpdatesResponse()
        unsafe sync__pull_updates_response__init(&message)
        unsafe message.db_size = databaseSize
        unsafe message.protocol = SYNC__SYNC_PROTOCOL__PAGES_PROTOCOL
        var revision = Array(serverRevision.utf8)
        return unsafe revision.withUnsafeMutableBufferPointer { revisionBytes in
            unsafe withUnsafeMutablePointer(to: &raw) { rawPointer in
                unsafe message.server_revision.data = revisionBytes.baseAddress
                unsafe message.server_revision.len = revisionBytes.count
                unsafe message.raw_encoding = rawPointer
                return unsafe Self.frame(message)
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
