"""What reaches a replica after other writers committed."""

import pytest

from wire import PullRequest, statement
from replica import ReplicaError


@pytest.fixture
def table(peer):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    peer.sql("INSERT INTO t VALUES(1, 'a'), (2, 'b')")


def test_pull_of_sql_writes(server, peer, table, new_replica, assert_converged):
    replica = new_replica(server.url)
    peer.sql("INSERT INTO t VALUES(3, 'c')")
    peer.sql("UPDATE t SET v = 'B' WHERE id = 2")
    peer.sql("DELETE FROM t WHERE id = 1")
    assert replica.pull() is True
    assert replica.rows("SELECT id, v FROM t ORDER BY id") == [(2, "B"), (3, "c")]
    assert_converged(replica, peer)


def test_pull_without_changes_is_false(server, peer, table, new_replica):
    replica = new_replica(server.url)
    assert [replica.pull() for _ in range(3)] == [False, False, False]
    peer.sql("SELECT * FROM t")
    peer.sql("CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v)")
    peer.sql("DELETE FROM t WHERE id = 999")
    assert replica.pull() is False


def test_a_rolled_back_transaction_is_never_seen(server, peer, table, new_replica):
    replica = new_replica(server.url)
    before = peer.pull().revision
    begin, insert, rollback = "BEGIN", "INSERT INTO t VALUES(9, 'no')", "ROLLBACK"
    _, errors = peer.batch([(None, statement(sql)) for sql in (begin, insert, rollback)])
    assert errors == [None, None, None]
    # A stream that is closed inside a transaction rolls it back.
    steps = [{"condition": None, "stmt": statement(sql)} for sql in (begin, insert)]
    peer.pipeline([{"type": "batch", "batch": {"steps": steps}}, {"type": "close"}])
    assert peer.pull().revision == before
    assert replica.pull() is False


def test_incremental_pull_sends_only_what_changed(peer, table):
    peer.sql("CREATE TABLE big(id INTEGER PRIMARY KEY, v)")
    peer.sql("INSERT INTO big SELECT value, randomblob(900) FROM generate_series(1, 1000)")
    base = peer.pull()
    peer.sql("UPDATE big SET v = randomblob(900) WHERE id = 500")
    delta = peer.pull(PullRequest(client_revision=base.revision))
    assert 1 <= len(delta.pages) <= 3
    assert delta.revision != base.revision
    image = {**base.pages, **delta.pages}
    whole = peer.pull()
    assert (whole.revision, whole.pages) == (delta.revision, image)
    nothing = peer.pull(PullRequest(client_revision=delta.revision))
    assert (nothing.revision, nothing.db_size, nothing.pages) == (
        delta.revision,
        delta.db_size,
        {},
    )


def test_pull_from_any_older_revision(peer, table):
    """Each older revision leads to the newest image."""
    images = []
    for step in range(12):
        answer = peer.pull()
        images.append((answer.revision, answer.pages))
        peer.sql("INSERT INTO t(v) SELECT randomblob(700) FROM generate_series(1, 10)")
        peer.sql("DELETE FROM t WHERE id % 7 = ?", step % 7)
    whole = peer.pull()
    for revision, image in images:
        delta = peer.pull(PullRequest(client_revision=revision))
        merged = {**image, **delta.pages}
        assert {i: merged[i] for i in range(delta.db_size)} == whole.pages
        assert delta.revision == whole.revision


@pytest.mark.parametrize(
    "make",
    [
        lambda own: "garbage",
        lambda own: "18/342",
        lambda own: "é\"\\ \U0001f600" * 500,
        lambda own: own[:-1] + "ffffff",  # Newer than the server.
    ],
    ids=["garbage", "another server's", "long", "newer than the server"],
)
def test_unreadable_or_unknown_revision_gets_every_page(peer, table, make):
    whole = peer.pull()
    answer = peer.pull(PullRequest(client_revision=make(whole.revision)))
    assert answer.revision == whole.revision
    assert answer.pages == whole.pages


def test_vacuum_that_shrinks(server, peer, table, new_replica, assert_converged):
    peer.sql("INSERT INTO t(v) SELECT randomblob(2000) FROM generate_series(1, 500)")
    replica = new_replica(server.url)
    size = peer.pull().db_size
    peer.sql("DELETE FROM t WHERE id > 20")
    assert replica.pull() is True
    peer.sql("VACUUM")
    assert peer.pull().db_size < size // 5
    assert replica.pull() is True
    assert_converged(replica, peer)
    # It grows again over pages that the replica still has in its longer file.
    peer.sql("INSERT INTO t(v) SELECT randomblob(2000) FROM generate_series(1, 100)")
    assert replica.pull() is True
    assert_converged(replica, peer)
    replica.write("INSERT INTO t(v) VALUES('after')")
    replica.push()
    assert_converged(replica, peer)
    replica.checkpoint()
    replica.reopen()
    assert replica.rows("PRAGMA integrity_check") == [("ok",)]
    assert replica.rows("SELECT count(*) FROM t") == peer.sql("SELECT count(*) FROM t")


def test_values_larger_than_a_page(server, peer, table, new_replica, assert_converged):
    replica = new_replica(server.url)
    sizes = [4000, 4061, 4062, 8192, 100_000, 3_000_000]
    for size in sizes:
        peer.sql("INSERT INTO t(v) VALUES(?)", bytes([size % 251]) * size)
    assert replica.pull() is True
    assert [row[0] for row in replica.rows("SELECT length(v) FROM t WHERE id > 2")] == sizes
    replica.write(("UPDATE t SET v = ? WHERE id = 3", ("x" * 1_000_000,)))
    replica.write("DELETE FROM t WHERE id = 8")
    replica.push()
    assert peer.sql("SELECT length(v) FROM t WHERE id = 3") == [(1_000_000,)]
    assert_converged(replica, peer)


def test_many_tables(server, peer, new_replica, assert_converged):
    replica = new_replica(server.url)
    peer.pipeline(
        [
            {
                "type": "sequence",
                "sql": "".join(
                    f"CREATE TABLE t{i}(id INTEGER PRIMARY KEY, v TEXT);"
                    f"CREATE INDEX i{i} ON t{i}(v); INSERT INTO t{i} VALUES({i}, 'v{i}');"
                    for i in range(300)
                ),
            }
        ]
    )
    assert replica.pull() is True
    replica.write(*[f"INSERT INTO t{i}(v) VALUES('local')" for i in range(0, 300, 50)])
    replica.push()
    assert peer.sql("SELECT count(*) FROM t250") == [(2,)]
    assert_converged(replica, peer)


def test_pull_keeps_unpushed_rows(server, peer, table, new_replica, assert_converged):
    replica = new_replica(server.url)
    replica.write("INSERT INTO t VALUES(10, 'mine')")
    peer.sql("INSERT INTO t VALUES(11, 'theirs')")
    assert replica.pull() is True
    assert replica.rows("SELECT v FROM t WHERE id >= 10 ORDER BY id") == [("mine",), ("theirs",)]
    assert peer.sql("SELECT count(*) FROM t WHERE id = 10") == [(0,)]
    replica.push()
    assert_converged(replica, peer)


@pytest.mark.parametrize("limit", [0, 30, 200, 5000, 40_000])
def test_a_cut_download_can_be_repeated(
    server, peer, table, new_proxy, new_replica, assert_converged, limit
):
    """Cut in the status line, in the head, in the first chunk, and between later pages."""
    proxy = new_proxy(server)
    replica = new_replica(proxy.url)
    peer.sql("INSERT INTO t(v) SELECT randomblob(900) FROM generate_series(1, 100)")
    proxy.cut = lambda path, body: limit
    with pytest.raises(ReplicaError):
        replica.pull()
    assert proxy.cuts_made == 1
    assert replica.rows("SELECT id, v FROM t") == [(1, "a"), (2, "b")]
    proxy.cut = lambda path, body: None
    assert replica.pull() is True
    assert replica.rows("SELECT count(*) FROM t") == [(102,)]
    assert_converged(replica, peer)


def test_a_cut_bootstrap_can_be_repeated(
    server, peer, table, new_proxy, new_replica, assert_converged
):
    peer.sql("INSERT INTO t(v) SELECT randomblob(900) FROM generate_series(1, 100)")
    proxy = new_proxy(server)
    proxy.cut = lambda path, body: 20_000
    with pytest.raises(ReplicaError):
        new_replica(proxy.url, name="cut")
    proxy.cut = lambda path, body: None
    replica = new_replica(proxy.url, name="cut")
    assert replica.rows("SELECT count(*) FROM t") == [(102,)]
    assert_converged(replica, peer)
