#!/usr/bin/env python3
"""Downloads a database at 1 KB/s while others write, and shows that no checkpoint waits for it.

Meanwhile every mode of checkpoint must complete, and the WAL stays short. The client is also held
to what it asked for: in the end it has the state that its answer's revision names, page for page.

Usage: slow_client.py [--binary PATH] [--seconds N] [--seed S]; without --binary, the environment's
TIDEMARK_BINARY. Standard library only.
"""

import itertools
import socket
import sys
import threading
import time

from run import Run, expect

from load import Writer
from wire import Peer, read_pull_answer

BYTES_PER_SECOND = 1024
CHECKPOINT_PAGES = 200
FRAME = 24 + 4096
MODES = ("PASSIVE", "FULL", "RESTART", "TRUNCATE")


class SlowClient:
    """A bootstrap of everything, read as slowly as asked, and at the end as fast as it comes."""

    def __init__(self, server):
        self.socket = socket.socket()
        # The kernel must not read ahead for it.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(120)
        host, _, port = server.http.partition(":")
        self.socket.connect((host, int(port)))
        head = f"POST /pull-updates HTTP/1.1\r\nHost: {server.http}\r\nContent-Length: 0\r\n"
        self.socket.sendall((head + "Connection: close\r\n\r\n").encode())
        self.received = bytearray()
        self.in_a_hurry = threading.Event()
        self.problem = None
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        try:
            while chunk := self.socket.recv(65536 if self.in_a_hurry.is_set() else 256):
                self.received += chunk
                self.in_a_hurry.wait(len(chunk) / BYTES_PER_SECOND)
        except OSError as error:
            self.problem = error

    def finish(self):
        """The pages of the whole answer."""
        self.in_a_hurry.set()
        self.thread.join(120)
        self.socket.close()
        expect(self.problem is None, f"the download broke off: {self.problem}")
        head, _, rest = bytes(self.received).partition(b"\r\n\r\n")
        expect(b" 200 " in head.split(b"\r\n")[0], f"answer {head[:80]}")
        return read_pull_answer(self._without_chunks(rest))

    @staticmethod
    def _without_chunks(data):
        body, offset = bytearray(), 0
        while True:
            end = data.find(b"\r\n", offset)
            expect(end >= 0, "the answer was cut off")
            size = int(data[offset:end].split(b";")[0], 16)
            if size == 0:
                return bytes(body)
            body += data[end + 2 : end + 2 + size]
            offset = end + 2 + size + 2


def body(run):
    run.server.arguments = [f"--min-checkpoint-page-count={CHECKPOINT_PAGES}"]
    run.server.start()
    writer = Writer(run.server.url, seed=run.options.seed)
    writer.create()
    # Much more than the server's and the kernel's buffers hold, and than the time allows to read.
    writer.fill(max(30_000, run.options.seconds * 2))
    whole = Peer(run.server.url, timeout=300).pull()
    slow = SlowClient(run.server)
    checkpoints = dict.fromkeys(MODES, 0)
    deadline = time.monotonic() + run.options.seconds
    next_report = time.monotonic() + 30
    for mode in itertools.cycle(MODES):
        writer.commits(200)
        sizes, _ = run.file_sizes()
        expect(sizes["main.db-wal"] < 20 * CHECKPOINT_PAGES * FRAME, f"the WAL grows: {sizes}")
        started = time.monotonic()
        busy, frames, copied = writer.peer.sql(f"PRAGMA wal_checkpoint({mode})")[0]
        seconds = time.monotonic() - started
        expect((busy, copied) == (0, frames), f"{mode}: busy {busy}, {copied} of {frames} frames")
        expect(seconds < 30, f"{mode} took {seconds:.0f} s")
        checkpoints[mode] += 1
        expect(slow.thread.is_alive(), f"the download ended early: {slow.problem}")
        if time.monotonic() >= next_report:
            next_report += 30
            run.say(f"{len(slow.received)} bytes received, {checkpoints}, files {sizes}")
        if time.monotonic() >= deadline and min(checkpoints.values()) > 0:
            break
        # Not to fill the disk with history in a run of an hour.
        slow.in_a_hurry.wait(min(1.0, run.options.seconds / 100))
    run.say(f"{len(slow.received)} bytes received slowly, checkpoints {checkpoints}")
    expect(len(slow.received) < run.options.seconds * 4 * BYTES_PER_SECOND, "that was not slow")
    answer = slow.finish()
    expect(answer.revision == whole.revision, f"{answer.revision} is not {whole.revision}")
    expect(answer.pages == whole.pages, "the slow download mixes states")


def main():
    run = Run("slow_client", __doc__.split("\n")[0])
    run.parser.add_argument("--seconds", type=int, default=180)
    return run.main(body)


if __name__ == "__main__":
    sys.exit(main())
