import Foundation
import Primitives
import SQLite

@testable import Storage

/// The names of all operations on the files of a data directory: what a process does at the
/// moment it may die, or the disk fail. One that is missing here, or never happens, fails a test.
enum CrashPoints {
    static let all = Set(
        commit + checkpoint + replicas + frameSync + opening + dataDirectory)

    private static let commit = [
        "write WAL header", "flush WAL header", "write WAL frame header", "write WAL frame page",
        "flush commit", "write meta (epoch)", "flush meta (epoch)", "write rejected",
        "flush rejected", "cut failed rejected", "write meta (settings)", "flush meta (settings)",
        "cut failed commit", "write failed commit", "flush failed commit",
    ]

    private static let checkpoint = [
        "write history images", "flush history images", "cut history end", "write changes",
        "flush changes", "write meta (checkpoint begins)", "flush meta (checkpoint begins)",
        "flush WAL to copy", "write main pages", "cut main pages", "flush main pages",
        "flush main times", "write meta (checkpoint ends)", "flush meta (checkpoint ends)",
        "cut spent WAL", "remove changes rewrite", "write changes rewrite",
        "flush changes rewrite", "rename changes rewrite",
    ]

    private static let replicas = [
        "write history log", "flush history log", "cut failed history log",
        "remove history log rewrite", "write history log rewrite", "flush history log rewrite",
        "rename history log rewrite",
    ]

    private static let frameSync = [
        "write pushed WAL header", "flush pushed WAL header", "write pushed frames",
        "write frames", "flush frames", "cut new frames", "flush new frames",
        "cut unrecorded frames", "remove forgotten frames", "write generations",
        "flush generations", "cut failed generations", "remove generations rewrite",
        "write generations rewrite", "flush generations rewrite", "rename generations rewrite",
    ]

    private static let opening = [
        "flush found generations", "cut torn generations",
        "flush found meta", "flush found WAL", "flush found history log", "flush found folder",
        "cut torn history log", "cut torn rejected", "cut unrecorded changes",
        "write meta (lineage)", "flush meta (lineage)",
    ]

    private static let dataDirectory = [
        "make data folder", "flush data folder", "flush data folder's name",
        "make databases folder", "remove leftover",
        "make new folder", "flush new folder", "write new main", "flush new main",
        "write new meta", "flush new meta", "write new changes", "flush new changes",
        "rename created name", "flush created name", "remove failed new", "rename failed name",
        "rename deleted name",
        "flush deleted name", "remove deleted", "write upload", "remove upload",
    ]
}

/// A life in which every named operation happens, partly because others fail.
struct CrashScript {
    let world: StoreWorld
    let recorder: CrashImages

    func run() throws {
        try replicasThroughCheckpoints()
        try endsOfReplicas()
        try otherDatabases()
        try frameSync()
        try failures()
        try shrinkAndRegrow()
    }

    private func rewriteRows(_ size: Int) throws {
        try world.commit("UPDATE t SET v = randomblob(\(size) + id)")
    }

    private func replicasThroughCheckpoints() throws {
        let first = try world.beginReplica()
        try rewriteRows(5000)
        try world.checkpoint(.passive)
        let second = try world.beginReplica()
        try world.pull(first, arrives: false)
        try rewriteRows(4000)
        try world.checkpoint(.full)
        try world.pull(first, arrives: true)
        try world.read(second)
        try rewriteRows(4500)
        try world.checkpoint(.restart)
        try world.pull(first, arrives: false)
        try rewriteRows(3000)
        try world.checkpoint(.truncate)
        try world.pull(first, arrives: true)
        try world.fixture.replaceWriter()
        try rewriteRows(3500)
        try world.reopen()
        try world.read(first)
        try world.pull(second, arrives: true)
        try rewriteRows(6000)
        try world.checkpoint(.truncate)
        try world.check()
    }

    /// By order, by time, and for want of room.
    private func endsOfReplicas() throws {
        let dropped = try world.beginReplica()
        try rewriteRows(2000)
        try world.checkpoint(.passive)
        try world.drop(dropped)
        world.advance(seconds: 31 * 86400)
        let kept = try world.beginReplica()
        try rewriteRows(2500)
        try world.checkpoint(.passive)
        try require(world.facts.replicas.keys.elementsEqual([kept]), "the others expired")
        world.quotaIsTight = true
        world.fixture.options.historyQuota = 0
        try world.reopen()
        for index in 0..<5 {
            world.advance(seconds: 10)
            _ = try world.beginReplica()
            try rewriteRows(5000 + index)
            try world.checkpoint(.passive)
        }
        try require(world.facts.replicas[kept] == nil, "there was room")
        try world.check()
        for id in world.facts.replicas.keys { try world.drop(id) }
        try rewriteRows(100)
        try world.checkpoint(.passive)
    }

    private func frameSync() throws {
        try world.beginFrameSync()
        try rewriteRows(800)
        try world.push()
        try world.checkpoint(.passive)
        try world.push()
        // The log's record of frames that are in the archive is torn, and cut off at once or later.
        for isCut in [true, false] {
            recorder.fail("write generations", .isCutShort(byteCount: 30, ENOSPC))
            if !isCut { recorder.fail("cut failed generations", .fails(EIO)) }
            expectFailure { try world.checkpoint(.passive) }
            if !isCut { try world.reopen() }
        }
        try world.checkpoint(.truncate)
        try world.push()
        try world.roll()
        try rewriteRows(900)
        try world.checkpoint(.restart)
        try world.push()
        try world.roll()
        try world.reopen()
        try world.check()
    }

    private func otherDatabases() throws {
        let fresh = DatabaseName("fresh")!
        let copy = DatabaseName("copy")!
        try world.create(fresh, copying: false)
        try world.create(copy, copying: true)
        _ = try world.fixture.acquire(copy)
        try world.delete(fresh)
        try setStrictPush()
        try upload()
        try reject()
        // Something else wrote to the copy.
        world.fixture.close()
        let path = world.fixture.path(copy, "main.db")
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1)], ofItemAtPath: path)
        try world.fixture.open()
        _ = try world.fixture.acquire(copy)
        try world.fixture.execute("CREATE TABLE x (a)", on: copy)
        // A folder that could not be removed is left over until the next start.
        recorder.fail("rename created name", .fails(ENOSPC))
        recorder.fail("remove failed new", .fails(EIO))
        expectFailure { try world.create(fresh, copying: false) }
        try world.reopen()
        // And one that could, before and after it had its name.
        recorder.fail("flush created name", .fails(EIO))
        expectFailure { try world.create(fresh, copying: false) }
        recorder.fail("rename created name", .fails(ENOSPC))
        expectFailure { try world.create(fresh, copying: false) }
        try world.delete(copy)
    }

    private func setStrictPush() throws {
        let box = Box<Result<SettingsOutcome, StorageError>>()
        try world.database().changeSettings(
            { settings, _ in
                settings = Meta.Settings(rawValue: 1)
                return []
            }, completion: { box.set($0) })
        _ = try box.wait().get()
    }

    private func upload() throws {
        let upload = try world.fixture.store.beginUpload()
        try upload.append([1, 2, 3])
    }

    private func reject() throws {
        let database = try world.database()
        let epoch = database.epoch
        let entry = RejectedChangeLog.Entry(key: "k", payload: [123, 125])
        let log = database.rejectedChanges
        let commit = database.head.revision.commit
        try log.append([entry], epoch: epoch, commit: commit)
        recorder.fail("flush rejected", .fails(ENOSPC))
        expectFailure { try log.append([entry], epoch: epoch, commit: commit) }
        // A torn record that could not be cut off, either, is when the file is read again.
        recorder.fail("write rejected", .isCutShort(byteCount: 20, ENOSPC))
        recorder.fail("cut failed rejected", .fails(EIO))
        expectFailure { try log.append([entry], epoch: epoch, commit: commit) }
        try world.reopen()
    }

    private func failures() throws {
        // A commit whose flush fails, in the middle of a WAL and at its beginning.
        for _ in 0..<2 {
            recorder.fail("flush commit", .fails(EIO))
            expectFailure { try rewriteRows(1000) }
            try rewriteRows(1500)
            try world.checkpoint(.passive)
        }
        // A checkpoint that ends when the change file has its record already.
        try rewriteRows(1600)
        recorder.fail("write meta (checkpoint begins)", .fails(EIO))
        expectFailure { try world.checkpoint(.passive) }
        try world.reopen()
        // A history log whose end is torn, cut off at once or when it is read again.
        for isCut in [true, false] {
            // Closing tries once more to write it.
            let count = isCut ? 1 : 2
            recorder.fail("write history log", .isCutShort(byteCount: 30, ENOSPC), count: count)
            if !isCut { recorder.fail("cut failed history log", .fails(EIO), count: count) }
            expectFailure(isLast: isCut) { _ = try world.beginReplica() }
            if !isCut { try world.reopen() }
        }
    }

    private func shrinkAndRegrow() throws {
        let id = try world.beginReplica()
        try world.commit("DELETE FROM t WHERE id > 1")
        try world.commit("VACUUM")
        try world.checkpoint(.truncate)
        try world.pull(id, arrives: false)
        for size in [9000, 200] {
            try world.commit("INSERT INTO t (v) VALUES (randomblob(\(size)))")
            try world.checkpoint(.restart)
        }
        try world.pull(id, arrives: true)
        try rewriteRows(700)
        try world.checkpoint(.truncate)
        try world.check()
    }

    /// - Parameter isLast: no further operation is to fail.
    private func expectFailure(
        isLast: Bool = true, line: UInt = #line, _ body: () throws -> Void
    ) {
        do {
            try body()
            preconditionFailure("line \(line): it did not fail")
        } catch {}
        precondition(!isLast || recorder.allFailuresHappened, "line \(line): a failure was not met")
    }
}
