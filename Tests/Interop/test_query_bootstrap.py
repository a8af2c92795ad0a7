"""First contact with a query: a partial replica that begins with the pages of one statement."""

import pytest
from turso.lib_sync import PartialSyncOpts, PartialSyncQueryBootstrap

from replica import ReplicaError
from wire import PAGE_SIZE

ROWS = 50_000


@pytest.fixture
def keyed(peer):
    """A table of more than 1000 pages."""
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT UNIQUE, v)")
    peer.sql(
        "INSERT INTO t SELECT value, 'key ' || value, zeroblob(100) "
        f"FROM generate_series(1, {ROWS})"
    )
    return peer


def query_bootstrap(query):
    """One page a lazy read, so that the client gets nothing but what it asked for."""
    return {
        "partial_sync_experimental": PartialSyncOpts(
            PartialSyncQueryBootstrap(query), segment_size=PAGE_SIZE, prefetch=False
        )
    }


@pytest.mark.parametrize(
    "query",
    ["SELECT id, length(v) FROM t WHERE id = 40000", "SELECT id FROM t WHERE k = 'key 40000'"],
)
def test_what_the_query_touches_is_there_at_once(server, keyed, new_proxy, new_replica, query):
    proxy = new_proxy(server)
    pulls = []

    def note_pull(path, body):
        if path.endswith("/pull-updates"):
            pulls.append(bytes(body))

    proxy.cut = note_pull
    replica = new_replica(proxy.url, **query_bootstrap(query))
    assert query.encode() in pulls[0]
    # Opening may read more of the file; the query needs nothing that is not there.
    pulls.clear()
    assert replica.rows(query) == keyed.sql(query)
    assert pulls == []
    # Other rows come page by page.
    assert replica.rows("SELECT k FROM t WHERE id = 7") == [("key 7",)]
    assert pulls != []
    assert replica.rows("SELECT count(*), sum(length(v)) FROM t") == [(ROWS, ROWS * 100)]


@pytest.mark.parametrize(
    "query, message",
    [
        ("SELECT * FROM missing", "no such table: missing"),
        ("DELETE FROM t", "attempt to write a readonly database"),
    ],
)
def test_a_query_that_cannot_run_is_told_in_words(server, keyed, new_replica, query, message):
    with pytest.raises(ReplicaError, match=message):
        new_replica(server.url, **query_bootstrap(query))
    assert keyed.sql("SELECT count(*) FROM t") == [(ROWS,)]
