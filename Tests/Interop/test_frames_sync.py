"""Frame sync with the real `libsql` client: what one side writes, the other side gets."""

import math

import pytest

from values import VALUES
from wire import Peer

BATCH_FRAMES = 128  # The client pushes at most so many frames in one request.
BOTH_KINDS = pytest.mark.parametrize("offline", [True, False], ids=["offline", "online"])


@pytest.fixture
def table(peer):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    peer.sql("INSERT INTO t VALUES(1, 'a'), (2, 'b')")


@BOTH_KINDS
def test_bootstrap(server, peer, table, new_frame_replica, assert_settled, offline):
    replica = new_frame_replica(server.url, offline=offline)
    assert replica.position == (1, 0)
    assert replica.rows("SELECT * FROM t ORDER BY id") == [(1, "a"), (2, "b")]
    assert_settled(replica, peer)


@BOTH_KINDS
def test_bootstrap_of_an_empty_database(server, peer, new_frame_replica, assert_settled, offline):
    replica = new_frame_replica(server.url, offline=offline)
    assert replica.rows("SELECT count(*) FROM sqlite_master") == [(0,)]
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    assert_settled(replica, peer)
    assert replica.rows("SELECT count(*) FROM t") == [(0,)]


def test_the_first_table_comes_from_a_client(server, peer, new_frame_replica, assert_settled):
    replica = new_frame_replica(server.url)
    replica.write("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES(1, 'a')")
    replica.sync()
    assert peer.sql("SELECT * FROM t") == [(1, "a")]
    assert_settled(replica, peer)


@BOTH_KINDS
def test_pull_of_sql_writes(server, peer, table, new_frame_replica, assert_settled, offline):
    replica = new_frame_replica(server.url, offline=offline)
    peer.sql("INSERT INTO t VALUES(3, 'c')")
    peer.sql("UPDATE t SET v = 'B' WHERE id = 2")
    peer.sql("DELETE FROM t WHERE id = 1")
    assert replica.rows("SELECT id FROM t ORDER BY id") == [(1,), (2,)]
    replica.sync()
    assert replica.rows("SELECT id, v FROM t ORDER BY id") == [(2, "B"), (3, "c")]
    assert_settled(replica, peer)


def test_a_rolled_back_transaction_is_never_seen(server, peer, table, new_frame_replica):
    replica = new_frame_replica(server.url)
    before = replica.position
    steps = ["BEGIN", "INSERT INTO t(v) SELECT randomblob(900) FROM generate_series(1, 5000)"]
    peer.pipeline([{"type": "sequence", "sql": ";".join([*steps, "ROLLBACK"])}])
    replica.sync()
    assert replica.position == before
    assert replica.log_frames() == []


def test_many_commits_come_in_few_answers(
    server, peer, table, new_proxy, new_frame_replica, assert_settled
):
    """A client asks for 128 frames and takes more; an answer each commit would be slow."""
    proxy = new_proxy(server)
    replica = new_frame_replica(proxy.url)
    asked = len(proxy.paths)
    for number in range(60):
        peer.sql("INSERT INTO t(v) VALUES(?)", bytes([number]) * 20_000)
    replica.sync()
    assert replica.position[1] >= 60 * 5
    assert len(proxy.paths) - asked <= 3
    assert_settled(replica, peer)


@BOTH_KINDS
def test_insert_update_delete(server, peer, table, new_frame_replica, assert_settled, offline):
    replica = new_frame_replica(server.url, offline=offline)
    replica.execute("INSERT INTO t VALUES(?, ?)", 3, "c")
    replica.execute("UPDATE t SET v = 'B' WHERE id = 2")
    replica.execute("DELETE FROM t WHERE id = 1")
    replica.sync()
    assert peer.sql("SELECT id, v FROM t ORDER BY id") == [(2, "B"), (3, "c")]
    assert replica.rows("SELECT id, v FROM t ORDER BY id") == [(2, "B"), (3, "c")]
    assert_settled(replica, peer)


def test_what_one_client_pushes_another_pulls(
    server, peer, table, new_frame_replica, assert_settled
):
    replicas = [new_frame_replica(server.url) for _ in range(3)]
    for turn in range(9):
        replica = replicas[turn % 3]
        replica.sync()  # Frames only go onto the newest state.
        replica.write(
            ("INSERT INTO t VALUES(?, ?)", (100 + turn, f"turn {turn}")),
            ("UPDATE t SET v = ? WHERE id = 1", (turn,)),
        )
        replica.sync()
        assert peer.sql("SELECT v FROM t WHERE id = 1") == [(turn,)]
    for replica in replicas:
        assert_settled(replica, peer)
        assert replica.rows("SELECT count(*) FROM t") == [(11,)]


def literal(value):
    """SQL for a value; the Python client binds integers beyond 32 bits as floats."""
    return str(value) if isinstance(value, int) else "?"


def arguments(name, value):
    return (name,) if isinstance(value, int) else (name, value)


def test_every_kind_of_value(server, peer, new_frame_replica, assert_settled):
    replica = new_frame_replica(server.url)
    replica.execute("CREATE TABLE kinds(name TEXT PRIMARY KEY, v)")
    replica.write(
        *[
            (f"INSERT INTO kinds VALUES(?, {literal(value)})", arguments(name, value))
            for name, value in VALUES.items()
        ]
    )
    replica.sync()
    stored = dict(peer.sql("SELECT name, v FROM kinds"))
    assert stored == VALUES
    for name, value in VALUES.items():
        assert type(stored[name]) is type(value), name
    assert math.copysign(1, stored["negative zero"]) == -1
    assert_settled(replica, peer)
    peer.sql("DELETE FROM kinds")
    for name, value in VALUES.items():
        peer.sql("INSERT INTO kinds VALUES(?, ?)", name, value)
    assert_settled(replica, peer)
    # The Python client shows text up to its first NUL; what it holds was compared above.
    shown = {**VALUES, "text with NUL": "before"}
    assert dict(replica.rows("SELECT name, v FROM kinds")) == shown


def test_values_larger_than_a_page(server, peer, table, new_frame_replica, assert_settled):
    replica = new_frame_replica(server.url)
    sizes = [4000, 4061, 4062, 8192, 100_000, 2_000_000]
    for size in sizes:
        replica.execute("INSERT INTO t(v) VALUES(?)", bytes([size % 251]) * size)
    replica.sync()
    assert [row[0] for row in peer.sql("SELECT length(v) FROM t WHERE id > 2")] == sizes
    peer.sql("UPDATE t SET v = ? WHERE id = 3", "x" * 1_000_000)
    peer.sql("DELETE FROM t WHERE id = 8")
    replica.sync()
    assert replica.rows("SELECT length(v) FROM t WHERE id = 3") == [(1_000_000,)]
    assert_settled(replica, peer)


def test_schema_changes(server, peer, table, new_frame_replica, assert_settled):
    first, second = new_frame_replica(server.url), new_frame_replica(server.url)
    first.write(
        "CREATE TABLE made(a INTEGER PRIMARY KEY, b TEXT DEFAULT 'x')",
        "CREATE INDEX made_b ON made(b)",
        "CREATE VIEW seen AS SELECT b FROM made",
        "CREATE TRIGGER made_insert AFTER INSERT ON made BEGIN "
        "UPDATE t SET v = new.a WHERE id = 1; END",
        "INSERT INTO made(a) VALUES(1)",
    )
    first.sync()
    assert peer.sql("SELECT * FROM seen") == [("x",)]
    assert peer.sql("SELECT v FROM t WHERE id = 1") == [(1,)]
    peer.sql("ALTER TABLE made ADD COLUMN c INTEGER DEFAULT 5")
    peer.sql("INSERT INTO made VALUES(2, 'y', 6)")
    second.sync()
    assert second.rows("SELECT * FROM made ORDER BY a") == [(1, "x", 5), (2, "y", 6)]
    second.execute("ALTER TABLE made RENAME COLUMN b TO named")
    second.execute("DROP INDEX made_b")
    second.sync()
    assert peer.sql("SELECT named FROM made ORDER BY a") == [("x",), ("y",)]
    first.sync()
    first.write("DROP VIEW seen", "DROP TABLE made")
    first.sync()
    assert peer.sql("SELECT count(*) FROM sqlite_master") == [(1,)]
    for replica in (first, second):
        assert_settled(replica, peer)


def test_a_push_changes_statements_that_are_prepared(
    server, peer, table, new_frame_replica, assert_settled
):
    """The server's connections must notice pages that did not come through them."""
    replica = new_frame_replica(server.url)
    for turn in range(5):
        assert peer.sql("SELECT count(*) FROM t") == [(2 + turn,)]
        replica.execute(f"ALTER TABLE t ADD COLUMN c{turn} DEFAULT {turn}")
        replica.execute("INSERT INTO t(v) VALUES('more')")
        replica.sync()
        assert peer.sql("SELECT * FROM t WHERE id = 1") == [(1, "a", *range(turn + 1))]
    assert_settled(replica, peer)


ROWS = [(number, f"row {number}".encode() * 130) for number in range(1, 2001)]


def test_two_thousand_rows_in_one_transaction(
    server, peer, new_proxy, new_frame_replica, assert_settled
):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    proxy = new_proxy(server)
    replica, other = new_frame_replica(proxy.url), new_frame_replica(server.url)
    replica.write_many("INSERT INTO t VALUES(?, ?)", ROWS)
    frames = len(replica.log_frames())
    seen = []

    def look(path, body):
        """Nothing of the transaction shows, and nobody has to wait, while it is on its way."""
        if body:
            seen.append(peer.sql("SELECT count(*) FROM t"))
            other.sync()
            seen.append(other.rows("SELECT count(*) FROM t"))
        return False

    proxy.lose = look
    replica.sync()
    proxy.lose = lambda path, body: False
    assert len(seen) == 2 * math.ceil(frames / BATCH_FRAMES) >= 8
    assert set(map(tuple, seen)) == {((0,),)}
    assert replica.position == (1, frames)
    assert peer.sql("SELECT count(*), sum(id) FROM t") == [(2000, 2_001_000)]
    for each in (replica, other):
        assert_settled(each, peer)
    assert other.rows("SELECT id, v FROM t ORDER BY id") == ROWS


def test_many_small_transactions_in_one_push(
    server, peer, new_proxy, new_frame_replica, assert_settled
):
    """Batches end where the client's counting ends, not where transactions do."""
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    proxy = new_proxy(server)
    replica = new_frame_replica(proxy.url)
    for start in range(0, 2000, 50):
        replica.write_many("INSERT INTO t VALUES(?, ?)", ROWS[start : start + 50])
    counts = []
    proxy.cut = lambda path, body: counts.append(peer.sql("SELECT count(*) FROM t")[0][0])
    replica.sync()
    assert peer.sql("SELECT count(*), sum(id) FROM t") == [(2000, 2_001_000)]
    assert all(count % 50 == 0 for count in counts), counts
    assert len(set(counts)) > 3, "what is complete is applied with the batch that completes it"
    assert_settled(replica, peer)


def test_vacuum_on_the_server_shrinks_the_client(
    server, peer, table, new_frame_replica, assert_settled
):
    peer.sql("INSERT INTO t(v) SELECT randomblob(2000) FROM generate_series(1, 500)")
    replica = new_frame_replica(server.url)
    size = len(replica.image())
    peer.sql("DELETE FROM t WHERE id > 20")
    replica.sync()
    peer.sql("VACUUM")
    assert_settled(replica, peer)
    assert len(replica.image()) < size // 5
    # It grows again over pages that the client still has in its longer file.
    peer.sql("INSERT INTO t(v) SELECT randomblob(2000) FROM generate_series(1, 100)")
    replica.sync()
    replica.execute("INSERT INTO t(v) VALUES('after')")
    assert_settled(replica, peer)
    assert peer.sql("SELECT count(*) FROM t") == [(121,)]


def test_vacuum_on_a_client_shrinks_the_server(
    server, peer, table, new_frame_replica, new_replica, assert_settled, assert_converged
):
    peer.sql("INSERT INTO t(v) SELECT randomblob(2000) FROM generate_series(1, 500)")
    replica, other = new_frame_replica(server.url), new_frame_replica(server.url)
    page_client = new_replica(server.url)
    size = peer.pull().db_size
    replica.execute("DELETE FROM t WHERE id > 20")
    replica.execute("VACUUM")
    replica.sync()
    assert peer.pull().db_size < size // 5
    assert peer.sql("SELECT count(*) FROM t") == [(20,)]
    assert peer.sql("PRAGMA integrity_check") == [("ok",)]
    for each in (replica, other):
        assert_settled(each, peer)
    assert page_client.pull() is True
    assert_converged(page_client, peer)
    peer.sql("INSERT INTO t(v) SELECT randomblob(2000) FROM generate_series(1, 100)")
    for each in (replica, other):
        assert_settled(each, peer)
    assert_converged(page_client, peer)


def test_reopened_replica_goes_on(server, peer, table, new_frame_replica, assert_settled):
    replica = new_frame_replica(server.url)
    replica.execute("INSERT INTO t VALUES(10, 'unpushed')")
    replica.reopen()
    replica.sync()
    assert peer.sql("SELECT v FROM t WHERE id = 10") == [("unpushed",)]
    peer.sql("INSERT INTO t VALUES(11, 'theirs')")
    replica.reopen()
    assert_settled(replica, peer)
    assert replica.rows("SELECT v FROM t WHERE id = 11") == [("theirs",)]


def test_databases_have_frames_of_their_own(server, new_frame_replica, assert_settled):
    """Clients know a database by the path of its URL."""
    peers, replicas = {}, {}
    for name in ("one", "two"):
        assert server.database_command("create", name).returncode == 0
        url = f"{server.url}/db/{name}"
        peers[name] = Peer(url)
        peers[name].sql("CREATE TABLE t(v)")
        replicas[name] = new_frame_replica(url)
    for name, replica in replicas.items():
        replica.execute("INSERT INTO t VALUES(?)", name)
        replica.sync()
    for name, replica in replicas.items():
        assert peers[name].sql("SELECT v FROM t") == [(name,)]
        assert_settled(replica, peers[name])
