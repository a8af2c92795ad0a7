import Execution
import Foundation
import Logging
import Primitives
import SQLite
import Storage
import XCTest

/// A data directory in a temporary folder, with helpers that block until work is done.
final class StorageFixture: @unchecked Sendable {
    // @unchecked: tests open and close it while no other thread uses it.

    let directory: String
    let workers = WorkerPool(threadCount: 4)
    var options = StorageOptions()
    private(set) var store: DatabaseStore!

    init(options: StorageOptions = StorageOptions()) throws {
        directory =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("tidemark-\(UUID().uuidString)").path
        self.options = options
        try open()
    }

    /// Opens a data directory that is there already.
    init(directory: String, options: StorageOptions = StorageOptions()) throws {
        self.directory = directory
        self.options = options
        do { try open() } catch {
            workers.stop()
            throw error
        }
    }

    func open() throws {
        store = try DatabaseStore(
            directory: directory, options: options, workers: workers, logger: .disabled)
    }

    func close() {
        store?.close()
        store = nil
    }

    func reopen() throws {
        close()
        try open()
    }

    func tearDown() {
        close()
        workers.stop()
        try? FileManager.default.removeItem(atPath: directory)
    }

    func path(_ name: DatabaseName, _ file: String) -> String {
        "\(directory)/databases/\(name.text)/\(file)"
    }

    func acquire(_ name: DatabaseName = .default) throws -> DatabaseLease {
        let box = Box<Result<DatabaseLease, StorageError>>()
        store.acquire(name) { box.set($0) }
        return try box.wait().get()
    }

    /// Runs SQL as the writer and waits for it.
    func execute(_ sql: String, on name: DatabaseName = .default) throws {
        let lease = try acquire(name)
        try write(lease.database) { session in
            do {
                try session.prepareToWrite()
                try session.connection.execute(sql)
            } catch {
                if !session.connection.isAutocommit {
                    try session.connection.execute("ROLLBACK")
                }
                throw error
            }
        }
        withExtendedLifetime(lease) {}
    }

    /// Runs a job as the writer, and waits until what it did is durable.
    @discardableResult
    func write<Value: Sendable>(
        _ database: Database, _ job: @escaping @Sendable (WriterSession) throws -> Value
    ) throws -> Value {
        let box = Box<Result<Result<Value, any Error>, StorageError>>()
        database.write({ session in Result { try job(session) } }, completion: { box.set($0) })
        return try box.wait().get().get()
    }

    func query(_ sql: String, on name: DatabaseName = .default) throws -> Int64? {
        let lease = try acquire(name)
        let box = Box<Result<Result<Int64?, any Error>, StorageError>>()
        lease.database.read(
            { connection in Result { try connection.queryInteger(sql) } },
            completion: { box.set($0) })
        let result = try box.wait().get().get()
        withExtendedLifetime(lease) {}
        return result
    }

    /// Waits until every writer job queued so far, and the checkpoint behind it, has run.
    func drainWriter(_ database: Database) {
        let box = Box<Void>()
        database.write({ _ in }, completion: { (_: Result<Void, StorageError>) in box.set(()) })
        box.wait()
    }

    func image(of snapshot: Snapshot) throws -> [UInt8] {
        let pages = (1...snapshot.databaseSize).compactMap { PageNumber($0) }
        var bytes = [UInt8](repeating: 0xAA, count: pages.count * pageSize)
        try bytes.withUnsafeMutableBytes { buffer in
            try snapshot.read(pages[...], into: buffer, at: pages.indices.map { $0 * pageSize })
        }
        return bytes
    }

    /// What a replica with `old` holds after it was sent `pages` of `new`.
    func patched(_ old: [UInt8], _ pages: [PageNumber], from new: [UInt8]) -> [UInt8] {
        var result = old
        if result.count > new.count { result.removeLast(result.count - new.count) }
        result += [UInt8](repeating: 0xBB, count: new.count - result.count)
        for page in pages {
            let range = Int(page.byteOffset)..<Int(page.byteOffset) + pageSize
            result.replaceSubrange(range, with: new[range])
        }
        return result
    }

    /// Opens an image with stock SQLite.
    func withImage<Result>(
        _ bytes: [UInt8], _ body: (Connection) throws -> Result
    ) throws -> Result {
        let path = directory + "/image-\(UUID().uuidString).db"
        var bytes = bytes
        // Rollback mode, so that no WAL is looked for.
        bytes[18] = 1
        bytes[19] = 1
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let connection = try Connection(path: path, mode: .readOnly)
        defer { connection.close() }
        return try body(connection)
    }
}

/// A value that another thread provides.
final class Box<Value>: @unchecked Sendable {
    // @unchecked: the semaphore orders the write before the read.
    private var value: Value?
    private let ready = DispatchSemaphore(value: 0)

    func set(_ value: sending Value) {
        self.value = value
        ready.signal()
    }

    func wait() -> Value {
        ready.wait()
        return value!
    }
}
