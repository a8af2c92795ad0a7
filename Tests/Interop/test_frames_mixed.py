"""One database for all: frame clients, sync clients of version 1, and SQL at once."""

import random

import pytest

from replica import ReplicaError


@pytest.fixture
def table(peer):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, who TEXT, v)")
    peer.sql("CREATE INDEX t_who ON t(who)")


def test_each_sees_what_the_others_wrote(
    server, peer, table, new_frame_replica, new_replica, assert_settled, assert_converged
):
    frames, pages = new_frame_replica(server.url), new_replica(server.url)
    online = new_frame_replica(server.url, offline=False)
    for turn in range(4):
        frames.sync()
        frames.execute("INSERT INTO t(who, v) VALUES('frames', ?)", turn)
        frames.sync()
        assert pages.pull() is True
        pages.write(("INSERT INTO t(who, v) VALUES('pages', ?)", (turn,)))
        pages.push()
        peer.sql("INSERT INTO t(who, v) VALUES('sql', ?)", turn)
        online.execute("INSERT INTO t(who, v) VALUES('online', ?)", turn)
        expected = [("frames",), ("pages",), ("sql",), ("online",)]
        query = "SELECT who FROM t WHERE v = ? ORDER BY id"
        for replica in (frames, online):
            assert_settled(replica, peer)
            assert replica.rows(query, turn) == expected
        assert_converged(pages, peer)
        assert pages.rows(query, turn) == expected


def test_a_page_client_pushes_onto_frames_that_it_does_not_have(
    server, peer, table, new_frame_replica, new_replica, assert_settled, assert_converged
):
    """Its rows are applied by SQL and need no rebase; the frame client then has to pull."""
    frames, pages = new_frame_replica(server.url), new_replica(server.url)
    pages.write("INSERT INTO t VALUES(1, 'pages', 1)")
    frames.execute("INSERT INTO t VALUES(2, 'frames', 1)")
    frames.sync()
    pages.push()
    frames.execute("INSERT INTO t VALUES(3, 'frames', 2)")
    with pytest.raises(ReplicaError, match="conflict"):
        frames.sync()
    frames.start_again()
    assert_settled(frames, peer)
    assert_converged(pages, peer)
    assert peer.sql("SELECT id, who FROM t ORDER BY id") == [(1, "pages"), (2, "frames")]


@pytest.mark.parametrize("isolation", [None, "DEFERRED"], ids=["autocommit", "transactions"])
def test_online_writes_go_to_the_server_at_once(
    server, peer, table, new_frame_replica, assert_settled, isolation
):
    online = new_frame_replica(server.url, offline=False, isolation_level=isolation)
    other = new_frame_replica(server.url)
    for turn in range(3):
        if isolation is None:
            online.execute("INSERT INTO t(who, v) VALUES('online', ?)", turn)
        else:
            online.call("commit", [("INSERT INTO t(who, v) VALUES('online', ?)", (turn,))] * 2)
        rows = peer.sql("SELECT who, v FROM t ORDER BY id")
        assert rows[-1] == ("online", turn)
        # It reads its own writes, and has frames for them, not pages of its own making.
        assert online.rows("SELECT who, v FROM t ORDER BY id") == rows
        for replica in (online, other):
            assert_settled(replica, peer)
            assert replica.position[1] == len(replica.log_frames())


def test_an_error_of_an_online_write(server, peer, table, new_frame_replica, assert_settled):
    online = new_frame_replica(server.url, offline=False)
    online.execute("INSERT INTO t VALUES(1, 'online', 1)")
    with pytest.raises(ReplicaError, match="UNIQUE constraint failed: t.id"):
        online.execute("INSERT INTO t VALUES(1, 'again', 1)")
    assert peer.sql("SELECT who FROM t") == [("online",)]
    assert_settled(online, peer)


@pytest.mark.parametrize("seed", [1, 2])
def test_random_turns(
    server,
    peer,
    table,
    new_frame_replica,
    new_replica,
    checkpoint,
    assert_settled,
    assert_converged,
    seed,
):
    """Writers take turns in any order; no acknowledged row is lost, and none comes twice."""
    source = random.Random(seed)
    frames = [new_frame_replica(server.url) for _ in range(3)]
    pages = [new_replica(server.url) for _ in range(2)]
    acknowledged = set()

    def rows():
        first = 1000 + len(acknowledged) * 100 + source.randrange(50)
        return [
            (first + index, source.randbytes(source.choice((10, 300, 5000))))
            for index in range(source.choice((1, 1, 3, 30)))
        ]

    def frame_turn():
        replica = source.choice(frames)
        if source.random() < 0.8:
            replica.sync()
        new = rows()
        replica.write_many("INSERT INTO t VALUES(?, 'frames', ?)", new)
        try:
            replica.sync()
            acknowledged.update(number for number, _ in new)
        except ReplicaError as error:
            assert "conflict" in error.message
            replica.start_again()

    def page_turn():
        replica = source.choice(pages)
        new = rows()
        replica.write_many("INSERT INTO t VALUES(?, 'pages', ?)", new)
        replica.push()
        acknowledged.update(number for number, _ in new)
        if source.random() < 0.5:
            replica.pull()

    def sql_turn():
        new = rows()
        for number, value in new:
            peer.sql("INSERT INTO t VALUES(?, 'sql', ?)", number, value)
        acknowledged.update(number for number, _ in new)

    def upkeep_turn():
        source.choice(
            (
                lambda: checkpoint(source.choice(("passive", "full"))),
                lambda: checkpoint(source.choice(("restart", "truncate"))),
                lambda: peer.sql("VACUUM"),
                lambda: server.restart(kill=source.random() < 0.5),
            )
        )()

    for _ in range(40):
        source.choices((frame_turn, page_turn, sql_turn, upkeep_turn), (5, 3, 3, 2))[0]()
    stored = [row[0] for row in peer.sql("SELECT id FROM t WHERE id >= 1000 ORDER BY id")]
    assert stored == sorted(acknowledged)
    for replica in frames:
        try:
            assert_settled(replica, peer)
        except ReplicaError as error:
            assert "conflict" in error.message
            replica.start_again()
            assert_settled(replica, peer)
    for replica in pages:
        assert_converged(replica, peer)
