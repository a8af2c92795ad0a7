"""Clients of raw frames, and the model of a server that they are compared with. No sockets here.

A frame is (page number, size of the database after the commit that it ends or 0, page); pages
are numbered from 1. An image is a list of pages.
"""

import sqlite3
import struct
from operator import mul
from pathlib import Path

from clients import Violation

PAGE_SIZE = 4096
FRAME_SIZE = 24 + PAGE_SIZE
CHECKED_WORDS = (8 + PAGE_SIZE) // 4


def checksum_weights():
    """SQLite's checksum of a frame is linear, modulo 2^32, in the one before it and in the frame's
    words. Returns the factors of the two numbers before and of all words, for both numbers."""
    rows = [[], []]
    for number in range(2):
        # Backwards from the last pair of words: a = s0 and b = s1 before it, in terms of after.
        first, second = (1, 0) if number == 0 else (0, 1)
        for _ in range(CHECKED_WORDS // 2):
            # s0' = s0 + s1 + x0, s1' = s0 + 2 * s1 + x0 + x1
            rows[number] += [second, first + second]
            first, second = (first + second) % 2**32, (first + 2 * second) % 2**32
        rows[number] += [second, first]
        rows[number].reverse()
    return rows


WEIGHTS = checksum_weights()


def encode_frames(frames):
    """Frames as they travel; the chain of checksums is right, and begins anywhere."""
    body = bytearray()
    sums = (1, 2)
    for number, size, page in frames:
        head = struct.pack(">II", number, size)
        words = sums + struct.unpack(f"<{CHECKED_WORDS}I", head + page)
        sums = tuple(sum(map(mul, words, weights)) % 2**32 for weights in WEIGHTS)
        body += head + struct.pack(">IIII", 3, 4, *sums) + page
    return bytes(body)


def decode_frames(body):
    if len(body) == 0 or len(body) % FRAME_SIZE:
        raise Violation(f"{len(body)} bytes are no frames")
    frames = []
    for offset in range(0, len(body), FRAME_SIZE):
        number, size = struct.unpack_from(">II", body, offset)
        frames.append((number, size, body[offset + 24 : offset + FRAME_SIZE]))
    return frames


def split_commits(frames):
    """The frames up to the last commit, and those behind it."""
    end = max((index + 1 for index, frame in enumerate(frames) if frame[1]), default=0)
    return frames[:end], frames[end:]


def apply_frames(image, frames):
    """The image after whole transactions."""
    image = list(image)
    for number, size, page in frames:
        image.extend(bytes(PAGE_SIZE) for _ in range(number - len(image)))
        image[number - 1] = page
        if size:
            image.extend(bytes(PAGE_SIZE) for _ in range(size - len(image)))
            del image[size:]
    return image


def differing(left, right):
    """The numbers of pages in which two images differ."""
    pairs = zip(left, right)
    different = [number for number, (a, b) in enumerate(pairs, 1) if a != b]
    return different + list(range(min(len(left), len(right)) + 1, max(len(left), len(right)) + 1))


class Workshop:
    """Runs transactions on images with stock SQLite, and returns the frames that it wrote."""

    def __init__(self, directory):
        self.path = Path(directory) / "workshop.db"
        self.log = self.path.with_name("workshop.db-wal")

    def transaction(self, image, statements):
        """Runs (sql, arguments) in one transaction; a lone statement commits by itself."""
        self.path.write_bytes(b"".join(image))
        self.log.unlink(missing_ok=True)
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            # The small cache spills: pages then come several times in a transaction.
            for pragma in ("wal_autocheckpoint=0", "synchronous=OFF", "cache_size=10"):
                connection.execute("PRAGMA " + pragma)
            if len(statements) > 1:
                connection.execute("BEGIN")
            for sql, arguments in statements:
                connection.execute(sql, arguments)
            if len(statements) > 1:
                connection.execute("COMMIT")
            data = self.log.read_bytes() if self.log.exists() else b""
        finally:
            connection.close()
        # Another process's recovery is not needed: the log has one life and whole commits.
        return split_commits(decode_frames(data[32:]))[0] if len(data) > 32 else []


def inspect(image, query):
    """Rows of a query on an image, after SQLite's integrity check."""
    data = bytearray(b"".join(image))
    # A database in memory has no WAL: mark the copy as one with a rollback journal.
    data[18:20] = b"\x01\x01"
    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(bytes(data))
        verdict = connection.execute("PRAGMA integrity_check").fetchall()
        if verdict != [("ok",)]:
            raise Violation(f"the image is damaged: {verdict[:5]}")
        return connection.execute(query).fetchall()
    finally:
        connection.close()


class Client:
    """A client as `libsql` is one: its log, and how much of it the server confirmed.

    The log holds the current generation's frames, those of others that it pulled and then its
    own. `confirmed` moves with each answer to a batch, also while the server has the batch
    only in memory; `saved` is what a restart of the client finds.
    """

    def __init__(self, name):
        self.name = name
        self.generation = 0  # 0 before the bootstrap.
        self.log = []
        self.confirmed = self.saved = 0
        self.image = []
        self.baton = None
        self.has_retried = False

    def bootstrap(self, generation, image):
        self.__init__(self.name)
        self.generation, self.image = generation, list(image)

    def at(self, generation):
        """A client that pretends to be in a generation."""
        self.generation = generation
        return self

    @property
    def has_unpushed(self):
        return self.confirmed < len(self.log)

    def write(self, frames):
        self.log += frames
        self.image = apply_frames(self.image, frames)

    def next_batch(self, limit):
        """(start, frames) of the next batch."""
        frames = self.log[self.confirmed : self.confirmed + limit]
        return self.confirmed + 1, frames

    def end_push(self):
        """The loop ends, with an error or because all is pushed; the next one has no baton."""
        self.baton = None
        self.has_retried = False

    def confirm(self, end, newest, baton):
        """Takes an `ok` for frames up to `end`; false where the client gives up."""
        if newest > end:
            raise Violation(f"{self.name}: sent up to {end}, was told {newest}")
        self.confirmed, self.baton = newest, baton
        if newest < end:
            if self.has_retried:
                self.end_push()
                return False
            self.has_retried, self.baton = True, None
        if not self.has_unpushed:
            self.saved = self.confirmed
            self.end_push()
        return True

    def restart(self):
        self.confirmed = self.saved
        self.end_push()

    def pull(self, frames):
        self.log += frames
        self.image = apply_frames(self.image, frames)
        self.confirmed = self.saved = len(self.log)

    def move_on(self):
        """Checkpoints its log and goes to the next generation."""
        self.generation += 1
        self.log = []
        self.confirmed = self.saved = 0


class Model:
    """What a server has to have: every generation's base and frames, and what is staged."""

    def __init__(self, image, checkpoint_needed, roll_frames):
        self.image = list(image)
        self.checkpoint_needed = checkpoint_needed
        self.roll_frames = roll_frames
        self.bases = {}
        self.frames = {}
        self.generation = 0
        self.staged = {}  # Baton -> (generation, first frame, frames).
        self.has_asked = False
        # Whether a client can hold for the server's what was only staged: then the server may ask
        # anyone to send again from further back, to see who is who.
        self.has_doubts = False

    def begin(self):
        if self.generation == 0:
            self.roll()

    def roll(self):
        self.generation += 1
        self.bases[self.generation] = list(self.image)
        self.frames[self.generation] = []
        self.has_asked = False

    def reach_end(self, generation, start):
        """A client asks behind the last frame: a long generation ends."""
        if (generation, start) == (self.generation, self.newest + 1):
            if self.newest >= self.roll_frames:
                self.roll()

    @property
    def newest(self):
        return len(self.frames[self.generation])

    def append(self, frames):
        self.frames[self.generation] += frames
        self.image = apply_frames(self.image, frames)

    def restart(self):
        self.staged = {}

    def offset(self, generation, start):
        """How many frames a client counts before the current generation's first one.

        A client that does not know of the last roll counts on in the generation before. None if
        it counts none of the current generation's.
        """
        if generation == self.generation:
            return 0
        if generation == self.generation - 1 and start > len(self.frames[generation]):
            return len(self.frames[generation])
        return None

    def expect(self, generation, start, frames, baton):
        """What has to be answered to a push, and what it does: (status, newest, effect).

        The status is "gap" where frames are missing: see `FrameDatabase.check_resend`. It is
        "overtaken" for a conflict with what was staged, which needs no comparison. The effect is
        the transactions to append and the frames to stage, or None.
        """
        offset = self.offset(generation, start)
        if offset is None:
            return "conflict", None, None
        first = start - offset
        session = self.staged.get(baton)
        if session is not None and (session[0] != self.generation or not session[2]):
            session = (self.generation, self.newest + 1, [])
        elif session is not None and session[1] != self.newest + 1:
            return "overtaken", offset + self.newest, None
        stored = self.frames[self.generation]
        overlap = frames[: max(0, self.newest - first + 1)]
        if overlap:
            if overlap != stored[first - 1 : first - 1 + len(overlap)]:
                return "conflict", offset + self.newest, None
            if len(overlap) == len(frames):
                return "ok", start + len(frames) - 1, ([], [])
        tail = frames[len(overlap) :]
        begins = max(first, self.newest + 1)
        if begins > self.newest + 1:
            index = begins - self.newest - 1
            if session is None or index > len(session[2]):
                return "gap", None, None
            tail = session[2][:index] + tail
        elif (
            session is None
            and self.checkpoint_needed
            and self.newest >= self.checkpoint_needed
            and not self.has_asked
        ):
            return "checkpoint_needed", offset + self.newest, None
        return "ok", start + len(frames) - 1, split_commits(tail)
