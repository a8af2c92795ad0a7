"""Compares replicas with the server, page for page and row for row."""

import hashlib
import shutil
import sqlite3
import struct

from wire import PAGE_SIZE

WAL_HEADER_SIZE = 32
FRAME_HEADER_SIZE = 24


def digest(page):
    return hashlib.sha256(page).digest()


def read_pages(path):
    """The pages of a database file, by page id."""
    data = path.read_bytes()
    assert len(data) % PAGE_SIZE == 0, f"{path.name} does not end on a page boundary"
    return {i // PAGE_SIZE: data[i : i + PAGE_SIZE] for i in range(0, len(data), PAGE_SIZE)}


def read_log(path):
    """(page id, page, committed size) of each frame of a WAL, in order.

    The size is the database's in pages where the frame ends a transaction, else 0.
    """
    wal = path.read_bytes() if path.exists() else b""
    frames = []
    offset = WAL_HEADER_SIZE
    while offset + FRAME_HEADER_SIZE + PAGE_SIZE <= len(wal):
        number, committed_size = struct.unpack_from(">II", wal, offset)
        if wal[offset + 8 : offset + 16] != wal[16:24]:
            break  # Another salt: left over from an earlier life of the file.
        offset += FRAME_HEADER_SIZE
        frames.append((number - 1, wal[offset : offset + PAGE_SIZE], committed_size))
        offset += PAGE_SIZE
    return frames


def read_frames(path):
    """(page id, page) of each frame of a WAL, in order."""
    return [(page_id, page) for page_id, page, _ in read_log(path)]


def fetch_image(peer):
    """The server's pages, from a full bootstrap."""
    answer = peer.pull()
    assert sorted(answer.pages) == list(range(answer.db_size)), "the bootstrap has holes"
    return answer.pages


def assert_images_equal(ours, theirs):
    """Two images from page id to page are the same, byte for byte."""
    assert len(ours) == len(theirs), f"{len(ours)} pages here, {len(theirs)} there"
    different = [page_id for page_id, page in theirs.items() if ours[page_id] != page]
    assert not different, f"{len(different)} of {len(theirs)} pages differ: {different[:20]}"


def assert_pages_equal(replica, image):
    """The pages that the replica received are the server's.

    The client keeps its own tables (change capture) in the same file, so the newest state of a
    replica never equals the server's. But it writes what it pulled first, and its own pages
    after that. So its file, or the file with some prefix of its WAL applied, must equal the
    server's image exactly. A client does not cut its file when the server's shrank: pages beyond
    the server's size do not count.
    """
    server = {page_id: digest(page) for page_id, page in image.items()}
    local = {page_id: digest(page) for page_id, page in read_pages(replica.path).items()}
    different = {page_id for page_id in server if local.get(page_id) != server[page_id]}
    closest = set(different)
    frames = read_frames(replica.path.with_name(replica.path.name + "-wal"))
    for page_id, page in frames:
        if not different:
            return
        if page_id not in server:
            continue
        if digest(page) == server[page_id]:
            different.discard(page_id)
        else:
            different.add(page_id)
        closest = min(closest, different, key=len).copy()
    assert not different, (
        f"no state of the replica equals the server's {len(server)} pages; the closest of "
        f"{len(frames) + 1} differs in {sorted(closest)[:20]}"
    )


class Contents:
    """Schema and rows of a database as stock SQLite reads them, without the client's own tables."""

    def __init__(self, path):
        connection = sqlite3.connect(path)
        try:
            self.integrity = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            entries = connection.execute(
                "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE "
                "tbl_name NOT IN ('turso_cdc', 'turso_cdc_version', 'turso_sync_last_change_id', "
                "'sqlite_sequence') "
                "AND name NOT LIKE '\\_\\_turso\\_internal\\_%' ESCAPE '\\'"
            ).fetchall()
            self.schema = sorted(entries, key=repr)
            self.rows = {}
            for kind, name, _, _ in entries:
                if kind == "table":
                    quoted = '"' + name.replace('"', '""') + '"'
                    rows = connection.execute(f"SELECT * FROM {quoted}").fetchall()
                    self.rows[name] = sorted(rows, key=repr)
        finally:
            connection.close()


def replica_contents(replica, directory):
    """Reads copies of the replica's files: looking must not change them."""
    directory.mkdir(exist_ok=True)
    copy = directory / "replica.db"
    for suffix in ("", "-wal"):
        source = replica.path.with_name(replica.path.name + suffix)
        target = copy.with_name(copy.name + suffix)
        target.unlink(missing_ok=True)
        if source.exists():
            shutil.copyfile(source, target)
    return Contents(copy)


def image_contents(image, directory):
    """Reads a pulled image as a database file."""
    directory.mkdir(exist_ok=True)
    path = directory / "image.db"
    path.with_name("image.db-wal").unlink(missing_ok=True)
    path.write_bytes(b"".join(image[page_id] for page_id in range(len(image))))
    return Contents(path)
