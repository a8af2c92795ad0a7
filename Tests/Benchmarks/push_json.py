#!/usr/bin/env python3
"""How much of the work of a push of 20,000 rows, a body of 7 MB, is JSON: as a share of the server's
instructions, under callgrind.

Usage: push_json.py [--binary PATH] [--json FILE]; without --binary, the environment's
TIDEMARK_BINARY. Use a release build. Standard library only; needs valgrind.
"""

import argparse
import json
import os
import re
import tempfile
from pathlib import Path

from counts import BatchPush, CountedServer

PARTS = {"parsed": r"csimdjson_parse", "decoded": r"PipelineRequestV8decoding"}


class LargePush(BatchPush):
    name = "push_20000_rows"
    rows = 20_000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.environ.get("TIDEMARK_BINARY"))
    parser.add_argument("--json", help="write the figures to this file, too")
    options = parser.parse_args()
    if not options.binary:
        parser.error("--binary or TIDEMARK_BINARY has to name the server")
    with tempfile.TemporaryDirectory(prefix="tidemark-json-") as folder:
        with CountedServer(options.binary, Path(folder)) as server:
            server.peer.timeout = 300
            server.peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
            server.count(LargePush(server.peer), request_count=1)
            shares = read_shares(server.dumps[LargePush.name].read_text())
    print(
        f"of the instructions of a push of {LargePush.rows:,} rows, JSON takes "
        f"{shares['parsed']:.1%} parsed, {shares['decoded']:.1%} with the requests made of it"
    )
    if options.json:
        Path(options.json).write_text(json.dumps(shares, indent=1) + "\n")


def read_shares(dump):
    """The inclusive cost of each part, divided by the whole."""
    total = int(re.search(r"^totals: (\d+)", dump, re.MULTILINE)[1])
    names = dict(re.findall(r"^c?fn=\((\d+)\) (.+)$", dump, re.MULTILINE))
    # The line behind `calls=` is the cost of these calls, with all that they called.
    calls = re.findall(r"^cfn=\((\d+)\).*\n(?:c.*\n)*?calls=.*\n\S+ (\d+)", dump, re.MULTILINE)
    return {
        part: sum(int(cost) for number, cost in calls if re.search(pattern, names[number])) / total
        for part, pattern in PARTS.items()
    }


if __name__ == "__main__":
    main()
