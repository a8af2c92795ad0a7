"""Makes history on the server: many small commits, a shrink, a regrowth."""

import random

from wire import Peer, statement

STEPS_PER_REQUEST = 200
FILL_ROWS = 5000

CREATE = (
    "CREATE TABLE items(id INTEGER PRIMARY KEY, n INTEGER NOT NULL, v BLOB)",
    "CREATE INDEX items_n ON items(n)",
)


class Writer:
    """Writes to `items` by plain SQL, the same with each seed but for the bytes of the blobs."""

    def __init__(self, url, seed=1, row_size=1000):
        # A VACUUM or a large insertion may take long.
        self.peer = Peer(url, keep_alive=False, timeout=900.0)
        self.random = random.Random(seed)
        self.row_size = row_size
        self.highest = 0

    def create(self):
        for sql in CREATE:
            self.peer.sql(sql)

    def fill(self, count):
        """Appends `count` rows, in few commits."""
        while count > 0:
            part = min(count, FILL_ROWS)
            self.peer.sql(
                "INSERT INTO items SELECT value, value % 97, randomblob(?) "
                "FROM generate_series(?, ?)",
                self.row_size,
                self.highest + 1,
                self.highest + part,
            )
            self.highest += part
            count -= part

    def commits(self, count):
        """That many commits, many in a request: each step of a batch is one of its own."""
        while count > 0:
            part = min(count, STEPS_PER_REQUEST)
            results, errors = self.peer.batch([(None, self.change()) for _ in range(part)])
            assert errors == [None] * part, [error for error in errors if error][:3]
            count -= part

    def change(self):
        """One statement that changes something, whatever the rows are now."""
        kind = self.random.random()
        if kind < 0.2:
            self.highest += 1
            size = self.random.choice((10, self.row_size, 9000))
            values = (self.highest, self.random.randrange(1000), size)
            return statement("INSERT INTO items VALUES(?, ?, randomblob(?))", values)
        # The row at or after a random id; in a table without such a row, another insertion.
        id = self.random.randrange(1, self.highest + 1)
        near = "(SELECT id FROM items WHERE id >= ? LIMIT 1)"
        if kind < 0.3:
            return statement(f"DELETE FROM items WHERE id = {near}", (id,))
        size = self.random.choice((30, self.row_size, self.row_size, 5000))
        return statement(
            f"UPDATE items SET n = n + 1, v = randomblob(?) WHERE id = {near}", (size, id)
        )

    def shrink(self, keep_one_in=10):
        """Most rows go, and the file gets smaller."""
        before = self.pages()
        self.peer.sql("DELETE FROM items WHERE id % ? <> 0", keep_one_in)
        self.peer.sql("VACUUM")
        assert self.pages() < before // 2, "the database did not shrink"

    def pages(self):
        return self.peer.sql("PRAGMA page_count")[0][0]
