"""Starts, stops and kills the server under test. Standard library only."""

import http.client
import json
import os
import re
import select
import signal
import subprocess
import time
from pathlib import Path

# Options that the caller's environment holds are not those under test.
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("TIDEMARK_")}
READY_LINE = re.compile(r"^ready http=(127\.0\.0\.1:\d+) admin=(127\.0\.0\.1:\d+)\n$")


class Server:
    """One `tidemark serve` over one data directory.

    The first start takes free ports; later starts take the same ones again, as a service does
    whose clients know its address.
    """

    START_SECONDS = 30
    STOP_SECONDS = 30

    def __init__(self, binary, data, log, arguments=()):
        self.binary = str(binary)
        self.data = Path(data)
        self.log = Path(log)
        self.arguments = list(arguments)
        self.http = "127.0.0.1:0"
        self.admin_address = "127.0.0.1:0"
        self.process = None

    @property
    def url(self):
        return f"http://{self.http}"

    @property
    def admin(self):
        return f"http://{self.admin_address}"

    def start(self):
        """Returns once the server says that it is ready."""
        self._launch()
        try:
            line = self._first_line(self.START_SECONDS)
            match = READY_LINE.match(line)
            assert match, f"not ready: stdout {line!r}, stderr:\n{self.log_text()}"
        except BaseException:
            self.kill()
            raise
        self.http, self.admin_address = match.groups()

    def start_and_kill(self, seconds):
        """Kills a starting server after that time, or once it is ready."""
        self._launch()
        try:
            self._first_line(seconds)
        finally:
            self.kill()

    def _launch(self):
        assert self.process is None, "the server is running"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--data", str(self.data), "--listen", self.http]
                + ["--admin-listen", self.admin_address, *self.arguments],
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def _first_line(self, seconds):
        deadline = time.monotonic() + seconds
        line = b""
        descriptor = self.process.stdout.fileno()
        while not line.endswith(b"\n"):
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not select.select([descriptor], [], [], remaining)[0]:
                break
            byte = os.read(descriptor, 1)
            if not byte:
                break
            line += byte
        return line.decode(errors="replace")

    def stop(self):
        """SIGTERM: the server must end by itself, with exit code 0."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(self.STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("the server did not end after SIGTERM")
        self._forget()
        assert code == 0, f"exit code {code} after SIGTERM, stderr:\n{self.log_text()}"

    def kill(self):
        """SIGKILL, as a crash would end it."""
        self.process.kill()
        self.process.wait()
        self._forget()

    def _forget(self):
        self.process.stdout.close()
        self.process = None

    def restart(self, kill=False):
        if kill:
            self.kill()
        else:
            self.stop()
        self.start()

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def admin_request(self, method, path):
        """Status and decoded answer of one request to the admin listener."""
        host, _, port = self.admin_address.partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=120)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        finally:
            connection.close()

    def pins(self, name="default"):
        """The pins of a database, as the admin listener lists them."""
        status, answer = self.admin_request("GET", f"/v1/namespaces/{name}/pins")
        assert status == 200, answer
        return answer["pins"]

    def drop_pins(self, name="default"):
        """Drops every pin of a database; a partial replica may not read any more."""
        for pin in self.pins(name):
            path = f"/v1/namespaces/{name}/pins/{pin['id']}"
            status, answer = self.admin_request("DELETE", path)
            assert status == 200, answer
        assert self.pins(name) == []

    def statistics(self, name="default"):
        status, answer = self.admin_request("GET", f"/v1/namespaces/{name}/stats")
        assert status == 200, answer
        return answer

    def database_command(self, verb, *arguments, running=True):
        """`tidemark db VERB ...`, through the admin listener or on the stopped data directory."""
        where = ["--admin", self.admin] if running else ["--data", str(self.data)]
        return subprocess.run(
            [self.binary, "db", verb, *map(str, arguments), *where],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=120,
            text=True,
        )
