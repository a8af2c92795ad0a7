internal import CZstd

/// Compresses whole values in one call.
package enum ZstdEncoder {
    /// One frame that records its content's size. `level` 1 (fastest) to 19.
    package static func compress(_ bytes: [UInt8], level: Int32 = 1) throws(ZstdError) -> [UInt8] {
        var code = 0
        let frame = unsafe [UInt8](
            unsafeUninitializedCapacity: ZSTD_compressBound(bytes.count)
        ) { buffer, initializedCount in
            code = unsafe ZSTD_compress(
                buffer.baseAddress, buffer.count, bytes, bytes.count, level)
            initializedCount = ZSTD_isError(code) == 0 ? code : 0
        }
        guard ZSTD_isError(code) == 0 else { throw .outOfMemory }
        return frame
    }
}
