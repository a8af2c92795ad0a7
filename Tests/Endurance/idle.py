#!/usr/bin/env python3
"""Shows that a server with nothing to do does nothing: no I/O, no wake-up, no system call.

After a load on several databases, which stay open, with partial replicas whose pins are kept and
with the last checkpoint over, it takes the process's counters (/proc/PID/io and the context
switches of each thread) over a while, and then traces the process with strace, where that is
installed.

Usage: idle.py [--binary PATH] [--seconds N] [--seed S]; without --binary, the environment's
TIDEMARK_BINARY. Standard library only, on Linux.
"""

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from run import Run, expect

from clients import PartialReplica
from load import Writer
from wire import Peer

DATABASES = ("default", "second", "third")
CHECKPOINT_INTERVAL_SECONDS = 1
SETTLE_SECONDS = 120
# A line of `strace -f`: the thread, and a call that began or ended.
CALL = re.compile(r"^(\d+) +(?:<\.\.\. )?([a-z_0-9]+)")


def make_load(run):
    """Commits below the page count of the next checkpoint, so that its interval has to do it."""
    for name in DATABASES[1:]:
        created = run.server.database_command("create", name)
        expect(created.returncode == 0, created.stderr)
    for index, name in enumerate(DATABASES):
        url = f"{run.server.url}/db/{name}"
        writer = Writer(url, seed=run.options.seed + index)
        writer.create()
        writer.fill(500)
        peer = Peer(url)
        replica = PartialReplica(peer, range(1))
        writer.commits(300)
        replica.pull(peer)
        replica.read_all(peer)
        writer.commits(10)


def counters(process):
    """What the process did until now: bytes, calls and context switches."""
    folder = Path("/proc") / str(process)
    found = {}
    for line in (folder / "io").read_text().splitlines():
        name, _, value = line.partition(":")
        found[name] = int(value)
    for task in (folder / "task").iterdir():
        for line in (task / "status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.endswith("_ctxt_switches"):
                found[f"{name} of {task.name}"] = int(value)
    times = (folder / "stat").read_text().rpartition(")")[2].split()
    found["ticks of the processor"] = int(times[11]) + int(times[12])
    return found


def difference(before, after):
    return {
        name: after.get(name, 0) - before.get(name, 0)
        for name in before.keys() | after.keys()
        if after.get(name) != before.get(name)
    }


def settle(run, process):
    """Waits until the last checkpoint is over and nothing has moved for two intervals."""
    deadline = time.monotonic() + SETTLE_SECONDS
    quiet_seconds = 2 * CHECKPOINT_INTERVAL_SECONDS + 2
    while True:
        before = counters(process)
        time.sleep(quiet_seconds)
        changed = difference(before, counters(process))
        if not changed:
            return
        run.say(f"not quiet yet: {changed}")
        expect(time.monotonic() < deadline, f"never quiet: {changed}")


def trace(run, process, seconds):
    """The system calls that strace sees, beyond those that it finds the threads waiting in."""
    log = run.directory / "strace.log"
    tracer = subprocess.Popen(
        ["strace", "-f", "-o", str(log), "-p", str(process)], stderr=subprocess.PIPE, text=True
    )
    try:
        # It says so once it is attached to all threads.
        threads = len(list((Path("/proc") / str(process) / "task").iterdir()))
        attached = 0
        while attached == 0:
            line = tracer.stderr.readline()
            expect(line, "strace could not attach")
            attached += "attached" in line
        run.say(f"strace is attached to {threads} threads")
        time.sleep(seconds)
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=30)
    first_calls = set()
    others = []
    for line in log.read_text().splitlines():
        match = CALL.match(line)
        if match is None or "detached" in line:
            continue
        # Each thread waits in one call, which strace shows as its first.
        if match.group(1) in first_calls:
            others.append(line)
        first_calls.add(match.group(1))
    return others


def body(run):
    run.server.arguments = [
        "--min-checkpoint-page-count=1000000",
        f"--checkpoint-interval={CHECKPOINT_INTERVAL_SECONDS}s",
    ]
    run.server.start()
    process = run.server.process.pid
    make_load(run)
    settle(run, process)
    for name in DATABASES:
        statistics = run.server.statistics(name)
        expect(statistics["pins"] == 1, f"{name}: {statistics['pins']} pins")
        expect(statistics["wal_pages"] == 0, f"{name}: {statistics['wal_pages']} pages are left")
    # The requests for these statistics are over, too, when their connections are.
    settle(run, process)
    before = counters(process)
    time.sleep(run.options.seconds)
    changed = difference(before, counters(process))
    expect(not changed, f"in {run.options.seconds} s without a request: {changed}")
    run.say(f"no counter moved in {run.options.seconds} s")
    if shutil.which("strace") is None:
        run.say("strace is not installed: nothing is traced")
        return
    calls = trace(run, process, run.options.seconds)
    expect(not calls, f"{len(calls)} system calls: {calls[:5]}")
    run.say(f"no system call in {run.options.seconds} s")
    # It is alive.
    expect(Peer(run.server.url).sql("SELECT count(*) FROM items")[0][0] > 0, "no rows")


def main():
    run = Run("idle", __doc__.split("\n")[0])
    run.parser.add_argument("--seconds", type=int, default=75)
    return run.main(body)


if __name__ == "__main__":
    sys.exit(main())
