import Primitives
import XCTest

final class RevisionTests: XCTestCase {
    private static let revision = Revision(
        databaseID: DatabaseID(high: 0x0123_4567_89AB_CDEF, low: 0xF), epoch: Epoch(0xABC),
        commit: CommitNumber(255))

    func testTheWireFormHasFixedFields() {
        let wire = "tm1.0123456789abcdef000000000000000f.0000000000000abc.ff"
        XCTAssertEqual(Self.revision.wire, wire)
        XCTAssertEqual(Revision(wire: wire), Self.revision)
        XCTAssertEqual(Self.revision.carrying(replica: ReplicaID(0x1F)).wire, wire + ".1f")
        XCTAssertEqual(Revision(wire: wire + ".1f")?.replica, ReplicaID(0x1F))
        XCTAssertEqual(Revision(wire: wire + ".1f")?.carrying(replica: nil), Self.revision)
    }

    func testExtremesSurviveTheWire() {
        for commit in [0, 1, UInt64.max] {
            for replica in [nil, 0, UInt64.max] {
                let revision = Revision(
                    databaseID: DatabaseID(high: .max, low: 0), epoch: Epoch(.max),
                    commit: CommitNumber(commit), replica: replica.map { ReplicaID($0) })
                XCTAssertEqual(Revision(wire: revision.wire), revision)
            }
        }
    }

    func testWhatThisServerNeverWroteIsNotARevision() {
        let id = "0123456789abcdef000000000000000f"
        let epoch = "0000000000000abc"
        let rows = [
            "", ".", "tm1", "tm1...", "tm1....", "tm2.\(id).\(epoch).ff", "TM1.\(id).\(epoch).ff",
            "tm1.\(id).\(epoch)", "tm1.\(id).\(epoch).", "tm1.\(id).\(epoch).ff.",
            "tm1.\(id).\(epoch).ff.1.2", "tm1.\(id.dropLast()).\(epoch).ff",
            "tm1.\(id)0.\(epoch).ff", "tm1.\(id).\(epoch)0.ff", "tm1.\(id).\(epoch.dropFirst()).ff",
            "tm1.\(id.uppercased()).\(epoch).ff", "tm1.\(id).\(epoch).FF",
            "tm1.\(id).\(epoch).10000000000000000", "tm1.\(id).\(epoch).-1",
            "tm1.\(id).\(epoch).+1",
            "tm1.\(id).\(epoch).0x1", " tm1.\(id).\(epoch).ff", "tm1.\(id).\(epoch).ff\n",
            "tm1.\(id).\(epoch).f\u{0}", "tm1.\(id).\(epoch).\u{FF11}", "tm1.\(id).\(epoch).é",
            String(repeating: ".", count: 100_000), String(repeating: "a", count: 100_000),
            "12:34", "0",
        ]
        for row in rows { XCTAssertNil(Revision(wire: row), String(row.prefix(80))) }
    }

    func testWhoMayBeAReplicaIsSeenWithoutReading() {
        XCTAssertTrue(
            Revision.mayNameReplica(wire: Self.revision.carrying(replica: ReplicaID(0)).wire))
        for wire in ["", ".....", Self.revision.wire] {
            XCTAssertFalse(Revision.mayNameReplica(wire: wire), wire)
        }
    }
}
