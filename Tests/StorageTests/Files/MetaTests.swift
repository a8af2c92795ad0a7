import Primitives
import XCTest

@testable import Storage

final class MetaTests: XCTestCase {
    private static func meta(epochCount: Int = 3) -> Meta {
        Meta(
            databaseID: DatabaseID(high: 0x0123, low: 0x4567),
            epochs: EpochTable(
                entries: (0..<UInt64(epochCount)).map {
                    .init(epoch: Epoch($0 + 9), start: CommitNumber($0 * 3))
                }), settings: [.strictPush], walSalts: .init(salt1: 5, salt2: 6),
            walBase: CommitNumber(70), recordedCommit: CommitNumber(80), isCheckpointing: true,
            mainFile: .init(size: 4096, modified: -5))
    }

    func testASlotDecodesToWhatWasEncoded() throws {
        for count in [0, 1, EpochTable.capacity] {
            let slot = Self.meta(epochCount: count).encoded(sequence: 42)
            XCTAssertEqual(slot.count, Meta.slotSize)
            let decoded = try XCTUnwrap(Meta.decode(slot[...]))
            XCTAssertEqual(decoded.meta, Self.meta(epochCount: count))
            XCTAssertEqual(decoded.sequence, 42)
        }
    }

    func testEachFlagIsKeptByItself() throws {
        for number in 0..<8 {
            var meta = Self.meta()
            if number & 1 == 0 { meta.walSalts = nil }
            meta.isCheckpointing = number & 2 != 0
            meta.isWALSpent = number & 4 != 0
            let slot = meta.encoded(sequence: 1)
            XCTAssertEqual(Meta.decode(slot[...])?.meta, meta)
            XCTAssertEqual(slot[44], UInt8(number), "docs/storage-format.md, `meta`")
        }
    }

    func testEveryBitOfASlotCounts() {
        let slot = Self.meta().encoded(sequence: 7)
        let used = 16 + 76 + 3 * 16
        for index in 0..<used {
            for bit in 0..<8 {
                var damaged = slot
                damaged[index] ^= 1 << bit
                XCTAssertTrue(Meta.decode(damaged[...]) == nil, "byte \(index), bit \(bit)")
            }
        }
    }

    /// Power fails while the newer slot is written: any part of it may have arrived.
    func testATornSlotLeavesTheOther() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try MetaFile.create(path: folder.file("meta"), meta: Self.meta())
        let file = try MetaFile(path: folder.file("meta"))
        try file.update(for: .metaCheckpointEnds) { $0.recordedCommit = CommitNumber(81) }
        let before = try folder.read("meta")
        try file.update(for: .metaCheckpointEnds) { $0.recordedCommit = CommitNumber(82) }
        let after = try folder.read("meta")
        // Behind its content a slot is all zeros.
        for length in Array(0...256) + [512, 1024, 4095, 4096] {
            // Sequence 3 is in the second slot.
            var torn = before
            torn.replaceSubrange(
                Meta.slotSize..<Meta.slotSize + length,
                with: after[Meta.slotSize..<Meta.slotSize + length])
            try folder.write(torn, to: "torn")
            let commit = try MetaFile(path: folder.file("torn")).meta.recordedCommit.rawValue
            XCTAssertTrue([81, 82].contains(commit), "\(length) bytes: \(commit)")
            if length < 24 { XCTAssertEqual(commit, 81, "\(length) bytes") }
        }
    }

    func testTheNewestSlotIsReadAndAFileWithoutAnyIsRefused() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("meta")
        try MetaFile.create(path: path, meta: Self.meta())
        let file = try MetaFile(path: path)
        for commit in 81...90 as ClosedRange<UInt64> {
            try file.update(for: .metaCheckpointEnds) { $0.recordedCommit = CommitNumber(commit) }
            XCTAssertEqual(file.meta.recordedCommit.rawValue, commit)
            XCTAssertEqual(try MetaFile(path: path).meta.recordedCommit.rawValue, commit)
        }
        let bytes = try folder.read("meta")
        for content in [[], [0], Array(bytes[..<12]), [UInt8](repeating: 0, count: 8192)] {
            try folder.write(content, to: "bad")
            XCTAssertThrowsError(try MetaFile(path: folder.file("bad"))) { error in
                guard case StorageError.corruptFile? = error as? StorageError else {
                    return XCTFail("\(error)")
                }
            }
        }
    }

    func testAnUpdateThatFailsKeepsTheValueAndCanBeRepeated() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("meta")
        try MetaFile.create(path: path, meta: Self.meta())
        let file = try MetaFile(path: path)
        defer { FileOperationHook.handler = nil }
        FileOperationHook.handler = { event in
            if case .synchronize = event.operation { .fails(EIO) } else { .goesOn }
        }
        XCTAssertThrowsError(
            try file.update(for: .metaCheckpointEnds) { $0.recordedCommit = CommitNumber(99) })
        XCTAssertEqual(file.meta, Self.meta())
        FileOperationHook.handler = nil
        try file.update(for: .metaCheckpointEnds) { $0.recordedCommit = CommitNumber(100) }
        XCTAssertEqual(try MetaFile(path: path).meta.recordedCommit.rawValue, 100)
    }

    func testSaltsFollowEachOther() {
        let salts = Meta.WALSalts(salt1: .max, salt2: 1)
        XCTAssertTrue(Meta.WALSalts(salt1: 0, salt2: 77).isSuccessor(of: salts))
        XCTAssertFalse(salts.isSuccessor(of: salts))
        XCTAssertFalse(Meta.WALSalts(salt1: 1, salt2: 1).isSuccessor(of: salts))
    }
}
