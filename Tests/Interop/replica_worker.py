"""Runs one replica of the real client in a process of its own; see worker.py."""

import turso.sync

from worker import serve


class Worker:
    def __init__(self):
        self.connection = None

    def open(self, path, url, options):
        self.connection = turso.sync.connect(path, remote_url=url, **options)

    def rows(self, sql, arguments):
        return self.connection.execute(sql, arguments).fetchall()

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
