"""Runs one frame sync replica of the real client in a process of its own; see worker.py."""

import libsql

from worker import serve


class Worker:
    def __init__(self):
        self.connection = None

    def open(self, path, url, options, partial):
        assert partial is None, "frame sync has no partial replicas"
        # Without an isolation level each statement commits by itself; transactions are explicit.
        self.connection = libsql.connect(
            path, sync_url=url, auth_token="", **{"isolation_level": None, **options}
        )

    def rows(self, sql, arguments):
        return self.connection.execute(sql, arguments).fetchall()

    def write(self, statements):
        """Runs the statements in one transaction."""
        self.connection.execute("BEGIN")
        try:
            for sql, arguments in statements:
                self.connection.execute(sql, arguments)
            self.connection.execute("COMMIT")
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise

    def write_many(self, sql, rows):
        """Runs one statement for each row, all in one transaction."""
        self.write([(sql, row) for row in rows])

    def execute(self, sql, arguments):
        """Runs one statement that commits by itself, as VACUUM must."""
        self.connection.execute(sql, arguments)

    def commit(self, statements):
        """Runs statements in the transaction that Python begins by itself, and commits."""
        for sql, arguments in statements:
            self.connection.execute(sql, arguments)
        self.connection.commit()

    def rollback(self):
        self.connection.rollback()

    def sync(self):
        self.connection.sync()

    def close(self):
        self.connection.close()


serve(Worker())
