"""A replica that the real `libsql` client holds with frame sync, and what its files say."""

import json
from pathlib import Path

from pages import read_log, read_pages
from replica import Replica


class FrameReplica(Replica):
    """Made with `offline=True` it pushes its own frames; with False it writes on the server.

    Opening it takes the base of the server's generation, if there is no local file yet.
    """

    WORKER = Path(__file__).with_name("frame_worker.py")

    def __init__(self, path, url, timeout=60.0, offline=True, **options):
        super().__init__(path, url, timeout, offline=offline, **options)

    def execute(self, sql, *arguments):
        """Runs one statement outside a transaction."""
        self.call("execute", sql, arguments)

    def sync(self):
        """Pushes what is new here; where nothing is, pulls.

        Returns without an error where the server cannot be reached.
        """
        self.call("sync")

    @property
    def position(self):
        """Generation and number of the newest frame that both sides have, as the client knows."""
        info = json.loads(self._neighbour("-info").read_text())
        return info["generation"], info["durable_frame_num"]

    def log_frames(self):
        """(page id, page, committed size) of the frames in the client's log."""
        return read_log(self._neighbour("-wal"))

    def image(self):
        """The pages of the newest committed state, by page id."""
        pages = read_pages(self.path)
        size = len(pages)
        pending = {}
        for page_id, page, committed_size in self.log_frames():
            pending[page_id] = page
            if committed_size:
                pages |= pending
                pending = {}
                size = committed_size
        return {page_id: pages[page_id] for page_id in range(size)}

    def start_again(self):
        """What a user has to do after a conflict: without the local files, bootstrap again."""
        self.end()
        for suffix in ("", "-wal", "-shm", "-info"):
            self._neighbour(suffix).unlink(missing_ok=True)
        self.open()
        self.sync()

    def _neighbour(self, suffix):
        return self.path.with_name(self.path.name + suffix)


def settle(replica):
    """Syncs until that changes nothing: one call pushes, the next pulls."""
    before = None
    for _ in range(6):
        replica.sync()
        now = replica.position, len(replica.log_frames())
        if now == before:
            return
        before = now
    raise AssertionError("syncing goes on and on though nobody writes")
