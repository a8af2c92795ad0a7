#!/usr/bin/env python3
"""Kills the server under load, again and again, and checks what it promised.

In each round pushers, clients with transactions over several requests, pullers and plain SQL
writers work on two databases until SIGKILL comes at a random moment; sometimes it comes again while
the server starts. After the restart:

- every acknowledged row is there exactly once, and no transaction is there in part;
- a revision never named two contents: not before and after a restart, not for two pullers, not
  for an incremental pull and a bootstrap;
- revisions moved forward only, and pulls from older ones lead to the newest image;
- partial replicas read every page as of their position, however long they have been behind;
- the image passes SQLite's integrity check.

Usage: kill_rounds.py [--binary PATH] [--rounds N] [--seed S]; without --binary, the environment's
TIDEMARK_BINARY.

The seed decides the load and the moments asked for; threads and processes still interleave as
they like, so a seed repeats the kind of run, not each step. Standard library only.
"""

import argparse
import http.client
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Interop"))

from clients import (  # noqa: E402
    SELECT_CHANGE,
    Image,
    PartialReplica,
    Pusher,
    StreamPusher,
    Violation,
    commit_number,
)
from tidemark_server import Server  # noqa: E402
from wire import PAGE_SIZE, Peer, PullRequest, SQLFailure  # noqa: E402

DATABASES = ("default", "second")
PUSHERS_PER_DATABASE = 2
PULLERS_PER_DATABASE = 2
KEPT_IMAGES = 4
PARTIALS_PER_DATABASE = 3
SEGMENT_PAGES = 8
SHORTEST_ROUND, LONGEST_ROUND = 0.02, 0.4  # In seconds.
LONGEST_RECOVERY = 0.06
NETWORK_ERRORS = (OSError, http.client.HTTPException)


class Round:
    """What the threads of one round share: when to end, and what went wrong."""

    def __init__(self, server):
        self.server = server
        self.changed = threading.Condition()
        self.acknowledged = 0
        self.ending = False
        self.problems = []

    def acknowledge(self):
        with self.changed:
            self.acknowledged += 1
            self.changed.notify_all()

    def report(self, problem):
        with self.changed:
            self.problems.append(problem)
            self.changed.notify_all()

    def wait_for_the_moment(self, acknowledgements, seconds):
        """Until that many pushes were acknowledged, that time has passed, or a problem shows."""
        with self.changed:
            self.changed.wait_for(
                lambda: self.acknowledged >= acknowledgements or self.problems, seconds
            )

    def run(self, step):
        """Repeats `step` until the server is killed; before that, no error is in order."""
        try:
            while not self.ending:
                step()
        except NETWORK_ERRORS as error:
            if not self.ending:
                self.report(f"the server failed a request before it was killed: {error!r}")
        except Exception as error:
            self.report(f"{type(error).__name__}: {error}")


class Database:
    """One database under test: its clients, and everything it ever said about its revisions."""

    def __init__(self, name, seed):
        self.name = name
        self.random = random.Random(f"{seed}/{name}")
        # One of them takes several requests for each transaction.
        self.pushers = [
            (StreamPusher if index == 0 else Pusher)(
                f"{name}-pusher{index}", f"{seed}/{name}/push{index}"
            )
            for index in range(PUSHERS_PER_DATABASE)
        ]
        self.images = [Image() for _ in range(PULLERS_PER_DATABASE)]
        self.kept = []  # Images of older rounds, to pull from once more.
        self.partials = []
        self.lazy_reads = 0
        self.lock = threading.Lock()
        self.contents = {}  # Revision -> (pages, checksum).
        self.names = {}  # Commit number -> revision.
        self.newest = 0  # The highest commit number ever seen.

    def peer(self, server):
        return Peer(f"{server.url}/db/{self.name}", keep_alive=True, timeout=30.0)

    def create(self, server):
        peer = self.peer(server)
        peer.sql("CREATE TABLE log(client TEXT, row INTEGER, payload BLOB)")
        peer.sql("CREATE INDEX log_client ON log(client, row)")
        peer.sql("CREATE TABLE marks(client TEXT PRIMARY KEY, row INTEGER)")
        peer.sql("CREATE TABLE churn(id INTEGER PRIMARY KEY, filler BLOB)")
        peer.sql("CREATE TABLE ballast(id INTEGER PRIMARY KEY, filler BLOB)")
        peer.sql("INSERT INTO ballast SELECT value, randomblob(3900) FROM generate_series(1, 600)")
        peer.close()

    # Pulling

    def pull(self, peer, image, long_poll_milliseconds=0):
        """Brings `image` up to date and holds the answer to what was said before."""
        before = image.revision
        floor = self.newest
        request = PullRequest(
            client_revision=before, long_poll_timeout_ms=long_poll_milliseconds
        )
        image.apply(peer.pull(request))
        content = (len(image.pages), image.checksum)
        number = commit_number(image.revision)
        with self.lock:
            if self.contents.setdefault(image.revision, content) != content:
                raise Violation(f"revision {image.revision} named two contents")
            if self.names.setdefault(number, image.revision) != image.revision:
                raise Violation(f"commit {number}: {self.names[number]} and {image.revision}")
            self.newest = max(self.newest, number)
        if number < floor or (before and number < commit_number(before)):
            raise Violation(f"back from {before} (newest {floor}) to {image.revision}")

    def check_image(self, image, at_least, floors=None):
        """Holds an image to the promises about rows.

        `at_least` is from pusher to row; `floors` too, where the image is so old that other rows
        than now were deleted.
        """
        floors = self.floors() if floors is None else floors
        connection = sqlite3.connect(":memory:")
        try:
            data = bytearray(image.bytes())
            # A database in memory has no WAL: mark the copy as one with a rollback journal.
            data[18:20] = b"\x01\x01"
            connection.deserialize(bytes(data))
            verdict = connection.execute("PRAGMA integrity_check").fetchall()
            if verdict != [("ok",)]:
                raise Violation(f"{image.revision}: {verdict[:5]}")
            query = "SELECT count(*), count(DISTINCT row), max(row) FROM log WHERE client = ?"
            for pusher in self.pushers:
                rows, distinct, highest = connection.execute(query, (pusher.name,)).fetchone()
                marks = connection.execute(
                    "SELECT row FROM marks WHERE client = ?", (pusher.name,)
                ).fetchall()
                changes = []
                if self.has_table(connection, "turso_sync_last_change_id"):
                    changes = [row[1:] for row in connection.execute(SELECT_CHANGE, (pusher.name,))]
                mark = marks[0][0] if marks else 0
                if [(mark,)] != (changes or [(0,)]):
                    raise Violation(f"{pusher.name}: mark {marks}, change id {changes}")
                floor = floors[pusher.name]
                if (highest or floor) != mark or not rows == distinct == mark - floor:
                    raise Violation(
                        f"{pusher.name}: {rows} rows, {distinct} of them distinct, highest "
                        f"{highest}, deleted up to {floor}, mark {mark}"
                    )
                if mark < at_least[pusher.name]:
                    raise Violation(
                        f"{pusher.name}: acknowledged up to {at_least[pusher.name]}, "
                        f"but {mark} is the newest"
                    )
        finally:
            connection.close()

    @staticmethod
    def has_table(connection, name):
        query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
        return connection.execute(query, (name,)).fetchone()[0] == 1

    def acknowledged(self):
        return {pusher.name: pusher.acknowledged for pusher in self.pushers}

    def floors(self):
        return {pusher.name: pusher.floor for pusher in self.pushers}

    # The load of one round

    def start_threads(self, current):
        steps = []
        for pusher in self.pushers:
            steps.append(self.pushing(current, pusher))
        for index, image in enumerate(self.images):
            steps.append(self.pulling(current, image, self.random.randrange(12), index == 0))
        steps.append(self.churning(current, vacuum=self.random.random() < 0.25))
        steps += [self.reading_lazily(current, partial) for partial in self.partials]
        threads = [threading.Thread(target=current.run, args=(step,)) for step in steps]
        for thread in threads:
            thread.start()
        return threads

    def pushing(self, current, pusher):
        peer = self.peer(current.server)

        def step():
            pusher.push(peer)
            current.acknowledge()

        return step

    def pulling(self, current, image, check_at, long_poll):
        """Pulls on and on; once in a round it looks into the image, and once it bootstraps."""
        peer = self.peer(current.server)
        pulls = 0

        def step():
            nonlocal pulls
            at_least = self.acknowledged()
            self.pull(peer, image, 200 if long_poll else 0)
            if pulls == check_at:
                self.check_image(image, at_least)
                self.pull(peer, Image())
            pulls += 1

        return step

    def reading_lazily(self, current, partial):
        """Reads segments, pulls and checkpoints as it comes; some replicas never pull."""
        peer = self.peer(current.server)
        source = random.Random(self.random.random())
        pulls = source.choice((0.0, 0.02, 0.3))

        def step():
            if partial.is_doubtful or source.random() < pulls:
                self.pull_partial(peer, partial)
            elif source.random() < 0.1:
                partial.checkpoint()
            elif source.random() < 0.05:
                self.check_partial(peer, partial)
            elif not partial.is_full:
                first = source.randrange(partial.base_size) // SEGMENT_PAGES * SEGMENT_PAGES
                partial.read(peer, range(first, first + SEGMENT_PAGES))
                self.lazy_reads += 1

        return step

    def pull_partial(self, peer, partial):
        at_least, floors = self.acknowledged(), self.floors()
        partial.pull(peer)
        partial.at_least, partial.floors = at_least, floors

    def check_partial(self, peer, partial):
        """All of it, as of its position: as the rows must be, and as full replicas saw it."""
        image = partial.read_all(peer)
        content = (len(image.pages), image.checksum)
        with self.lock:
            known = self.contents.setdefault(image.revision, content)
        if known != content:
            raise Violation(f"{partial.base} reads other pages than full replicas had")
        self.check_image(image, partial.at_least, partial.floors)

    def churning(self, current, vacuum):
        """Plain SQL beside the pushes: rows that come and go, and sometimes a VACUUM."""
        peer = self.peer(current.server)
        choices = [
            "INSERT INTO churn(filler) VALUES(randomblob(5000)), (randomblob(300))",
            "DELETE FROM churn WHERE id % 2 = 0",
            "UPDATE churn SET filler = randomblob(2000) WHERE id % 5 = 1",
            "UPDATE ballast SET filler = randomblob(3900) WHERE id % 50 = abs(random() % 50)",
        ]
        if vacuum:
            choices.append("VACUUM")
        source = random.Random(self.random.random())

        def step():
            peer.sql(source.choice(choices))

        return step

    # After a restart

    def check_after_restart(self, server):
        peer = self.peer(server)
        fresh = Image()
        self.pull(peer, fresh)
        self.check_image(fresh, self.acknowledged())
        counts = dict(peer.sql("SELECT client, count(*) FROM log GROUP BY client"))
        for pusher in self.pushers:
            change = pusher.committed_change(peer)
            if change not in {pusher.acknowledged, (pusher.pending or (0, 0))[1]}:
                raise Violation(f"{pusher.name}: {change} was never sent")
            if counts.get(pusher.name, 0) != change - pusher.floor:
                raise Violation(f"{pusher.name}: SQL and pulls do not see the same rows")
        for image in self.images + self.kept:
            self.pull(peer, image)
            if (image.revision, image.checksum) != (fresh.revision, fresh.checksum):
                raise Violation(f"a pull led to {image.revision}, a bootstrap to {fresh.revision}")
            if image.pages != fresh.pages:
                raise Violation(f"{image.revision}: the pages are not those of a bootstrap")
        self.keep(fresh)
        self.check_partials(peer)
        if len(fresh.pages) * PAGE_SIZE > 6_000_000:
            self.shrink(peer)
        peer.close()

    def check_partials(self, peer):
        """They read on as before the kill; some pull now, some go, others come."""
        for partial in self.partials:
            if partial.is_doubtful:
                self.pull_partial(peer, partial)
            self.check_partial(peer, partial)
            if self.random.random() < 0.5:
                self.pull_partial(peer, partial)
                partial.checkpoint()
                self.check_partial(peer, partial)
        self.partials = [
            each for each in self.partials if not each.is_full and self.random.random() < 0.85
        ]
        while len(self.partials) < PARTIALS_PER_DATABASE:
            # A replica that begins with every other page never looks like a full one whose
            # bootstrap comes in several requests.
            first_pages = self.random.choice((range(0, 4000, 2), range(0, 4000, 2), range(5)))
            partial = PartialReplica(peer, first_pages)
            partial.at_least, partial.floors = self.acknowledged(), self.floors()
            self.partials.append(partial)

    def keep(self, fresh):
        """Lets some images grow old, each by another number of rounds."""
        self.kept = [image for image in self.kept if self.random.random() < 0.8]
        if len(self.kept) < KEPT_IMAGES:
            self.kept.append(fresh.copy())

    def shrink(self, peer):
        """Deletes the rows so far, which were just checked, and gives their pages back."""
        for pusher in self.pushers:
            pusher.floor = pusher.committed_change(peer)
        for sql in ("DELETE FROM log", "DELETE FROM churn", "VACUUM"):
            peer.sql(sql)


def run_round(server, databases, source):
    """One round on a running server: load, kill, restart, checks."""
    current = Round(server)
    threads = [thread for each in databases for thread in each.start_threads(current)]
    current.wait_for_the_moment(
        source.randint(1, 120), source.uniform(SHORTEST_ROUND, LONGEST_ROUND)
    )
    # The threads go on until the kernel closes their connections; the flag only tells them
    # that errors are in order from here on.
    current.ending = True
    server.kill()
    for thread in threads:
        thread.join(60)
        if thread.is_alive():
            raise Violation("a client is stuck though the server is gone")
    if current.problems:
        raise Violation("; ".join(current.problems[:3]))
    # Many checkpoints or few, and databases that are opened and closed all the time.
    server.arguments = [
        f"--min-checkpoint-page-count={source.choice((1, 20, 200, 1000))}",
        f"--max-open-databases={source.choice((1, 256))}",
    ]
    while source.random() < 0.25:
        # Recovery has to stand a kill, too.
        server.start_and_kill(source.uniform(0.0, LONGEST_RECOVERY))
    server.start()
    for database in databases:
        database.check_after_restart(server)
    return current.acknowledged


def check_export(server, databases, directory):
    """After a clean stop, what is on disk holds the same."""
    server.stop()
    for database in databases:
        path = directory / f"{database.name}.export"
        done = server.database_command("export", database.name, path, running=False)
        if done.returncode != 0:
            raise Violation(f"export of {database.name}: {done.stderr}")
        data = path.read_bytes()
        image = Image()
        image.revision = "export"
        image.pages = {
            offset // PAGE_SIZE: data[offset : offset + PAGE_SIZE]
            for offset in range(0, len(data), PAGE_SIZE)
        }
        database.check_image(image, database.acknowledged())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", default=os.environ.get("TIDEMARK_BINARY"))
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    if not options.binary:
        parser.error("name the server with --binary or TIDEMARK_BINARY")
    seed = options.seed if options.seed is not None else random.randrange(1 << 32)
    print(f"kill_rounds: seed {seed}, {options.rounds} rounds", flush=True)

    directory = Path(tempfile.mkdtemp(prefix="tidemark-kill-"))
    server = Server(Path(options.binary).resolve(), directory / "data", directory / "server.log")
    databases = [Database(name, seed) for name in DATABASES]
    source = random.Random(seed)
    passed = acknowledged = 0
    problem = None
    started = time.monotonic()
    try:
        server.start()
        created = server.database_command("create", "second")
        if created.returncode != 0:
            raise Violation(f"create: {created.stderr}")
        for database in databases:
            database.create(server)
        for number in range(1, options.rounds + 1):
            acknowledged += run_round(server, databases, source)
            passed += 1
            if number % 20 == 0:
                print(f"kill_rounds: {number} rounds, {acknowledged} pushes", flush=True)
        check_export(server, databases, directory)
    except (Violation, AssertionError, SQLFailure, *NETWORK_ERRORS) as error:
        problem = f"{type(error).__name__}: {error}"
    finally:
        if server.process is not None:
            server.kill()

    seconds = time.monotonic() - started
    pushers = [pusher for database in databases for pusher in database.pushers]
    print(
        f"kill_rounds: {acknowledged} pushes acknowledged in {seconds:.0f} s; of those that were "
        f"cut off, {sum(pusher.lost_answers for pusher in pushers)} had been committed and "
        f"{sum(pusher.lost_batches for pusher in pushers)} had not; "
        f"{sum(database.lazy_reads for database in databases)} lazy reads"
    )
    if problem is None:
        shutil.rmtree(directory)
    else:
        print(f"kill_rounds: round {passed + 1}, seed {seed}: {problem}")
        print(f"kill_rounds: data and server log are kept in {directory}")
    print(f"kill_rounds: {passed} passed, {0 if problem is None else 1} failed")
    return 0 if problem is None else 1


if __name__ == "__main__":
    sys.exit(main())
