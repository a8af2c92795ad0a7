import Codecs
import Execution
import Foundation
import Logging
import Primitives
import SQLite
import Storage
import TestSupport
import XCTest

@testable import Replication
@testable import WireProtocol

/// Answers that come from images are the bytes that reading gives, whatever was committed when.
final class ImageStreamTests: XCTestCase {
    /// A stream under way, and all that it has to say.
    private struct Reply {
        let stream: PageStream
        let expected: [UInt8]
        var received: [UInt8] = []
        var hasEnded = false

        /// What was received, without the coding.
        func content() throws -> [UInt8] {
            var content: [UInt8] = []
            switch stream.coding {
            case nil: return received
            case .zstd:
                var decoder = try ZstdDecoder(outputLimit: 1 << 30)
                try decoder.decode(received[...], into: &content)
                try decoder.finish()
            case .gzip:
                var decoder = try GzipDecoder(outputLimit: 1 << 30)
                try decoder.decode(received[...], into: &content)
                try decoder.finish()
            }
            return content
        }
    }

    private static let header: [UInt8] = [1, 2, 3]

    func testStreamsAreWhatReadingGives() throws {
        var generator = SeededGenerator.announced(for: "image streams")
        var options = StorageOptions()
        options.minCheckpointPageCount = 200
        let store = try TestStore(options: options)
        defer { store.tearDown() }
        let lease = try store.acquire()
        try store.execute(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v);"
                + "WITH RECURSIVE n(i) AS "
                + "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
                + "INSERT INTO t SELECT i, randomblob(3000) FROM n", lease)
        var answers: [Reply] = []
        var regionSize = 0
        for _ in 0..<150 {
            switch generator.number(0...9) {
            case 0: try store.execute(change(&generator), lease)
            case 1...3: answers.append(try begin(lease, &generator))
            default:
                guard let index = answers.indices.randomElement(using: &generator) else { break }
                regionSize += try advance(&answers[index], &generator)
                let answer = answers[index]
                guard answer.hasEnded else { break }
                XCTAssertEqual(try answer.content(), answer.expected)
                answer.stream.close()
                answers.remove(at: index)
            }
        }
        for index in answers.indices {
            while !answers[index].hasEnded {
                regionSize += try advance(&answers[index], &generator)
            }
            XCTAssertEqual(try answers[index].content(), answers[index].expected)
            answers[index].stream.close()
        }
        XCTAssertGreaterThan(regionSize, 2 << 20, "nearly nothing came from an image")
    }

    /// A row here and there, growth, or a shrink.
    private func change(_ generator: inout SeededGenerator) -> String {
        let id = generator.number(1...1200)
        switch generator.number(0...4) {
        case 0:
            return "INSERT INTO t (v) SELECT randomblob(3000) FROM t LIMIT "
                + "\(generator.number(1...300))"
        case 1: return "DELETE FROM t WHERE id > (SELECT max(id) FROM t) - 200; VACUUM"
        default: return "UPDATE t SET v = randomblob(3000) WHERE id = \(id)"
        }
    }

    private func begin(
        _ lease: DatabaseLease, _ generator: inout SeededGenerator
    ) throws -> Reply {
        let snapshot = try lease.database.snapshot()
        let size = Int(snapshot.databaseSize)
        var list = PageList.all(databaseSize: snapshot.databaseSize)
        if generator.chance(2) {
            let start = generator.number(1...size)
            let end = generator.number(start...size)
            let gap = generator.number(1...size)
            list = .listed((start...end).filter { $0 != gap }.map { PageNumber(UInt32($0))! })
        }
        let expected =
            try Self.header
            + FramedPages.read(list.slice(0..<list.count), from: snapshot)
        let chosen = list
        let formats: [PageFormat] = [.framed, .coded(.zstd, level: 1), .coded(.gzip, level: 1)]
        let stream = PageStream(
            lease: lease, snapshot: snapshot, header: Self.header,
            format: formats[generator.number(0...2)]
        ) { chosen }
        return Reply(stream: stream, expected: expected)
    }

    /// Returns how many bytes came from an image.
    private func advance(
        _ answer: inout Reply, _ generator: inout SeededGenerator
    ) throws -> Int {
        let maximum = [5000, 65_536, 262_144][generator.number(0...2)]
        guard let parts = try answer.stream.nextPiece(maximumBytes: maximum) else {
            answer.hasEnded = true
            return 0
        }
        var size = 0
        for part in parts {
            let content = part.content
            XCTAssertFalse(content.isEmpty)
            answer.received += content
            if case .region = part { size += content.count }
        }
        return size
    }
}

/// A store in a temporary folder, with helpers that block until work is done.
final class TestStore: @unchecked Sendable {
    // @unchecked: one test uses it.
    let folder =
        FileManager.default.temporaryDirectory
        .appendingPathComponent("tidemark-\(UUID().uuidString)").path
    let workers = WorkerPool(threadCount: 2)
    let store: DatabaseStore

    init(options: StorageOptions = StorageOptions()) throws {
        store = try DatabaseStore(
            directory: folder, options: options, workers: workers, logger: .disabled)
    }

    func tearDown() {
        store.close()
        workers.stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    func acquire() throws -> DatabaseLease {
        let answer = Answer<Result<DatabaseLease, StorageError>>()
        store.acquire(.default) { answer.give($0) }
        return try answer.wait().get()
    }

    func execute(_ sql: String, _ lease: DatabaseLease) throws {
        let answer = Answer<Result<Result<Void, any Error>, StorageError>>()
        lease.database.write(
            { session in
                Result {
                    try session.prepareToWrite()
                    try session.connection.execute(sql)
                }
            }, completion: { answer.give($0) })
        try answer.wait().get().get()
    }
}
