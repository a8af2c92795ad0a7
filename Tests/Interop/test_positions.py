"""What a partial replica reads between its pulls: its position, neither older nor newer."""

import random

import pytest

from digests import digests_by_id
from load import Writer
from replica import ReplicaError, ReplicaHung
from states import SCAN, assert_reads, open_image, server_state
from wire import PAGE_SIZE, PullRequest, read_message

PARTIAL = {"prefix": 4096, "segment_size": 8 * 4096, "prefetch": False}


@pytest.fixture
def writer(stopped_server):
    """A server that checkpoints often, with some rows."""
    stopped_server.arguments = ["--min-checkpoint-page-count=20"]
    stopped_server.start()
    writer = Writer(stopped_server.url)
    writer.create()
    writer.fill(400)
    return writer


def update(writer, remainder):
    """Changes a fifth of the rows, all over the file, without moving any."""
    writer.peer.sql("UPDATE items SET v = randomblob(1000) WHERE id % 5 = ?", remainder)


def lazy_requests(requests):
    """Those of the recorded pulls that asked for pages of a revision."""
    return [body for path, body in requests if "pull" in path and 2 in read_message(body)]


@pytest.fixture
def recording(new_proxy, stopped_server, writer):
    """A proxy that lets everything through, and the requests that it saw."""
    proxy = new_proxy(stopped_server)
    proxy.requests = []
    proxy.cut = lambda path, body: proxy.requests.append((path, body))
    return proxy


@pytest.mark.parametrize("later", [False, True], ids=["", "and-later-updates"])
@pytest.mark.parametrize("restart", [None, "SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("echo", [False, True], ids=["no-echo", "echo"])
def test_no_row_goes_back(
    stopped_server, writer, recording, new_replica, echo, restart, later
):
    """Bootstrap, updates, pull, the client's checkpoint, and only then all the pages."""
    replica = new_replica(recording.url, partial=PARTIAL)
    update(writer, 0)
    assert replica.pull() is True
    pulled = server_state(writer.peer, "the pull")
    if echo:
        assert replica.pull() is False
    if later:
        # The replica has not pulled these.
        update(writer, 1)
        update(writer, 0)
        writer.commits(100)
    if restart:
        stopped_server.restart(kill=restart == "SIGKILL")
    replica.checkpoint()
    recording.requests.clear()
    assert_reads(replica, pulled)
    assert lazy_requests(recording.requests), "the replica was not partial any more"
    assert replica.rows("PRAGMA integrity_check") == [("ok",)]
    replica.reopen()
    assert_reads(replica, pulled)
    assert replica.pull() is later
    replica.checkpoint()
    assert_reads(replica, server_state(writer.peer, "the end"))


@pytest.mark.parametrize("seed", range(3))
def test_several_pulls(stopped_server, writer, new_replica, seed):
    """Each piece is read at another position; at the end everything is as of the last one."""
    source = random.Random(seed)
    replica = new_replica(stopped_server.url, partial={**PARTIAL, "segment_size": 4096})
    state = server_state(writer.peer, "the bootstrap")
    for turn in range(8):
        update(writer, turn % 5)
        if source.random() < 0.5:
            writer.commits(30)
        if source.random() < 0.7:
            assert replica.pull() is True
            state = server_state(writer.peer, f"pull {turn}")
            if source.random() < 0.3:
                assert replica.pull() is False
        if source.random() < 0.5:
            replica.checkpoint()
        if source.random() < 0.3:
            stopped_server.restart(kill=source.random() < 0.5)
        low = source.randrange(400)
        rows = replica.digests(f"{SCAN} WHERE id BETWEEN {low} AND {low + 40}")
        assert rows == {i: d for i, d in state.rows.items() if low <= i <= low + 40}
    replica.checkpoint()
    assert_reads(replica, state)
    replica.pull()
    replica.checkpoint()
    assert_reads(replica, server_state(writer.peer, "the end"))
    assert replica.rows("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("after_a_pull", [False, True], ids=["at-base", "after-a-pull"])
def test_a_pull_that_could_not_be_sent(
    stopped_server, writer, new_proxy, new_replica, after_a_pull
):
    """The server knows that the end did not leave: it goes on reading as before the pull."""
    proxy = new_proxy(stopped_server)
    replica = new_replica(proxy.url, partial=PARTIAL)
    if after_a_pull:
        update(writer, 3)
        assert replica.pull() is True
    before = server_state(writer.peer, "before the cut")
    update(writer, 0)
    writer.fill(20_000)
    proxy.give_up = lambda path, body: 300_000
    with pytest.raises(ReplicaError):
        replica.pull()
    assert proxy.cuts_made == 1
    proxy.give_up = lambda path, body: None
    assert_reads(replica, before)
    assert replica.pull() is True
    replica.checkpoint()
    assert_reads(replica, server_state(writer.peer, "the pull"))


@pytest.mark.parametrize("restart", [False, True], ids=["", "restart"])
@pytest.mark.parametrize("limit", [0, 30, 5000, 40_000])
def test_a_pull_whose_answer_got_lost(
    stopped_server, writer, new_proxy, new_replica, limit, restart
):
    """The server sent all of it. The next pull says how far the replica really is."""
    proxy = new_proxy(stopped_server)
    replica = new_replica(proxy.url, partial=PARTIAL)
    update(writer, 0)
    proxy.cut = lambda path, body: limit
    with pytest.raises(ReplicaError):
        replica.pull()
    assert proxy.cuts_made == 1
    proxy.cut = lambda path, body: None
    if restart:
        stopped_server.restart(kill=True)
    update(writer, 1)
    assert replica.pull() is True
    pulled = server_state(writer.peer, "the second pull")
    update(writer, 0)
    replica.checkpoint()
    assert_reads(replica, pulled)
    assert replica.rows("PRAGMA integrity_check") == [("ok",)]


def test_reading_after_a_lost_answer(stopped_server, writer, new_proxy, new_replica):
    """Nobody can know which of the two the replica is at. Rows are whole; the next pull heals."""
    proxy = new_proxy(stopped_server)
    replica = new_replica(proxy.url, partial=PARTIAL)
    old = server_state(writer.peer, "the bootstrap").rows
    update(writer, 0)
    new = server_state(writer.peer, "the lost answer").rows
    proxy.cut = lambda path, body: 5000
    with pytest.raises(ReplicaError):
        replica.pull()
    assert proxy.cuts_made == 1
    proxy.cut = lambda path, body: None
    rows = replica.digests(SCAN)
    assert rows.keys() == old.keys()
    assert all(rows[id] in (old[id], new[id]) for id in rows)
    update(writer, 1)
    assert replica.pull() is True
    replica.checkpoint()
    assert_reads(replica, server_state(writer.peer, "the second pull"))


@pytest.mark.parametrize("restart", [None, "SIGTERM", "SIGKILL"])
def test_pages_around_a_shrink(stopped_server, writer, restart):
    """Page by page: what exists, what was cut off, and what never did."""
    peer = writer.peer
    base = peer.pull()
    first = peer.pull(PullRequest(pages=[0]))
    # All but two. The first page is the client's own and does not come with others; and a client
    # that was sent every page is not taken for a partial one.
    asked = range(2, base.db_size + 100)
    writer.shrink()

    def lazily():
        if restart:
            stopped_server.restart(kill=restart == "SIGKILL")
        answer = peer.pull(PullRequest(server_revision=first.revision, pages=asked))
        assert (answer.revision, answer.db_size) == (first.revision, base.db_size)
        assert sorted(answer.pages) == [each for each in asked if each < base.db_size]
        return answer.pages

    def part(image, pages):
        return {page_id: image[page_id] for page_id in pages if page_id > 1}

    assert lazily() == part(base.pages, base.pages)
    small = peer.pull(PullRequest(client_revision=first.revision))
    assert small.db_size < base.db_size // 2
    image = {**base.pages, **small.pages}
    # What the shrink cut off is as the replica's older position had it: it may be there still.
    assert lazily() == part(image, image)
    # The replica says that it has the small one: pages that it lost need not be kept.
    assert peer.pull(PullRequest(client_revision=small.revision)).pages == {}
    pages = lazily()
    inside, beyond = range(small.db_size), range(small.db_size, base.db_size)
    assert part(pages, inside) == part(image, inside)
    if restart != "SIGKILL":
        # Such an echo alone is not flushed: after a kill it may be forgotten.
        assert {pages[page_id] for page_id in beyond} == {bytes(PAGE_SIZE)}
    # Grown again, beyond the first size; not seen before it is pulled.
    writer.fill(600)
    assert part(lazily(), inside) == part(image, inside)
    large = peer.pull(PullRequest(client_revision=small.revision))
    assert large.db_size > base.db_size
    whole = peer.pull()
    assert lazily() == part(whole.pages, range(base.db_size))
    rows = digests_by_id(open_image(whole.pages).execute(SCAN))
    assert rows == server_state(peer, "the end").rows


@pytest.mark.parametrize("scan_between", [False, True], ids=["", "scans"])
def test_a_replica_across_a_shrink(stopped_server, writer, new_replica, scan_between):
    replica = new_replica(stopped_server.url, partial=PARTIAL)
    state = server_state(writer.peer, "the bootstrap")
    for step in (writer.shrink, lambda: writer.fill(150), lambda: writer.fill(800)):
        step()
        if scan_between:
            assert_reads(replica, state)
        assert replica.pull() is True
        state = server_state(writer.peer, "a pull")
        replica.checkpoint()
    stopped_server.restart(kill=True)
    assert_reads(replica, state)
    assert replica.rows("PRAGMA integrity_check") == [("ok",)]
    replica.write("INSERT INTO items VALUES(-1, 1, 'mine')")
    replica.push()
    assert replica.pull() is True
    assert_reads(replica, server_state(writer.peer, "the end", check=True))


def test_the_tables_of_the_client_survive_its_lazy_reads(stopped_server, writer, new_replica):
    """The client keeps tables of its own and has the schema's root in its file after a checkpoint.

    A lazy read that brings the server's first page again would take them away, and every later
    pull would fail with "Database schema changed".
    """
    replica = new_replica(stopped_server.url, partial=PARTIAL)
    base = server_state(writer.peer, "the bootstrap")
    replica.checkpoint()
    assert_reads(replica, base)
    update(writer, 0)
    assert replica.pull() is True
    assert_reads(replica, server_state(writer.peer, "the pull"))


def test_a_lost_lazy_answer_can_be_asked_for_again(
    stopped_server, writer, new_proxy, new_replica
):
    """The server sent all pages, the client got none: a pull does not show the contrary."""
    proxy = new_proxy(stopped_server)
    # One segment is the whole database.
    partial = {"prefix": 4096, "segment_size": 4 << 20, "prefetch": False}
    replica = new_replica(proxy.url, partial=partial, timeout=10.0)
    base = server_state(writer.peer, "the bootstrap")
    proxy.cut = lambda path, body: 0
    replica.begin("digests", SCAN)
    # The statement waits for ever now; the user ends the application.
    with pytest.raises(ReplicaHung):
        replica.finish(timeout=2.0)
    assert proxy.cuts_made >= 1
    proxy.cut = lambda path, body: None
    replica.open()
    assert replica.pull() is False
    assert_reads(replica, base)
    update(writer, 0)
    assert replica.pull() is True
    assert_reads(replica, server_state(writer.peer, "the pull"))
