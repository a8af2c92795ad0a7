"""Pins: who has one, when it goes, and what becomes of a replica whose pin is gone."""

import json

import pytest

from load import Writer
from pages import assert_pages_equal, fetch_image
from replica import ReplicaHung
from states import SCAN, assert_reads, server_state
from wire import PAGE_SIZE, PullRequest, Refused, read_message

# Without prefetching: that would bring such a small database whole.
PARTIAL = {"prefix": 4096, "segment_size": 8 * 4096, "prefetch": False}


@pytest.fixture
def writer(stopped_server):
    stopped_server.arguments = ["--min-checkpoint-page-count=20"]
    stopped_server.start()
    writer = Writer(stopped_server.url)
    writer.create()
    writer.fill(400)
    return writer


@pytest.fixture
def recording(new_proxy, stopped_server, writer):
    """A proxy that lets everything through, and the pulls that it saw, decoded."""
    proxy = new_proxy(stopped_server)
    proxy.pulls = []

    def record(path, body):
        if path.endswith("/pull-updates"):
            proxy.pulls.append(read_message(body))

    proxy.cut = record
    return proxy


def has_lazy_reads(proxy):
    return any(2 in fields for fields in proxy.pulls)


def commit_number(revision):
    """The commit that a revision names, by the revision's documented form."""
    return int(revision.split(".")[3], 16)


def pin_of(server, id):
    return next(pin for pin in server.pins() if pin["id"] == id)


def test_partial_replicas_have_pins_and_full_ones_none(stopped_server, writer, new_replica):
    full = new_replica(stopped_server.url)
    assert stopped_server.pins() == []
    base = writer.peer.pull()
    partial = new_replica(stopped_server.url, partial=PARTIAL)
    pin = stopped_server.pins()[0]
    assert pin["base_pages"] == base.db_size
    first = commit_number(base.revision)
    assert (pin["base"], pin["position"], pin["echoed"]) == (first, first, first)
    new_replica(stopped_server.url, partial=PARTIAL)
    assert len({each["id"] for each in stopped_server.pins()}) == 2

    writer.commits(50)
    for replica in (full, partial):
        assert replica.pull() is True
    head = commit_number(writer.peer.pull().revision)
    pulled = pin_of(stopped_server, pin["id"])
    assert (pulled["base"], pulled["position"], pulled["echoed"]) == (first, head, first)
    assert partial.pull() is False
    echoed = pin_of(stopped_server, pin["id"])
    assert (echoed["base"], echoed["position"], echoed["echoed"]) == (first, head, head)
    stopped_server.restart(kill=True)
    again = pin_of(stopped_server, pin["id"])
    assert (again["base"], again["position"]) == (first, head)
    assert len(stopped_server.pins()) == 2
    listed = stopped_server.database_command("pins", "default")
    assert listed.returncode == 0, listed.stderr
    assert all(each["id"] in listed.stdout for each in stopped_server.pins())


def test_a_lazy_read_without_its_pin_is_refused(stopped_server, writer):
    peer = writer.peer
    first = peer.pull(PullRequest(pages=[0]))
    request = PullRequest(server_revision=first.revision, pages=range(1, 9))
    assert len(peer.pull(request).pages) == 8
    stopped_server.drop_pins()
    for restart in (False, True):
        with pytest.raises(Refused) as refused:
            peer.pull(request)
        assert refused.value.status == 410
        assert json.loads(refused.value.body)["code"] == "revision_gone"
        if not restart:
            stopped_server.restart(kill=True)
    # Its own revision heals it though nothing changed: every page, and no replica id any more.
    healed = peer.pull(PullRequest(client_revision=first.revision))
    whole = peer.pull()
    assert (healed.revision, healed.pages) == (whole.revision, whole.pages)
    assert peer.pull(PullRequest(client_revision=healed.revision)).pages == {}
    assert stopped_server.pins() == []


def test_the_quota_drops_pins_and_never_pages(stopped_server, writer):
    """Replicas at more states than the quota can hold: some go, the others read right."""
    stopped_server.stop()
    stopped_server.arguments.append("--history-quota=64KiB")
    stopped_server.start()
    peer = writer.peer
    replicas = []
    for _ in range(6):
        whole = peer.pull()
        first = peer.pull(PullRequest(pages=[0]))
        replicas.append((first.revision, whole.pages))
        # Another state altogether. All but two pages are asked for: none may look complete.
        peer.sql("UPDATE items SET v = randomblob(1000)")
        peer.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    quota = 2 * max(len(pages) for _, pages in replicas) * PAGE_SIZE
    assert stopped_server.statistics()["history_bytes"] <= quota
    kept = {pin["id"] for pin in stopped_server.pins()}
    assert 0 < len(kept) < len(replicas)
    stopped_server.restart(kill=True)
    for revision, pages in replicas:
        wanted = {page_id: page for page_id, page in pages.items() if page_id > 1}
        request = PullRequest(server_revision=revision, pages=wanted)
        if revision.split(".")[4] in kept:
            assert peer.pull(request).pages == wanted
            continue
        with pytest.raises(Refused) as refused:
            peer.pull(request)
        assert refused.value.status == 410
        healed = peer.pull(PullRequest(client_revision=revision))
        assert healed.pages == fetch_image(peer)
    assert stopped_server.log_text().count("event=pin_dropped") == len(replicas) - len(kept)


@pytest.mark.parametrize("changed", [False, True], ids=["unchanged", "changed"])
@pytest.mark.parametrize("pulled_before", [False, True], ids=["at-base", "after-a-pull"])
@pytest.mark.parametrize("unpushed", [False, True], ids=["", "unpushed"])
def test_the_next_pull_heals_a_replica_whose_pin_was_dropped(
    stopped_server, writer, recording, new_replica, changed, pulled_before, unpushed
):
    replica = new_replica(recording.url, partial=PARTIAL)
    # It has read a part before.
    replica.rows("SELECT * FROM items WHERE id BETWEEN 100 AND 120")
    assert has_lazy_reads(recording)
    if pulled_before:
        writer.commits(50)
        assert replica.pull() is True
    if unpushed:
        # Reading for this is lazy still, so it comes before the pin goes.
        replica.write("INSERT INTO items VALUES(-5, 1, 'mine')")
        replica.write("UPDATE items SET n = -1 WHERE id = 110")
    stopped_server.drop_pins()
    if changed:
        writer.commits(200)
    recording.pulls.clear()

    assert replica.pull() is True
    if unpushed:
        assert replica.rows("SELECT v FROM items WHERE id = -5") == [("mine",)]
        replica.push()
        assert replica.pull() is True
    state = server_state(writer.peer, "the healing pull")
    assert_reads(replica, state)
    assert replica.rows("PRAGMA integrity_check") == [("ok",)]
    replica.checkpoint()
    assert_reads(replica, state)
    replica.reopen()
    assert_reads(replica, state)
    assert replica.pull() is False
    # From here on it is as good as a full one.
    writer.shrink()
    writer.fill(600)
    assert replica.pull() is True
    replica.checkpoint()
    replica.reopen()
    assert_reads(replica, server_state(writer.peer, "the end"))
    replica.write("INSERT INTO items VALUES(-6, 1, 'later')")
    replica.push()
    assert writer.peer.sql("SELECT v FROM items WHERE id = -6") == [("later",)]
    while replica.pull():
        pass
    assert_pages_equal(replica, fetch_image(writer.peer))
    assert not has_lazy_reads(recording), "a healed replica read lazily"


def test_an_application_that_hangs_for_a_dropped_pin_is_healed_by_starting_again(
    stopped_server, writer, recording, new_replica
):
    """The client waits for ever for a page that is refused; a new process has to pull first."""
    replica = new_replica(recording.url, partial=PARTIAL)
    replica.write("INSERT INTO items VALUES(-5, 1, 'mine')")
    stopped_server.drop_pins()
    replica.begin("digests", SCAN)
    with pytest.raises(ReplicaHung):
        replica.finish(timeout=2.0)
    assert has_lazy_reads(recording)
    recording.pulls.clear()
    replica.open()
    assert replica.pull() is True
    replica.push()
    assert replica.pull() is True
    assert_reads(replica, server_state(writer.peer, "the healing pull"))
    assert replica.rows("SELECT v FROM items WHERE id = -5") == [("mine",)]
    assert replica.rows("PRAGMA integrity_check") == [("ok",)]
    assert not has_lazy_reads(recording)


@pytest.mark.parametrize("threshold", [8 * 4096, 40 * 4096])
@pytest.mark.parametrize("writes", [False, True], ids=["quiet", "while-writing"])
def test_a_chunked_bootstrap_needs_its_pin_no_longer(
    stopped_server, writer, recording, new_replica, threshold, writes
):
    record = recording.cut
    answers = []

    def write_between_chunks(path, body):
        record(path, body)
        answers.append(path)
        if writes:
            writer.commits(30)

    recording.cut = write_between_chunks
    replica = new_replica(recording.url, pull_bytes_threshold=threshold)
    recording.cut = record
    assert len(answers) > 2, "the bootstrap was not chunked"
    assert len(stopped_server.pins()) == 1
    assert replica.pull() is writes
    # The echo of what that pull brought.
    assert replica.pull() is False
    assert stopped_server.pins() == []
    recording.pulls.clear()
    writer.commits(100)
    stopped_server.restart(kill=True)
    assert stopped_server.pins() == []
    assert replica.pull() is True
    assert_reads(replica, server_state(writer.peer, "a pull"))
    replica.checkpoint()
    replica.reopen()
    assert_reads(replica, server_state(writer.peer, "a pull"))
    assert replica.rows("PRAGMA integrity_check") == [("ok",)]
    assert not has_lazy_reads(recording)


def test_a_prefix_bootstrap_that_reads_all_lazily_keeps_its_pin_or_needs_none(
    stopped_server, writer, recording, new_replica
):
    """It looks like a chunked one. Whatever the server makes of it, it goes on reading right."""
    replica = new_replica(recording.url, partial=PARTIAL)
    base = server_state(writer.peer, "the bootstrap")
    assert_reads(replica, base)
    assert replica.rows("PRAGMA integrity_check") == [("ok",)]
    assert has_lazy_reads(recording)
    for turn in range(3):
        writer.commits(100)
        assert replica.pull() is True
        state = server_state(writer.peer, f"pull {turn}")
        replica.checkpoint()
        assert_reads(replica, state)
        stopped_server.restart(kill=turn == 1)
        replica.reopen()
        assert_reads(replica, state)
