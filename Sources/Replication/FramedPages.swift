internal import Codecs
internal import Primitives
internal import Storage
internal import WireProtocol

/// Pages as messages.
enum FramedPages {
    static let maximumFramedSize = PageFraming.maximumPrefixSize + pageSize

    /// Writes the framing and lets the storage read every page right behind its prefix: the page's
    /// bytes are copied once, from the file to the array.
    ///
    /// - Parameter head: bytes that come first.
    static func read(
        _ pages: ArraySlice<PageNumber>, from snapshot: Snapshot, behind head: [UInt8] = []
    ) throws(StorageError) -> [UInt8] {
        var offsets: [Int] = []
        offsets.reserveCapacity(pages.count)
        var failure: StorageError?
        let capacity = head.count + pages.count * maximumFramedSize
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: capacity) {
            buffer, initializedCount in
            let base = UnsafeMutableRawPointer(buffer.baseAddress!)
            unsafe head.withUnsafeBytes { source in
                if let start = source.baseAddress {
                    unsafe base.copyMemory(from: start, byteCount: source.count)
                }
            }
            var offset = head.count
            for page in pages {
                unsafe offset += PageFraming.writePrefix(of: page.id, into: base + offset)
                offsets.append(offset)
                offset += pageSize
            }
            do throws(StorageError) {
                try unsafe snapshot.read(
                    pages, into: UnsafeMutableRawBufferPointer(start: base, count: offset),
                    at: offsets)
                initializedCount = offset
            } catch {
                failure = error
                initializedCount = 0
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// The same with each page compressed by itself.
    static func compressed(
        _ pages: ArraySlice<PageNumber>, from snapshot: Snapshot, behind head: [UInt8], level: Int,
        dictionary: ZstdDictionary?
    ) throws(StorageError) -> [UInt8] {
        let compressor = try PageEncoder.compressing { () throws(CompressionError) in
            try ZstdPageCompressor(level: level, dictionary: dictionary)
        }
        var plain = [UInt8](repeating: 0, count: pages.count * pageSize)
        var failure: StorageError?
        var bytes = head
        unsafe plain.withUnsafeMutableBytes { buffer in
            do throws(StorageError) {
                try unsafe snapshot.read(
                    pages, into: buffer,
                    at: pages.indices.map { ($0 - pages.startIndex) * pageSize })
                try unsafe append(pages, UnsafeRawBufferPointer(buffer), compressor, to: &bytes)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    private static func append(
        _ pages: ArraySlice<PageNumber>, _ content: UnsafeRawBufferPointer,
        _ compressor: ZstdPageCompressor, to bytes: inout [UInt8]
    ) throws(StorageError) {
        var failure: CompressionError?
        unsafe withUnsafeTemporaryAllocation(
            byteCount: ZstdPageCompressor.bound(pageSize), alignment: 16
        ) { frame in
            for (index, page) in pages.enumerated() {
                let start = index * pageSize
                do throws(CompressionError) {
                    let size = try unsafe compressor.compress(
                        UnsafeRawBufferPointer(rebasing: content[start..<start + pageSize]),
                        into: frame)
                    PageFraming.appendPrefix(of: page.id, encodedSize: size, to: &bytes)
                    unsafe bytes.append(
                        contentsOf: UnsafeRawBufferPointer(rebasing: frame[..<size]))
                } catch {
                    failure = error
                    return
                }
            }
        }
        if failure != nil { throw .outOfMemory }
    }
}
