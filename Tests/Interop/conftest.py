"""Fixtures: a real server, its databases, and replicas held by the real client."""

import json
import os
import re

import pytest

from frame_replica import FrameReplica, settle
from pages import assert_images_equal, assert_pages_equal, fetch_image
from pages import Contents, image_contents, replica_contents
from proxy import CuttingProxy
from replica import Replica
from tidemark_server import Server
from wire import Peer


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the server's log with each failure."""
    report = yield
    server = getattr(item, "funcargs", {}).get("stopped_server")
    if report.failed and server is not None:
        report.sections.append(("server log", server.log_text()[-8000:]))
    return report


@pytest.fixture
def stopped_server(tmp_path):
    """A server that the test starts itself, on an empty data directory."""
    binary = os.environ.get("TIDEMARK_BINARY")
    if not binary:
        pytest.fail("TIDEMARK_BINARY must name the server's executable")
    server = Server(binary, tmp_path / "data", tmp_path / "server.log")
    yield server
    if server.process is not None:
        server.kill()


@pytest.fixture
def server(stopped_server):
    stopped_server.start()
    return stopped_server


@pytest.fixture
def peer(server):
    """A plain client of the default database."""
    return Peer(server.url)


@pytest.fixture
def new_peer():
    """Makes plain clients of servers that the test started itself."""
    return lambda server: Peer(server.url)


@pytest.fixture
def new_replica(tmp_path):
    """Opens replicas with the real client and ends them with the test."""
    replicas = []

    def open_replica(url, name=None, **options):
        directory = tmp_path / (name or f"replica{len(replicas)}")
        directory.mkdir(exist_ok=True)
        replica = Replica(directory / "local.db", url, **options)
        replicas.append(replica)
        return replica

    yield open_replica
    for replica in replicas:
        replica.end()


@pytest.fixture
def new_frame_replica(tmp_path):
    """Opens frame sync replicas with the real client and ends them with the test."""
    replicas = []

    def open_replica(url, name=None, **options):
        directory = tmp_path / (name or f"frames{len(replicas)}")
        directory.mkdir(exist_ok=True)
        replica = FrameReplica(directory / "local.db", url, **options)
        replicas.append(replica)
        replica.sync()  # Opening takes the generation's base; its frames come with this.
        return replica

    yield open_replica
    for replica in replicas:
        replica.end()


@pytest.fixture
def new_proxy():
    proxies = []

    def open_proxy(server):
        proxies.append(CuttingProxy(server.http))
        return proxies[-1]

    yield open_proxy
    for proxy in proxies:
        proxy.close()


@pytest.fixture
def assert_converged(stopped_server, tmp_path):
    """Pulls until nothing is new, then compares: pages, rows and integrity on both sides."""
    counter = iter(range(1000))

    def check(replica, peer):
        pulls = 0
        while replica.pull():
            pulls += 1
            assert pulls < 5, "pull keeps finding changes though nobody writes"
        directory = tmp_path / f"check{next(counter)}"
        image = fetch_image(peer)
        assert_pages_equal(replica, image)
        ours = replica_contents(replica, directory)
        theirs = image_contents(image, directory)
        assert (ours.integrity, theirs.integrity) == (["ok"], ["ok"])
        assert ours.schema == theirs.schema
        assert ours.rows == theirs.rows
        assert_export_equal(stopped_server, peer, theirs, directory)

    return check


@pytest.fixture
def assert_settled(stopped_server, tmp_path):
    """Syncs a frame replica until nothing is new, then compares: every byte of every page, and
    integrity and rows on both sides."""
    counter = iter(range(1000))

    def check(replica, peer):
        settle(replica)
        image = fetch_image(peer)
        assert_images_equal(replica.image(), image)
        directory = tmp_path / f"settled{next(counter)}"
        ours = replica_contents(replica, directory)
        theirs = image_contents(image, directory)
        assert (ours.integrity, theirs.integrity) == (["ok"], ["ok"])
        assert (ours.schema, ours.rows) == (theirs.schema, theirs.rows)
        assert_export_equal(stopped_server, peer, theirs, directory)

    return check


@pytest.fixture
def checkpoint(stopped_server):
    """Runs a checkpoint of the default database; TRUNCATE and RESTART end a generation."""

    def run(mode):
        status, _, body = Peer(stopped_server.admin).request(
            "POST", "/v1/namespaces/default/checkpoint", json.dumps({"mode": mode}).encode()
        )
        assert status == 200, body
        assert set(json.loads(body)) == {"busy", "log", "checkpointed"}

    return run


def assert_export_equal(server, peer, expected, directory):
    """An administrator's export holds what a pulled image holds."""
    exported = directory / "export.db"
    match = re.search(r"/(?:db|dev)/([^/]+)$", peer.prefix)
    name = match.group(1) if match else "default"
    done = server.database_command("export", name, exported)
    assert done.returncode == 0, done.stderr
    export = Contents(exported)
    assert export.integrity == ["ok"]
    assert export.rows == expected.rows
    assert export.schema == expected.schema
