#!/usr/bin/env python3
"""How time and memory grow: with the size of a database, with clients, databases, the commits that
a replica is behind, and the history that is kept for partial replicas.

Prints a table for each, writes the figures as JSON and the plots as SVG. A curve is linear or
better where its slope on the logarithmic axes is at most 1; the slope over the upper half of each
is printed.

Usage: curves.py [--binary PATH] [--bench PATH] [--json FILE] [--plots DIR] [--quick]
[CURVE ...]; without --binary and --bench, the environment's TIDEMARK_BINARY and the
tidemark-bench beside it. Use release builds. Standard library only.
"""

import argparse
import json
import math
import os
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

sys.path[1:1] = [str(Path(__file__).parent.parent / "Interop")]

from plots import log_plot
from tidemark_server import Server
from wire import Peer, PullRequest

MIB = 1 << 20


def main():
    options = parse_arguments()
    results = {}
    for name in options.curves:
        with tempfile.TemporaryDirectory(prefix="tidemark-curve-") as folder:
            print(f"{name}: {CURVES[name].__doc__.strip()}")
            curve = CURVES[name](options, Path(folder))
            curve.print()
            slopes = {figure: curve.slope(figure) for figure in curve.figures}
            results[name] = {"variable": curve.variable, "rows": curve.rows, "slopes": slopes}
            if options.plots:
                options.plots.mkdir(parents=True, exist_ok=True)
                (options.plots / f"{name}.svg").write_text(curve.plot(name))
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1) + "\n")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.environ.get("TIDEMARK_BINARY"))
    parser.add_argument("--bench", help="the load generator")
    parser.add_argument("--json", help="write the figures to this file, too")
    parser.add_argument("--plots", type=Path, help="write a plot of each curve to this folder")
    parser.add_argument("--quick", action="store_true", help="leave the large sizes out")
    parser.add_argument("curves", nargs="*", choices=[[], *CURVES], metavar="CURVE")
    options = parser.parse_args()
    if not options.binary:
        parser.error("--binary or TIDEMARK_BINARY has to name the server")
    options.bench = options.bench or str(Path(options.binary).with_name("tidemark-bench"))
    options.curves = options.curves or list(CURVES)
    return options


class Curve:
    """Rows of figures over one variable."""

    def __init__(self, variable):
        self.variable = variable
        self.rows = []

    def add(self, value, **figures):
        self.rows.append({self.variable: value, **figures})
        print("  " + ", ".join(f"{k} {v:,.6g}" for k, v in self.rows[-1].items()), flush=True)

    @property
    def figures(self):
        return [name for name in self.rows[0] if name != self.variable]

    def points(self, figure):
        return [(row[self.variable], row[figure]) for row in self.rows if row[figure] > 0]

    def slope(self, figure):
        """Over the upper half: the power of the variable that the figure grows with."""
        points = self.points(figure)
        half = points[len(points) // 2 - (len(points) < 3) :]
        (x1, y1), (x2, y2) = half[0], half[-1]
        return math.log(y2 / y1) / math.log(x2 / x1) if x2 > x1 else 0.0

    def print(self):
        for figure in self.figures:
            print(f"  {figure} grows with {self.variable} to the power of {self.slope(figure):.2f}")

    def plot(self, title):
        lines = {figure: self.points(figure) for figure in self.figures}
        return log_plot(title.replace("_", " "), self.variable, "", lines)


def sizes(options, *all_sizes, quick):
    return [size for size in all_sizes if not options.quick or size <= quick]


def started(options, folder, *arguments):
    server = Server(options.binary, folder / "data", folder / "log", arguments)
    server.start()
    return server


def resident_mib(server):
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise SystemExit("the server's memory is not known")


def median_ms(action, count):
    """The median time of an action, in milliseconds."""
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1000


def time_to_first_byte(url):
    """Seconds to the first byte of a bootstrap, which is broken off there."""
    return pull(url, stops=True)[0]


def pull(url, body=b"", stops=False):
    """Seconds to the first byte of a pull's answer and to its last; the answer is thrown away."""
    parts = urllib.parse.urlsplit(url)
    buffer = bytearray(4 * MIB)
    with socket.create_connection((parts.hostname, parts.port), timeout=600) as connection:
        begin = time.perf_counter()
        connection.sendall(
            f"POST {parts.path}/pull-updates HTTP/1.1\r\nhost: {parts.netloc}\r\n"
            f"connection: close\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
        )
        count = connection.recv_into(buffer)
        first = time.perf_counter() - begin
        if not buffer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"no pull: {bytes(buffer[:count])!r}")
        while not stops and connection.recv_into(buffer):
            pass
    return first, time.perf_counter() - begin


def make_database(path, mib):
    """A SQLite database of about that size."""
    database = sqlite3.connect(path, isolation_level=None)
    for pragma in ("page_size=4096", "journal_mode=OFF", "synchronous=OFF"):
        database.execute(f"PRAGMA {pragma}")
    database.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    database.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
        "INSERT INTO t(v) SELECT randomblob(4000) FROM n",
        (max(1, mib * MIB // 4096),),
    )
    database.close()


def database_size(options, folder):
    """A database of 1 MiB to 4 GiB: bootstrap, first byte, pulls, pushes, opening, memory."""
    curve = Curve("MiB")
    for mib in sizes(options, 1, 8, 64, 512, 4096, quick=64):
        path = folder / "import.db"
        path.unlink(missing_ok=True)
        make_database(path, mib)
        (folder / str(mib)).mkdir()
        server = started(options, folder / str(mib))
        try:
            imported = server.database_command("import", "big", path)
            if imported.returncode != 0:
                raise SystemExit(imported.stderr)
            server.restart()
            peer = Peer(f"{server.url}/db/big", keep_alive=True)
            opening = median_ms(lambda: peer.sql("SELECT 1"), 1)
            first, whole = pull(f"{server.url}/db/big")
            runs = [pull(f"{server.url}/db/big") for _ in range(3)]
            first_again, whole_again = map(statistics.median, zip(*runs))
            peer.sql("UPDATE t SET v = 'x' WHERE id = 1")
            newest = PullRequest(client_revision=last_revision(peer)).encode()
            no_change = median_ms(lambda: pull(f"{server.url}/db/big", newest), 200)
            insert = median_ms(lambda: peer.sql("INSERT INTO t(v) VALUES('row')"), 100)
            newer = median_ms(lambda: pull(f"{server.url}/db/big", newest), 100)
            peer.close()
            curve.add(
                mib,
                opening_ms=opening,
                first_byte_ms=max(first, first_again) * 1000,
                first_bootstrap_ms=whole * 1000,
                bootstrap_ms=whole_again * 1000,
                no_change_ms=no_change,
                incremental_ms=newer,
                insert_ms=insert,
                memory_mib=resident_mib(server),
            )
        finally:
            server.kill()
    return curve


def last_revision(peer):
    """The newest revision, without the pages."""
    first = peer.pull(PullRequest(pages=[0]))
    # A pull with a selector began a partial replica; its name is no part of the state.
    return ".".join(first.revision.split(".")[:4])


def run_bench(options, workload, *arguments):
    """The last run of tidemark-bench, as it says in its JSON."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [options.bench, workload, *map(str, arguments), "--json", file.name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise SystemExit(f"{command}: {done.stdout}{done.stderr}")
        return json.loads(Path(file.name).read_text())["runs"][-1]


def clients(options, folder):
    """1 to 2,000 clients that pull when nothing is new: latency, processor time, memory."""
    curve = Curve("clients")
    server = started(options, folder)
    try:
        Peer(server.url).sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        for count in sizes(options, 1, 8, 64, 512, 2000, quick=64):
            run = run_bench(
                options, "no-change", "--url", f"{server.url}/db/default", "--server-pid",
                server.process.pid, "--clients", count, "--warm-up", "1s", "--duration", "3s",
            )
            curve.add(
                count,
                p50_ms=run["latency_us"]["p50"] / 1000,
                p99_ms=run["latency_us"]["p99"] / 1000,
                cpu_us_per_pull=run["server"]["cpu_us_per_operation"],
                memory_mib=resident_mib(server),
            )
    finally:
        server.kill()
    return curve


def databases(options, folder):
    """1 to 10,000 databases: creating one, starting the server, first use and later use, memory."""
    curve = Curve("databases")
    server = started(options, folder)
    made = 1
    try:
        for count in sizes(options, 1, 10, 100, 1000, 10_000, quick=100):
            begin = time.perf_counter()
            created = count - made
            while made < count:
                status, answer = server.admin_request("POST", f"/v1/namespaces/db{made}/create")
                if status not in (200, 201):
                    raise SystemExit(f"create: {status} {answer}")
                made += 1
            creating = (time.perf_counter() - begin) / max(1, created)
            server.stop()
            begin = time.perf_counter()
            server.start()
            start = time.perf_counter() - begin
            used = range(max(1, count - 200), count)
            peers = [Peer(f"{server.url}/db/db{index}") for index in used] or [Peer(server.url)]
            first = [median_ms(peer.pull, 1) for peer in peers]
            later = [median_ms(peer.pull, 1) for peer in peers]
            curve.add(
                count,
                create_ms=creating * 1000,
                start_ms=start * 1000,
                first_use_ms=statistics.median(first),
                later_use_ms=statistics.median(later),
                memory_mib=resident_mib(server),
            )
    finally:
        server.kill()
    return curve


def commits_behind(options, folder):
    """A replica that is 1 to 1,000,000 commits behind: its pull, and what is kept for it."""
    curve = Curve("commits")
    server = started(options, folder)
    try:
        peer = Peer(server.url, keep_alive=True)
        peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        peer.sql("INSERT INTO t SELECT value, zeroblob(400) FROM generate_series(1, 20000)")
        total = max(sizes(options, 1, 10, 100, 1000, 10_000, 100_000, 1_000_000, quick=10_000))
        revisions = {}
        left = total
        while left > 0:
            if math.log10(left).is_integer():
                revisions[left] = last_revision(peer)
            # The commits of a step end where the next revision is to be noted.
            step = min(1000, left - 10 ** math.floor(math.log10(left)) or left - left // 10)
            commit(peer, step)
            left -= step
        for count, revision in sorted(revisions.items()):
            request = PullRequest(client_revision=revision)
            body = request.encode()
            curve.add(
                count,
                pull_ms=median_ms(lambda: pull(server.url, body), 20),
                pages=len(peer.pull(request).pages),
                memory_mib=resident_mib(server),
            )
    finally:
        server.kill()
    return curve


def commit(peer, count):
    """That many commits of one row each, in one request."""
    requests = [
        {"type": "execute", "stmt": {"sql": "UPDATE t SET v = randomblob(400) "
                                            "WHERE id = 1 + abs(random() % 20000)"}}
    ] * count
    if any(result["type"] != "ok" for result in peer.pipeline(requests)):
        raise SystemExit("a commit failed")


def history(options, folder):
    """A partial replica whose base is 100 to 100,000 commits old: lazy reads, and the disk."""
    curve = Curve("commits")
    server = started(options, folder)
    try:
        peer = Peer(server.url, keep_alive=True)
        peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        peer.sql("INSERT INTO t SELECT value, zeroblob(400) FROM generate_series(1, 20000)")
        base = peer.pull(PullRequest(pages=range(1)))
        done = 0
        for count in sizes(options, 100, 1000, 10_000, 100_000, quick=1000):
            while done < count:
                step = min(1000, count - done)
                commit(peer, step)
                done += step
            status, answer = server.admin_request("POST", "/v1/namespaces/default/checkpoint")
            if status != 200:
                raise SystemExit(f"checkpoint: {status} {answer}")
            lazy = PullRequest(server_revision=base.revision, pages=range(64, 96)).encode()
            curve.add(
                count,
                lazy_read_ms=median_ms(lambda: pull(server.url, lazy), 50),
                history_mib=server.statistics()["history_bytes"] / MIB,
                memory_mib=resident_mib(server),
            )
    finally:
        server.kill()
    return curve


CURVES = {
    "database_size": database_size,
    "clients": clients,
    "databases": databases,
    "commits_behind": commits_behind,
    "history": history,
}

if __name__ == "__main__":
    main()
