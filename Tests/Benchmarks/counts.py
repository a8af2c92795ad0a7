#!/usr/bin/env python3
"""Counts what one request costs the server, and compares that with a checked-in baseline.

Instructions, allocations and system calls of the whole process, taken under Valgrind's callgrind:
unlike times they hardly vary from run to run and from machine to machine, so a test can hold the
server to them. Each workload sends a number of equal requests over one connection, after as many
that are not counted.

Usage: counts.py [--binary PATH] [--update] [--profile WORKLOAD]; without --binary, the
environment's TIDEMARK_BINARY. Use a release build. Standard library only; needs valgrind.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[1:1] = [str(Path(__file__).parent.parent / "Interop")]

from tidemark_server import Server
from wire import Peer, PullRequest, statement

BASELINE = Path(__file__).with_name("counts.json")
REQUESTS = 40
# How far a count may be from the baseline's, as a share of it. Fewer is reported, too: then the
# baseline has to follow, or the next regression hides in what was won.
TOLERANCE = {"instructions": 0.10, "allocations": 0.05, "system_calls": 0.15}
# A difference below this is none, whatever its share.
SLACK = {"instructions": 3_000, "allocations": 3, "system_calls": 1.5}
ALLOCATORS = ("malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc")


def main():
    options = parse_arguments()
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed; see scripts/setup --test")
    counts = {}
    with tempfile.TemporaryDirectory(prefix="tidemark-counts-") as folder:
        with CountedServer(options.binary, Path(folder)) as server:
            for workload in (NoChangePull, IncrementalPull, Push, BatchPush, Bootstrap, Select):
                name = workload.name
                counts[name] = server.count(workload(server.peer))
                print(f"{name:18}" + "".join(f"{v:12,.1f} {k}" for k, v in counts[name].items()))
            if options.profile:
                shutil.copy(server.dumps[options.profile], f"callgrind.{options.profile}")
    if options.update:
        BASELINE.write_text(json.dumps(counts, indent=1) + "\n")
        return 0
    problems = list(compare(json.loads(BASELINE.read_text()), counts))
    for problem in problems:
        print(problem)
    checked = sum(len(count) for count in counts.values())
    print(f"{checked - len(problems)} passed, {len(problems)} failed")
    return 1 if problems else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.environ.get("TIDEMARK_BINARY"))
    parser.add_argument("--update", action="store_true", help="make these counts the baseline")
    parser.add_argument("--profile", help="keep that workload's callgrind.WORKLOAD")
    options = parser.parse_args()
    if not options.binary:
        parser.error("--binary or TIDEMARK_BINARY has to name the server")
    return options


def compare(baseline, counts):
    """Says what is further from the baseline than it may be."""
    for name in sorted(baseline.keys() | counts.keys()):
        if name not in baseline or name not in counts:
            yield f"{name}: is not in both, the baseline and the run"
            continue
        for kind, now in counts[name].items():
            before = baseline[name][kind]
            if abs(now - before) <= max(SLACK[kind], TOLERANCE[kind] * before):
                continue
            word = "more" if now > before else "fewer: make it the baseline with --update"
            yield f"{name}: {now:,.1f} {kind} a request, the baseline has {before:,.1f}: {word}"


class CountedServer:
    """A server under callgrind, with one event loop and few workers."""

    ARGUMENTS = [
        *("--threads", "1", "--workers", "2", "--checkpoint-interval", "0s"),
        *("--min-checkpoint-page-count", "1000000", "--truncate-page-n", "0"),
    ]

    def __init__(self, binary, folder):
        self.folder = folder
        # Debian 12's valgrind cannot read the debug information of Swift's linker.
        stripped = folder / "tidemark"
        subprocess.run(["strip", "-g", "-o", stripped, binary], check=True)
        wrapper = folder / "counted"
        wrapper.write_text(
            "#!/bin/sh\nexec valgrind --tool=callgrind --instr-atstart=no "
            "--collect-systime=yes --fair-sched=yes "
            f"--callgrind-out-file={folder}/counts {stripped} \"$@\"\n"
        )
        wrapper.chmod(0o700)
        self.server = Server(wrapper, folder / "data", folder / "log", self.ARGUMENTS)
        self.peer = None
        self.dump_count = 0
        self.dumps = {}

    def __enter__(self):
        self.server.start()
        self.peer = Peer(self.server.url, keep_alive=True)
        return self

    def __exit__(self, *_):
        self.peer.close()
        self.server.kill()

    def control(self, *arguments):
        subprocess.run(
            ["callgrind_control", *arguments, str(self.server.process.pid)],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
        )

    def count(self, workload, request_count=REQUESTS):
        """What one request of a workload costs."""
        for index in range(request_count):
            workload.request(index)
        self.control("-i", "on")
        for index in range(request_count, 2 * request_count):
            workload.request(index)
        self.control("-i", "off")
        self.control("-d")
        self.dump_count += 1
        dump = self.folder / f"counts.{self.dump_count}"
        self.dumps[workload.name] = dump
        self.control("-z")
        counts = read_dump(dump.read_text())
        return {kind: count / request_count for kind, count in counts.items()}


def read_dump(text):
    """The sums of a callgrind dump."""
    events = re.search(r"^events: (.*)$", text, re.MULTILINE)[1].split()
    totals = re.search(r"^totals: (.*)$", text, re.MULTILINE)[1].split()
    sums = dict(zip(events, map(int, totals)))
    # A name is spelled out once, as `cfn=(12) name`, and is its number from then on.
    names = dict(re.findall(r"^c?fn=\((\d+)\) (.+)$", text, re.MULTILINE))
    calls = re.findall(r"^cfn=\((\d+)\).*\n(?:c.*\n)*?calls=(\d+)", text, re.MULTILINE)
    allocations = sum(int(count) for number, count in calls if names[number] in ALLOCATORS)
    return {
        "instructions": sums["Ir"],
        "allocations": allocations,
        "system_calls": sums["sysCount"],
    }


class NoChangePull:
    """A pull that brings nothing new."""

    name = "no_change_pull"

    def __init__(self, peer):
        self.peer = peer
        peer.sql("CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v)")
        revision = peer.pull().revision
        self.pull = PullRequest(client_revision=revision)

    def request(self, _):
        assert not self.peer.pull(self.pull).pages


class IncrementalPull:
    """A pull that brings the pages of one small commit."""

    name = "incremental_pull"

    def __init__(self, peer):
        self.peer = peer
        revision = peer.pull().revision
        peer.sql("INSERT INTO t(v) VALUES('one')")
        self.pull = PullRequest(client_revision=revision)

    def request(self, _):
        assert len(self.peer.pull(self.pull).pages) == 1


class Push:
    """A client's push of one row."""

    name = "push"
    rows = 1

    def __init__(self, peer):
        self.peer = peer
        peer.sql(
            "CREATE TABLE IF NOT EXISTS turso_sync_last_change_id("
            "client_id TEXT PRIMARY KEY, pull_gen INTEGER, change_id INTEGER)"
        )
        peer.sql("DELETE FROM t")

    def request(self, index):
        begin = {"condition": None, "stmt": statement("BEGIN IMMEDIATE")}
        steps = [begin]
        for row in range(self.rows):
            steps.append(
                step(
                    "INSERT INTO t(id, v) VALUES(?, ?) ON CONFLICT DO UPDATE SET v = excluded.v",
                    index * self.rows + row, "some text of a row",
                )
            )
        steps.append(
            step(
                "INSERT INTO turso_sync_last_change_id(client_id, pull_gen, change_id) "
                "VALUES (?, ?, ?) ON CONFLICT(client_id) DO UPDATE SET "
                "pull_gen = excluded.pull_gen, change_id = excluded.change_id",
                "client", 1, index,
            )
        )
        steps.append(step("COMMIT"))
        batch = {"steps": steps, "replication_index": None}
        result = self.peer.pipeline([{"type": "batch", "batch": batch}])[0]
        assert not any(result["response"]["result"]["step_errors"]), result


def step(sql, *arguments):
    """A step that runs where nothing failed before it."""
    unless = {"type": "not", "cond": {"type": "is_autocommit"}}
    return {"condition": unless, "stmt": statement(sql, arguments, want_rows=False)}


class BatchPush(Push):
    """A client's push of a hundred rows."""

    name = "push_100_rows"
    rows = 100


class Bootstrap:
    """All pages of a database of 1 MiB."""

    name = "bootstrap_1_mib"

    def __init__(self, peer):
        self.peer = peer
        peer.sql(
            "INSERT INTO t(id, v) SELECT 1000000 + value, zeroblob(4000) "
            "FROM generate_series(1, 250)"
        )

    def request(self, _):
        assert len(self.peer.pull().pages) > 250


class Select:
    """A query of one row."""

    name = "select"

    def __init__(self, peer):
        self.peer = peer

    def request(self, _):
        assert self.peer.sql("SELECT id FROM t WHERE id = ?", 1000001) == [(1000001,)]


if __name__ == "__main__":
    sys.exit(main())
