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
}
