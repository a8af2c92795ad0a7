"""What the endurance runs share: their command line, a server of their own, and its files.

Standard library only.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "Interop"), str(TESTS / "Crash")]

from tidemark_server import Server  # noqa: E402

DATABASE_FILES = ("main.db", "main.db-wal", "meta", "changes", "history", "history.log")


class Failure(AssertionError):
    """The server did not do what its documents say."""


def expect(condition, text):
    if not condition:
        raise Failure(text)


class Run:
    """One endurance run: `name` for the output, `description` for `--help`."""

    def __init__(self, name, description):
        self.name = name
        self.parser = argparse.ArgumentParser(description=description)
        self.parser.add_argument("--binary", default=os.environ.get("TIDEMARK_BINARY"))
        self.parser.add_argument("--seed", type=int, default=None)
        self.options = None
        self.directory = None
        self.server = None
        self.started = time.monotonic()

    def say(self, text):
        print(f"{self.name}: {time.monotonic() - self.started:6.0f} s  {text}", flush=True)

    def main(self, body):
        """Runs `body(run)` and returns the exit code; the data is kept after a failure."""
        self.options = self.parser.parse_args()
        if not self.options.binary:
            self.parser.error("name the server with --binary or TIDEMARK_BINARY")
        if self.options.seed is None:
            self.options.seed = random.randrange(1 << 32)
        self.directory = Path(tempfile.mkdtemp(prefix=f"tidemark-{self.name}-"))
        self.server = Server(
            Path(self.options.binary).resolve(),
            self.directory / "data",
            self.directory / "server.log",
        )
        self.say(f"seed {self.options.seed}, {vars(self.options)}")
        problem = None
        try:
            body(self)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        finally:
            if self.server.process is not None:
                self.server.kill()
        if problem is None:
            shutil.rmtree(self.directory)
            self.say("1 passed, 0 failed")
            return 0
        self.say(problem)
        self.say(f"data and server log are kept in {self.directory}")
        self.say("0 passed, 1 failed")
        return 1

    def file_sizes(self, database="default"):
        """Bytes of each file of a database, and of the disk that all of them take."""
        folder = self.server.data / "databases" / database
        sizes, disk = {name: 0 for name in DATABASE_FILES}, 0
        for path in folder.iterdir():
            try:
                status = path.stat()
            except FileNotFoundError:
                continue  # Replaced at this moment.
            sizes[path.name] = status.st_size
            disk += status.st_blocks * 512
        return sizes, disk
