"""Fixtures: a real server, its databases, and replicas held by the real client."""

import os
import re

import pytest

from pages import assert_pages_equal, fetch_image, image_contents, replica_contents
from pages import Contents
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
        exported = directory / "export.db"
        match = re.search(r"/(?:db|dev)/([^/]+)$", peer.prefix)
        name = match.group(1) if match else "default"
        done = stopped_server.database_command("export", name, exported)
        assert done.returncode == 0, done.stderr
        export = Contents(exported)
        assert export.integrity == ["ok"]
        assert export.rows == theirs.rows
        assert export.schema == theirs.schema

    return check
