"""Runs one replica of the real client in a process of its own; see worker.py."""

import turso.sync
from digests import digests_by_id
from turso.lib_sync import PartialSyncOpts, PartialSyncPrefixBootstrap, PartialSyncQueryBootstrap
from worker import serve


def partial_options(prefix=None, query=None, segment_size=None, prefetch=None):
    """The client's own options; `prefix` is a size in bytes, `query` an SQL text."""
    if query is not None:
        strategy = PartialSyncQueryBootstrap(query)
    else:
        strategy = PartialSyncPrefixBootstrap(prefix)
    return PartialSyncOpts(strategy, segment_size=segment_size, prefetch=prefetch)


class Worker:
    def __init__(self):
        self.connection = None

    def open(self, path, url, options, partial):
        if partial is not None:
            options = {**options, "partial_sync_experimental": partial_options(**partial)}
        self.connection = turso.sync.connect(path, remote_url=url, **options)

    def rows(self, sql, arguments):
        return self.connection.execute(sql, arguments).fetchall()

    def digests(self, sql):
        return digests_by_id(self.connection.execute(sql))

    def write(self, statements):
        """Runs the statements in one transaction."""
        try:
            for sql, arguments in statements:
                self.connection.execute(sql, arguments)
            self.connection.commit()
        except BaseException:
            self.connection.rollback()
            raise

    def write_many(self, sql, rows):
        """Runs one statement for each row, all in one transaction."""
        self.connection.executemany(sql, rows)
        self.connection.commit()

    def pull(self):
        return self.connection.pull()

    def push(self):
        self.connection.push()

    def checkpoint(self):
        self.connection.checkpoint()

    def close(self):
        self.connection.close()


serve(Worker())
