internal import CZstd

/// Decompresses one request body as it arrives.
///
/// Memory is bounded by the window (8 MiB at most: what RFC 9659 lets a sender of
/// `Content-Encoding: zstd` use) and by what the caller keeps of the output. A body may hold
/// several frames, one after the other (RFC 8878, 3.1). After an error it is used up.
@safe package struct ZstdDecoder: ~Copyable {
    // SAFETY: owned from `init` to `deinit`; never leaves this file.
    private let context: OpaquePointer
    private let outputLimit: Int
    private var outputSize = 0
    private var isInsideFrame = false

    /// `outputLimit` in bytes, over the whole body; `windowLog` is the largest window's binary
    /// logarithm, 10 to 27.
    package init(outputLimit: Int, windowLog: Int32 = 23) throws(ZstdError) {
        precondition((10...27).contains(windowLog) && outputLimit >= 0)
        guard let context = unsafe ZSTD_createDCtx() else { throw .outOfMemory }
        let code = unsafe ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, windowLog)
        precondition(ZSTD_isError(code) == 0, "zstd refused a window limit in its range")
        unsafe self.context = context
        self.outputLimit = outputLimit
    }

    deinit { _ = unsafe ZSTD_freeDCtx(context) }

    /// Appends to `output` what `input`, the next bytes of the body, decompresses to.
    ///
    /// Never appends more than `outputLimit` bytes in total: a bomb is refused while it expands.
    package mutating func decode(
        _ input: ArraySlice<UInt8>, into output: inout [UInt8]
    ) throws(ZstdError) {
        try unsafe input.span.bytes.withUnsafeBytes { buffer throws(ZstdError) in
            try unsafe decode(buffer, into: &output)
        }
    }

    /// To be called at the body's end: a body that stops inside a frame is not complete.
    package func finish() throws(ZstdError) {
        if isInsideFrame { throw .truncated }
    }

    private mutating func decode(
        _ buffer: UnsafeRawBufferPointer, into output: inout [UInt8]
    ) throws(ZstdError) {
        var input = unsafe ZSTD_inBuffer(src: buffer.baseAddress, size: buffer.count, pos: 0)
        var hasMoreOutput = false
        while unsafe input.pos < input.size || hasMoreOutput {
            hasMoreOutput = try unsafe decodeChunk(&input, into: &output)
        }
    }

    /// Returns whether the context may hold more output, although all input may have been read.
    private mutating func decodeChunk(
        _ input: inout ZSTD_inBuffer, into output: inout [UInt8]
    ) throws(ZstdError) -> Bool {
        let chunkSize = ZSTD_DStreamOutSize()
        var code = 0
        var produced = 0
        unsafe withUnsafeTemporaryAllocation(byteCount: chunkSize, alignment: 1) { chunk in
            var chunkOutput = unsafe ZSTD_outBuffer(dst: chunk.baseAddress, size: chunkSize, pos: 0)
            code = unsafe ZSTD_decompressStream(context, &chunkOutput, &input)
            produced = unsafe chunkOutput.pos
            if ZSTD_isError(code) == 0 && produced <= outputLimit - outputSize {
                unsafe output.append(
                    contentsOf: UnsafeRawBufferPointer(rebasing: chunk[..<produced]))
            }
        }
        guard ZSTD_isError(code) == 0 else { throw Self.error(code) }
        guard produced <= outputLimit - outputSize else {
            throw .outputTooLarge(limit: outputLimit)
        }
        outputSize += produced
        isInsideFrame = code != 0
        return isInsideFrame && produced == chunkSize
    }

    private static func error(_ code: Int) -> ZstdError {
        switch ZSTD_getErrorCode(code) {
        case ZSTD_error_frameParameter_windowTooLarge: .windowTooLarge
        case ZSTD_error_memory_allocation: .outOfMemory
        default: .malformed(reason: unsafe String(cString: ZSTD_getErrorName(code)))
        }
    }
}
