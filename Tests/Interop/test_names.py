"""Which database a request means, and what happens when it is gone."""

import re

import pytest

from replica import ReplicaError
from wire import Peer, PullRequest, Refused


def create(server, name):
    done = server.database_command("create", name)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("prefix", ["/db/notes", "/dev/notes", "/db/notes/"])
def test_path_prefix(server, new_replica, assert_converged, prefix):
    create(server, "notes")
    peer = Peer(server.url + "/db/notes")
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    replica = new_replica(server.url + prefix)
    replica.write("INSERT INTO t VALUES(1, 'in notes')")
    replica.push()
    assert peer.sql("SELECT v FROM t") == [("in notes",)]
    assert_converged(replica, peer)
    assert Peer(server.url).sql("SELECT count(*) FROM sqlite_master") == [(0,)]


def test_every_way_to_name_a_database(server):
    create(server, "notes")
    create(server, "other")
    Peer(server.url).sql("CREATE TABLE is_default(x)")
    Peer(server.url + "/db/notes").sql("CREATE TABLE is_notes(x)")
    Peer(server.url + "/db/other").sql("CREATE TABLE is_other(x)")
    port = server.http.rpartition(":")[2]
    ways = [
        ("", {}, "is_default"),
        ("", {"Host": f"localhost:{port}"}, "is_default"),
        ("", {"Host": f"127.0.0.1:{port}"}, "is_default"),
        ("", {"Host": "sync.example.com"}, "is_default"),
        ("", {"x-namespace": "notes"}, "is_notes"),
        ("", {"x-namespace-bin": "bm90ZXM="}, "is_notes"),
        ("", {"Host": f"notes.localhost:{port}"}, "is_notes"),
        ("", {"Host": "NOTES.LocalHost"}, "is_notes"),
        ("/db/notes", {}, "is_notes"),
        ("/dev/notes", {}, "is_notes"),
        ("//db/notes/", {}, "is_notes"),
        # Path before header before Host.
        ("/db/notes", {"x-namespace": "other"}, "is_notes"),
        ("", {"x-namespace": "other", "Host": "notes.localhost"}, "is_other"),
        ("", {"x-namespace": "127"}, "is_default"),
    ]
    for prefix, headers, expected in ways:
        peer = Peer(server.url, headers)
        peer.prefix = prefix
        names = peer.sql("SELECT name FROM sqlite_master")
        assert names == [(expected,)], f"{prefix} {headers}"
        assert peer.pull().pages == Peer(server.url + expected.replace("is_", "/db/")).pull().pages


def test_unknown_database(server, new_replica):
    for headers, prefix in [({}, "/db/nobody"), ({"x-namespace": "nobody"}, "")]:
        peer = Peer(server.url + prefix, headers)
        with pytest.raises(Refused) as refused:
            peer.pull()
        assert refused.value.status == 404
        with pytest.raises(Refused) as refused:
            peer.sql("SELECT 1")
        assert refused.value.status == 404
    with pytest.raises(ReplicaError, match="status=404"):
        new_replica(server.url + "/db/nobody")


def test_recreated_database_is_refused(server, new_replica):
    """A database of the same name that is another one: merging would break unpushed rows."""
    create(server, "notes")
    peer = Peer(server.url + "/db/notes")
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    replica = new_replica(server.url + "/db/notes")
    replica.write("INSERT INTO t VALUES(1, 'unpushed')")
    old = peer.pull().revision
    assert server.database_command("delete", "notes", "--yes").returncode == 0
    with pytest.raises(ReplicaError, match="status=404"):
        replica.pull()
    create(server, "notes")
    with pytest.raises(Refused) as refused:
        peer.pull(PullRequest(client_revision=old))
    assert refused.value.status == 409
    assert len(re.findall(rb"[a-z]+", refused.value.body)) > 5, "the text explains itself"
    with pytest.raises(ReplicaError, match="status=409"):
        replica.pull()
    # Nothing local is lost, and a new replica starts well.
    assert replica.rows("SELECT * FROM t") == [(1, "unpushed")]
    fresh = new_replica(server.url + "/db/notes")
    assert fresh.pull() is False


def test_databases_are_apart(server, new_replica, assert_converged):
    replicas = []
    for name in ("one", "two"):
        create(server, name)
        peer = Peer(server.url + f"/db/{name}")
        peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        replicas.append((new_replica(server.url + f"/db/{name}"), peer, name))
    for replica, _, name in replicas:
        replica.write(("INSERT INTO t VALUES(1, ?)", (name,)))
        replica.push()
    server.restart()
    for replica, peer, name in replicas:
        assert peer.sql("SELECT v FROM t") == [(name,)]
        assert_converged(replica, peer)
