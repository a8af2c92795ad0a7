"""The clients of the crash test: they push and pull as the real ones do, and remember what they
were told. Standard library only.
"""

import hashlib
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Interop"))

from wire import PullAnswer, PullRequest, statement  # noqa: E402

CREATE_CHANGE_TABLE = (
    "CREATE TABLE IF NOT EXISTS turso_sync_last_change_id "
    "(client_id TEXT PRIMARY KEY, pull_gen INTEGER, change_id INTEGER)"
)
SELECT_CHANGE = "SELECT pull_gen, change_id FROM turso_sync_last_change_id WHERE client_id = ?"
UPSERT_CHANGE = (
    "INSERT INTO turso_sync_last_change_id(client_id, pull_gen, change_id) VALUES (?, ?, ?) "
    "ON CONFLICT(client_id) DO UPDATE SET pull_gen=excluded.pull_gen, "
    "change_id=excluded.change_id"
)
NOT_AUTOCOMMIT = {"type": "not", "cond": {"type": "is_autocommit"}}


class Violation(AssertionError):
    """The server broke a promise."""


class Pusher:
    """Pushes rows as the real client does, and remembers what was acknowledged.

    Rows of one pusher are numbered from 1. The number of a batch's last row is its change id, so
    in every state of the database, for each pusher, the highest row, the mark that the same batch
    updates, and the change id are equal.
    """

    def __init__(self, name, seed):
        self.name = name
        self.random = random.Random(seed)
        self.acknowledged = 0  # The highest row known to be committed.
        self.pending = None  # Rows sent, perhaps in vain: (first, last, statements).
        self.floor = 0  # Rows up to this one were deleted on purpose.
        self.lost_answers = 0  # Batches that were committed though their answer never came.
        self.lost_batches = 0  # Batches that were sent and not committed.

    def push(self, peer):
        is_repeated = self.pending is not None
        if not is_repeated:
            self.pending = self.make_batch()
        _, last, statements = self.pending
        is_committed = self.committed_change(peer) >= last
        if is_repeated:
            self.lost_answers += is_committed
            self.lost_batches += not is_committed
        if not is_committed:
            self.send(peer, statements)
        self.acknowledged = last
        self.pending = None

    def make_batch(self):
        first = self.acknowledged + 1
        last = first + self.random.choice((0, 0, 0, 0, 1, 3, 12))
        statements = []
        for row in range(first, last + 1):
            size = self.random.choice((10, 100, 300, 1000, 3000, 10_000))
            payload = self.random.randbytes(size)
            statements.append(
                statement(
                    'INSERT INTO "log"("client", "row", "payload") VALUES (?,?,?)',
                    (self.name, row, payload),
                    want_rows=False,
                )
            )
        statements.append(
            statement(
                'INSERT INTO "marks"("client", "row") VALUES (?,?) ON CONFLICT("client") '
                'DO UPDATE SET "client" = excluded."client","row" = excluded."row"',
                (self.name, last),
                want_rows=False,
            )
        )
        statements.append(statement(UPSERT_CHANGE, (self.name, 0, last), want_rows=False))
        return first, last, statements

    def committed_change(self, peer):
        results, errors = peer.batch([(None, statement(SELECT_CHANGE, (self.name,)))])
        if errors[0] is not None:
            if "no such table" in errors[0]["message"]:
                return 0
            raise Violation(f"the change id cannot be read: {errors[0]}")
        rows = results[0]["rows"]
        return int(rows[0][1]["value"]) if rows else 0

    def send(self, peer, statements):
        steps = [(None, statement("BEGIN IMMEDIATE", want_rows=False))]
        steps.append((NOT_AUTOCOMMIT, statement(CREATE_CHANGE_TABLE, want_rows=False)))
        steps += [(NOT_AUTOCOMMIT, each) for each in statements]
        steps.append((NOT_AUTOCOMMIT, statement("COMMIT", want_rows=False)))
        results, errors = peer.batch(steps)
        failed = [error for error in errors if error is not None]
        if failed or None in results:
            raise Violation(f"a push was answered with {failed[:3]}")


class StreamPusher(Pusher):
    """Sends its transactions over several requests, as interactive clients do."""

    def send(self, peer, statements):
        begin = [statement("BEGIN IMMEDIATE", want_rows=False)]
        begin.append(statement(CREATE_CHANGE_TABLE, want_rows=False))
        baton = None
        for group in [begin, *([each] for each in statements)]:
            requests = [{"type": "execute", "stmt": each} for each in group]
            baton, results = peer.stream(baton, requests)
            self.check(results)
            if baton is None:
                raise Violation("a stream with an open transaction has no baton")
        commit = {"type": "execute", "stmt": statement("COMMIT", want_rows=False)}
        baton, results = peer.stream(baton, [commit, {"type": "close"}])
        self.check(results)
        if baton is not None:
            raise Violation("a stream that was closed has a baton")

    @staticmethod
    def check(results):
        failed = [each for each in results if each["type"] != "ok"]
        if failed:
            raise Violation(f"a transaction was answered with {failed[:3]}")


class Image:
    """A copy of a database, kept current by pulls.

    `checksum` is the sum of all pages' hashes, so that an incremental pull costs only the pages
    that it changed.
    """

    def __init__(self):
        self.revision = ""
        self.pages = {}
        self.hashes = {}
        self.checksum = 0

    def copy(self):
        other = Image()
        other.revision = self.revision
        other.pages = dict(self.pages)
        other.hashes = dict(self.hashes)
        other.checksum = self.checksum
        return other

    def apply(self, answer):
        for page_id, page in answer.pages.items():
            salt = page_id.to_bytes(16, "little")
            value = hashlib.blake2b(page, digest_size=16, salt=salt).digest()
            self.checksum -= self.hashes.get(page_id, 0)
            self.hashes[page_id] = int.from_bytes(value, "little")
            self.checksum += self.hashes[page_id]
            self.pages[page_id] = page
        for page_id in range(answer.db_size, len(self.pages)):
            del self.pages[page_id]
            self.checksum -= self.hashes.pop(page_id)
        if sorted(self.pages) != list(range(answer.db_size)):
            raise Violation(f"{len(self.pages)} pages of {answer.db_size} after a pull")
        self.revision = answer.revision

    def bytes(self):
        return b"".join(self.pages[page_id] for page_id in range(len(self.pages)))


def commit_number(revision):
    """The commit that a revision names, by the revision's documented form."""
    return int(revision.split(".")[3], 16)


class PartialReplica:
    """A partial replica as the real client keeps one: a file with holes, and a WAL of its pulls.

    It reads lazily at the revision that it bootstrapped at, writes every page of the answer over
    its file unchecked, and moves its WAL to the file now and then. What it reads must not change
    what it has: a page that it holds already comes again as it is, as of the replica's position.
    """

    def __init__(self, peer, pages):
        answer = peer.pull(PullRequest(pages=pages))
        if answer.revision.count(".") != 4:
            raise Violation(f"a partial bootstrap has no replica id: {answer.revision}")
        self.base = answer.revision
        self.base_size = answer.db_size
        self.file = dict(answer.pages)
        self.wal = {}
        self.is_full = False
        self.revision = answer.revision
        self.size = answer.db_size
        # A pull that was cut off: the server may take it for one that arrived.
        self.is_doubtful = False
        self.at_least = {}
        self.floors = {}

    def position(self):
        """The revision that it holds, by the name that full replicas have for it."""
        return ".".join(self.revision.split(".")[:4])

    def pull(self, peer):
        self.is_doubtful = True
        answer = peer.pull(PullRequest(client_revision=self.revision))
        has_all = all(page_id in self.file for page_id in range(self.base_size))
        self.is_full = self.is_full or answer.revision.count(".") == 3
        if self.is_full and not has_all:
            raise Violation(f"{self.base} pulled {answer.revision}: its pin is gone")
        if not self.is_full and answer.revision.split(".")[4] != self.base.split(".")[4]:
            raise Violation(f"{self.base} pulled {answer.revision}: another replica's id")
        if commit_number(answer.revision) < commit_number(self.revision):
            raise Violation(f"back from {self.revision} to {answer.revision}")
        self.wal.update(answer.pages)
        self.revision = answer.revision
        self.size = answer.db_size
        self.is_doubtful = False

    def checkpoint(self):
        self.file.update(self.wal)
        self.wal.clear()

    def page(self, page_id):
        return self.wal.get(page_id, self.file.get(page_id))

    def read(self, peer, page_ids):
        """One lazy read; not to be used while the position is in doubt.

        The first page is not asked for: every client has it, and with others it does not come.
        """
        wanted = [page_id for page_id in page_ids if 0 < page_id < self.base_size]
        if not wanted:
            return
        answer = peer.pull(PullRequest(server_revision=self.base, pages=wanted))
        if (answer.revision, answer.db_size) != (self.base, self.base_size):
            raise Violation(f"{self.base} is answered as {answer.revision}, {answer.db_size} pages")
        if sorted(answer.pages) != wanted:
            raise Violation(f"{self.base}: {len(answer.pages)} pages instead of {len(wanted)}")
        for page_id, page in answer.pages.items():
            known = self.page(page_id)
            if page_id < self.size and known is not None and known != page:
                raise Violation(
                    f"{self.base} at {self.revision}: page {page_id} is not as it was before"
                )
        self.file.update(answer.pages)

    def read_all(self, peer):
        """Every page, those it holds as well; then all of the database at its position."""
        if not self.is_full:
            self.read(peer, range(self.base_size))
        image = Image()
        image.revision = self.position()
        pages = {page_id: self.page(page_id) for page_id in range(self.size)}
        holes = [page_id for page_id, page in pages.items() if page is None]
        if holes:
            raise Violation(f"{self.base} at {self.revision}: pages {holes[:5]} never came")
        image.apply(PullAnswer(self.position(), self.size, pages))
        return image
