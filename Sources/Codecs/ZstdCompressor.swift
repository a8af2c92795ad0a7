internal import CZstd
internal import Synchronization

/// Compresses on whatever thread asks. A context takes megabytes and a while to make, so those that
/// are not used wait for the next one, as many as there are cores that could use them.
package enum ZstdCompressor {
    /// A context by itself; one thread at a time uses it.
    @safe final class Context: @unchecked Sendable {
        // SAFETY: made in `init`, freed in `deinit`.
        let handle: OpaquePointer

        init() throws(CompressionError) {
            guard let handle = unsafe ZSTD_createCCtx() else { throw .outOfMemory }
            unsafe self.handle = handle
        }

        deinit { _ = unsafe ZSTD_freeCCtx(handle) }
    }

    private static let keptCount = 8
    private static let idle = Mutex<[Context]>([])

    static func take() throws(CompressionError) -> Context {
        if let context = idle.withLock({ $0.popLast() }) { return context }
        return try Context()
    }

    static func giveBack(_ context: Context) {
        idle.withLock { if $0.count < keptCount { $0.append(context) } }
    }

    /// One frame that records its content's size.
    ///
    /// - Parameter level: 1 (fastest) to 19.
    package static func compress(
        _ bytes: [UInt8], level: Int
    ) throws(CompressionError) -> [UInt8] {
        let context = try take()
        defer { giveBack(context) }
        var code = 0
        let capacity = ZSTD_compressBound(bytes.count)
        let frame = unsafe [UInt8](unsafeUninitializedCapacity: capacity) {
            buffer, initializedCount in
            code = unsafe ZSTD_compressCCtx(
                context.handle, buffer.baseAddress, buffer.count, bytes, bytes.count,
                Int32(level))
            initializedCount = ZSTD_isError(code) == 0 ? code : 0
        }
        guard ZSTD_isError(code) == 0 else { throw .outOfMemory }
        return frame
    }
}
