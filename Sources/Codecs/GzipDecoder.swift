internal import CZlib

/// Why bytes could not be decompressed.
package enum GzipError: Error, Equatable {
    /// Not gzip, or damaged: its checksum is looked at.
    case malformed
    /// More output than `limit` bytes.
    case outputTooLarge(limit: Int)
    /// The input ended inside a member.
    case truncated
    case outOfMemory
}

/// Decompresses one request body as it arrives.
///
/// Memory is bounded by the window, 32 KiB, and by what the caller keeps of the output. A body may
/// hold several members, one after the other (RFC 1952, 2.2). After an error it is used up.
@safe package struct GzipDecoder: ~Copyable {
    // SAFETY: zlib keeps a pointer to the stream, which therefore must not move: it is allocated
    // in `init` and freed in `deinit`.
    private let stream: UnsafeMutablePointer<z_stream>
    private let outputLimit: Int
    private var outputSize = 0
    private var isInsideMember = false

    private static let chunkSize = 64 * 1024
    /// zlib counts its input in 32 bits.
    private static let maximumPartSize = 1 << 30

    /// `outputLimit` in bytes, over the whole body.
    package init(outputLimit: Int) throws(GzipError) {
        precondition(outputLimit >= 0)
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        guard unsafe czlib_inflate_init_gzip(stream) == Z_OK else {
            unsafe stream.deallocate()
            throw .outOfMemory
        }
        unsafe self.stream = stream
        self.outputLimit = outputLimit
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Appends to `output` what `input`, the next bytes of the body, decompresses to.
    ///
    /// Never appends more than `outputLimit` bytes in total: a bomb is refused while it expands.
    package mutating func decode(
        _ input: ArraySlice<UInt8>, into output: inout [UInt8]
    ) throws(GzipError) {
        var rest = input
        while !rest.isEmpty {
            try decodePart(rest.prefix(Self.maximumPartSize), into: &output)
            rest = rest.dropFirst(Self.maximumPartSize)
        }
    }

    private mutating func decodePart(
        _ input: ArraySlice<UInt8>, into output: inout [UInt8]
    ) throws(GzipError) {
        try unsafe input.span.bytes.withUnsafeBytes { buffer throws(GzipError) in
            guard let start = buffer.baseAddress else { return }
            // SAFETY: zlib only reads through it.
            let bytes = unsafe UnsafeMutableRawPointer(mutating: start)
            unsafe stream.pointee.next_in = bytes.assumingMemoryBound(to: UInt8.self)
            unsafe stream.pointee.avail_in = UInt32(buffer.count)
            var hasMoreOutput = false
            while unsafe stream.pointee.avail_in > 0 || hasMoreOutput {
                hasMoreOutput = try decodeChunk(into: &output)
            }
        }
    }

    /// To be called at the body's end: a body that stops inside a member is not complete.
    package func finish() throws(GzipError) {
        if isInsideMember { throw .truncated }
    }

    /// Returns whether there may be more output although all input was read.
    private mutating func decodeChunk(into output: inout [UInt8]) throws(GzipError) -> Bool {
        if !isInsideMember {
            unsafe inflateReset(stream)
            isInsideMember = true
        }
        var code: Int32 = 0
        var produced = 0
        unsafe withUnsafeTemporaryAllocation(byteCount: Self.chunkSize, alignment: 1) { chunk in
            unsafe stream.pointee.next_out = chunk.baseAddress?.assumingMemoryBound(to: UInt8.self)
            unsafe stream.pointee.avail_out = UInt32(chunk.count)
            code = unsafe inflate(stream, Z_NO_FLUSH)
            produced = unsafe chunk.count - Int(stream.pointee.avail_out)
            if produced <= outputLimit - outputSize {
                unsafe output.append(
                    contentsOf: UnsafeRawBufferPointer(rebasing: chunk[..<produced]))
            }
        }
        guard [Z_OK, Z_STREAM_END, Z_BUF_ERROR].contains(code) else {
            throw code == Z_MEM_ERROR ? .outOfMemory : .malformed
        }
        guard produced <= outputLimit - outputSize else {
            throw .outputTooLarge(limit: outputLimit)
        }
        outputSize += produced
        if code == Z_STREAM_END { isInsideMember = false }
        return code == Z_OK && produced == Self.chunkSize
    }
}
