"""Frame sync with the real `libsql` client: generations that end, and clients that are behind."""

import pytest

from replica import ReplicaError


@pytest.fixture
def table(peer):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    peer.sql("INSERT INTO t VALUES(1, 'a'), (2, 'b')")


@pytest.fixture(params=["TRUNCATE", "RESTART"])
def roll(request, checkpoint):
    return lambda: checkpoint(request.param)


def test_a_roll_moves_clients_on(server, peer, table, new_frame_replica, assert_settled, roll):
    first, second = new_frame_replica(server.url), new_frame_replica(server.url)
    first.write(("INSERT INTO t(v) VALUES(?)", (b"x" * 300_000,)))
    first.sync()
    roll()
    for replica in (first, second):
        assert_settled(replica, peer)
        assert replica.position == (2, 0)
        assert replica.log_frames() == [], "this is what a client's log shrinks by"
    second.execute("INSERT INTO t(v) VALUES('in the second')")
    second.sync()
    peer.sql("INSERT INTO t(v) VALUES('by SQL')")
    for replica in (first, second):
        assert_settled(replica, peer)
        assert replica.position == (2, 2)


def test_checkpoints_that_do_not_roll(
    server, peer, table, new_frame_replica, checkpoint, assert_settled
):
    """SQLite's log starts over many times; the numbers of frames go on."""
    replica, late = new_frame_replica(server.url), new_frame_replica(server.url)
    frames = 0
    for turn in range(6):
        replica.execute("INSERT INTO t(v) VALUES(?)", f"mine {turn}")
        replica.sync()
        checkpoint(("passive", "full")[turn % 2])
        peer.sql("INSERT INTO t(v) VALUES(?)", f"theirs {turn}")
        replica.sync()
        generation, newest = replica.position
        assert generation == 1 and newest > frames
        frames = newest
    for each in (replica, late, new_frame_replica(server.url)):
        assert_settled(each, peer)
        assert each.position == (1, frames)


def test_a_fresh_bootstrap_in_the_third_generation(
    server, peer, table, new_frame_replica, checkpoint, assert_settled
):
    behind = new_frame_replica(server.url)
    for generation in (1, 2):
        peer.sql("INSERT INTO t(v) SELECT randomblob(700) FROM generate_series(1, 50)")
        peer.sql("DELETE FROM t WHERE id % 7 = ?", generation)
        checkpoint("truncate")
    peer.sql("INSERT INTO t(v) VALUES('in the third')")
    fresh = new_frame_replica(server.url)
    for replica in (fresh, behind):
        assert_settled(replica, peer)
        assert replica.position[0] == 3
    fresh.execute("INSERT INTO t(v) VALUES('pushed')")
    fresh.sync()
    for replica in (fresh, behind):
        assert_settled(replica, peer)


@pytest.mark.parametrize("quota", ["256MiB", "0"], ids=["frames kept", "frames gone"])
@pytest.mark.parametrize("kill", [False, True], ids=["SIGTERM", "SIGKILL"])
def test_many_generations_behind(
    server, peer, table, new_frame_replica, checkpoint, assert_settled, kill, quota
):
    """One waits at the base, one inside, one at the end of generation 1."""
    server.arguments.append(f"--history-quota={quota}")
    server.restart()
    at_base = new_frame_replica(server.url)
    peer.sql("INSERT INTO t(v) SELECT randomblob(900) FROM generate_series(1, 300)")
    inside = new_frame_replica(server.url)
    peer.sql("DELETE FROM t WHERE id > 20")
    at_end = new_frame_replica(server.url)
    for turn in range(5):
        checkpoint("truncate")
        server.restart(kill=kill)
        peer.sql("INSERT INTO t(v) SELECT randomblob(900) FROM generate_series(1, 20)")
        if turn == 2:
            peer.sql("VACUUM")
    for replica in (at_base, inside, at_end, new_frame_replica(server.url)):
        assert_settled(replica, peer)
        assert replica.position[0] == 6
        replica.execute("INSERT INTO t(v) VALUES('on')")
        replica.sync()
        assert_settled(replica, peer)


def test_frames_that_were_not_pushed_before_a_roll(
    server, peer, table, new_frame_replica, checkpoint, assert_settled
):
    """Once something was written after it, they are stranded, and the client says so."""
    stranded, other = new_frame_replica(server.url), new_frame_replica(server.url)
    stranded.execute("INSERT INTO t VALUES(10, 'stranded')")
    checkpoint("truncate")
    other.sync()
    other.execute("INSERT INTO t VALUES(11, 'after')")
    other.sync()
    for _ in range(2):
        with pytest.raises(ReplicaError, match="conflict"):
            stranded.sync()
    assert stranded.rows("SELECT v FROM t WHERE id = 10") == [("stranded",)]
    assert peer.sql("SELECT id FROM t WHERE id >= 10") == [(11,)]
    assert_settled(other, peer)


def test_frames_that_come_right_after_a_roll(
    server, peer, table, new_frame_replica, checkpoint, assert_settled
):
    """Nothing was written since: the server takes them all the same."""
    late, moved, behind = (new_frame_replica(server.url) for _ in range(3))
    late.execute("INSERT INTO t VALUES(10, 'late')")
    checkpoint("truncate")
    moved.sync()
    late.sync()
    assert peer.sql("SELECT v FROM t WHERE id = 10") == [("late",)]
    for replica in (late, behind, moved, new_frame_replica(server.url)):
        assert_settled(replica, peer)
    for index, replica in enumerate((moved, behind, late)):
        replica.sync()
        replica.execute("INSERT INTO t(v) VALUES(?)", index)
        replica.sync()
    for replica in (late, behind, moved):
        assert_settled(replica, peer)
    assert peer.sql("SELECT v FROM t WHERE id > 10") == [(0,), (1,), (2,)]


def test_a_generation_ends_by_itself(
    stopped_server, new_peer, new_frame_replica, assert_settled
):
    """At its size, where nobody pushes, when a client has pulled to the end."""
    stopped_server.arguments = ["--generation-roll-pages=100", "--generation-quiet-time=0s"]
    stopped_server.start()
    peer = new_peer(stopped_server)
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    replica = new_frame_replica(stopped_server.url)
    for generation in (1, 2, 3):
        peer.sql("INSERT INTO t(v) VALUES(?)", b"x" * 200_000)
        assert_settled(replica, peer)
        assert replica.position == (generation, len(replica.log_frames()))
        peer.sql("INSERT INTO t(v) VALUES(?)", b"y" * 300_000)
        assert_settled(replica, peer)
        assert replica.position == (generation + 1, 0)
    assert_settled(new_frame_replica(stopped_server.url), peer)


def test_no_generation_ends_while_somebody_pushes(
    stopped_server, new_peer, new_frame_replica, assert_settled
):
    stopped_server.arguments = ["--generation-roll-pages=10"]
    stopped_server.start()
    peer = new_peer(stopped_server)
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    replica = new_frame_replica(stopped_server.url)
    for _ in range(3):
        replica.execute("INSERT INTO t(v) VALUES(?)", b"x" * 4096 * 20)
        assert_settled(replica, peer)
    assert replica.position == (1, len(replica.log_frames()))


def test_a_large_generation_asks_once_for_a_checkpoint(
    server, peer, table, new_frame_replica, assert_settled
):
    """`libsql` does not know the status: it fails once, and the next sync goes through."""
    replica, other = new_frame_replica(server.url), new_frame_replica(server.url)
    replica.write(("INSERT INTO t VALUES(10, ?)", (b"x" * 4096 * 1100,)))
    replica.sync()
    assert replica.position[1] >= 1000
    replica.execute("INSERT INTO t VALUES(11, 'asked')")
    with pytest.raises(ReplicaError, match="checkpoint_needed"):
        replica.sync()
    assert peer.sql("SELECT count(*) FROM t WHERE id = 11") == [(0,)]
    server.restart(kill=True)
    replica.sync()
    assert peer.sql("SELECT count(*) FROM t WHERE id = 11") == [(1,)]
    # Once for all clients, and for ever.
    other.sync()
    other.execute("INSERT INTO t VALUES(12, 'not asked')")
    other.sync()
    server.restart()
    for each in (replica, other):
        each.sync()
        each.execute("INSERT INTO t(v) VALUES('not asked')")
        each.sync()
        assert_settled(each, peer)


def test_the_size_that_asks_is_an_option(
    stopped_server, new_peer, new_frame_replica, checkpoint, assert_settled
):
    stopped_server.arguments = ["--checkpoint-needed-pages=10"]
    stopped_server.start()
    peer = new_peer(stopped_server)
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    replica = new_frame_replica(stopped_server.url)
    for generation in (1, 2):
        replica.execute("INSERT INTO t(v) VALUES(?)", b"x" * 4096 * 10)
        replica.sync()
        replica.execute("INSERT INTO t(v) VALUES('asked')")
        with pytest.raises(ReplicaError, match="checkpoint_needed"):
            replica.sync()
        replica.sync()
        replica.execute("INSERT INTO t(v) VALUES('not asked')")
        assert_settled(replica, peer)
        checkpoint("truncate")
        assert_settled(replica, peer)
        assert replica.position == (generation + 1, 0)
    assert peer.sql("SELECT count(*) FROM t") == [(6,)]


def test_a_long_push_is_not_asked_in_its_middle(
    stopped_server, new_peer, new_frame_replica, assert_settled
):
    """Small transactions pass the size within one push: its baton shows that it goes on."""
    stopped_server.arguments = ["--checkpoint-needed-pages=200"]
    stopped_server.start()
    peer = new_peer(stopped_server)
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    replica = new_frame_replica(stopped_server.url)
    for number in range(30):
        replica.execute("INSERT INTO t(v) VALUES(?)", bytes([number]) * 4096 * 16)
    assert len(replica.log_frames()) > 400
    replica.sync()
    assert peer.sql("SELECT count(*) FROM t") == [(30,)]
    assert_settled(replica, peer)
