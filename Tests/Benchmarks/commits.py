#!/usr/bin/env python3
"""Measures how fast the server commits, beside SQLite itself in the same run.

Usage: commits.py [--binary PATH] [--seconds S] [--rounds N] [--json FILE] [--only NAME]

Each figure is the median of `--rounds` rounds, in each of which the anchor (raw_commits.c: one
connection, WAL, synchronous=FULL) runs right before the server. The slow disk adds 2 ms to every
flush, of both. Needs cc and SQLite's headers; standard library only.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "Interop"))

import tidemark_server  # noqa: E402
from tidemark_server import Server  # noqa: E402

SLOW_MICROSECONDS = 2000
FIRST_ID = 100000000000


class Bench:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.results = {}
        build(folder)

    def environment(self, is_slow):
        environment = dict(tidemark_server.ENVIRONMENT)
        if is_slow:
            environment["LD_PRELOAD"] = str(self.folder / "slow_fsync.so")
            environment["SLOW_FSYNC_MICROSECONDS"] = str(SLOW_MICROSECONDS)
        return environment

    def raw(self, rows=1, is_slow=False):
        """Commits, or rows if there are several in each, per second."""
        data = self.folder / "raw"
        data.mkdir()
        command = [self.folder / "raw_commits", data / "raw.db", self.options.seconds, rows]
        answer = run(command, self.environment(is_slow))
        shutil.rmtree(data)
        return answer["rows"] / answer["seconds"]

    def server(self, clients, rows=1, databases=1, is_slow=False):
        """What push_load says of a fresh server, with the rate of rows per second."""
        data = self.folder / "server"
        saved = tidemark_server.ENVIRONMENT
        tidemark_server.ENVIRONMENT = self.environment(is_slow)
        server = Server(Path(self.options.binary).resolve(), data, self.folder / "server.log")
        try:
            server.start()
            names = [f"bench{number}" for number in range(databases)]
            for name in names:
                server.admin_request("POST", f"/v1/namespaces/{name}/create")
                sql(server, name, "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)")
            port = server.http.rpartition(":")[2]
            command = [self.folder / "push_load", port, self.options.seconds, clients, rows]
            before = processor_seconds(server.process.pid)
            answer = run(command + names, saved)
            answer["rate"] = answer["rows"] / answer["seconds"]
            used = processor_seconds(server.process.pid) - before
            answer["cpu_us_per_push"] = used / answer["pushes"] * 1e6
            check(server, names, answer)
            server.stop()
        finally:
            tidemark_server.ENVIRONMENT = saved
            if server.process is not None:
                server.kill()
        shutil.rmtree(data)
        return answer

    def measure(self, name, aim, anchor, subject):
        """Prints and keeps `subject`'s rate divided by `anchor`'s, with what they were."""
        if self.options.only and self.options.only not in name:
            return
        rounds = []
        for _ in range(self.options.rounds):
            beside = anchor()
            answer = subject()
            rounds.append({"anchor": beside, **answer, "ratio": answer["rate"] / beside})
        middle = {
            key: statistics.median(each[key] for each in rounds)
            for key in ("anchor", "rate", "ratio", "p50_us", "p99_us", "cpu_us_per_push")
        }
        spread = [round(each["ratio"], 2) for each in rounds]
        self.results[name] = {"aim": aim, "median": middle, "rounds": rounds}
        print(
            f"{name:44} {middle['rate']:9.0f}/s  anchor {middle['anchor']:9.0f}/s"
            f"  ratio {middle['ratio']:6.2f} (aim {aim})  {spread}"
            f"  p50 {middle['p50_us']:.0f} us  p99 {middle['p99_us']:.0f} us"
            f"  cpu {middle['cpu_us_per_push']:.0f} us",
            flush=True,
        )


def build(folder):
    compiler = os.environ.get("CC", "cc")
    for name, arguments in (
        ("slow_fsync.so", ["slow_fsync.c", "-shared", "-fPIC", "-ldl"]),
        ("raw_commits", ["raw_commits.c", "-lsqlite3"]),
        ("push_load", ["push_load.c"]),
    ):
        source, *rest = arguments
        subprocess.run(
            [compiler, "-O2", "-o", str(folder / name), str(HERE / source), *rest], check=True
        )


def run(command, environment):
    output = subprocess.run(
        list(map(str, command)), env=environment, stdout=subprocess.PIPE, check=True, timeout=600
    )
    return json.loads(output.stdout)


def processor_seconds(process):
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sql(server, name, text):
    body = {"requests": [{"type": "execute", "stmt": {"sql": text}}]}
    request = urllib.request.Request(
        f"{server.url}/db/{name}/v2/pipeline", json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        result = json.load(response)["results"][0]
    assert result["type"] == "ok", result
    return result["response"]["result"]["rows"]


def check(server, names, answer):
    """Every acknowledged row is there, and no other."""
    assert answer["failures"] == 0, f"{answer['failures']} pushes failed"
    rows = 0
    for name in names:
        count, gap = sql(server, name, f"SELECT count(*), max(id) - {FIRST_ID} + 1 FROM t")[0]
        assert gap.get("value", "0") == count["value"], f"rows of {name} are missing"
        rows += int(count["value"])
    assert rows == answer["rows"], f"{rows} rows, {answer['rows']} acknowledged"


def measure_all(bench):
    bench.measure("one client", "-", bench.raw, lambda: bench.server(1))
    bench.measure("64 clients", ">= 1.0", bench.raw, lambda: bench.server(64))
    slow = {"is_slow": True}
    bench.measure(
        "one client, slow disk", "-", lambda: bench.raw(**slow), lambda: bench.server(1, **slow)
    )
    bench.measure(
        "64 clients, slow disk", ">= 8", lambda: bench.raw(**slow),
        lambda: bench.server(64, **slow),
    )
    bench.measure(
        "32 databases, 2 clients each, slow disk", ">= 3",
        lambda: bench.server(2, **slow)["rate"],
        lambda: bench.server(64, databases=32, **slow),
    )
    bench.measure(
        "pushes of 1,000 rows, rows", ">= 0.5", lambda: bench.raw(rows=1000),
        lambda: bench.server(1, rows=1000),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.environ.get("TIDEMARK_BINARY"))
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json")
    parser.add_argument("--only", help="figures whose name holds this")
    parser.add_argument("--folder", help="where the files go; a temporary folder by default")
    options = parser.parse_args()
    if not options.binary:
        parser.error("name the server with --binary or TIDEMARK_BINARY")
    with tempfile.TemporaryDirectory(prefix="tidemark-commits-", dir=options.folder) as folder:
        bench = Bench(options, Path(folder))
        measure_all(bench)
    if options.json:
        Path(options.json).write_text(json.dumps(bench.results, indent=1) + "\n")


if __name__ == "__main__":
    main()
