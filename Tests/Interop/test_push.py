"""What replicas write, on its way to the server and to each other."""

import json
import math

import pytest

from replica import ReplicaError
from values import VALUES
from wire import Peer


@pytest.fixture
def table(peer):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    peer.sql("INSERT INTO t VALUES(1, 'a'), (2, 'b'), (3, 'c')")


def test_insert_update_delete_replace(server, peer, table, new_replica, assert_converged):
    replica = new_replica(server.url)
    replica.write(
        "INSERT INTO t VALUES(4, 'd')",
        "UPDATE t SET v = 'B' WHERE id = 2",
        "DELETE FROM t WHERE id = 1",
        "REPLACE INTO t VALUES(3, 'C')",
        "INSERT INTO t VALUES(4, 'D') ON CONFLICT(id) DO UPDATE SET v = excluded.v",
    )
    replica.push()
    assert peer.sql("SELECT id, v FROM t ORDER BY id") == [(2, "B"), (3, "C"), (4, "D")]
    assert_converged(replica, peer)


def test_tables_without_an_integer_key(server, peer, new_replica, assert_converged):
    peer.sql("CREATE TABLE plain(a, b)")
    peer.sql("CREATE TABLE pairs(a TEXT, b INTEGER, v, PRIMARY KEY(a, b))")
    replica = new_replica(server.url)
    replica.write(
        "INSERT INTO plain VALUES(1, 'x'), (1, 'x'), (2, NULL)",
        "INSERT INTO pairs VALUES('k', 1, 'one'), ('k', 2, 'two')",
    )
    replica.push()
    assert_converged(replica, peer)
    replica.write(
        "UPDATE plain SET b = 'y' WHERE rowid = 2",
        "DELETE FROM plain WHERE a = 2",
        "UPDATE pairs SET v = 'TWO' WHERE a = 'k' AND b = 2",
        "DELETE FROM pairs WHERE b = 1",
    )
    replica.push()
    assert peer.sql("SELECT a, b FROM plain ORDER BY rowid") == [(1, "x"), (1, "y")]
    assert peer.sql("SELECT * FROM pairs") == [("k", 2, "TWO")]
    assert_converged(replica, peer)


def test_every_kind_of_value(server, peer, new_replica, assert_converged):
    peer.sql("CREATE TABLE kinds(name TEXT PRIMARY KEY, v)")
    replica = new_replica(server.url)
    replica.write(
        *[("INSERT INTO kinds VALUES(?, ?)", (name, value)) for name, value in VALUES.items()]
    )
    replica.push()
    stored = dict(peer.sql("SELECT name, v FROM kinds"))
    assert stored == VALUES
    for name, value in VALUES.items():
        assert type(stored[name]) is type(value), name
    assert math.copysign(1, stored["negative zero"]) == -1
    assert peer.sql("SELECT typeof(v), length(CAST(v AS BLOB)) FROM kinds WHERE name = ?",
                    "text with NUL") == [("text", 13)]
    assert_converged(replica, peer)
    other = new_replica(server.url)
    assert dict(other.rows("SELECT name, v FROM kinds")) == VALUES


def test_infinite_floats_arrive_as_null(server, peer, new_replica, assert_converged):
    """JSON has no infinity, the client sends null: what the server stores, replicas get."""
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    replica = new_replica(server.url)
    replica.write(
        ("INSERT INTO t VALUES(1, ?)", (math.inf,)), ("INSERT INTO t VALUES(2, ?)", (-math.inf,))
    )
    replica.push()
    assert peer.sql("SELECT id, v FROM t") == [(1, None), (2, None)]
    assert_converged(replica, peer)


def test_schema_changes(server, peer, table, new_replica, assert_converged):
    replica = new_replica(server.url)
    replica.write(
        "CREATE TABLE made(a INTEGER PRIMARY KEY, b TEXT DEFAULT 'x')",
        "CREATE INDEX made_b ON made(b)",
        "INSERT INTO made(a) VALUES(1)",
    )
    replica.push()
    assert peer.sql("SELECT * FROM made") == [(1, "x")]
    assert_converged(replica, peer)
    replica.write("ALTER TABLE made ADD COLUMN c INTEGER DEFAULT 5")
    replica.write("INSERT INTO made VALUES(2, 'y', 6)")
    replica.push()
    assert peer.sql("SELECT * FROM made ORDER BY a") == [(1, "x", 5), (2, "y", 6)]
    assert_converged(replica, peer)
    replica.write("ALTER TABLE made DROP COLUMN c")
    replica.write("DROP INDEX made_b")
    replica.push()
    assert peer.sql("SELECT * FROM made ORDER BY a") == [(1, "x"), (2, "y")]
    assert_converged(replica, peer)
    replica.write("DROP TABLE made")
    replica.push()
    assert peer.sql("SELECT count(*) FROM sqlite_master WHERE tbl_name = 'made'") == [(0,)]
    assert_converged(replica, peer)


def test_schema_changes_reach_another_replica(server, peer, table, new_replica, assert_converged):
    first, second = new_replica(server.url), new_replica(server.url)
    first.write("CREATE TABLE made(a INTEGER PRIMARY KEY, b)", "INSERT INTO made VALUES(1, 2)")
    first.push()
    second.write("INSERT INTO t VALUES(50, 'unpushed')")
    assert second.pull() is True
    assert second.rows("SELECT * FROM made") == [(1, 2)]
    second.write("INSERT INTO made VALUES(2, 3)")
    second.push()
    assert_converged(first, peer)
    assert_converged(second, peer)


def test_rows_of_a_table_dropped_before_the_push(
    server, peer, table, new_replica, assert_converged
):
    """The client makes a statement without columns for such rows, which fails; it must go on."""
    replica = new_replica(server.url)
    replica.write("CREATE TABLE brief(x)", "INSERT INTO brief VALUES(1)")
    replica.write("INSERT INTO t VALUES(10, 'kept')")
    replica.write("DROP TABLE brief")
    with pytest.raises(ReplicaError, match="syntax error"):
        replica.push()
    assert peer.sql("SELECT v FROM t WHERE id = 10") == [("kept",)]
    assert peer.sql("SELECT count(*) FROM sqlite_master WHERE name = 'brief'") == [(0,)]
    replica.write("INSERT INTO t VALUES(11, 'later')")
    replica.push()
    assert_converged(replica, peer)


def test_a_push_without_changes_makes_no_revision(server, peer, table, new_replica):
    replica, watcher = new_replica(server.url), new_replica(server.url)
    # The first push of all makes the table in which clients note how far they are.
    replica.push()
    assert watcher.pull() is True
    replica.push()
    assert watcher.pull() is False
    replica.write("INSERT INTO t VALUES(9, 'i')")
    replica.push()
    assert watcher.pull() is True
    assert replica.pull() is True
    before = peer.pull().revision
    for _ in range(3):
        replica.push()
    assert peer.pull().revision == before
    assert (replica.pull(), watcher.pull()) == (False, False)


def test_two_replicas_converge(server, peer, table, new_replica, assert_converged):
    replicas = [new_replica(server.url), new_replica(server.url)]
    for turn in range(4):
        for index, replica in enumerate(replicas):
            key = 100 + turn * 10 + index
            replica.write(
                ("INSERT INTO t VALUES(?, ?)", (key, f"turn {turn} replica {index}")),
                ("UPDATE t SET v = ? WHERE id = ?", (f"{turn}/{index}", 1 + turn % 3)),
            )
            replica.push()
        replicas[turn % 2].pull()
    for replica in replicas:
        assert_converged(replica, peer)
    assert replicas[0].rows("SELECT * FROM t") == replicas[1].rows("SELECT * FROM t")
    assert replicas[0].rows("SELECT count(*) FROM t") == [(11,)]


def test_the_last_push_wins(server, peer, table, new_replica, assert_converged):
    first, second = new_replica(server.url), new_replica(server.url)
    first.write("INSERT INTO t VALUES(7, 'first')", "UPDATE t SET v = 'first' WHERE id = 1")
    second.write("INSERT INTO t VALUES(7, 'second')", "UPDATE t SET v = 'second' WHERE id = 1")
    first.push()
    second.push()
    expected = [(1, "second"), (7, "second")]
    assert peer.sql("SELECT id, v FROM t WHERE id IN (1, 7)") == expected
    for replica in (first, second):
        assert_converged(replica, peer)
        assert replica.rows("SELECT id, v FROM t WHERE id IN (1, 7)") == expected


def test_a_rejected_row_does_not_wedge_the_client(server, peer, new_replica, assert_converged):
    """Literal semantics: the failing statement is skipped, the rest commits, the client hears
    of it once, and its next pull drops the row."""
    peer.sql("CREATE TABLE u(id INTEGER PRIMARY KEY, y TEXT UNIQUE)")
    first, second = new_replica(server.url), new_replica(server.url)
    first.write("INSERT INTO u VALUES(1, 'taken')")
    first.push()
    second.write("INSERT INTO u VALUES(2, 'before')")
    second.write("INSERT INTO u VALUES(3, 'taken')")
    second.write("INSERT INTO u VALUES(4, 'after')")
    with pytest.raises(ReplicaError, match=r"UNIQUE constraint failed: u\.y"):
        second.push()
    expected = [(1, "taken"), (2, "before"), (4, "after")]
    assert peer.sql("SELECT id, y FROM u ORDER BY id") == expected
    second.push()
    assert peer.sql("SELECT id, y FROM u ORDER BY id") == expected
    assert second.pull() is True
    assert second.rows("SELECT id, y FROM u ORDER BY id") == expected
    second.write("INSERT INTO u VALUES(5, 'later')")
    second.push()
    for replica in (first, second):
        assert_converged(replica, peer)


def test_an_administrator_can_list_rejected_rows(server, peer, new_replica):
    peer.sql("CREATE TABLE u(id INTEGER PRIMARY KEY, y TEXT UNIQUE)")
    replica = new_replica(server.url)
    peer.sql("INSERT INTO u VALUES(1, 'taken')")
    replica.write("INSERT INTO u VALUES(2, 'taken')")
    with pytest.raises(ReplicaError, match="UNIQUE constraint failed"):
        replica.push()
    for restart in (False, True):
        if restart:
            server.restart(kill=True)
        status, _, body = Peer(server.admin).request("GET", "/v1/namespaces/default/rejected")
        assert status == 200
        rejected = json.loads(body)["rejected"]
        assert len(rejected) == 1
        text = json.dumps(rejected[0])
        assert "UNIQUE constraint failed: u.y" in text
        assert "INSERT INTO" in text and "taken" in text and "turso-sync-py-" in text


def test_strict_databases_take_all_or_nothing(server, peer, new_replica):
    admin = Peer(server.admin)
    status, _, body = admin.request(
        "POST", "/v1/namespaces/default/config", b'{"strict_push": true}'
    )
    assert status == 200, body
    peer.sql("CREATE TABLE u(id INTEGER PRIMARY KEY, y TEXT UNIQUE)")
    replica = new_replica(server.url)
    peer.sql("INSERT INTO u VALUES(1, 'taken')")
    replica.write("INSERT INTO u VALUES(2, 'fine')", "INSERT INTO u VALUES(3, 'taken')")
    with pytest.raises(ReplicaError, match="UNIQUE constraint failed"):
        replica.push()
    assert peer.sql("SELECT id FROM u") == [(1,)]
    # The user's way out: the row that was in the way goes.
    peer.sql("DELETE FROM u WHERE id = 1")
    replica.push()
    assert peer.sql("SELECT id FROM u ORDER BY id") == [(2,), (3,)]


def test_pushes_at_the_same_time_wait_for_each_other(
    server, peer, table, new_replica, assert_converged
):
    replicas = [new_replica(server.url) for _ in range(4)]
    for turn in range(3):
        for index, replica in enumerate(replicas):
            first = 1000 + 1000 * index + 100 * turn
            replica.write_many("INSERT INTO t VALUES(?, 'x')", [(first + i,) for i in range(100)])
        for replica in replicas:
            replica.begin("push")
        for replica in replicas:
            replica.finish()
    assert peer.sql("SELECT count(*) FROM t") == [(3 + 4 * 3 * 100,)]
    for replica in replicas:
        assert_converged(replica, peer)


@pytest.mark.parametrize(
    ("table_sql", "local", "error"),
    [
        ("t(id INTEGER PRIMARY KEY, v NOT NULL)", "INSERT INTO t VALUES(2, 1)", "CHECK"),
        ("t(id INTEGER PRIMARY KEY, v UNIQUE)", "INSERT INTO t VALUES(2, 1)", "CHECK"),
    ],
    ids=["not null", "unique"],
)
def test_a_constraint_that_the_replica_does_not_know_yet(
    server, peer, new_replica, assert_converged, table_sql, local, error
):
    peer.sql(f"CREATE TABLE {table_sql}")
    replica = new_replica(server.url)
    replica.write(local)
    peer.sql("DROP TABLE t")
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v CHECK (v <> 1))")
    with pytest.raises(ReplicaError, match=f"{error} constraint failed"):
        replica.push()
    replica.pull()
    assert replica.rows("SELECT * FROM t") == []
    assert_converged(replica, peer)


def test_triggers_do_not_fire_twice(server, peer, new_replica, assert_converged):
    """The client pushes what its own triggers wrote; the server must not write it again."""
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    peer.sql("CREATE TABLE log(id INTEGER PRIMARY KEY, what TEXT)")
    peer.sql(
        "CREATE TRIGGER t_insert AFTER INSERT ON t BEGIN "
        "INSERT INTO log(what) VALUES('insert ' || new.id); END"
    )
    replica = new_replica(server.url)
    replica.write("INSERT INTO t VALUES(1, 'a')")
    replica.push()
    assert peer.sql("SELECT what FROM log") == [("insert 1",)]
    # Outside a push they fire, also after one.
    peer.sql("INSERT INTO t VALUES(2, 'b')")
    assert peer.sql("SELECT what FROM log ORDER BY id") == [("insert 1",), ("insert 2",)]
    assert_converged(replica, peer)


def test_checkpoint_and_push_after_it(server, peer, table, new_replica, assert_converged):
    replica = new_replica(server.url)
    replica.write("INSERT INTO t VALUES(10, 'before, unpushed')")
    replica.checkpoint()
    replica.push()
    assert peer.sql("SELECT v FROM t WHERE id = 10") == [("before, unpushed",)]
    replica.pull()
    replica.checkpoint()
    replica.write("INSERT INTO t VALUES(11, 'after')")
    peer.sql("INSERT INTO t VALUES(12, 'theirs')")
    assert replica.pull() is True
    replica.checkpoint()
    replica.push()
    assert peer.sql("SELECT id FROM t WHERE id >= 10 ORDER BY id") == [(10,), (11,), (12,)]
    assert replica.pull() is True
    assert_converged(replica, peer)
    replica.checkpoint()
    replica.reopen()
    assert replica.rows("SELECT count(*) FROM t") == [(6,)]
    assert replica.pull() is False


def test_reopened_replica_goes_on(server, peer, table, new_replica, assert_converged):
    replica = new_replica(server.url)
    replica.write("INSERT INTO t VALUES(10, 'unpushed')")
    replica.reopen()
    peer.sql("INSERT INTO t VALUES(11, 'theirs')")
    assert replica.pull() is True
    replica.push()
    assert peer.sql("SELECT count(*) FROM t") == [(5,)]
    assert_converged(replica, peer)


@pytest.mark.parametrize("threshold", [None, 1000])
def test_twenty_thousand_rows(server, peer, new_replica, assert_converged, threshold):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)")
    replica = new_replica(server.url, push_operations_threshold=threshold)
    rows = [(i, f"row number {i}") for i in range(1, 20_001)]
    if threshold is None:
        replica.write_many("INSERT INTO t VALUES(?, ?)", rows)
    else:
        for start in range(0, len(rows), 500):
            replica.write_many("INSERT INTO t VALUES(?, ?)", rows[start : start + 500])
    replica.call("push", timeout=120)
    assert peer.sql("SELECT count(*), sum(id), count(DISTINCT v) FROM t") == [
        (20_000, 200_010_000, 20_000)
    ]
    assert_converged(replica, peer)


def test_a_lost_push_answer_heals(server, peer, new_proxy, new_replica, assert_converged):
    """The server applied it, the client does not know: nothing may arrive twice."""
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    peer.sql("CREATE TABLE plain(v)")
    proxy = new_proxy(server)
    replica = new_replica(proxy.url)
    for cut in (0, 40, 300):
        replica.write(
            f"INSERT INTO t(v) VALUES({cut})",
            f"INSERT INTO plain VALUES({cut})",
            f"UPDATE plain SET v = v || '+' WHERE v = {cut}",
        )
        proxy.cut = lambda path, body: cut if b"BEGIN IMMEDIATE" in body else None
        with pytest.raises(ReplicaError):
            replica.push()
        proxy.cut = lambda path, body: None
        replica.push()
        replica.push()
    assert proxy.cuts_made == 3
    assert peer.sql("SELECT v FROM t") == [(0,), (40,), (300,)]
    assert peer.sql("SELECT v FROM plain") == [("0+",), ("40+",), ("300+",)]
    assert_converged(replica, peer)


def test_a_lost_push_answer_heals_by_pull(server, peer, new_proxy, new_replica, assert_converged):
    peer.sql("CREATE TABLE plain(v)")
    proxy = new_proxy(server)
    replica = new_replica(proxy.url)
    replica.write("INSERT INTO plain VALUES('once')")
    proxy.cut = lambda path, body: 0 if b"BEGIN IMMEDIATE" in body else None
    with pytest.raises(ReplicaError):
        replica.push()
    proxy.cut = lambda path, body: None
    replica.pull()
    assert replica.rows("SELECT v FROM plain") == [("once",)]
    replica.push()
    assert peer.sql("SELECT v FROM plain") == [("once",)]
    assert_converged(replica, peer)
