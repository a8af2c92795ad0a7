"""A replica held by the real client, in a child process with a watchdog."""

import os
import pickle
import select
import struct
import subprocess
import sys
import time
from pathlib import Path


class ReplicaError(Exception):
    """The client raised; `kind` is the name of its exception class."""

    def __init__(self, kind, message):
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message


class ReplicaHung(AssertionError):
    """The client did not come back in time: it waits for ever for something."""


class ReplicaDied(AssertionError):
    """The client's process ended, as it does when an answer breaks one of its assertions."""


class Replica:
    """The files of the replica are `path` and its neighbours with suffixes.

    `partial` makes it a partial one: the arguments of `partial_options` in the worker.
    """

    WORKER = Path(__file__).with_name("replica_worker.py")

    def __init__(self, path, url, timeout=60.0, partial=None, **options):
        self.path = Path(path)
        self.url = url
        self.options = options
        self.partial = partial
        self.timeout = timeout
        self.process = None
        self.log = self.path.with_name(self.path.name + "-stderr")
        self.open()

    def open(self):
        """Starts the child and opens the replica; bootstraps it when there is none yet."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(self.WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
            )
        try:
            self.call("open", str(self.path), self.url, self.options, self.partial)
        except BaseException:
            self.end()
            raise

    def begin(self, name, *arguments):
        """Sends a command and does not wait; `finish` takes its answer."""
        encoded = pickle.dumps((name, arguments))
        self._write(struct.pack("<I", len(encoded)) + encoded)

    def finish(self, timeout=None):
        seconds = self.timeout if timeout is None else timeout
        deadline = time.monotonic() + seconds
        size = struct.unpack("<I", self._read(4, deadline))[0]
        answer = pickle.loads(self._read(size, deadline))
        if answer[0] == "error":
            raise ReplicaError(*answer[1:])
        return answer[1]

    def call(self, name, *arguments, timeout=None):
        self.begin(name, *arguments)
        return self.finish(timeout)

    def _write(self, data):
        try:
            while data:
                data = data[self.process.stdin.write(data) :]
        except BrokenPipeError:
            self._died()

    def _read(self, size, deadline):
        data = b""
        descriptor = self.process.stdout.fileno()
        while len(data) < size:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not select.select([descriptor], [], [], remaining)[0]:
                self.end()
                raise ReplicaHung(f"no answer from the client in time\n{self.log_text()}")
            chunk = os.read(descriptor, size - len(data))
            if not chunk:
                self._died()
            data += chunk
        return data

    def _died(self):
        code = self.process.wait()
        raise ReplicaDied(f"the client ended with {code}:\n{self.log_text()}")

    def log_text(self):
        return self.log.read_text(errors="replace")[-4000:]

    def rows(self, sql, *arguments):
        return self.call("rows", sql, arguments)

    def digests(self, sql):
        """The rows of `sql` as digests, by their first value."""
        return self.call("digests", sql)

    def write(self, *statements):
        """Runs statements, each an SQL text or (text, arguments), in one transaction."""
        self.call(
            "write",
            [(entry, ()) if isinstance(entry, str) else entry for entry in statements],
        )

    def write_many(self, sql, rows):
        self.call("write_many", sql, rows)

    def pull(self):
        return self.call("pull")

    def push(self):
        self.call("push")

    def checkpoint(self):
        self.call("checkpoint")

    def reopen(self):
        """Closes the replica and opens it in a new process."""
        self.close()
        self.open()

    def close(self):
        self.call("close")
        self.end()

    def end(self):
        """Ends the child, whatever it is doing."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None
