"""Measures PiCloud beside other runners of functions: benches/peers/bench MEASURE... ; README.md says how to read what comes out.

check    every peer answers F1 to F5 the same
load     F1 to F5 with 64 connections, F1 with one: req/s, latency, CPU, memory
start    start of the process to its first 200
idle     memory and CPU without a request
save     saved file to its first answer, and requests that fail meanwhile
many     folders of 1, 1,000 and 10,000 functions
report   prints what was measured, as markdown
all      all of these
list     which peers are installed
"""

import argparse
import datetime
import os
import platform
import shutil
from pathlib import Path

import load
import many
import peers
import report
import save
import still
from results import Results, say, take_problems
from server import FOLDER, RUNS

MEASURES = {"load": load.load, "start": still.start, "idle": still.idle, "save": save.save, "many": many.many}
QUICK = {"rounds": 1, "seconds": 1, "starts": 2, "idle": 2, "saves": 3, "counts": [1, 100]}


def arguments(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measures", nargs="+", metavar="MEASURE", choices=["all", "list", "check", *MEASURES, "report"])
    parser.add_argument("-p", "--peers", help="only these, with commas between them")
    parser.add_argument("--quick", action="store_true", help="shortest rounds: shows that everything works, figures mean nothing")
    parser.add_argument("--rounds", type=int, default=3, help="of load (3)")
    parser.add_argument("--seconds", type=int, default=3, help="of load for each function in a round (3)")
    parser.add_argument("-f", "--functions", type=lambda text: text.split(","), help="load only these, with commas between them")
    parser.add_argument("--watch", action="store_true", help="load with the peers' watch modes on, as `save` has them")
    parser.add_argument("--starts", type=int, default=7, help="of each peer (7)")
    parser.add_argument("--idle", type=int, default=20, help="seconds (20)")
    parser.add_argument("--saves", type=int, default=10, help="of each peer and way (10)")
    parser.add_argument("--counts", type=lambda text: [int(number) for number in text.split(",")], default=[1, 1_000, 10_000])
    parser.add_argument("--profile", default="bench", help="of cargo, for PiCloud and axum (bench)")
    parser.add_argument("--results", type=Path, default=FOLDER / "results", help="folder of results (target/peers/results)")
    settings = parser.parse_args(words)
    if settings.quick:
        vars(settings).update(QUICK)
    return settings


def main(words):
    settings = arguments(words)
    results = Results(settings.results)
    wanted = ["check", *MEASURES, "report"] if "all" in settings.measures else settings.measures
    if wanted == ["report"]:
        print(report.report(results))
        return 0
    if shutil.which("wrk") is None:
        say("wrk is missing; benches/peers/setup installs it")
        return 2
    peers.build(settings.profile)
    chosen = choose(settings.peers)
    try:
        for measure in wanted:
            if not run(measure, chosen, settings, results):
                return 1
    finally:
        shutil.rmtree(RUNS, ignore_errors=True)
    return 0


def choose(names):
    """Returns the peers that are wanted and installed, and says which are not."""
    wanted = names.split(",") if names else list(peers.PEERS)
    unknown = [name for name in wanted if name not in peers.PEERS]
    if unknown:
        raise SystemExit(f"unknown peer {', '.join(unknown)}; there are: {', '.join(peers.PEERS)}")
    for name in wanted:
        if not peers.PEERS[name].installed():
            say(f"{name} is not installed and left out; benches/peers/setup installs it")
    return [peers.PEERS[name] for name in wanted if peers.PEERS[name].installed()]


def run(measure, chosen, settings, results):
    """Runs one measure; returns whether all was right."""
    match measure:
        case "list":
            for peer in chosen:
                print(f"{peer.name} {peer.version()}")
        case "check":
            wrong = load.check(chosen)
            for line in wrong:
                say(line)
            return not wrong
        case "report":
            print(report.report(results))
        case _:
            results.write("machine", machine(chosen, settings))
            results.write(measure, MEASURES[measure](chosen, settings))
            results.write("problems", {**results.read("problems"), measure: take_problems()})
    return True


def machine(chosen, settings):
    """Returns what the figures hang on beside the code."""
    processor = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": datetime.date.today().strftime("%-d %B %Y"),
        "processor": processor,
        "cores": os.cpu_count(),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}",
        "settings": f"load: medians of {settings.rounds} × {settings.seconds} s{', watching' if settings.watch else ''}",
        "versions": {peer.name: peer.version() for peer in chosen},
    }
