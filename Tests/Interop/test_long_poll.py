"""Pulls that wait for the next commit."""

import time

from wire import PullRequest


def test_another_clients_push_wakes_it(server, peer, new_replica, assert_converged):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    waiting = new_replica(server.url, long_poll_timeout_ms=20_000)
    writer = new_replica(server.url)
    started = time.monotonic()
    waiting.begin("pull")
    writer.write("INSERT INTO t VALUES(1, 'a')")
    writer.push()
    assert waiting.finish(15) is True
    assert time.monotonic() - started < 15
    assert waiting.rows("SELECT * FROM t") == [(1, "a")]


def test_it_ends_with_its_time_out(server, peer, new_replica):
    replica = new_replica(server.url, long_poll_timeout_ms=300)
    started = time.monotonic()
    assert replica.pull() is False
    assert 0.25 < time.monotonic() - started < 10


def test_it_answers_at_once_when_there_is_news(server, peer, new_replica):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    replica = new_replica(server.url, long_poll_timeout_ms=20_000)
    peer.sql("INSERT INTO t VALUES(1, 'a')")
    started = time.monotonic()
    assert replica.pull() is True
    assert time.monotonic() - started < 10


def test_a_write_that_changes_nothing_does_not_wake_it(server, peer):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    head = peer.pull().revision
    request = PullRequest(client_revision=head, long_poll_timeout_ms=500)
    peer.sql("DELETE FROM t WHERE id = 7")
    answer = peer.pull(request)
    assert (answer.revision, answer.pages) == (head, {})


def test_the_server_stops_while_pulls_wait(server, peer, new_replica):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    replica = new_replica(server.url, long_poll_timeout_ms=60_000)
    replica.begin("pull")
    # The answer to another request after it: the first has been taken up or will be refused.
    peer.sql("SELECT 1")
    server.stop()
    try:
        assert replica.finish(30) is False
    except Exception as error:
        assert type(error).__name__ == "ReplicaError", error
