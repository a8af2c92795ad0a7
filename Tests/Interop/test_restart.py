"""A server that goes away between two steps of a replica."""

import pytest

from replica import ReplicaError
from wire import PullRequest


@pytest.mark.parametrize("kill", [False, True], ids=["SIGTERM", "SIGKILL"])
def test_replicas_go_on_after_a_restart(server, peer, new_replica, assert_converged, kill):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    first, second = new_replica(server.url), new_replica(server.url)
    first.write("INSERT INTO t VALUES(1, 'acknowledged')")
    first.push()
    first.write("INSERT INTO t VALUES(2, 'unpushed')")
    head = peer.pull()
    server.restart(kill=kill)
    # A restart alone is no news.
    again = peer.pull()
    assert (again.revision, again.pages) == (head.revision, head.pages)
    assert peer.sql("SELECT * FROM t") == [(1, "acknowledged")]
    assert second.pull() is True
    first.push()
    peer.sql("INSERT INTO t VALUES(3, 'after')")
    for replica in (first, second):
        assert_converged(replica, peer)
    delta = peer.pull(PullRequest(client_revision=head.revision))
    assert 0 < len(delta.pages) < delta.db_size, "an old revision is still known"


@pytest.mark.parametrize("kill", [False, True], ids=["SIGTERM", "SIGKILL"])
def test_a_long_poll_knows_the_head_after_a_restart(server, peer, kill):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    head = peer.pull().revision
    server.restart(kill=kill)
    answer = peer.pull(PullRequest(client_revision=head, long_poll_timeout_ms=200))
    assert (answer.revision, answer.pages) == (head, {})


def test_while_the_server_is_away_the_replica_works(server, peer, new_replica, assert_converged):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    replica = new_replica(server.url)
    server.stop()
    with pytest.raises(ReplicaError):
        replica.pull()
    replica.write("INSERT INTO t VALUES(1, 'offline')")
    with pytest.raises(ReplicaError):
        replica.push()
    server.start()
    replica.push()
    assert peer.sql("SELECT * FROM t") == [(1, "offline")]
    assert_converged(replica, peer)


def test_many_restarts(server, peer, new_replica, assert_converged):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    replica = new_replica(server.url)
    for turn in range(6):
        server.restart(kill=turn % 2 == 1)
        replica.write(("INSERT INTO t VALUES(?, ?)", (turn, b"x" * 3000)))
        replica.push()
        if turn % 3 == 2:
            replica.pull()
    assert peer.sql("SELECT count(*) FROM t") == [(6,)]
    assert_converged(replica, peer)


def test_a_stop_right_after_the_start(stopped_server):
    """A signal that comes as soon as the server is ready must not get lost."""
    for _ in range(60):
        stopped_server.start()
        stopped_server.stop()
