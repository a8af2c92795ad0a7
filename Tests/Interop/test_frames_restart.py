"""Frame sync with the real `libsql` client: servers that go away, come back, or go back in time."""

import json
import shutil

import pytest

from frame_replica import settle
from replica import ReplicaError
from wire import Peer

BOTH_ENDS = pytest.mark.parametrize("kill", [False, True], ids=["SIGTERM", "SIGKILL"])
ROWS = [(number, f"row {number}".encode() * 130) for number in range(1, 2001)]
AHEAD = "410 Gone"


@pytest.fixture
def table(peer):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    peer.sql("INSERT INTO t VALUES(1, 'a'), (2, 'b')")


@BOTH_ENDS
def test_replicas_go_on_after_a_restart(
    server, peer, table, new_frame_replica, assert_settled, kill
):
    pushed, behind = new_frame_replica(server.url), new_frame_replica(server.url)
    pushed.execute("INSERT INTO t VALUES(10, 'acknowledged')")
    pushed.sync()
    peer.sql("INSERT INTO t VALUES(11, 'by SQL')")
    server.restart(kill=kill)
    assert peer.sql("SELECT id FROM t WHERE id >= 10") == [(10,), (11,)]
    pushed.sync()
    pushed.execute("INSERT INTO t VALUES(12, 'unpushed')")
    server.restart(kill=kill)
    pushed.sync()
    for replica in (pushed, behind):
        assert_settled(replica, peer)
        assert replica.position == (1, 3)


@BOTH_ENDS
def test_many_restarts(server, peer, table, new_frame_replica, checkpoint, assert_settled, kill):
    replica, late = new_frame_replica(server.url), new_frame_replica(server.url)
    for turn in range(6):
        server.restart(kill=kill)
        replica.execute("INSERT INTO t(v) VALUES(?)", b"x" * 3000 * turn)
        replica.sync()
        if turn % 2 == 0:
            checkpoint("passive")
        if turn % 3 == 2:
            peer.sql("INSERT INTO t(v) VALUES(?)", turn)
            replica.sync()
    server.restart(kill=kill)
    for each in (replica, late, new_frame_replica(server.url)):
        assert_settled(each, peer)
        assert each.position[0] == 1
    assert peer.sql("SELECT count(*) FROM t") == [(10,)]


@BOTH_ENDS
@pytest.mark.parametrize("batch", [2, 4, 5])
def test_a_restart_within_a_push(
    server, peer, new_proxy, new_frame_replica, assert_settled, batch, kill
):
    """What was staged is gone; the client hears where the server is and sends it again."""
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    proxy = new_proxy(server)
    replica = new_frame_replica(proxy.url)
    replica.write_many("INSERT INTO t VALUES(?, ?)", ROWS)
    pushes = []

    def restart(path, body):
        pushes.extend([path] if body else [])
        if body and len(pushes) == batch:
            server.restart(kill=kill)
        return False

    proxy.lose = restart
    replica.sync()
    assert len(pushes) > 5
    assert replica.position == (1, len(replica.log_frames()))
    assert peer.sql("SELECT count(*), sum(id) FROM t") == [(2000, 2_001_000)]
    assert_settled(replica, peer)


def test_while_the_server_is_away_the_replica_works(
    server, peer, table, new_frame_replica, assert_settled
):
    replica = new_frame_replica(server.url)
    server.stop()
    replica.sync()  # No error: the client takes itself to be offline.
    replica.execute("INSERT INTO t VALUES(10, 'offline')")
    replica.sync()
    assert replica.position == (1, 0)
    server.start()
    replica.sync()
    assert peer.sql("SELECT v FROM t WHERE id = 10") == [("offline",)]
    assert_settled(replica, peer)


@pytest.fixture
def save_and_restore(stopped_server, tmp_path):
    """Copies of the data directory, taken while the server is stopped."""

    def save():
        stopped_server.stop()
        shutil.copytree(stopped_server.data, tmp_path / "copy")
        stopped_server.start()

    def restore(copy):
        stopped_server.stop()
        shutil.rmtree(stopped_server.data)
        shutil.copytree(tmp_path / "copy", stopped_server.data, copy_function=copy)
        stopped_server.start()

    return save, restore


COPIES = pytest.mark.parametrize(
    "copy", [shutil.copy2, shutil.copyfile], ids=["with times", "without times"]
)


def outcome(replica):
    """Whether the client synced; if not, it has to say that it is ahead, or that there is a
    conflict."""
    try:
        settle(replica)
    except ReplicaError as error:
        assert AHEAD in error.message or "conflict" in error.message, error
        return False
    return True


@COPIES
def test_a_restored_server_tells_clients_that_are_ahead(
    server, peer, table, new_frame_replica, assert_settled, save_and_restore, copy
):
    save, restore = save_and_restore
    ahead, behind = new_frame_replica(server.url), new_frame_replica(server.url)
    ahead.execute("INSERT INTO t VALUES(10, 'kept')")
    ahead.sync()
    settle(behind)
    save()
    for number in (11, 12, 13):
        ahead.execute("INSERT INTO t VALUES(?, 'lost')", number)
        ahead.sync()
    restore(copy)
    before = ahead.image()
    for _ in range(2):
        with pytest.raises(ReplicaError, match=AHEAD) as caught:
            ahead.sync()
        assert "older copy" in caught.value.message, "it says why"
    assert ahead.image() == before
    # Others are not disturbed if their frames are there, and a new copy always works.
    if not outcome(behind):
        behind.start_again()
    assert_settled(behind, peer)
    ahead.start_again()
    assert_settled(ahead, peer)
    assert ahead.rows("SELECT id FROM t WHERE id >= 10") == [(10,)]


@pytest.mark.parametrize(
    ("copy", "commits"),
    [
        # A copy with the old times is the old state to the byte: the server can tell that it was
        # put back only while clients are ahead of it.
        (shutil.copy2, 1),
        (shutil.copyfile, 1),
        (shutil.copyfile, 3),
        (shutil.copyfile, 6),
    ],
    ids=["behind, with times", "behind", "level", "beyond"],
)
@pytest.mark.parametrize("pushes", [False, True], ids=["pull", "push"])
def test_a_restored_server_that_went_on_is_never_mixed_up(
    server, peer, table, new_frame_replica, assert_settled, save_and_restore, copy, commits, pushes
):
    """The same numbers stand for other frames now: the client gets an error, or what the server
    has, but never some of both; and what it pushes goes onto what it was made from, or nowhere."""
    save, restore = save_and_restore
    peer.sql("CREATE TABLE u(id INTEGER PRIMARY KEY, v)")
    client, fresh = new_frame_replica(server.url), new_frame_replica(server.url)
    save()
    lost = [(1,), (2,), (3,)]
    for (number,) in lost:
        client.execute("INSERT INTO u VALUES(?, 'lost')", number)
        client.sync()
    restore(copy)
    for number in range(commits):
        peer.sql("UPDATE t SET v = ? WHERE id = 1", number)
    if pushes:
        client.execute("INSERT INTO t VALUES(14, 'unpushed')")
    if outcome(client):
        assert_settled(client, peer)
    assert peer.sql("SELECT v FROM t WHERE id = 1") == [(commits - 1,)]
    assert peer.sql("SELECT id FROM u") == []
    if not outcome(fresh):
        fresh.start_again()
    assert_settled(fresh, peer)


def test_a_client_brings_back_what_a_restored_server_lost(
    server, peer, table, new_frame_replica, assert_settled, save_and_restore
):
    """It still has the frames, and pushing sends those that the server does not have."""
    save, restore = save_and_restore
    client = new_frame_replica(server.url)
    client.execute("INSERT INTO t VALUES(10, 'kept')")
    client.sync()
    save()
    client.execute("INSERT INTO t VALUES(11, 'lost')")
    client.sync()
    restore(shutil.copy2)
    client.execute("INSERT INTO t VALUES(12, 'new')")
    client.sync()
    assert peer.sql("SELECT v FROM t WHERE id >= 10") == [("kept",), ("lost",), ("new",)]
    assert_settled(client, peer)


def switch(server, on):
    status, _, body = Peer(server.admin).request(
        "POST", "/v1/namespaces/default/config", json.dumps({"frame_sync": on}).encode()
    )
    assert status == 200, body


def test_frame_sync_switched_off(server, peer, table, new_frame_replica, assert_settled):
    """Clients get 404 with the reason, lose nothing, and go on when it is switched on again."""
    off = "404 Not Found.*frame sync"
    replica = new_frame_replica(server.url)
    switch(server, False)
    with pytest.raises(ReplicaError, match=off):
        replica.sync()
    replica.execute("INSERT INTO t VALUES(10, 'unpushed')")
    with pytest.raises(ReplicaError, match=off):
        replica.sync()
    with pytest.raises(ReplicaError, match=off):
        new_frame_replica(server.url, name="late")
    server.restart()
    with pytest.raises(ReplicaError, match=off):
        replica.sync()
    assert peer.sql("SELECT count(*) FROM t") == [(2,)]
    switch(server, True)
    replica.sync()
    for each in (replica, new_frame_replica(server.url, name="late")):
        assert_settled(each, peer)
    # Meanwhile commits are numbered on, or the client is told.
    switch(server, False)
    peer.sql("INSERT INTO t VALUES(11, 'while off')")
    switch(server, True)
    assert_settled(replica, peer)
    assert replica.rows("SELECT v FROM t WHERE id >= 10") == [("unpushed",), ("while off",)]
