#!/usr/bin/env python3
"""Random turns of several frame sync clients, SQL and an operator, held to a model of the protocol.

Each seed is two databases on a server that many seeds share. The clients of each write with
stock SQLite, push their log in batches of any size and pull, one request a turn; in between come
SQL writes, pushes and pulls of version 1, checkpoints of all modes, VACUUM, generations that end,
lost answers, requests sent twice, forged ones, pulls beside all that, restarts, and SIGKILL, also
in the middle of a request. Checked:

- every answer, status and numbers and bytes, is the one that the protocol's tables ask for;
- what was acknowledged stays, what was not completed never shows, and a request that was cut off
  was done as a whole or not at all;
- nobody's frames are applied behind frames that its client does not have;
- the frames of each generation lead from its base to what all other clients see, page for page.

Usage: frame_rounds.py [--binary PATH] [--seeds N] [--seed FIRST] [--jobs N] [--seconds N]; without --binary,
the environment's TIDEMARK_BINARY. One seed repeats its turns exactly, but for the moment of a kill
within a request. Standard library only.
"""

import argparse
import collections
import concurrent.futures
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from clients import Violation
from frame_clients import Workshop
from frame_database import ARGUMENTS, NETWORK_ERRORS, FrameDatabase
from tidemark_server import Server
from wire import ProtocolViolation, Refused, SQLFailure

DATABASES = 2
TURNS = 60
SEEDS_A_SERVER = 20
FAILURES = (Violation, ProtocolViolation, AssertionError, Refused, SQLFailure, *NETWORK_ERRORS)


class Seed:
    """The databases of one seed, and the server's restarts, which are everybody's."""

    def __init__(self, number, server, workshop):
        self.random = random.Random(number)
        self.server = server
        self.workshop = workshop
        self.databases = []
        for index in range(DATABASES):
            self.databases.append(FrameDatabase(f"seed{number}-{index}", self.random, self))

    def run(self):
        """Returns how often each turn was taken."""
        counts = collections.Counter()
        for _ in range(TURNS):
            counts[self.random.choice(self.databases).take_turn()] += 1
        for database in self.databases:
            database.finish()
        for database in self.databases:
            database.delete()
        return counts

    def batons(self, without):
        """Those under which frames of other databases are staged."""
        others = (each for each in self.databases if each is not without)
        return [
            baton
            for each in others
            for baton, (_, _, frames) in each.model.staged.items()
            if frames
        ]

    def restart(self, is_killed):
        self.server.restart(kill=is_killed)
        self.came_back()

    def came_back(self, without=None):
        for database in self.databases:
            if database is not without:
                database.came_back()


class Outcome:
    """What became of seeds that were played one after another."""

    def __init__(self):
        self.passed = 0
        self.counts = collections.Counter()  # How often each turn was taken.
        self.problem = None


def play(binary, first, count, deadline):
    """Plays seeds on a server of their own until one fails or the deadline is over."""
    outcome = Outcome()
    directory = Path(tempfile.mkdtemp(prefix="tidemark-frames-"))
    server = Server(binary, directory / "data", directory / "server.log", ARGUMENTS)
    workshop = Workshop(directory)
    number = first
    try:
        server.start()
        for number in range(first, first + count):
            if time.monotonic() > deadline:
                break
            outcome.counts += Seed(number, server, workshop).run()
            outcome.passed += 1
        server.stop()
    except FAILURES as error:
        outcome.problem = (
            f"seed {number}: {type(error).__name__}: {error}\n"
            f"frame_rounds: data and server log are kept in {directory}"
        )
    finally:
        if server.process is not None:
            server.kill()
    if outcome.problem is None:
        shutil.rmtree(directory)
    return outcome


def play_all(binary, first, count, jobs, deadline):
    """Plays seeds on several servers at once; ends early where one fails."""
    total = Outcome()
    starts = range(first, first + count, SEEDS_A_SERVER)
    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        waiting = [
            pool.submit(play, binary, start, min(SEEDS_A_SERVER, first + count - start), deadline)
            for start in starts
        ]
        for future in concurrent.futures.as_completed(waiting):
            outcome = future.result()
            if total.passed // 100 < (total.passed + outcome.passed) // 100:
                print(f"frame_rounds: {total.passed + outcome.passed} seeds", flush=True)
            total.passed += outcome.passed
            total.counts += outcome.counts
            total.problem = total.problem or outcome.problem
            if total.problem is not None:
                pool.shutdown(wait=True, cancel_futures=True)
                break
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", default=os.environ.get("TIDEMARK_BINARY"))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None, help="the first seed")
    parser.add_argument("--jobs", type=int, default=4, help="servers at the same time")
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="begin no further seed after so long"
    )
    options = parser.parse_args()
    if not options.binary:
        parser.error("name the server with --binary or TIDEMARK_BINARY")
    first = options.seed if options.seed is not None else random.randrange(1 << 32)
    print(f"frame_rounds: seeds {first} to {first + options.seeds - 1}", flush=True)

    started = time.monotonic()
    outcome = play_all(
        Path(options.binary).resolve(), first, options.seeds, options.jobs,
        started + options.seconds,
    )
    turns = ", ".join(f"{count} {name}" for name, count in sorted(outcome.counts.items()))
    print(f"frame_rounds: {time.monotonic() - started:.0f} s; {turns}")
    if outcome.problem is not None:
        print(f"frame_rounds: {outcome.problem}")
    failed = 0 if outcome.problem is None else 1
    print(f"frame_rounds: {outcome.passed} passed, {failed} failed")
    return 0 if outcome.passed > 0 and failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
