import Foundation
import SQLite
import XCTest

/// A client of frame sync as `libsql` is one: a database file, a log of all frames of its generation
/// that never shrinks, and how many of these the server has.
final class FrameClient {
    enum Failure: Error, Equatable {
        case status(Int, String)
        case conflict(start: Int, lastFrame: Int)
        case frameNumberTooHigh(Int)
        case odd(String)
    }

    let database: TestDatabase
    private(set) var generation = 0
    private(set) var frames: [WireFrame] = []
    /// Frames that the server has, as far as the client knows.
    private(set) var durableCount = 0
    private(set) var pages: [[UInt8]] = []

    /// Bootstraps.
    init(_ database: TestDatabase) throws {
        self.database = database
        generation = try Self.info(database)
        pages = try Self.export(database, generation: generation)
    }

    /// - Parameter database: as a restarted server has it; that of `other` if nil.
    init(copying other: FrameClient, on database: TestDatabase? = nil) {
        self.database = database ?? other.database
        generation = other.generation
        frames = other.frames
        durableCount = other.durableCount
        pages = other.pages
    }

    var image: DatabaseImage { DatabaseImage(bytes: bytes) }

    private var bytes: [UInt8] {
        var bytes: [UInt8] = []
        for page in pages { bytes += page }
        return bytes
    }

    static func info(_ database: TestDatabase) throws -> Int {
        let reply = try database.server.request("GET", "/db/\(database.name)/info")
        guard reply.status == 200, let generation = reply.object["current_generation"] as? Int
        else { throw Failure.status(reply.status, reply.text) }
        return generation
    }

    static func export(_ database: TestDatabase, generation: Int) throws -> [[UInt8]] {
        let reply = try database.server.request("GET", "/db/\(database.name)/export/\(generation)")
        guard reply.status == 200 else { throw Failure.status(reply.status, reply.text) }
        guard reply["content-length"] == "\(reply.body.count)", reply.body.count % 4096 == 0,
            reply.body[18] == 2, reply.body[19] == 2
        else { throw Failure.odd("export") }
        return stride(from: 0, to: reply.body.count, by: 4096).map {
            Array(reply.body[$0..<$0 + 4096])
        }
    }

    // MARK: local changes

    /// Runs statements on a copy of the database as SQLite does, and keeps the frames they made.
    func commit(_ statements: String...) throws {
        let folder = try TemporaryFolder()
        let path = folder.path("local.db")
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let connection = try Connection(path: path, mode: .readWrite)
        defer { connection.close() }
        try connection.registerGenerateSeries()
        try connection.execute("PRAGMA wal_autocheckpoint = 0")
        for statement in statements { try connection.execute(statement) }
        let log = try Data(contentsOf: URL(fileURLWithPath: path + "-wal"))
        let new = WireFrame.decode(log.dropFirst(32))
        frames += new
        apply(new)
    }

    private func apply(_ new: [WireFrame]) {
        for frame in new {
            grow(to: Int(frame.page))
            pages[Int(frame.page) - 1] = frame.content
            guard frame.databaseSize > 0 else { continue }
            // One that was brought to a later, smaller state gets frames of an earlier one again.
            grow(to: Int(frame.databaseSize))
            pages.removeLast(pages.count - Int(frame.databaseSize))
        }
    }

    private func grow(to count: Int) {
        while pages.count < count { pages.append([UInt8](repeating: 0, count: 4096)) }
    }

    // MARK: requests

    func pullReply(from start: Int? = nil) throws -> HTTPReply {
        let start = start ?? durableCount + 1
        return try database.server.request(
            "GET", "/db/\(database.name)/sync/\(generation)/\(start)/\(start + 128)")
    }

    /// - Parameter range: numbers of frames in this client's log, or of those given.
    func pushReply(
        _ range: Range<Int>, baton: String? = nil, generation: Int? = nil,
        frames: [WireFrame]? = nil
    ) throws -> HTTPReply {
        let path = "/sync/\(generation ?? self.generation)/\(range.lowerBound)/\(range.upperBound)"
        let frames = frames ?? Array(self.frames[range.lowerBound - 1..<range.upperBound - 1])
        return try database.server.request(
            "POST", "/db/\(database.name)\(path)\(baton.map { "/\($0)" } ?? "")",
            body: WireFrame.encode(frames))
    }

    // MARK: what a client does

    /// Pushes what is new, else pulls; returns the frames that moved.
    @discardableResult
    func sync() throws -> Int {
        frames.count > durableCount ? try push() : try pull()
    }

    @discardableResult
    func push() throws -> Int {
        let first = durableCount
        var next = durableCount + 1
        var baton: String?
        var mayGoBack = true
        while next <= frames.count {
            let end = min(next + 128, frames.count + 1)
            let reply = try pushReply(next..<end, baton: baton)
            guard reply.status == 200 else { throw Failure.status(reply.status, reply.text) }
            guard reply.object["generation"] as? Int == generation,
                let status = reply.object["status"] as? String,
                let last = reply.object["max_frame_no"] as? Int
            else { throw Failure.odd(reply.text) }
            if status == "conflict" { throw Failure.conflict(start: next, lastFrame: last) }
            guard last < end else { throw Failure.frameNumberTooHigh(last) }
            baton = reply.object["baton"] as? String
            if last < end - 1 {
                guard mayGoBack else { throw Failure.odd(reply.text) }
                (mayGoBack, baton) = (false, nil)
            }
            next = last + 1
        }
        durableCount = frames.count
        return durableCount - first
    }

    /// Up to the end of the newest generation, or of `last`.
    @discardableResult
    func pull(upToGeneration last: Int = .max) throws -> Int {
        var count = 0
        while true {
            let reply = try pullReply()
            if reply.status == 400, let newest = reply.object["generation"] as? Int {
                if min(newest, last) <= generation { return count }
                generation += 1
                frames = []
                durableCount = 0
                continue
            }
            guard reply.status == 200 else { throw Failure.status(reply.status, reply.text) }
            guard !reply.body.isEmpty, reply.body.count % WireFrame.size == 0,
                reply["content-length"] == "\(reply.body.count)"
            else { throw Failure.odd("a body of \(reply.body.count) bytes") }
            let new = WireFrame.decode(reply.body)
            guard new.last?.databaseSize != 0 else { throw Failure.odd("no commit") }
            apply(new)
            frames += new
            durableCount = frames.count
            count += new.count
        }
    }
}
