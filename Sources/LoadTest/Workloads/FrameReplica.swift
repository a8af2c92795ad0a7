internal import Glibc
internal import SQLite
internal import Synchronization

/// A client of frame sync with a database file of its own, made by the real protocol: export, then
/// all frames. Its commits are made by SQLite, and pushed from its WAL.
///
/// One thread at a time.
final class FrameReplica {
    private static let walHeaderSize = 32
    private static let pageSize = 4096

    let generation: Int
    /// Frames of the generation that the server has.
    private(set) var durableCount: Int
    private let path: String
    private let connection: Connection
    private let log: Int32
    /// Frames in the log, and those of them that the server has; numbers in the log start at 0.
    private var logCount = 0
    private var pushedCount = 0

    init(_ database: BenchDatabase, path: String) throws(BenchError) {
        self.path = path
        generation = try FramesWorkload.generation(of: database)
        durableCount = try Self.download(database, generation: generation, path: path)
        do throws(SQLiteError) {
            connection = try Connection(path: path, mode: .readWrite)
            // The log must begin anew with our frames, and must never start over.
            try connection.execute(
                "PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF; "
                    + "PRAGMA wal_checkpoint(TRUNCATE)")
        } catch {
            throw .server("\(database.target.optionText): the exported database: \(error.message)")
        }
        log = unsafe open(path + "-wal", O_RDONLY | O_CLOEXEC)
        guard log >= 0 else {
            connection.close()
            throw .file("\(path)-wal: \(unsafe String(cString: strerror(errno)))")
        }
    }

    deinit {
        close(log)
        connection.close()
    }

    /// Export and frames; returns the number of the last frame.
    private static func download(
        _ database: BenchDatabase, generation: Int, path: String
    ) throws(BenchError) -> Int {
        let target = database.target
        let export = try database.control.send(
            RequestBytes.make("GET", target, "/export/\(generation)"), to: target)
        guard export.status == 200, export.body.count % pageSize == 0 else {
            throw .server("\(target.optionText)/export answers \(export.status): \(export.text)")
        }
        var image = FrameImage(export.body)
        var last = 0
        while true {
            let range = "\(last + 1)/\(last + 1 + FramesWorkload.framesPerRequest)"
            let reply = try database.control.send(
                RequestBytes.make("GET", target, "/sync/\(generation)/\(range)"), to: target)
            // The end of the generation.
            if reply.status == 400 { break }
            guard reply.status == 200, let count = image.apply(reply.body), count > 0 else {
                throw .server("\(target.optionText)/sync answers \(reply.status): \(reply.text)")
            }
            last += count
        }
        try TextFile.write(path, image.bytes)
        return last
    }

    // MARK: Commits

    /// Commits rows with ids from `firstID` on.
    func commit(firstID: Int, rows: Int, rowSize: Int) throws(SQLiteError) {
        try connection.execute(
            "WITH RECURSIVE n(i) AS (VALUES(\(firstID)) UNION ALL SELECT i + 1 FROM n "
                + "WHERE i < \(firstID + rows - 1)) INSERT INTO \(BenchTable.name) "
                + "SELECT i, hex(randomblob(\(max(1, rowSize / 2)))) FROM n")
        var status = stat()
        guard unsafe fstat(log, &status) == 0 else { return }
        logCount = max(0, Int(status.st_size) - Self.walHeaderSize) / FramesWorkload.frameSize
    }

    var hasFramesToPush: Bool { pushedCount < logCount }

    /// The next frames to push: their numbers in the generation (the end is exclusive), and their
    /// bytes.
    func nextFrames() -> (range: Range<Int>, bytes: [UInt8]) {
        let count = min(FramesWorkload.framesPerRequest, logCount - pushedCount)
        let size = count * FramesWorkload.frameSize
        let offset = Self.walHeaderSize + pushedCount * FramesWorkload.frameSize
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
            filled = max(0, unsafe pread(log, buffer.baseAddress, size, off_t(offset)))
        }
        return (durableCount + 1..<durableCount + 1 + count, bytes)
    }

    /// The server has taken so many more frames.
    func taken(_ count: Int) {
        precondition(pushedCount + count <= logCount)
        pushedCount += count
        durableCount += count
    }
}

/// The pages of a database, to which frames are applied.
struct FrameImage {
    private(set) var bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// How many frames these are; nil if they are not whole ones, or of no page that can be.
    mutating func apply(_ frames: [UInt8]) -> Int? {
        let frameSize = FramesWorkload.frameSize
        guard frames.count % frameSize == 0 else { return nil }
        for start in stride(from: 0, to: frames.count, by: frameSize) {
            let page = Self.word(frames, at: start)
            let size = Self.word(frames, at: start + 4)
            // Far above what is measured here, and far below what a hostile answer could claim.
            guard (1...1_000_000).contains(page), size <= 1_000_000 else { return nil }
            let end = page * 4096
            if bytes.count < end {
                bytes.append(contentsOf: repeatElement(0, count: end - bytes.count))
            }
            bytes.replaceSubrange(end - 4096..<end, with: frames[start + 24..<start + frameSize])
            if size > 0, bytes.count > size * 4096 {
                bytes.removeLast(bytes.count - size * 4096)
            }
        }
        return frames.count / frameSize
    }

    private static func word(_ bytes: [UInt8], at offset: Int) -> Int {
        bytes[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
    }
}
