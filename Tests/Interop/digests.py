"""Digests of rows, so that large contents can be compared between processes."""

import hashlib


def row_digest(row):
    """Eight bytes for the values of a row; text, numbers and blobs all count with their type."""
    state = hashlib.blake2b(digest_size=8)
    for value in row:
        if isinstance(value, bytes):
            state.update(b"blob %d " % len(value))
            state.update(value)
        else:
            state.update(f"{value!r};".encode())
    return state.digest()


def digests_by_id(rows):
    """From the first value of each row to the digest of the row."""
    return {row[0]: row_digest(row) for row in rows}
