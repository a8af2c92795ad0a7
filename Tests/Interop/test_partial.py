"""Partial replicas read every row right, whatever the server went through meanwhile."""

import itertools

from load import Writer
from pages import replica_contents
from scale import CHECKPOINTS, CLIENT_SECONDS, COMMITS, MEBIBYTES
from states import SCAN, server_state

STRATEGIES = {
    "prefix": {"prefix": 16 * 4096},
    "query": {"query": "SELECT sum(length(v)) FROM items WHERE id <= 20"},
}
SEGMENT_SIZES = (4096, 128 << 10, 1 << 20)
VARIANTS = list(itertools.product(STRATEGIES, SEGMENT_SIZES, (False, True)))
ROW_SIZE = 1000
ROWS = MEBIBYTES * (1 << 20) // (ROW_SIZE + 100)


class Fleet:
    """Replicas in all variants, that work at the same time."""

    def __init__(self, new_replica, url, label):
        self.replicas = [
            new_replica(
                url,
                name=f"{label}-{strategy}-{size}-{'prefetch' if prefetch else 'plain'}",
                timeout=CLIENT_SECONDS,
                partial={**STRATEGIES[strategy], "segment_size": size, "prefetch": prefetch},
            )
            for strategy, size, prefetch in VARIANTS
        ]

    def call(self, name, *arguments, replicas=None):
        """The answers of all of `replicas`, which start together."""
        replicas = self.replicas if replicas is None else replicas
        for replica in replicas:
            replica.begin(name, *arguments)
        return [replica.finish() for replica in replicas]

    def assert_reads(self, state, replicas=None):
        replicas = self.replicas if replicas is None else replicas
        for replica, rows in zip(replicas, self.call("digests", SCAN, replicas=replicas)):
            state.assert_equals(rows, replica.path.parent.name)

    def assert_intact(self):
        for replica, verdict in zip(self.replicas, self.call("rows", "PRAGMA integrity_check", ())):
            assert verdict == [("ok",)], replica.path.parent.name


def write_history(writer, commits, checkpoints):
    """Commits, with checkpoints of all modes between them."""
    modes = itertools.cycle(("PASSIVE", "FULL", "RESTART", "TRUNCATE"))
    for turn in range(checkpoints):
        writer.commits(commits * (turn + 1) // checkpoints - commits * turn // checkpoints)
        busy, frames, copied = writer.peer.sql(f"PRAGMA wal_checkpoint({next(modes)})")[0]
        assert (busy, copied) == (0, frames)


def test_every_row_after_a_long_history(stopped_server, new_replica, tmp_path):
    """Sleepers touch nothing until the end; movers pull, write and push in between."""
    server = stopped_server
    # The replicas are at several revisions, and everything changes between them.
    server.arguments = ["--min-checkpoint-page-count=500", "--history-quota=16GiB"]
    server.start()
    writer = Writer(server.url, row_size=ROW_SIZE)
    peer = writer.peer
    writer.create()
    writer.fill(ROWS)
    base = server_state(peer, "the bootstrap")
    sleepers = Fleet(new_replica, server.url, "sleeper")
    movers = Fleet(new_replica, server.url, "mover")
    full = new_replica(server.url, name="full", timeout=CLIENT_SECONDS)

    write_history(writer, COMMITS // 2, CHECKPOINTS // 2)
    # Nobody writes from here to the state: the movers' position is that state.
    assert all(movers.call("pull"))
    moved = server_state(peer, "the movers' first pull")
    movers.assert_reads(moved, movers.replicas[::2])
    # Some pages now, the others later: all as of the bootstrap.
    for replica in sleepers.replicas[::3]:
        rows = replica.digests(SCAN + " WHERE id % 50 = 0")
        assert rows == {id: digest for id, digest in base.rows.items() if id % 50 == 0}

    write_history(writer, COMMITS - COMMITS // 2, CHECKPOINTS - CHECKPOINTS // 2)
    full.write(("INSERT INTO items VALUES(-1, 0, 'of the full replica')", ()))
    full.push()
    writer.shrink()
    server.restart()
    assert all(movers.call("pull", replicas=movers.replicas[1::4]))
    shrunk = server_state(peer, "after the shrink", check=True)
    writer.fill(ROWS + ROWS // 4)
    write_history(writer, COMMITS // 10, 2)
    server.restart(kill=True)

    sleepers.assert_reads(base)
    movers.assert_reads(shrunk, movers.replicas[1::4])
    movers.assert_reads(moved, movers.replicas[::2] + movers.replicas[3::4])
    sleepers.assert_intact()
    movers.assert_intact()

    # Side by side: all of them write, push and pull.
    everyone = [*sleepers.replicas, *movers.replicas, full]
    for number, replica in enumerate(everyone):
        replica.write(("INSERT INTO items VALUES(?, 0, ?)", (-100 - number, "x" * 2000)))
        replica.write(("DELETE FROM items WHERE id = ?", ((number + 1) * 10,)))
    sleepers.call("push", replicas=everyone)
    assert all(sleepers.call("pull", replicas=everyone))
    head = server_state(peer, "the head", check=True)
    assert {-100 - number for number in range(len(everyone))} < head.rows.keys()
    sleepers.assert_reads(head, everyone)
    # Everything that a client has goes to its file, and a new process reads it again.
    sleepers.call("checkpoint", replicas=everyone)
    for replica in everyone:
        replica.reopen()
    sleepers.assert_reads(head, everyone)
    for replica in everyone:
        assert replica.pull() is False
        contents = replica_contents(replica, tmp_path / "check")
        assert contents.integrity == ["ok"], replica.path.parent.name
