#!/usr/bin/env python3
"""How fast a database is bootstrapped, beside nginx with the very same bytes in a file.

    TIDEMARK_BINARY=.build/release/tidemark Tests/Benchmarks/bootstrap.py

Both serve the same clients in turn, in one run: `scripts/setup --bench` installs nginx. Prints a
table, and writes it to a file with --json. Everything is on loopback, with a warm page cache.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import random
import re
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE_SIZE = 4096


def make_words(generator, count=4000):
    """Made-up words, as different from each other as those of a language."""
    syllables = [a + b for a in "bcdfghjklmnprstvwz" for b in ("a", "e", "i", "o", "u", "an", "er")]
    return ["".join(generator.choices(syllables, k=generator.randint(1, 4))) for _ in range(count)]


def make_rows(generator, first, count):
    """Rows of a shop: numbers, states, an identifier, and texts whose words are as frequent as
    words are."""
    words = make_words(generator)
    weights = [1 / (rank + 3) for rank in range(len(words))]
    text = generator.choices(words, weights, k=200_000)
    for row in range(first, first + count):
        start = generator.randrange(len(text) - 70)
        yield (row, generator.randrange(100_000), generator.randrange(1_000_000) / 100,
               generator.choice(("open", "sent", "paid", "cancelled")),
               f"{generator.getrandbits(128):032x}",
               " ".join(text[start : start + generator.randint(2, 6)]),
               " ".join(text[start + 6 : start + generator.randint(10, 66)]),
               1_700_000_000 + row * 17 + generator.randrange(10))


def make_database(path, size):
    """Rows of text and integers, as applications have them, of about `size` bytes."""
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;"
        "CREATE TABLE items (id INTEGER PRIMARY KEY, customer INTEGER, price REAL, state TEXT,"
        " token TEXT, title TEXT, body TEXT, created INTEGER);"
        "CREATE INDEX by_customer ON items (customer, created);")
    generator = random.Random(1)
    pages, row = "SELECT page_count FROM pragma_page_count", 0
    while (used := database.execute(pages).fetchone()[0] * PAGE_SIZE) < min(size, 32 << 20):
        database.executemany("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                             make_rows(generator, row + 1, 4000))
        row += 4000
    per_row = used / row
    while (missing := int((size - used) / per_row)) > 1000:
        # The same texts again, too far away for a compressor to notice.
        database.execute(
            "INSERT INTO items SELECT id + ?, (customer * 7 + id) % 100000, price + id % 50,"
            " state, lower(hex(randomblob(16))), title, body || id, created + ? FROM items"
            " LIMIT ?", (row, row * 17, missing))
        row += database.execute("SELECT changes()").fetchone()[0]
        used = database.execute(pages).fetchone()[0] * PAGE_SIZE
    database.execute("COMMIT")
    database.close()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Tidemark:
    name = "tidemark"

    def __init__(self, binary, data, flags=()):
        self.process = subprocess.Popen(
            [binary, "serve", "--data", data, "--listen", "127.0.0.1:0", "--admin-listen", "none",
             *flags],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        ready = re.match(r"ready http=127\.0\.0\.1:(\d+)", self.process.stdout.readline())
        self.port = int(ready.group(1))

    def request(self, headers=""):
        return (f"POST /db/bench/pull-updates HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}"
                "Content-Length: 0\r\n\r\n").encode()

    def processes(self):
        return [self.process.pid]

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


class Nginx:
    name = "nginx"

    def __init__(self, folder):
        self.port = free_port()
        configuration = folder / "nginx.conf"
        configuration.write_text(f"""
            daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
            worker_processes auto;
            events {{ worker_connections 1024; }}
            http {{
                access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
                client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
                fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
                scgi_temp_path {folder}/s;
                server {{ listen 127.0.0.1:{self.port}; root {folder}/www; }}
            }}""")
        if os.geteuid() == 0:
            configuration.write_text("user root;" + configuration.read_text())
        self.process = subprocess.Popen(
            ["nginx", "-p", str(folder), "-c", str(configuration)], stderr=subprocess.DEVNULL)
        for _ in range(1000):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.01)

    def request(self, headers=""):
        return b"GET /image HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    def processes(self):
        children = pathlib.Path(
            f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [self.process.pid] + [int(child) for child in children.split()]

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def fetch(port, request, count, first_bytes, received):
    """Reads `count` answers to their ends, into one buffer."""
    buffer = bytearray(1 << 20)
    total = 0
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", port)) as client:
            start = time.perf_counter()
            client.sendall(request)
            size = client.recv_into(buffer)
            first_bytes.append(time.perf_counter() - start)
            while size:
                total += size
                size = client.recv_into(buffer)
    received.append(total)


def client(port, request, count, barrier, results):
    first_bytes, received = [], []
    barrier.wait()
    fetch(port, request, count, first_bytes, received)
    results.put((received[0], max(first_bytes)))


def cpu_seconds(server):
    ticks = 0
    for process in server.processes():
        fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(server, clients, count, headers=""):
    """Bytes a second over all clients, the worst time to a first byte, CPU seconds per GiB."""
    request = server.request(headers)
    barrier = multiprocessing.Barrier(clients + 1)
    results = multiprocessing.Queue()
    workers = [
        multiprocessing.Process(
            target=client, args=(server.port, request, count, barrier, results))
        for _ in range(clients)]
    for worker in workers:
        worker.start()
    before = cpu_seconds(server)
    barrier.wait()
    start = time.perf_counter()
    answers = [results.get(timeout=600) for _ in workers]
    elapsed = time.perf_counter() - start
    spent = cpu_seconds(server) - before
    for worker in workers:
        worker.join()
    size = sum(answer[0] for answer in answers)
    return {"rate": size / elapsed, "bytes": size, "seconds": elapsed,
            "first_byte": max(answer[1] for answer in answers),
            "cpu_per_gib": spent / (size / 2**30)}


def body_of(port, request):
    """The content of one answer, without its framing."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request)
        answer = connection.makefile("rb")
        while answer.readline() not in (b"\r\n", b""):
            pass
        content = bytearray()
        while size := int(answer.readline(), 16):
            content += answer.read(size)
            answer.readline()
        return content


def make_data(binary, folder, mebibytes):
    """A data directory with a database `bench`."""
    source, data = folder / "source.db", str(folder / "data")
    make_database(source, mebibytes << 20)
    subprocess.run([binary, "db", "import", "bench", str(source), "-q", "--data", data],
                   check=True, stdout=subprocess.DEVNULL)
    source.unlink()
    return data


def run(arguments, mebibytes, folder, report):
    ours = Tidemark(
        arguments.binary, make_data(arguments.binary, folder, mebibytes), arguments.server_flags)
    (folder / "www").mkdir()
    first = measure(ours, 1, 1)
    (folder / "www" / "image").write_bytes(body_of(ours.port, ours.request()))
    anchor = Nginx(folder)
    try:
        for clients in arguments.clients:
            count = max(1, (arguments.mebibytes_per_run << 20) // first["bytes"] // clients)
            runs = {ours.name: [], anchor.name: []}
            for _ in range(arguments.runs):
                for server in (ours, anchor):
                    runs[server.name].append(measure(server, clients, count))
            row = {"mebibytes": mebibytes, "clients": clients, "first_bootstrap": first,
                   "runs": runs}
            report.append(row)
            show(row, ours.name, anchor.name)
    finally:
        anchor.stop()
        ours.stop()


def show(row, ours, anchor):
    def median(name, key):
        return statistics.median(run[key] for run in row["runs"][name])

    ratio = median(ours, "rate") / median(anchor, "rate")
    print(f"{row['mebibytes']:6} MiB {row['clients']:3} clients  "
          f"tidemark {median(ours, 'rate') / 2**30:6.2f} GiB/s "
          f"{median(ours, 'cpu_per_gib'):5.2f} CPU s/GiB "
          f"{median(ours, 'first_byte') * 1000:6.1f} ms   "
          f"nginx {median(anchor, 'rate') / 2**30:6.2f} GiB/s "
          f"{median(anchor, 'cpu_per_gib'):5.2f} CPU s/GiB   ratio {ratio:5.2f}   "
          f"(first bootstrap {row['first_bootstrap']['rate'] / 2**30:5.2f} GiB/s, "
          f"{row['first_bootstrap']['first_byte'] * 1000:.1f} ms)", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", default=os.environ.get(
        "TIDEMARK_BINARY", str(ROOT / ".build/release/tidemark")))
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 1024], help="MiB")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--mebibytes-per-run", type=int, default=4096)
    parser.add_argument("--server-flags", nargs="*", default=[])
    parser.add_argument("--json", help="file for the figures")
    arguments = parser.parse_args()
    if not shutil.which("nginx"):
        sys.exit("bootstrap.py: there is no nginx: run scripts/setup --bench")
    report = []
    for mebibytes in arguments.sizes:
        with tempfile.TemporaryDirectory(prefix="tidemark-bench-") as folder:
            run(arguments, mebibytes, pathlib.Path(folder), report)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
