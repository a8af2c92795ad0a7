internal import CZstd

/// Bytes that both sides have, as a raw-content dictionary (RFC 8878, 5).
@safe package final class ZstdDictionary: Sendable {
    // SAFETY: made in `init`, freed in `deinit`; read only in between.
    nonisolated(unsafe) let handle: OpaquePointer

    /// - Parameter level: of what is compressed with it.
    package init(_ content: [UInt8], level: Int) throws(CompressionError) {
        let memory = unsafe ZSTD_customMem(customAlloc: nil, customFree: nil, opaque: nil)
        let parameters = ZSTD_getCParams(Int32(level), 4096, content.count)
        guard
            let handle = unsafe ZSTD_createCDict_advanced(
                content, content.count, ZSTD_dlm_byCopy, ZSTD_dct_rawContent, parameters, memory)
        else { throw .outOfMemory }
        unsafe self.handle = handle
    }

    deinit { _ = unsafe ZSTD_freeCDict(handle) }
}

/// Compresses many small values one by one, each to a frame, with one context.
package final class ZstdPageCompressor {
    private let context: ZstdCompressor.Context
    private let level: Int
    private let dictionary: ZstdDictionary?

    package init(level: Int, dictionary: ZstdDictionary?) throws(CompressionError) {
        context = try ZstdCompressor.take()
        self.level = level
        self.dictionary = dictionary
    }

    deinit { ZstdCompressor.giveBack(context) }

    /// The most that `size` bytes become.
    package static func bound(_ size: Int) -> Int { ZSTD_compressBound(size) }

    /// Returns the size of the frame, which begins at the start of `output`.
    package func compress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> Int {
        let code =
            if let dictionary {
                unsafe ZSTD_compress_usingCDict(
                    context.handle, output.baseAddress, output.count, input.baseAddress,
                    input.count, dictionary.handle)
            } else {
                unsafe ZSTD_compressCCtx(
                    context.handle, output.baseAddress, output.count, input.baseAddress,
                    input.count, Int32(level))
            }
        guard ZSTD_isError(code) == 0 else { throw .outOfMemory }
        return code
    }
}
