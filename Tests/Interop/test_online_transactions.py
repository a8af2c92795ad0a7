"""Transactions of the real `libsql` client that writes online, as Python's default isolation makes
them: begun with the first write, in one request, and committed in a later one."""

import pytest

from replica import ReplicaError

INSERT = "INSERT INTO t VALUES(?, ?)"


@pytest.fixture
def table(peer):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, who TEXT)")


@pytest.fixture
def new_online(server, table, new_frame_replica):
    """Opens clients with the default isolation level."""
    return lambda: new_frame_replica(server.url, offline=False, isolation_level="DEFERRED")


def rows(peer):
    return peer.sql("SELECT id, who FROM t ORDER BY id")


def test_a_commit_and_a_rollback(server, peer, new_online, assert_settled):
    online = new_online()
    online.execute(INSERT, 1, "gone")
    online.execute("UPDATE t SET who = 'still gone'")
    assert server.statistics()["open_streams"] == 1
    online.call("rollback")
    assert server.statistics()["open_streams"] == 0
    assert rows(peer) == []

    online.execute(INSERT, 1, "one")
    online.execute("UPDATE t SET who = upper(who)")
    online.execute("DELETE FROM t WHERE id = 7")
    # Nobody sees it before it commits.
    assert rows(peer) == []
    online.call("commit", [(INSERT, (2, "two"))])
    assert rows(peer) == [(1, "ONE"), (2, "two")]
    assert server.statistics()["open_streams"] == 0
    assert online.rows("SELECT id, who FROM t ORDER BY id") == rows(peer)
    assert_settled(online, peer)


def test_an_error_inside_a_transaction(peer, new_online, assert_settled):
    online = new_online()
    online.execute(INSERT, 1, "first")
    with pytest.raises(ReplicaError, match="UNIQUE constraint failed: t.id"):
        online.execute(INSERT, 1, "again")
    with pytest.raises(ReplicaError, match="no such table"):
        online.execute("INSERT INTO missing VALUES(1)")
    online.call("commit", [(INSERT, (2, "second"))])
    assert rows(peer) == [(1, "first"), (2, "second")]
    assert_settled(online, peer)


def test_reads_inside_a_transaction(peer, new_online, assert_settled):
    """They see what it wrote, on the server; outside of one they are local."""
    online = new_online()
    online.execute(INSERT, 1, "one")
    assert online.rows("SELECT id, who FROM t") == [(1, "one")]
    assert online.rows("INSERT INTO t VALUES(?, ?) RETURNING who, id", 2, "two") == [("two", 2)]
    assert online.rows("SELECT max(id), NULL, x'00ff', 1.5, 'a\nb' FROM t") == [
        (2, None, b"\x00\xff", 1.5, "a\nb")
    ]
    with pytest.raises(ReplicaError, match="no such table"):
        online.rows("SELECT * FROM missing")
    assert rows(peer) == []
    online.call("commit", [])
    assert rows(peer) == [(1, "one"), (2, "two")]
    assert_settled(online, peer)


def test_a_statement_that_ends_the_transaction(server, peer, new_online, assert_settled):
    online = new_online()
    online.execute(INSERT, 1, "lost")
    with pytest.raises(ReplicaError, match="UNIQUE constraint failed"):
        online.execute("INSERT OR ROLLBACK INTO t VALUES(1, 'again')")
    assert server.statistics()["open_streams"] == 0
    assert rows(peer) == []
    # The client still takes itself to be in a transaction, and says so once.
    with pytest.raises(ReplicaError, match="invalid state, started with Txn"):
        online.execute(INSERT, 2, "refused")
    online.call("commit", [(INSERT, (2, "kept"))])
    assert rows(peer) == [(2, "kept")]
    assert_settled(online, peer)


def test_transactions_of_two_clients_queue(peer, new_online, assert_settled):
    first, second = new_online(), new_online()
    for turn in range(0, 30, 10):
        first.execute(INSERT, turn, "first")
        # Waits until the other one's transaction has ended.
        second.begin("commit", [(INSERT, (turn + 1, "second")), (INSERT, (turn + 2, "second"))])
        first.execute("INSERT INTO t SELECT max(id) + 3, 'first' FROM t")
        if turn == 10:
            first.call("rollback")
        else:
            first.call("commit", [])
        second.finish()
    assert rows(peer) == [
        (0, "first"),
        (1, "second"),
        (2, "second"),
        (3, "first"),
        (11, "second"),
        (12, "second"),
        (20, "first"),
        (21, "second"),
        (22, "second"),
        (23, "first"),
    ]
    for online in (first, second):
        assert_settled(online, peer)


def test_others_write_behind_a_transaction(
    server, peer, new_online, new_frame_replica, new_replica, assert_settled, assert_converged
):
    """Pushes of both kinds wait for it, and nobody is told that the database is busy."""
    online, frames, pages = new_online(), new_frame_replica(server.url), new_replica(server.url)
    pages.write((INSERT, (10, "pages")))
    frames.execute(INSERT, 20, "frames")
    online.execute(INSERT, 1, "online")
    frames.begin("sync")
    pages.begin("push")
    online.call("commit", [(INSERT, (2, "online"))])
    pages.finish()
    # Somebody committed under its numbers, which libsql's protocol has no way out of.
    with pytest.raises(ReplicaError, match="conflict"):
        frames.finish()
    frames.start_again()
    assert rows(peer) == [(1, "online"), (2, "online"), (10, "pages")]
    for replica in (online, frames):
        assert_settled(replica, peer)
    assert_converged(pages, peer)


def test_an_abandoned_transaction(server, peer, new_online, assert_settled):
    online = new_online()
    online.execute(INSERT, 1, "abandoned")
    online.end()
    # Waits until the server has given the client up.
    peer.sql(INSERT, 2, "next")
    assert rows(peer) == [(2, "next")]
    assert server.statistics()["open_streams"] == 0
    online.open()
    online.call("commit", [(INSERT, (3, "again"))])
    assert rows(peer) == [(2, "next"), (3, "again")]
    assert_settled(online, peer)


def test_a_transaction_that_was_idle_for_too_long(server, peer, new_online, assert_settled):
    """It is never half committed: the client is refused, and has to connect again."""
    online = new_online()
    online.execute(INSERT, 1, "late")
    peer.sql(INSERT, 2, "next")  # Comes when the time of the other one is over.
    with pytest.raises(ReplicaError, match="STREAM_EXPIRED"):
        online.call("commit", [])
    assert rows(peer) == [(2, "next")]
    online.end()
    online.open()
    online.call("commit", [(INSERT, (3, "again"))])
    assert rows(peer) == [(2, "next"), (3, "again")]
    assert_settled(online, peer)


def test_a_server_that_dies_or_stops_in_a_transaction(server, peer, new_online, assert_settled):
    for number, kill in enumerate((True, False)):
        online = new_online()
        online.execute(INSERT, number, "lost")
        server.restart(kill=kill)
        with pytest.raises(ReplicaError, match="STREAM_EXPIRED"):
            online.call("commit", [])
        assert rows(peer) == []
        assert_settled(new_online(), peer)
