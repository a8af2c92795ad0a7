#!/usr/bin/env python3
"""Push throughput of frame sync, beside appending and flushing the same bytes to a plain file.

One client pushes transactions of `--frames` frames each, in batches of at most 128, until the
server's WAL holds `--total` frames; no checkpoint comes in between. Behind every transaction the
same bytes are appended to a file in the same folder and flushed (fdatasync), so that both see the
same disk. Prints the ratio of the two times for each tenth of the run, with the WAL's length, and
for all of it: 1.0 is the speed of the plain file, more is better.

Usage: frame_push.py [--binary PATH] [--json FILE] [--frames N]... [--total N]; without --binary,
the environment's TIDEMARK_BINARY. Use a release build. Standard library only.
"""

import argparse
import http.client
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path[1:1] = [str(Path(__file__).parent.parent / "Interop")]

from tidemark_server import Server

PAGE_SIZE = 4096
FRAME_SIZE = 24 + PAGE_SIZE
BATCH_FRAMES = 128
# Nothing but pushes shall happen: no checkpoint, no roll, no "checkpoint needed".
NO_CHECKPOINTS = [
    *("--truncate-page-n", "0", "--checkpoint-interval", "0s"),
    *("--min-checkpoint-page-count", "1000000", "--checkpoint-needed-pages", "0"),
]


def main():
    options = parse_arguments()
    results = [measure(options.binary, frames, options.total) for frames in options.frames]
    if options.json:
        Path(options.json).write_text(json.dumps({"frame_push": results}, indent=1) + "\n")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.environ.get("TIDEMARK_BINARY"))
    parser.add_argument("--json", help="write the figures to this file, too")
    parser.add_argument("--frames", type=int, action="append", help="of a transaction")
    parser.add_argument("--total", type=int, default=20_000, help="frames of the whole run")
    options = parser.parse_args()
    if not options.binary:
        parser.error("--binary or TIDEMARK_BINARY has to name the server")
    options.frames = options.frames or [BATCH_FRAMES, 2_000]
    return options


def measure(binary, frames, total):
    """One run with transactions of `frames` frames on a server of its own."""
    with tempfile.TemporaryDirectory(prefix="tidemark-bench-") as folder:
        server = Server(binary, f"{folder}/data", f"{folder}/log", NO_CHECKPOINTS)
        server.start()
        try:
            client = Client(server.http, Path(folder))
            client.prepare(max(frames, 2_000))
            transactions = client.transactions(frames, max(10, total // frames))
            with PlainFile(f"{folder}/plain") as plain:
                times = [(client.push(one), plain.append(one)) for one in transactions]
            length = server.statistics()["wal_pages"]
        finally:
            server.kill()
    return report(frames, times, length)


class Client:
    """A client of frame sync: its own database makes the frames, with stock SQLite."""

    def __init__(self, address, folder):
        self.path = folder / "client.db"
        self.connection = http.client.HTTPConnection(*address.split(":"), timeout=120)
        self.generation = 0
        self.newest = 0

    def request(self, method, path, body=None):
        self.connection.request(method, path, body)
        response = self.connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise SystemExit(f"{method} {path}: {response.status} {answer[:300]!r}")
        return answer

    def prepare(self, rows):
        """A table on the server whose every row has a page of its own."""
        make = [
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v)",
            "INSERT INTO t SELECT value, randomblob(3900) "
            f"FROM generate_series(1, {rows})",
        ]
        requests = [{"type": "execute", "stmt": {"sql": sql}} for sql in make]
        answer = json.loads(
            self.request("POST", "/v2/pipeline", json.dumps({"requests": requests}))
        )
        if any(result["type"] != "ok" for result in answer["results"]):
            raise SystemExit(f"the table could not be made: {answer}")
        self.generation = json.loads(self.request("GET", "/info"))["current_generation"]
        self.path.write_bytes(self.request("GET", f"/export/{self.generation}"))

    def transactions(self, frames, count):
        """The frames of `count` transactions, each that many frames; made one after another."""
        database = sqlite3.connect(self.path, isolation_level=None)
        database.execute("PRAGMA wal_autocheckpoint=0")
        database.execute("PRAGMA synchronous=OFF")
        log = self.path.with_name(self.path.name + "-wal")
        end = 32
        for number in range(count):
            # Rows of the same size stay on their pages: a frame a row.
            database.execute(
                "UPDATE t SET v = randomblob(3900) WHERE id <= ?", (frames,)
            )
            with open(log, "rb") as file:
                file.seek(end)
                bytes_ = file.read()
            if len(bytes_) != frames * FRAME_SIZE:
                raise SystemExit(f"{len(bytes_)} bytes for {frames} frames")
            end += len(bytes_)
            yield bytes_
        database.close()

    def push(self, transaction):
        """Pushes a transaction in batches; returns the seconds it took."""
        start = time.perf_counter()
        baton = None
        for offset in range(0, len(transaction), BATCH_FRAMES * FRAME_SIZE):
            body = transaction[offset : offset + BATCH_FRAMES * FRAME_SIZE]
            first, end = self.newest + 1, self.newest + 1 + len(body) // FRAME_SIZE
            path = f"/sync/{self.generation}/{first}/{end}" + (f"/{baton}" if baton else "")
            answer = json.loads(self.request("POST", path, body))
            if answer["status"] != "ok" or answer["max_frame_no"] != end - 1:
                raise SystemExit(f"{path}: {answer}")
            baton, self.newest = answer["baton"], end - 1
        return time.perf_counter() - start


class PlainFile:
    """What a push is compared with."""

    def __init__(self, path):
        self.descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.descriptor)

    def append(self, transaction):
        """Appends and flushes a transaction as a whole; returns the seconds it took."""
        start = time.perf_counter()
        view = memoryview(transaction)
        while view:
            view = view[os.write(self.descriptor, view) :]
        os.fdatasync(self.descriptor)
        return time.perf_counter() - start


def report(frames, times, length):
    print(f"{len(times)} transactions of {frames} frames; the WAL holds {length} at the end")
    print("  WAL frames    ours MiB/s    file MiB/s    ratio")
    tenth = max(1, len(times) // 10)
    parts = []
    for begin in range(0, tenth * 10, tenth):
        part = times[begin : begin + tenth]
        if part:
            parts.append(line((begin + len(part)) * frames, part, frames))
    whole = line("whole", times, frames)
    ratios = [part["ratio"] for part in parts]
    print(f"  tenths: median {statistics.median(ratios):.2f}, first {ratios[0]:.2f}, "
          f"last {ratios[-1]:.2f}")
    return {
        "frames": frames,
        "wal_frames": length,
        "median_ratio": statistics.median(ratios),
        "whole": whole,
        "tenths": parts,
    }


def line(name, times, frames):
    size = len(times) * frames * FRAME_SIZE / (1 << 20)
    ours, plain = (sum(column) for column in zip(*times))
    print(f"  {name!s:>10} {size / ours:13.1f} {size / plain:13.1f} {plain / ours:8.2f}")
    return {
        "wal_frames": name,
        "ours_mib_per_s": size / ours,
        "file_mib_per_s": size / plain,
        "ratio": plain / ours,
    }


if __name__ == "__main__":
    main()
