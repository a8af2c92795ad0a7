"""First contact: a replica takes over the whole database."""

import sqlite3

import pytest

from pages import fetch_image
from wire import Peer, PullRequest


def sample_file(path):
    """A database file such as a user brings along: a rollback journal, indexes, big rows."""
    connection = sqlite3.connect(path)
    connection.executescript(
        """
        CREATE TABLE people(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, photo BLOB);
        CREATE UNIQUE INDEX people_name ON people(name);
        CREATE TABLE plain(a, b);
        CREATE TABLE pairs(a TEXT, b INTEGER, v REAL, PRIMARY KEY(a, b));
        CREATE VIEW names AS SELECT name FROM people;
        """
    )
    connection.executemany(
        "INSERT INTO people(name, photo) VALUES(?, ?)",
        [(f"person {i}", bytes([i % 256]) * (i * 37 % 9000)) for i in range(300)],
    )
    connection.executemany("INSERT INTO plain VALUES(?, ?)", [(i, None) for i in range(100)])
    connection.execute("INSERT INTO pairs VALUES('x', 1, 0.5)")
    # Free pages inside the file: they are part of the image, too.
    connection.execute("DELETE FROM people WHERE id BETWEEN 100 AND 150")
    connection.commit()
    connection.close()
    return path


def test_bootstrap_of_an_empty_database(server, peer, new_replica, assert_converged):
    replica = new_replica(server.url)
    assert replica.rows("SELECT count(*) FROM sqlite_master WHERE name = 't'") == [(0,)]
    assert replica.pull() is False
    assert_converged(replica, peer)


def test_an_empty_database_becomes_a_used_one(server, peer, new_replica, assert_converged):
    replica = new_replica(server.url)
    replica.write("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES(1, 'a')")
    replica.push()
    assert peer.sql("SELECT id, v FROM t") == [(1, "a")]
    assert_converged(replica, peer)


def test_bootstrap_later_by_pull(server, peer, new_replica, assert_converged):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    peer.sql("INSERT INTO t VALUES(1, 'a')")
    replica = new_replica(server.url, bootstrap_if_empty=False)
    assert replica.pull() is True
    assert replica.rows("SELECT * FROM t") == [(1, "a")]
    assert replica.pull() is False
    assert_converged(replica, peer)


def test_file_imported_before_the_server_starts(
    stopped_server, tmp_path, new_replica, assert_converged
):
    file = sample_file(tmp_path / "sample.db")
    done = stopped_server.database_command("import", "sample", file, running=False)
    assert done.returncode == 0, done.stderr
    stopped_server.start()
    peer = Peer(stopped_server.url + "/db/sample")
    replica = new_replica(stopped_server.url + "/db/sample")
    assert replica.rows("SELECT count(*), sum(length(photo)) FROM people") == peer.sql(
        "SELECT count(*), sum(length(photo)) FROM people"
    )
    assert_converged(replica, peer)


def test_file_imported_into_a_running_server(server, tmp_path, new_replica, assert_converged):
    file = sample_file(tmp_path / "sample.db")
    done = server.database_command("import", "sample", file)
    assert done.returncode == 0, done.stderr
    peer = Peer(server.url + "/db/sample")
    assert peer.sql("SELECT count(*) FROM people") == [(249,)]
    replica = new_replica(server.url + "/db/sample")
    replica.write("INSERT INTO people(name) VALUES('new')")
    replica.push()
    assert_converged(replica, peer)


def test_imported_file_keeps_every_row(server, tmp_path):
    file = sample_file(tmp_path / "sample.db")
    assert server.database_command("import", "sample", file).returncode == 0
    copy = tmp_path / "copy.db"
    assert server.database_command("export", "sample", copy).returncode == 0
    source, result = sqlite3.connect(file), sqlite3.connect(copy)
    try:
        assert list(result.iterdump()) == list(source.iterdump())
    finally:
        source.close()
        result.close()


def test_large_import_bootstraps(server, tmp_path, new_replica, assert_converged):
    file = tmp_path / "large.db"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)")
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) "
        "INSERT INTO t SELECT i, randomblob(1900) FROM n"
    )
    connection.commit()
    connection.close()
    assert file.stat().st_size > 55_000_000
    assert server.database_command("import", "large", file).returncode == 0
    peer = Peer(server.url + "/db/large")
    replica = new_replica(server.url + "/db/large")
    assert replica.rows("SELECT count(*) FROM t") == [(30000,)]
    peer.sql("UPDATE t SET v = randomblob(1900) WHERE id % 1000 = 0")
    assert_converged(replica, peer)


@pytest.mark.parametrize("threshold", [4096, 5 * 4096, 1 << 20])
def test_chunked_bootstrap_sees_one_state_while_a_writer_commits(
    server, peer, new_proxy, new_replica, assert_converged, threshold
):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    peer.sql("CREATE TABLE total(n INTEGER)")
    peer.sql("INSERT INTO t SELECT value, randomblob(600) FROM generate_series(1, 100)")
    peer.sql("INSERT INTO total SELECT count(*) FROM t")
    proxy = new_proxy(server)
    requests = []

    def write_between_chunks(path, body):
        # Runs after the answer left the server and before it reaches the client.
        requests.append(path)
        first = len(requests) * 1000
        not_autocommit = {"type": "not", "cond": {"type": "is_autocommit"}}
        insert = (
            "INSERT INTO t SELECT value, randomblob(600) "
            f"FROM generate_series({first}, {first + 9})"
        )
        steps = ["BEGIN IMMEDIATE", insert, "UPDATE t SET v = randomblob(600) WHERE id % 3 = 0"]
        steps += ["UPDATE total SET n = n + 10", "COMMIT"]
        _, errors = peer.batch(
            [
                (not_autocommit if index else None, {"sql": sql, "args": [], "want_rows": False})
                for index, sql in enumerate(steps)
            ]
        )
        assert errors == [None] * len(steps)

    proxy.cut = write_between_chunks
    replica = new_replica(proxy.url, pull_bytes_threshold=threshold)
    bootstraps = len(requests)
    if threshold < 10 * 4096:
        assert bootstraps > 1, "the bootstrap was not chunked"
    proxy.cut = lambda path, body: None
    # As of the first answer, in both tables; torn chunks would differ or be corrupt.
    assert replica.rows("SELECT (SELECT count(*) FROM t), n FROM total") == [(100, 100)]
    assert replica.rows("PRAGMA integrity_check") == [("ok",)]
    assert replica.pull() is True
    assert replica.rows("SELECT (SELECT count(*) FROM t), n FROM total") == [
        (100 + 10 * bootstraps, 100 + 10 * bootstraps)
    ]
    assert_converged(replica, peer)


def test_pinned_ranges_assemble_to_one_state(peer):
    """The same with our own client: ranges pinned to the first answer's revision."""
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    peer.sql("INSERT INTO t SELECT value, randomblob(1000) FROM generate_series(1, 200)")
    whole = fetch_image(peer)
    first = peer.pull(PullRequest(pages=range(0, 10)))
    assert first.db_size == len(whole)
    assert sorted(first.pages) == list(range(10))
    image = dict(first.pages)
    for start in range(10, first.db_size, 10):
        peer.sql("UPDATE t SET v = randomblob(1000) WHERE id % 2 = 0")
        peer.sql("INSERT INTO t(v) SELECT randomblob(1000) FROM generate_series(1, 20)")
        # The last range reaches beyond the size: what does not exist is left out.
        answer = peer.pull(
            PullRequest(server_revision=first.revision, pages=range(start, start + 10))
        )
        assert (answer.revision, answer.db_size) == (first.revision, first.db_size)
        image.update(answer.pages)
    assert image == whole
