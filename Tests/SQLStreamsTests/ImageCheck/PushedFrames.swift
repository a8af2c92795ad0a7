import Foundation
import Primitives
import SQLite
import Storage

/// A database's pages in memory.
final class MemoryPages: PageSource {
    private(set) var pages: [[UInt8]]
    private(set) var readCount = 0

    init(_ pages: [[UInt8]]) { self.pages = pages }

    var databaseSize: UInt32 { UInt32(pages.count) }

    func read(
        page: UInt32, into buffer: UnsafeMutableRawBufferPointer
    ) throws(SQLiteError) {
        readCount += 1
        buffer.copyBytes(from: pages[Int(page) - 1])
    }

    /// The pages after the frames' transactions.
    func applying(_ frames: [WALFrame]) -> MemoryPages {
        var pages = pages
        for frame in frames {
            while pages.count < frame.page {
                pages.append([UInt8](repeating: 0, count: pageSize))
            }
            pages[Int(frame.page) - 1] = frame.content
            if frame.databaseSize != 0 {
                pages.removeLast(max(0, pages.count - Int(frame.databaseSize)))
            }
        }
        return MemoryPages(pages)
    }
}

/// A database as a frame client has it: what SQL writes to its WAL is what it pushes.
final class FrameClient {
    private let folder: URL
    let connection: Connection
    /// Frames of the WAL that were given out.
    private var takenCount = 0
    /// The database without what SQL wrote since the last call of `push`.
    private(set) var base: MemoryPages

    init(_ schema: String = "", encoding: String = "UTF-8") throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        connection = try Connection(
            path: folder.appendingPathComponent("main.db").path, mode: .create)
        try connection.registerGenerateSeries()
        try connection.execute(
            """
            PRAGMA encoding = '\(encoding)'; PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
            PRAGMA wal_autocheckpoint = 0;
            """)
        try connection.execute(schema)
        base = MemoryPages([])
        try reset()
    }

    deinit {
        connection.close()
        try? FileManager.default.removeItem(at: folder)
    }

    /// Takes what is in the database now as the base.
    func reset() throws {
        guard try !connection.checkpoint(.truncate).isBusy else { preconditionFailure("busy") }
        takenCount = 0
        let bytes = try [UInt8](Data(contentsOf: folder.appendingPathComponent("main.db")))
        base = MemoryPages(
            stride(from: 0, to: bytes.count, by: pageSize).map {
                Array(bytes[$0..<$0 + pageSize])
            })
    }

    /// The frames that `sql` makes, over what `base` was before it.
    func push(_ sql: String) throws -> (base: MemoryPages, frames: [WALFrame]) {
        let before = base
        try connection.execute(sql)
        let frames = try newFrames()
        base = before.applying(frames)
        return (before, frames)
    }

    private func newFrames() throws -> [WALFrame] {
        let wal = try [UInt8](Data(contentsOf: folder.appendingPathComponent("main.db-wal")))
        guard var scanner = wal.withUnsafeBytes({ WALScanner(header: $0) }) else { return [] }
        var frames: [WALFrame] = []
        var offset = WALScanner.headerSize
        while offset + WALScanner.frameSize <= wal.count {
            let bytes = wal[offset..<offset + WALScanner.frameSize]
            guard bytes.withUnsafeBytes({ scanner.append(frame: $0) }) else { break }
            frames.append(WALFrame(wire: bytes))
            offset += WALScanner.frameSize
        }
        let committed = Int(scanner.commits.last?.lastFrame ?? 0)
        let new = Array(frames[takenCount..<committed])
        takenCount = committed
        return new
    }
}
