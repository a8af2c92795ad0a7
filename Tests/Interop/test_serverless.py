"""The real `turso-serverless` client: no replica, all SQL over HTTP, with cursors and pipelines."""

import pytest
import turso_serverless

INSERT = "INSERT INTO t VALUES(?, ?)"


@pytest.fixture
def connect(server, peer):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    connections = []

    def open_connection(**options):
        connections.append(turso_serverless.connect(server.url, **options))
        return connections[-1]

    yield open_connection
    for connection in connections:
        connection.close()


def rows(peer):
    return peer.sql("SELECT id, v FROM t ORDER BY id")


def test_transactions(server, peer, connect):
    connection = connect()
    values = [None, -(2**63), 0.5, "text\nof two lines", b"\x00\xff"]
    for number, value in enumerate(values):
        assert connection.execute(INSERT, (number, value)).lastrowid == number
    assert connection.in_transaction
    expected = list(enumerate(values))
    assert connection.execute("SELECT id, v FROM t ORDER BY id").fetchall() == expected
    assert rows(peer) == []
    connection.commit()
    assert not connection.in_transaction
    assert rows(peer) == expected

    connection.execute("DELETE FROM t")
    connection.rollback()
    assert rows(peer) == expected
    assert server.statistics()["open_streams"] == 0


def test_errors(peer, connect):
    connection = connect()
    connection.execute(INSERT, (1, "first"))
    with pytest.raises(turso_serverless.IntegrityError, match="UNIQUE constraint failed: t.id"):
        connection.execute(INSERT, (1, "again"))
    with pytest.raises(turso_serverless.OperationalError, match="no such table: missing"):
        connection.execute("SELECT * FROM missing")
    assert connection.in_transaction
    connection.executemany(INSERT, [(2, "second"), (3, "third")])
    connection.commit()
    assert rows(peer) == [(1, "first"), (2, "second"), (3, "third")]
    with pytest.raises(turso_serverless.IntegrityError):
        connection.execute("INSERT OR ROLLBACK INTO t VALUES(1, 'again')")
    assert not connection.in_transaction


def test_a_transaction_that_the_server_has_given_up(peer, connect):
    connection = connect()
    connection.execute(INSERT, (1, "late"))
    peer.sql(INSERT, 2, "next")  # Comes when the time of the other one is over.
    with pytest.raises(turso_serverless.OperationalError, match="idle for longer than"):
        connection.execute(INSERT, (3, "too late"))
    assert not connection.in_transaction
    connection.execute(INSERT, (4, "again"))
    connection.commit()
    assert rows(peer) == [(2, "next"), (4, "again")]


def test_closing_rolls_back(server, peer, connect):
    connection = connect()
    connection.execute(INSERT, (1, "gone"))
    connection.close()
    peer.sql(INSERT, 2, "next")
    assert rows(peer) == [(2, "next")]
    assert server.statistics()["open_streams"] == 0
