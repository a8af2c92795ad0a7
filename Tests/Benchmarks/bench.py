#!/usr/bin/env python3
"""Measures every figure that docs/performance.md names, each beside its anchor in the same run.

Prints a line for each as it comes, and a table at the end: the figure, its anchor's, the ratio, the
aim, and whether it was reached. With `--write` the table goes into docs/performance.md, with the
machine's description, between the lines that say so, and the plots of the cost curves beside it.

Usage: bench.py [--binary PATH] [--write] [--quick] [--no-curves]; without --binary, the
environment's TIDEMARK_BINARY, with tidemark-bench beside it. About a quarter of an hour; nothing else
should run on the machine. `scripts/setup --bench` installs what it needs.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[1:1] = [str(HERE.parent / "Interop")]

from curves import time_to_first_byte  # noqa: E402
from tidemark_server import Server  # noqa: E402

ROOT = HERE.parent.parent
DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- figures: written by make bench -->", "<!-- end of figures -->"


def main():
    options = parse_arguments()
    rows = []
    with tempfile.TemporaryDirectory(prefix="tidemark-figures-") as folder:
        parts = [bootstraps, first_byte, requests, commits, push_json, frame_pushes]
        for measure in parts + ([curves] if options.curves else []):
            rows += measure(options, Path(folder))
            # Part by part: it takes long, and may be broken off.
            if options.write:
                write(render(rows))
    print(render(rows))
    missed = sum(row["reached"] is False for row in rows)
    print(f"{len(rows)} figures, {missed} below their aim")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.environ.get("TIDEMARK_BINARY"))
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller sizes")
    parser.add_argument("--no-curves", dest="curves", action="store_false")
    options = parser.parse_args()
    if not options.binary:
        parser.error("--binary or TIDEMARK_BINARY has to name the server")
    options.binary = str(Path(options.binary).resolve())
    return options


def run(options, script, folder, *arguments):
    """What a benchmark of this folder writes as JSON."""
    output = folder / f"{script}.json"
    command = [sys.executable, HERE / f"{script}.py", "--binary", options.binary]
    subprocess.run([*command, "--json", output, *map(str, arguments)], check=True)
    return json.loads(output.read_text())


def figure(name, ours, anchor, value, aim, reached):
    """A row of the table; texts, and whether the aim was reached (None without one)."""
    return {"name": name, "ours": ours, "anchor": anchor, "value": value, "aim": aim,
            "reached": reached}


def bootstraps(options, folder):
    """Bootstraps beside nginx with the same bytes in a file."""
    sizes = [64] if options.quick else [64, 1024]
    report = run(options, "bootstrap", folder, "--runs", 3 if options.quick else 5,
                 "--sizes", *sizes)
    rows = []
    for entry in report:
        ours, nginx = (
            statistics.median(one["rate"] for one in entry["runs"][name]) / 2**30
            for name in ("tidemark", "nginx")
        )
        name = f"bootstrap, {entry['mebibytes']} MiB, {entry['clients']} clients"
        rows.append(figure(name, f"{ours:.2f} GiB/s", f"nginx {nginx:.2f} GiB/s",
                           f"{ours / nginx:.2f}", "0.90", ours / nginx >= 0.9))
    return rows


def first_byte(options, folder):
    """The first byte of a large database's bootstrap, right after the server's start and later."""
    gigabytes = 1 if options.quick else 10
    source = folder / "large.db"
    database = sqlite3.connect(source, isolation_level=None)
    for pragma in ("page_size=4096", "journal_mode=OFF", "synchronous=OFF"):
        database.execute(f"PRAGMA {pragma}")
    database.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    for _ in range(gigabytes * 10):
        database.execute("INSERT INTO t(v) VALUES(zeroblob(100000000))")
    database.close()
    server = Server(options.binary, folder / "large", folder / "log")
    imported = server.database_command("import", "large", source, running=False)
    source.unlink()
    if imported.returncode != 0:
        raise SystemExit(imported.stderr)
    server.start()
    try:
        times = [time_to_first_byte(f"{server.url}/db/large") for _ in range(5)]
    finally:
        server.kill()
        shutil.rmtree(folder / "large")
    print(f"first byte of {gigabytes} GB: " + ", ".join(f"{one * 1000:.1f} ms" for one in times))
    return [figure(f"first byte of a bootstrap of {gigabytes} GB, the worst of 5",
                   f"{max(times) * 1000:.1f} ms", "", "", "50 ms", max(times) <= 0.05)]


def requests(options, folder):
    """Pulls without news beside nginx, and long polls."""
    arguments = ["--rounds", 2 if options.quick else 5]
    report = run(options, "requests", folder, *arguments)
    poll = report["long_poll"]["median"]
    rows = []
    for key, how in (
        ("no_change", "an event loop for each core"), ("no_change_one_loop", "one event loop"),
    ):
        pull = report[key]["median"]
        rows.append(
            figure(f"no-change pull, 32 clients, {how}",
                   f"{pull['rate']:,.0f}/s, {pull['cpu_us']:.1f} us of CPU",
                   f"nginx {pull['anchor']:,.0f}/s, {pull['anchor_cpu_us']:.1f} us",
                   f"{pull['ratio']:.2f}", "0.60", pull["ratio"] >= 0.6))
    return rows + [
        figure("1,000 long polls, wake-up p99", f"{poll['p99_ms']:.1f} ms", "", "", "10 ms",
               poll["p99_ms"] <= 10),
    ]


def commits(options, folder):
    """Pushes beside SQLite's own commits."""
    report = run(options, "commits", folder, "--rounds", 2 if options.quick else 3)
    rows = []
    for name, entry in report.items():
        middle, aim = entry["median"], entry["aim"].removeprefix(">= ")
        reached = None if aim == "-" else middle["ratio"] >= float(aim)
        rows.append(figure(f"pushes: {name}", f"{middle['rate']:,.0f}/s",
                           f"{middle['anchor']:,.0f}/s", f"{middle['ratio']:.2f}",
                           "" if aim == "-" else aim, reached))
    return rows


def push_json(options, folder):
    """What of a large push is JSON."""
    shares = run(options, "push_json", folder)
    return [
        figure("JSON of a push of 7 MB, parsing", f"{shares['parsed']:.1%} of the instructions", "",
               "", "25 %", shares["parsed"] <= 0.25),
        figure("JSON of a push of 7 MB, with the requests made of it",
               f"{shares['decoded']:.1%} of the instructions", "", "", "25 %",
               shares["decoded"] <= 0.25),
    ]


def frame_pushes(options, folder):
    """Pushes of WAL frames beside appending and flushing the same bytes."""
    rows = []
    for entry in run(options, "frame_push", folder)["frame_push"]:
        aim = 0.5 if entry["frames"] >= 2000 else 0.2
        ratio = entry["median_ratio"]
        whole = entry["whole"]
        name = (f"frame push, {entry['frames']:,} frames a transaction, WAL up to "
                f"{entry['wal_frames']:,} frames")
        rows.append(figure(name, f"{whole['ours_mib_per_s']:.0f} MiB/s",
                           f"file {whole['file_mib_per_s']:.0f} MiB/s", f"{ratio:.2f}", f"{aim}",
                           ratio >= aim))
    return rows


def curves(options, folder):
    """How costs grow; the slope over the upper half of each curve, at most 1 where it is linear."""
    arguments = ["--plots", ROOT / "docs" / "plots"] if options.write else []
    report = run(options, "curves", folder, *arguments, *(["--quick"] if options.quick else []))
    rows = []
    for name, curve in report.items():
        for figure_name, slope in curve["slopes"].items():
            last = curve["rows"][-1]
            variable = curve["variable"]
            rows.append(figure(f"{name}: {figure_name} over {variable}".replace("_", " "),
                               f"{last[figure_name]:,.4g} at {last[variable]:,}", "",
                               f"slope {slope:.2f}", "1, linear", slope <= 1.1))
    return rows


def render(rows):
    """The table, and what it was measured on, as Markdown."""
    lines = [machine(), "", "| figure | ours | anchor | ratio | aim | |", "|---|---|---|---|---|---|"]
    marks = {True: "reached", False: "**missed**", None: ""}
    for row in rows:
        cells = [row[key] for key in ("name", "ours", "anchor", "value", "aim")]
        lines.append("| " + " | ".join([*cells, marks[row["reached"]]]) + " |")
    return "\n".join(lines)


def machine():
    model = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if "model name" in line), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    today = datetime.date.today().isoformat()
    kernel = f"{platform.system()} {platform.release().split('-')[0]}"
    return (f"Measured on {today}: {os.cpu_count()} cores ({model}), {memory:.0f} GiB of memory, "
            f"{kernel}; clients and servers share the machine.")


def write(table):
    text = DOCUMENT.read_text()
    head, _, rest = text.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise SystemExit(f"{DOCUMENT.name} has no lines '{BEGIN}' and '{END}'")
    DOCUMENT.write_text(f"{head}{BEGIN}\n\n{table}\n\n{END}{tail}")


if __name__ == "__main__":
    main()
