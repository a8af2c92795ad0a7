internal import Glibc
internal import Primitives
internal import SQLite
internal import Storage

/// A database as it will be when pushed frames are applied: their pages over those of a base.
final class PushedImage: PageSource {
    let databaseSize: UInt32
    /// What the frames are applied to.
    let base: any PageSource
    private let frames: [WALFrame]
    /// The newest frame of each page, as an index of `frames`.
    private let newest: [UInt32: Int]
    private let pushed: PageSet
    /// What the base threw: the server's fault, not the image's.
    private(set) var failure: SQLiteError?

    /// - Parameter frames: keep the `FrameRules`.
    init(frames: [WALFrame], base: any PageSource) {
        self.frames = frames
        self.base = base
        databaseSize = frames.last?.databaseSize ?? base.databaseSize
        var newest: [UInt32: Int] = [:]
        newest.reserveCapacity(frames.count)
        var pushed = PageSet(databaseSize: databaseSize)
        for (index, frame) in frames.enumerated() where frame.page <= databaseSize {
            newest[frame.page] = index
            _ = pushed.insert(frame.page)
        }
        self.newest = newest
        self.pushed = pushed
    }

    var frameCount: Int { frames.count }

    func isPushed(_ page: UInt32) -> Bool { pushed.contains(page) }

    func read(
        page: UInt32, into buffer: UnsafeMutableRawBufferPointer
    ) throws(SQLiteError) {
        if let index = newest[page] {
            unsafe buffer.copyBytes(from: frames[index].content)
        } else if page <= base.databaseSize, page != PageNumber.lockPage.rawValue {
            do throws(SQLiteError) {
                try unsafe base.read(page: page, into: buffer)
            } catch {
                failure = error
                throw error
            }
        } else {
            unsafe memset(buffer.baseAddress!, 0, buffer.count)
        }
    }

    /// A page of the image; one that was pushed is not copied.
    func content(of page: UInt32) throws(SQLiteError) -> [UInt8] {
        if isPushed(page), let index = newest[page] { return frames[index].content }
        return try self.page(page)
    }
}
