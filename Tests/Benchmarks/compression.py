#!/usr/bin/env python3
"""What compression of bootstraps saves, and what it costs, for each level.

    TIDEMARK_BINARY=.build/release/tidemark Tests/Benchmarks/compression.py

Bootstraps the same database of text and integers with every coding and level: the first answer,
which is made, and one that was kept. Then pulls increments of some changed rows. Prints tables in
Markdown.
"""

import argparse
import os
import pathlib
import sys
import tempfile

sys.path.append(str(pathlib.Path(__file__).parent.parent / "Interop"))

from wire import Peer, PullRequest, read_pull_answer

from bootstrap import ROOT, Tidemark, make_data, measure

CODINGS = {"zstd": ("Accept-Encoding: zstd\r\n", b""), "gzip": ("Accept-Encoding: gzip\r\n", b""),
           "pages": ("", b"\x08\x01")}


class Asking(Tidemark):
    """Asks for one coding: of the body, or of each page (`encoding` = ZSTD)."""

    def ask(self, coding):
        fields, body = CODINGS[coding] if coding else ("", b"")
        self.text = (
            "POST /db/bench/pull-updates HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"{fields}Content-Length: {len(body)}\r\n\r\n").encode() + body

    def request(self, headers=""):
        return self.text


def measure_level(binary, data, coding, level, raw):
    server = Asking(binary, data, ["--compression-level", str(level)])
    try:
        server.ask(coding)
        first = measure(server, 1, 1)
        kept = measure(server, 1, 3)
    finally:
        server.stop()
    made_seconds = first["cpu_per_gib"] * first["bytes"] / 2**30
    kept_seconds = kept["cpu_per_gib"] * kept["bytes"] / 2**30 / 3
    return (f"| {coding} | {level} | {raw / first['bytes']:.2f} | "
            f"{raw / 2**20 / made_seconds:.0f} MiB/s | {kept_seconds / (raw / 2**30):.3f} s |")


def increment(peer, revision, coding):
    """Bytes of the answer that brings a client from a revision to the newest one."""
    request = PullRequest(client_revision=revision, encoding=int(coding == "pages"))
    accepted = coding if coding in ("zstd", "gzip") else "identity"
    _, _, body = peer.request(
        "POST", "/pull-updates", request.encode(), {"Accept-Encoding": accepted})
    return body


def measure_increments(binary, data):
    """A column of some rows changes, anywhere in the table."""
    rows = []
    server = Tidemark(binary, data, ["--min-checkpoint-page-count", "10000000"])
    try:
        peer = Peer(f"http://127.0.0.1:{server.port}/db/bench", timeout=600)
        count = peer.sql("SELECT max(id) FROM items")[0][0]
        for changed in (1, 10, 100, 1000):
            revision = read_pull_answer(increment(peer, "", None)).revision
            peer.sql("UPDATE items SET price = price + 1 WHERE id IN"
                     " (SELECT 1 + value * ? % ? FROM generate_series(1, ?))",
                     7919 * 31, count, changed)
            answers = {coding: increment(peer, revision, coding)
                       for coding in (None, "gzip", "zstd", "pages")}
            # The old pages cannot be read any more.
            peer.sql("PRAGMA wal_checkpoint(TRUNCATE)")
            alone = increment(peer, revision, "pages")
            pages = len(read_pull_answer(answers[None]).pages)
            rows.append([changed, pages, *(len(body) for body in answers.values()),
                         len(alone)])
    finally:
        server.stop()
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", default=os.environ.get(
        "TIDEMARK_BINARY", str(ROOT / ".build/release/tidemark")))
    parser.add_argument("--size", type=int, default=64, help="MiB")
    parser.add_argument("--levels", type=int, nargs="+", default=[1, 2, 3, 4, 5, 6, 7, 9, 12])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tidemark-bench-") as folder:
        data = make_data(arguments.binary, pathlib.Path(folder), arguments.size)
        server = Asking(arguments.binary, data)
        server.ask(None)
        raw = measure(server, 1, 1)["bytes"]
        server.stop()
        print("| coding | level | ratio | made, per CPU second | CPU for a kept one, per GiB of "
              "database |\n| --- | --- | --- | --- | --- |")
        for coding in CODINGS:
            for level in arguments.levels:
                if coding != "gzip" or level <= 9:
                    print(measure_level(arguments.binary, data, coding, level, raw), flush=True)

        print("\n| changed rows | pages | raw, bytes | gzip | zstd | pages, with a dictionary | "
              "pages, without |\n| --- | --- | --- | --- | --- | --- | --- |")
        for row in measure_increments(arguments.binary, data):
            print("| " + " | ".join(str(value) for value in row) + " |")


if __name__ == "__main__":
    main()
