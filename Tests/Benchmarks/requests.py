#!/usr/bin/env python3
"""Small requests: pulls that bring nothing, beside nginx with a constant of the same size, and long
polls that a commit wakes.

Usage: requests.py [--binary PATH] [--bench PATH] [--seconds S] [--rounds N] [--json FILE]; without
--binary and --bench, the environment's TIDEMARK_BINARY and the tidemark-bench beside it. Use
release builds. Standard library only; `scripts/setup --bench` installs nginx.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[1:1] = [str(Path(__file__).parent.parent / "Interop")]

from bootstrap import Nginx
from tidemark_server import Server
from wire import Peer, PullRequest

CLIENTS = 32
WAITERS = 1000


def main():
    options = parse_arguments()
    if shutil.which("nginx") is None:
        sys.exit("requests.py: there is no nginx: run scripts/setup --bench")
    with tempfile.TemporaryDirectory(prefix="tidemark-requests-") as folder:
        results = {
            "no_change": no_change(options, Path(folder) / "all", [], "auto"),
            "no_change_one_loop": no_change(
                options, Path(folder) / "one", ["--threads", "1"], "1"),
            "long_poll": long_poll(options),
        }
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1) + "\n")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.environ.get("TIDEMARK_BINARY"))
    parser.add_argument("--bench", help="the load generator")
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="write the figures to this file, too")
    options = parser.parse_args()
    if not options.binary:
        parser.error("--binary or TIDEMARK_BINARY has to name the server")
    options.bench = options.bench or str(Path(options.binary).with_name("tidemark-bench"))
    return options


def run_bench(options, workload, *arguments):
    """The only run of tidemark-bench, as it says in its JSON."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [options.bench, workload, "--quiet", "--json", file.name, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise SystemExit(f"{command}: {done.stdout}{done.stderr}")
        return json.loads(Path(file.name).read_text())["runs"][0]


def no_change(options, folder, arguments, workers):
    """Both serve the same number of connections, kept alive, in turn, with as many event loops."""
    folder.mkdir()
    server = Server(options.binary, folder / "data", folder / "log", arguments)
    server.start()
    try:
        peer = Peer(server.url)
        peer.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        revision = peer.pull().revision
        status, headers, body = peer.request(
            "POST", "/pull-updates", PullRequest(client_revision=revision).encode()
        )
        assert status == 200
        # As many bytes as our body; nginx's head is about as long as ours.
        locations = f'location = /constant {{ return 200 "{"x" * len(body)}"; }}'
        nginx = Nginx(folder, locations, workers)
        try:
            return compare(options, server, nginx, workers)
        finally:
            nginx.stop()
    finally:
        server.kill()


def compare(options, server, nginx, workers):
    common = ["--clients", CLIENTS, "--duration", f"{options.seconds}s", "--warm-up", "1s"]
    rounds = []
    for _ in range(options.rounds):
        ours = run_bench(
            options, "no-change", "--url", f"{server.url}/db/default",
            "--server-pid", server.process.pid, *common,
        )
        processes = [part for pid in nginx.processes() for part in ("--server-pid", pid)]
        anchor = run_bench(
            options, "http", "--url", f"http://127.0.0.1:{nginx.port}/constant", *processes, *common
        )
        rounds.append({
            "rate": ours["operations_per_second"],
            "anchor": anchor["operations_per_second"],
            "ratio": ours["operations_per_second"] / anchor["operations_per_second"],
            "cpu_us": ours["server"]["cpu_us_per_operation"],
            "anchor_cpu_us": anchor["server"]["cpu_us_per_operation"],
            "p99_us": ours["latency_us"]["p99"],
        })
    middle = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
    print(
        f"no-change pulls, {CLIENTS} clients, {workers} event loops: {middle['rate']:,.0f}/s, nginx "
        f"{middle['anchor']:,.0f}/s, ratio {middle['ratio']:.2f}; processor time a request "
        f"{middle['cpu_us']:.1f} us, nginx {middle['anchor_cpu_us']:.1f} us", flush=True,
    )
    return {"median": middle, "rounds": rounds}


def long_poll(options):
    """Waiters that one commit wakes: from its acknowledgement to the last byte of each answer."""
    rounds = []
    for _ in range(options.rounds):
        run = run_bench(
            options, "long-poll", "--start-server", options.binary, "--clients", WAITERS,
            "--duration", f"{options.seconds}s",
        )
        wake = next(kind for kind in run["kinds"] if kind["name"] == "wake-up")
        rounds.append({
            "p50_ms": wake["latency_us"]["p50"] / 1000,
            "p99_ms": wake["latency_us"]["p99"] / 1000,
            "cpu_us": run["server"]["cpu_us_per_operation"],
        })
    middle = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
    print(
        f"long polls, {WAITERS} waiters: p50 {middle['p50_ms']:.1f} ms, p99 "
        f"{middle['p99_ms']:.1f} ms; processor time a wake-up {middle['cpu_us']:.1f} us", flush=True,
    )
    return {"median": middle, "rounds": rounds}


if __name__ == "__main__":
    main()
