internal import Glibc
internal import Primitives

/// Frames as they go to a client: 24 bytes of header, then the page, each. Made piece by piece; one
/// thread at a time uses it.
package final class FrameSource: @unchecked Sendable {
    // @unchecked: pieces are asked for one after another.

    private enum Content {
        /// Frames of a generation: in its archive, or still in the WAL.
        case kept(generation: UInt32, archive: File)
        /// One transaction that brings any state of an old generation to the current one's base.
        /// Repeats its first page until the old generation's end is reached.
        case synthetic(base: Snapshot, pages: [PageNumber])
    }

    /// The number of the first frame.
    package let first: UInt32
    package let count: Int
    private let database: Database
    private let content: Content
    private var next: UInt32

    init(database: Database, generation: UInt32, archive: File, frames: ClosedRange<UInt32>) {
        self.database = database
        first = frames.lowerBound
        count = frames.count
        next = frames.lowerBound
        content = .kept(generation: generation, archive: archive)
    }

    init(database: Database, base: Snapshot, pages: [PageNumber], frames: ClosedRange<UInt32>) {
        self.database = database
        first = frames.lowerBound
        count = frames.count
        next = frames.lowerBound
        content = .synthetic(base: base, pages: pages.isEmpty ? [PageNumber(1)!] : pages)
    }

    private var last: UInt32 { first + UInt32(count) - 1 }

    /// Whole frames of about `maximumBytes`, at least one; nil at the end.
    package func nextPiece(maximumBytes: Int) throws(StorageError) -> [UInt8]? {
        guard next <= last else { return nil }
        let wanted = max(1, maximumBytes / GenerationFiles.frameSize)
        let end = min(last, next + UInt32(min(wanted, count)) - 1)
        let piece: [UInt8] =
            switch content {
            case .kept(let generation, let archive):
                try database.frames(next...end, of: generation, archive: archive)
            case .synthetic(let base, let pages): try synthetic(next...end, base, pages)
            }
        next = end + 1
        return piece
    }

    private func synthetic(
        _ range: ClosedRange<UInt32>, _ base: Snapshot, _ pages: [PageNumber]
    ) throws(StorageError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count * GenerationFiles.frameSize)
        for frame in range {
            // The repetitions come first, so that the end is the same for everybody.
            let fromEnd = Int(last - frame)
            let page = fromEnd < pages.count ? pages[pages.count - 1 - fromEnd] : pages[0]
            bytes.appendBigEndian(page.rawValue)
            bytes.appendBigEndian(frame == last ? base.databaseSize : 0)
            bytes += [UInt8](repeating: 0, count: 16)
            bytes += try base.page(page)
        }
        return bytes
    }
}

extension Database {
    /// The bytes of frames of one generation. What is not in its archive is in the WAL, and stays
    /// there until it is.
    func frames(
        _ range: ClosedRange<UInt32>, of generation: UInt32, archive: File
    ) throws(StorageError) -> [UInt8] {
        let size = GenerationFiles.frameSize
        var bytes = [UInt8](repeating: 0, count: range.count * size)
        while true {
            let (ledger, closing) = state.withLock { ($0.books.generation, $0.closing) }
            if let closing { throw closing }
            let archived = archivedFrame(of: generation, ledger)
            let split =
                range.lowerBound <= archived
                ? Int(min(range.upperBound, archived) - range.lowerBound) + 1 : 0
            try read(
                into: &bytes, count: split * size, from: archive,
                at: Int64(range.lowerBound - 1) * Int64(size), start: 0)
            if split == range.count { return bytes }
            guard let ledger else { throw .revisionGone }
            let frame = range.lowerBound + UInt32(split)
            try read(
                into: &bytes, count: (range.count - split) * size, from: walFile,
                at: WALScanner.frameOffset(ledger.walFrame(of: frame)), start: split * size)
            // If they were archived meanwhile, the WAL may have started over.
            let now = state.withLock { $0.books.generation }
            if archivedFrame(of: generation, now) == archived { return bytes }
        }
    }

    private func archivedFrame(of generation: UInt32, _ ledger: FrameLedger?) -> UInt32 {
        guard let ledger, ledger.number == generation else { return .max }
        return ledger.archivedFrame
    }

    private func read(
        into bytes: inout [UInt8], count: Int, from file: File, at offset: Int64, start: Int
    ) throws(StorageError) {
        guard count > 0 else { return }
        var failure: StorageError?
        unsafe bytes.withUnsafeMutableBytes { buffer in
            do throws(StorageError) {
                let read = try unsafe file.readAvailable(
                    into: UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + count]),
                    at: offset)
                if read < count {
                    throw .corruptFile(path: file.path, reason: "frames are missing")
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }
}
