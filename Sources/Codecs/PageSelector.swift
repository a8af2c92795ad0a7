internal import CRoaring
package import Primitives

/// The set of pages that a client asks for, decoded from a portable roaring bitmap.
///
/// The bytes are checked in full before CRoaring reads them (`RoaringLayout`): its version 0.2.66
/// believes what containers say about themselves. What is held here is therefore well-formed, and
/// no operation fails.
@safe package final class PageSelector: @unchecked Sendable {
    // SAFETY: owned from `init` to `deinit`, never changed in between, never leaves this file.
    // CRoaring's reading functions change nothing, so threads may share it.
    private let bitmap: UnsafeMutablePointer<roaring_bitmap_t>

    /// How many pages are selected, 0 to 2^32.
    package let count: UInt64
    /// Whether the sender wrote it with runs, as ranges are written, or as a list.
    package let isWrittenInRuns: Bool

    package convenience init(portableRoaring bytes: [UInt8]) throws(PageSelectorError) {
        try self.init(portableRoaring: bytes[...])
    }

    /// `bytes` must hold exactly one bitmap: trailing bytes are refused, since a sender whose
    /// idea of the bitmap's end differs from ours may mean other pages than we would send.
    package init(portableRoaring bytes: ArraySlice<UInt8>) throws(PageSelectorError) {
        (count, isWrittenInRuns) = try RoaringLayout.validate(bytes)
        let decoded = unsafe bytes.withUnsafeBytes { buffer in
            unsafe roaring_bitmap_portable_deserialize_safe(
                buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
        }
        // The layout was valid, so only memory can be missing.
        guard let decoded = unsafe decoded else { throw .outOfMemory }
        unsafe bitmap = decoded
    }

    deinit { unsafe roaring_bitmap_free(bitmap) }

    package var isEmpty: Bool { count == 0 }

    package func contains(_ id: PageID) -> Bool {
        unsafe roaring_bitmap_contains(bitmap, id.rawValue)
    }

    /// The selected ids less than `size` (the database's size, in pages), ascending.
    ///
    /// Costs no more than `size` steps, whatever the bitmap says: a few bytes can select four
    /// billion pages.
    package func pageIDs(below size: UInt32) -> [PageID] {
        var collector = Collector(size: size)
        collector.ids.reserveCapacity(Int(min(UInt64(size), count, 4096)))
        unsafe withUnsafeMutablePointer(to: &collector) { pointer in
            _ = unsafe roaring_iterate(
                bitmap,
                { id, context in
                    // SAFETY: `context` is `pointer`, alive and exclusive while iterating.
                    let collector = unsafe context!.assumingMemoryBound(to: Collector.self)
                    guard unsafe id < collector.pointee.size else { return false }
                    unsafe collector.pointee.ids.append(PageID(id))
                    return true
                }, pointer)
        }
        return collector.ids
    }

    private struct Collector {
        let size: UInt32
        var ids: [PageID] = []
    }
}

extension PageSelector {
    /// The portable form of a set of ids, in any order: what a client sends.
    ///
    /// - Parameter inRuns: with runs where they are shorter, as clients write the ranges of a
    ///   bootstrap; otherwise as a list, as they write the pages that they miss.
    package static func encode(_ ids: some Sequence<PageID>, inRuns: Bool = true) -> [UInt8] {
        guard let bitmap = unsafe roaring_bitmap_create() else {
            preconditionFailure("out of memory")
        }
        defer { unsafe roaring_bitmap_free(bitmap) }
        for id in ids { unsafe roaring_bitmap_add(bitmap, id.rawValue) }
        if inRuns { unsafe roaring_bitmap_run_optimize(bitmap) }
        let size = unsafe roaring_bitmap_portable_size_in_bytes(bitmap)
        return unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, initializedCount in
            unsafe buffer.withMemoryRebound(to: CChar.self) { characters in
                initializedCount = unsafe roaring_bitmap_portable_serialize(
                    bitmap, characters.baseAddress)
            }
        }
    }
}
