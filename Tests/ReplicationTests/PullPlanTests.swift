import Primitives
import XCTest

@testable import Replication

/// Restates docs/protocol.md, "Pull"; change the two together.
final class PullPlanTests: XCTestCase {
    private let head = CommitNumber(9)

    private func revision(_ commit: UInt64) -> Revision {
        Revision(
            databaseID: DatabaseID(high: 1, low: 2), epoch: Epoch(3), commit: CommitNumber(commit))
    }

    func testPlans() {
        let (old, now) = (revision(4), revision(9))
        let changed = PullPlan.Pages.changed(after: CommitNumber(4))
        let selected = PullPlan.Pages.selected(first: .asSelected)
        let rows:
            [(
                label: String, server: EchoedRevision?, client: EchoedRevision?, selects: Bool,
                poll: Duration, plan: PullPlan
            )] = [
                ("everything", nil, nil, false, .zero, .newest(.all)),
                (
                    "first contact with a selection", nil, nil, true, .zero,
                    .begin(.selected(first: .always))
                ),
                ("up to date", nil, .known(now), false, .zero, .unchanged),
                ("waits", nil, .known(now), false, .seconds(5), .wait(.seconds(5))),
                (
                    "behind", nil, .known(old), false, .zero,
                    .newest(changed)
                ),
                (
                    "behind, so nothing to wait for", nil, .known(old), false, .seconds(5),
                    .newest(changed)
                ),
                (
                    "behind, some pages", nil, .known(old), true, .zero,
                    .newest(selected)
                ),
                (
                    "unknown", nil, .unknown(revision(77)), false, .zero,
                    .newest(.all)
                ),
                (
                    "unknown does not wait", nil, .unknown(revision(77)), false, .seconds(5),
                    .newest(.all)
                ),
                (
                    // All pages work on every client; a selection might leave old ones behind.
                    "unknown with a selection", nil, .unknown(revision(77)), true, .zero,
                    .newest(.all)
                ),
                ("garbage", nil, .unreadable, false, .zero, .newest(.all)),
                ("another database's", nil, .foreign, false, .zero, .refuse(.otherDatabase)),
                (
                    "another database's, waiting", nil, .foreign, true, .seconds(5),
                    .refuse(.otherDatabase)
                ),

                ("pinned", .known(old), nil, true, .zero, .revision(old, selected)),
                ("pinned at the newest", .known(now), nil, true, .zero, .revision(now, selected)),
                ("pinned, everything", .known(old), nil, false, .zero, .revision(old, .all)),
                (
                    "pinned, an increment", .known(now), .known(old), false, .zero,
                    .revision(now, changed)
                ),
                (
                    "pinned does not wait", .known(now), .known(now), true, .seconds(5),
                    .revision(now, selected)
                ),
                ("pinned, gone", .unknown(old), nil, true, .zero, .refuse(.revisionGone)),
                ("pinned, garbage", .unreadable, nil, true, .zero, .refuse(.revisionUnreadable)),
                ("pinned, another database's", .foreign, nil, true, .zero, .refuse(.otherDatabase)),
            ]
        for row in rows {
            let question = PullQuestion(
                serverRevision: row.server, clientRevision: row.client,
                hasSelection: row.selects, longPoll: row.poll)
            XCTAssertEqual(PullPlan(question, head: head), row.plan, row.label)
        }
    }
}
