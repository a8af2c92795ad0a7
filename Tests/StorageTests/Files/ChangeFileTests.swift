import Primitives
import XCTest

@testable import Storage

final class ChangeFileTests: XCTestCase {
    private static let id = DatabaseID(high: 11, low: 22)

    private static func changes(
        _ pairs: [(UInt32, UInt64)]
    ) -> [(page: PageNumber, commit: CommitNumber)] {
        pairs.map { (PageNumber($0.0)!, CommitNumber($0.1)) }
    }

    /// A file with three records; their newest commits are 4, 7 and 9.
    private func makeFile(in folder: TemporaryFolder) throws {
        try ChangeFile.create(directory: folder.path, databaseID: Self.id)
        let file = try open(folder, recorded: 1).file
        try file.append(Self.changes([(1, 2), (5, 3), (2, 4)]), upTo: CommitNumber(4))
        try file.append(Self.changes([(1, 6), (9, 7)]), upTo: CommitNumber(7))
        try file.append(Self.changes([(5, 8), (1, 9)]), upTo: CommitNumber(9))
    }

    private func open(
        _ folder: TemporaryFolder, recorded: UInt64, id: DatabaseID = ChangeFileTests.id
    ) throws -> (file: ChangeFile, content: ChangeFile.Content?) {
        try ChangeFile.open(
            directory: folder.path, databaseID: id, recordedCommit: CommitNumber(recorded))
    }

    private func changes(_ content: ChangeFile.Content?) -> [UInt32: UInt64]? {
        guard let content else { return nil }
        return Dictionary(
            uniqueKeysWithValues: content.index.changes(after: CommitNumber(0))
                .map { ($0.page.rawValue, $0.commit.rawValue) })
    }

    func testRecordsAreReadBackUpToTheRecordedCommit() throws {
        let rows: [(recorded: UInt64, expected: [UInt32: UInt64]?)] = [
            (9, [1: 9, 5: 8, 2: 4, 9: 7]),
            // The checkpoint behind the last records never began.
            (7, [1: 6, 5: 3, 2: 4, 9: 7]), (4, [1: 2, 5: 3, 2: 4]), (1, [:]),
            // Not what this file can end with.
            (8, nil), (10, nil), (2, nil), (0, nil),
        ]
        for row in rows {
            let folder = try TemporaryFolder()
            defer { folder.remove() }
            try makeFile(in: folder)
            XCTAssertEqual(try changes(open(folder, recorded: row.recorded).content), row.expected)
        }
    }

    func testARecordWhoseCheckpointNeverBeganIsWrittenOver() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try makeFile(in: folder)
        let file = try open(folder, recorded: 7).file
        try file.append(Self.changes([(3, 8)]), upTo: CommitNumber(8))
        XCTAssertEqual(
            try changes(open(folder, recorded: 8).content), [1: 6, 5: 3, 2: 4, 9: 7, 3: 8])
    }

    func testATruncatedFileIsWholeOrNothing() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try makeFile(in: folder)
        let bytes = try folder.read("changes")
        let ends = [24: UInt64(1), 84: 4, 132: 7, 180: 9]
        XCTAssertEqual(bytes.count, 180)
        for length in 0...bytes.count {
            for recorded in [4, 9] as [UInt64] {
                try folder.write(bytes[..<length], to: "changes")
                let isWhole = ends.contains { $0.key <= length && $0.value == recorded }
                let content = try open(folder, recorded: recorded).content
                XCTAssertEqual(content != nil, isWhole, "\(length) bytes, commit \(recorded)")
            }
        }
    }

    func testDamageIsNeverTakenForContent() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try makeFile(in: folder)
        let bytes = try folder.read("changes")
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 1 << UInt8(index % 8)
            try folder.write(damaged, to: "changes")
            XCTAssertNil(try open(folder, recorded: 9).content, "byte \(index)")
        }
        try folder.write(bytes, to: "changes")
        XCTAssertNil(
            try open(folder, recorded: 9, id: DatabaseID(high: 11, low: 23)).content,
            "another database's")
        try FileManager.default.removeItem(atPath: folder.file("changes"))
        XCTAssertNil(try open(folder, recorded: 9).content, "a missing file")
    }

    func testARewriteReplacesAllRecords() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try makeFile(in: folder)
        let (file, content) = try open(folder, recorded: 9)
        try file.rewrite(
            content!.index.changes(after: CommitNumber(0)), upTo: CommitNumber(9))
        XCTAssertEqual(try folder.read("changes").count, 24 + 24 + 4 * 12)
        XCTAssertEqual(try changes(open(folder, recorded: 9).content), [1: 9, 5: 8, 2: 4, 9: 7])
        try file.append(Self.changes([(7, 12)]), upTo: CommitNumber(12))
        XCTAssertEqual(
            try changes(open(folder, recorded: 12).content), [1: 9, 5: 8, 2: 4, 9: 7, 7: 12])
        XCTAssertFalse(FileManager.default.fileExists(atPath: folder.file("changes.new")))
    }

    /// The rename took place and its flush failed: what follows must go to the file with the name.
    func testAppendsFollowARenameWhoseFlushFailed() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try makeFile(in: folder)
        let (file, content) = try open(folder, recorded: 9)
        defer { FileOperationHook.handler = nil }
        FileOperationHook.handler = { event in
            if case .synchronizeFolder = event.operation { .fails(EIO) } else { .goesOn }
        }
        let all = content!.index.changes(after: CommitNumber(0))
        XCTAssertThrowsError(try file.rewrite(all, upTo: CommitNumber(9)))
        FileOperationHook.handler = nil
        try file.append(Self.changes([(7, 12)]), upTo: CommitNumber(12))
        XCTAssertEqual(try changes(open(folder, recorded: 12).content)?[7], 12)
    }

    func testAnAppendThatFailsIsWrittenOver() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try makeFile(in: folder)
        let file = try open(folder, recorded: 9).file
        defer { FileOperationHook.handler = nil }
        FileOperationHook.handler = { event in
            if case .synchronize = event.operation { .fails(ENOSPC) } else { .goesOn }
        }
        XCTAssertThrowsError(
            try file.append(Self.changes([(7, 12), (8, 12)]), upTo: CommitNumber(12)))
        FileOperationHook.handler = nil
        try file.append(Self.changes([(8, 13)]), upTo: CommitNumber(13))
        XCTAssertEqual(
            try changes(open(folder, recorded: 13).content), [1: 9, 5: 8, 2: 4, 9: 7, 8: 13])
    }
}
