"""What the rows of a database were at one moment, on the server and in replicas."""

import sqlite3

from digests import digests_by_id
from pages import fetch_image

SCAN = "SELECT id, n, v FROM items"


class State:
    """The rows of `items` by id, as digests."""

    def __init__(self, rows, name):
        self.rows = rows
        self.name = name

    def assert_equals(self, rows, who):
        wrong = sorted(id for id in self.rows.keys() & rows.keys() if self.rows[id] != rows[id])
        lost = sorted(self.rows.keys() - rows.keys())
        extra = sorted(rows.keys() - self.rows.keys())
        assert not (wrong or lost or extra), (
            f"{who}, expected as of {self.name}: {len(wrong)} rows differ {wrong[:10]}, "
            f"{len(lost)} are missing {lost[:10]}, {len(extra)} should not be there {extra[:10]}"
        )


def open_image(image):
    """A database in memory that holds the pages of `image`."""
    data = bytearray(b"".join(image[page_id] for page_id in range(len(image))))
    # A database in memory has no WAL: mark the copy as one with a rollback journal.
    data[18:20] = b"\x01\x01"
    connection = sqlite3.connect(":memory:")
    connection.deserialize(bytes(data))
    return connection


def server_state(peer, name, check=False):
    """The server's rows now; nobody may write meanwhile. With `check`, its integrity as well."""
    connection = open_image(fetch_image(peer))
    try:
        if check:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return State(digests_by_id(connection.execute(SCAN)), name)
    finally:
        connection.close()


def assert_reads(replica, state, who=""):
    """The replica reads every row of `state`, and nothing else."""
    state.assert_equals(replica.digests(SCAN), who or replica.path.parent.name)
