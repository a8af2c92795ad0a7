"""Frame sync with the real `libsql` client: writers that meet, answers and requests that get lost."""

import pytest

from replica import ReplicaError

CONFLICT = "conflict"  # The client's own word for it: "server returned a conflict: sent=…, got=…".
ROWS = [(number, f"row {number}".encode() * 130) for number in range(1, 2001)]


@pytest.fixture
def table(peer):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    peer.sql("INSERT INTO t VALUES(1, 'a'), (2, 'b')")


def is_push(path, body):
    return bool(body)


def nothing(path, body):
    return None


def test_the_second_of_two_clients_gets_a_conflict(
    server, peer, table, new_frame_replica, assert_settled
):
    first, second = new_frame_replica(server.url), new_frame_replica(server.url)
    first.execute("INSERT INTO t VALUES(10, 'first')")
    second.execute("INSERT INTO t VALUES(10, 'second')")
    first.sync()
    for _ in range(3):
        with pytest.raises(ReplicaError, match=CONFLICT):
            second.sync()
    assert peer.sql("SELECT v FROM t WHERE id = 10") == [("first",)]
    # Its rows are not lost; a user saves them, deletes the files and starts again.
    assert second.rows("SELECT v FROM t WHERE id = 10") == [("second",)]
    assert_settled(first, peer)
    second.start_again()
    second.execute("INSERT INTO t VALUES(11, 'second')")
    second.sync()
    for replica in (first, second):
        assert_settled(replica, peer)
    assert first.rows("SELECT v FROM t WHERE id >= 10") == [("first",), ("second",)]


def test_an_sql_write_and_a_client(server, peer, table, new_frame_replica, assert_settled):
    replica = new_frame_replica(server.url)
    replica.execute("INSERT INTO t VALUES(10, 'mine')")
    peer.sql("INSERT INTO t VALUES(11, 'theirs')")
    with pytest.raises(ReplicaError, match=CONFLICT):
        replica.sync()
    assert peer.sql("SELECT id FROM t WHERE id >= 10") == [(11,)]
    replica.start_again()
    assert_settled(replica, peer)


def test_a_longer_and_a_shorter_push(server, peer, table, new_frame_replica, assert_settled):
    """The loser's frames reach beyond the winner's, or end before them: a conflict both ways."""
    short, long = new_frame_replica(server.url), new_frame_replica(server.url)
    late = new_frame_replica(server.url)
    for replica, count in ((short, 1), (long, 4), (late, 2)):
        for number in range(count):
            replica.execute("INSERT INTO t(v) VALUES(?)", f"{count}/{number}")
    short.sync()
    with pytest.raises(ReplicaError, match=CONFLICT):
        long.sync()
    for number in range(6):
        peer.sql("INSERT INTO t(v) VALUES(?)", number)
    with pytest.raises(ReplicaError, match=CONFLICT):
        late.sync()
    assert peer.sql("SELECT v FROM t WHERE id > 2") == [("1/0",), *((n,) for n in range(6))]
    assert_settled(short, peer)


def test_a_push_that_changed_nothing_new(server, peer, table, new_frame_replica, assert_settled):
    """Two clients that make the very same frames do not disagree."""
    replicas = [new_frame_replica(server.url) for _ in range(2)]
    for replica in replicas:
        replica.execute("INSERT INTO t VALUES(10, 'same')")
        replica.sync()
    assert peer.sql("SELECT v FROM t WHERE id = 10") == [("same",)]
    for replica in replicas:
        assert_settled(replica, peer)


@pytest.mark.parametrize("kept", [0, 40, 150])
def test_a_lost_push_answer(
    server, peer, table, new_proxy, new_frame_replica, assert_settled, kept
):
    """The server has the frames, the client does not know: it sends them again, then goes on."""
    proxy = new_proxy(server)
    replica = new_frame_replica(proxy.url)
    replica.execute("INSERT INTO t VALUES(10, 'once')")
    proxy.cut = lambda path, body: kept if is_push(path, body) else None
    sync_with_losses(replica)
    assert proxy.cuts_made == 1
    assert peer.sql("SELECT v FROM t WHERE id = 10") == [("once",)]
    assert replica.position == (1, 0)
    proxy.cut = nothing
    replica.execute("INSERT INTO t VALUES(11, 'later')")
    replica.sync()
    assert replica.position[1] == len(replica.log_frames())
    assert peer.sql("SELECT id, v FROM t WHERE id >= 10") == [(10, "once"), (11, "later")]
    assert_settled(replica, peer)


def test_a_lost_push_answer_and_another_writer(server, peer, table, new_proxy, new_frame_replica):
    """What the server took before is no conflict, what comes behind another's frames is."""
    proxy = new_proxy(server)
    replica = new_frame_replica(proxy.url)
    replica.execute("INSERT INTO t VALUES(10, 'mine')")
    proxy.cut = lambda path, body: 0 if is_push(path, body) else None
    sync_with_losses(replica)
    proxy.cut = nothing
    peer.sql("INSERT INTO t VALUES(11, 'theirs')")
    replica.sync()
    replica.sync()
    assert replica.rows("SELECT v FROM t WHERE id >= 10") == [("mine",), ("theirs",)]
    replica.execute("INSERT INTO t VALUES(12, 'mine')")
    peer.sql("INSERT INTO t VALUES(13, 'theirs')")
    with pytest.raises(ReplicaError, match=CONFLICT):
        replica.sync()


def test_a_lost_push_answer_and_a_long_transaction_of_another(
    server, peer, table, new_proxy, new_frame_replica
):
    """What the client sends again is right in its first frame, and wrong in the next ones, which
    end within the other's transaction."""
    proxy = new_proxy(server)
    replica = new_frame_replica(proxy.url)
    replica.execute("INSERT INTO t VALUES(10, 'mine')")
    proxy.cut = lambda path, body: 0 if is_push(path, body) else None
    sync_with_losses(replica)
    proxy.cut = nothing
    peer.sql("INSERT INTO t VALUES(11, ?)", b"theirs" * 5000)
    replica.execute("INSERT INTO t VALUES(12, 'mine')")
    with pytest.raises(ReplicaError, match=CONFLICT):
        replica.sync()
    assert peer.sql("SELECT id FROM t WHERE id >= 10") == [(10,), (11,)]


def sync_with_losses(replica):
    """Some of the client's losses are errors, some are not; either way nothing was confirmed."""
    before = replica.position
    try:
        replica.sync()
    except ReplicaError as error:
        assert "sync error" in error.message
    assert replica.position == before


@pytest.mark.parametrize("batch", range(1, 6))
@pytest.mark.parametrize("lose_request", [True, False], ids=["request", "answer"])
def test_a_batch_in_the_middle_is_lost(
    server, peer, new_proxy, new_frame_replica, assert_settled, batch, lose_request
):
    """Of a transaction in five batches: nothing of it shows until all of it is there."""
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    proxy = new_proxy(server)
    replica = new_frame_replica(proxy.url)
    replica.write_many("INSERT INTO t VALUES(?, ?)", ROWS)
    assert 4 * 128 < len(replica.log_frames()) <= 5 * 128
    batches = []

    def is_the_one(path, body):
        if body and not (batches and batches[-1] == path):
            batches.append(path)
        return bool(body) and len(batches) == batch

    if lose_request:
        proxy.lose = is_the_one
    else:
        proxy.cut = lambda path, body: 0 if is_the_one(path, body) else None
    sync_with_losses(replica)
    assert len(batches) == batch and proxy.cuts_made >= 1
    is_done = batch == 5 and not lose_request
    assert peer.sql("SELECT count(*) FROM t") == [(2000 if is_done else 0,)]
    proxy.lose, proxy.cut = (lambda path, body: False), nothing
    replica.sync()
    assert peer.sql("SELECT count(*), sum(id) FROM t") == [(2000, 2_001_000)]
    assert replica.position == (1, len(replica.log_frames()))
    assert_settled(replica, peer)


@pytest.mark.parametrize("is_known", [True, False], ids=["session known", "session lost"])
def test_frames_never_land_behind_those_of_others(
    server, peer, new_proxy, new_frame_replica, is_known
):
    """The first batches are staged, or lost with a restart, then somebody else commits fewer
    frames. The next batch must not be told to go on behind them: the client would believe that
    they were its own, and half of its transaction would be applied to another's pages."""
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    proxy = new_proxy(server)
    replica = new_frame_replica(proxy.url)
    replica.write_many("INSERT INTO t VALUES(?, ?)", ROWS)
    pushes = []

    def interfere(path, body):
        pushes.extend([path] if body else [])
        if body and len(pushes) == 3:
            if not is_known:
                server.restart(kill=True)
            peer.sql("INSERT INTO t VALUES(100000, 'between')")
        return False

    proxy.lose = interfere
    with pytest.raises(ReplicaError, match=CONFLICT):
        replica.sync()
    for _ in range(2):
        with pytest.raises(ReplicaError, match=CONFLICT):
            replica.sync()
    assert peer.sql("SELECT id FROM t") == [(100_000,)]
    assert peer.sql("PRAGMA integrity_check") == [("ok",)]


def test_two_clients_stage_at_the_same_time(
    server, peer, new_proxy, new_frame_replica, assert_settled
):
    """Each has its own baton; the one that comes to the end first wins."""
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    proxy = new_proxy(server)
    slow, quick = new_frame_replica(proxy.url), new_frame_replica(server.url)
    for replica in (slow, quick):
        replica.write_many(
            "INSERT INTO t VALUES(?, ?)", [(number, value[::-1]) for number, value in ROWS]
        )
    slow.execute("UPDATE t SET v = 'slow' WHERE id = 1")
    quick.execute("UPDATE t SET v = 'quick' WHERE id = 1")
    pushes = []

    def overtake(path, body):
        pushes.extend([path] if body else [])
        if body and len(pushes) == 2:
            quick.sync()
        return False

    proxy.lose = overtake
    with pytest.raises(ReplicaError, match=CONFLICT):
        slow.sync()
    assert peer.sql("SELECT v FROM t WHERE id = 1") == [("quick",)]
    assert peer.sql("SELECT count(*) FROM t") == [(2000,)]
    assert_settled(quick, peer)


def test_a_client_that_is_killed_while_it_pushes(
    server, peer, new_proxy, new_frame_replica, assert_settled
):
    peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    proxy = new_proxy(server)
    replica = new_frame_replica(proxy.url)
    replica.write_many("INSERT INTO t VALUES(?, ?)", ROWS)
    replica.execute("INSERT INTO t VALUES(3000, 'behind')")
    for last in (1, 3, 4):
        pushes = []

        def kill(path, body):
            pushes.extend([path] if body else [])
            if len(pushes) == last:
                replica.process.kill()
                return True
            return False

        proxy.lose = kill
        replica.begin("sync")
        with pytest.raises(AssertionError, match="the client ended with -9"):
            replica.finish()
        replica.end()
        assert peer.sql("SELECT count(*) FROM t") == [(0,)]
        proxy.lose = lambda path, body: False
        replica.open()
    replica.sync()
    assert peer.sql("SELECT count(*) FROM t") == [(2001,)]
    assert_settled(replica, peer)


@pytest.mark.parametrize("kept", [0, 30, 300, 5000, 100_000])
def test_a_cut_pull_can_be_repeated(
    server, peer, table, new_proxy, new_frame_replica, assert_settled, kept
):
    proxy = new_proxy(server)
    replica = new_frame_replica(proxy.url)
    peer.sql("INSERT INTO t(v) SELECT randomblob(900) FROM generate_series(1, 200)")
    proxy.cut = lambda path, body: kept
    sync_with_losses(replica)
    assert proxy.cuts_made >= 1
    assert replica.rows("SELECT count(*) FROM t") == [(2,)]
    proxy.cut = nothing
    assert_settled(replica, peer)
    assert replica.rows("SELECT count(*) FROM t") == [(202,)]


def test_a_cut_bootstrap_can_be_repeated(
    server, peer, table, new_proxy, new_frame_replica, assert_settled
):
    peer.sql("INSERT INTO t(v) SELECT randomblob(900) FROM generate_series(1, 200)")
    proxy = new_proxy(server)
    proxy.cut = lambda path, body: 20_000 if "/export/" in path else None
    with pytest.raises(ReplicaError):
        new_frame_replica(proxy.url, name="cut")
    proxy.cut = nothing
    replica = new_frame_replica(proxy.url, name="cut")
    assert_settled(replica, peer)
