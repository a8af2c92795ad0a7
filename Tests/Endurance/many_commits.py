#!/usr/bin/env python3
"""Takes a million small commits and holds the files of the database to their documented bounds.

Partial replicas are there all the time: one that never pulls, one that pulls now and then, and some
that come and go. At the end all of them read every page right.

Usage: many_commits.py [--binary PATH] [--commits N] [--seed S]; without --binary, the environment's
TIDEMARK_BINARY. Takes about ten minutes with a release build. Standard library only.
"""

import random
import sys

from run import Failure, Run, expect

from clients import PartialReplica
from states import SCAN, open_image
from wire import Peer, statement

ROWS = 5000
STEPS_PER_REQUEST = 500
REQUESTS_PER_SAMPLE = 10
CHECKPOINT_PAGES = 1000
VISITORS = 4
PAGE = 4096
FRAME = 24 + PAGE
MEBIBYTE = 1 << 20


class Workload:
    """Small changes that leave the database about as large as it is."""

    def __init__(self, server, seed):
        self.peer = Peer(server.url, keep_alive=True, timeout=300.0)
        self.random = random.Random(seed)
        self.commits = 0

    def create(self):
        self.peer.sql("CREATE TABLE items(id INTEGER PRIMARY KEY, n INTEGER, v BLOB)")
        self.peer.sql("CREATE INDEX items_n ON items(n)")
        self.peer.sql(
            "INSERT INTO items SELECT value, value % 97, randomblob(300) "
            "FROM generate_series(1, ?)",
            ROWS,
        )

    def change(self):
        row = self.random.randint(1, ROWS)
        kind = self.random.random()
        if kind < 0.8:
            text, values = "UPDATE items SET n = n + 1 WHERE id = ?", (row,)
        elif kind < 0.9:
            text = "UPDATE items SET v = randomblob(?) WHERE id = ?"
            values = (self.random.choice((10, 300, 2000)), row)
        else:
            text, values = "INSERT OR REPLACE INTO items VALUES(?, ?, randomblob(300))", (row, row)
        return statement(text, values, want_rows=False)

    def send(self):
        """One request of many commits: each step of the batch is one of its own."""
        _, errors = self.peer.batch([(None, self.change()) for _ in range(STEPS_PER_REQUEST)])
        expect(not any(errors), f"commits failed: {[error for error in errors if error][:2]}")
        self.commits += STEPS_PER_REQUEST


class Bounds:
    """The documented bounds of each file, and the most that was seen."""

    def __init__(self, largest_size):
        pages = largest_size
        record = 64 + 12 * pages
        quota = max(256 * MEBIBYTE, 2 * pages * PAGE)
        self.limits = {
            "main.db": pages * PAGE,
            # The tier begins a checkpoint at so many pages; one that a reader was in the way of
            # is tried again after as many.
            "main.db-wal": 3 * CHECKPOINT_PAGES * FRAME,
            "changes": max(MEBIBYTE, 4 * record) + record,
            "history": quota,
            "history.log": quota // 16 + 2 * MEBIBYTE,
            "meta": 2 * PAGE,
        }
        self.most = dict.fromkeys(self.limits, 0)
        self.most_disk = 0

    def check(self, sizes, disk):
        for name, limit in self.limits.items():
            self.most[name] = max(self.most[name], sizes[name])
            expect(sizes[name] <= limit, f"{name} has {sizes[name]} bytes, more than {limit}")
        self.most_disk = max(self.most_disk, disk)
        total = sum(self.limits.values())
        expect(disk <= total, f"the database takes {disk} bytes on disk, more than {total}")


def check_replica(peer, replica):
    """Reads all of it, as of its position, and looks whether that is a sound database."""
    image = replica.read_all(peer)
    connection = open_image(image.pages)
    try:
        verdict = connection.execute("PRAGMA integrity_check").fetchall()
        expect(verdict == [("ok",)], f"{replica.base}: {verdict[:3]}")
        count = len(connection.execute(SCAN).fetchall())
        expect(count == ROWS, f"{replica.base} at {replica.revision}: {count} rows of {ROWS}")
    finally:
        connection.close()


def body(run):
    source = random.Random(run.options.seed)
    run.server.arguments = [f"--min-checkpoint-page-count={CHECKPOINT_PAGES}"]
    run.server.start()
    workload = Workload(run.server, run.options.seed)
    workload.create()
    peer = Peer(run.server.url, keep_alive=True, timeout=300.0)
    # Every other page: nothing that looks like a full bootstrap in several requests.
    sleeper, puller = (PartialReplica(peer, range(0, 10_000, 2)) for _ in range(2))
    visitors = []
    # Rows of up to 2000 bytes, over and over: the file grows to what they need and stays there.
    bounds = Bounds(largest_size=ROWS * 2600 // PAGE + 200)
    samples = 0
    while workload.commits < run.options.commits:
        for _ in range(REQUESTS_PER_SAMPLE):
            workload.send()
        samples += 1
        sizes, disk = run.file_sizes()
        bounds.check(sizes, disk)
        if samples % 5 == 0:
            puller.pull(peer)
            first = source.randrange(sleeper.base_size)
            sleeper.read(peer, range(first, min(first + 32, sleeper.base_size)))
            puller.read(peer, range(first, min(first + 32, puller.base_size)))
        if samples % 10 == 0:
            visitors = (visitors + [PartialReplica(peer, range(0, 10_000, 2))])[-VISITORS:]
            source.choice(visitors).pull(peer)
        if samples % 20 == 0:
            shown = ", ".join(f"{name} {sizes[name] // 1024} KiB" for name in bounds.limits)
            run.say(f"{workload.commits} commits: {shown}; disk {disk // 1024} KiB")
    for replica in (sleeper, puller, *visitors):
        check_replica(peer, replica)
        replica.pull(peer)
        check_replica(peer, replica)
    run.server.restart(kill=True)
    peer.close()
    for replica in (sleeper, puller, *visitors):
        check_replica(peer, replica)
    if peer.sql("PRAGMA integrity_check") != [("ok",)]:
        raise Failure("the server's database is damaged")
    most = ", ".join(f"{name} {size}" for name, size in bounds.most.items())
    run.say(f"{workload.commits} commits; the most bytes: {most}; disk {bounds.most_disk}")


def main():
    run = Run("many_commits", __doc__.split("\n")[0])
    run.parser.add_argument("--commits", type=int, default=1_000_000)
    return run.main(body)


if __name__ == "__main__":
    sys.exit(main())
