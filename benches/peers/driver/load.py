"""F1 to F5: what they must answer, and how fast they do."""

import json
import os
import random
import re
import subprocess
import time
from dataclasses import asdict, dataclass
from typing import Optional

from peers import upstream
from results import say, tolerating
from server import ROOT, TICK_US, Server, cpu_us, memory_mib

SUPPORT = ROOT / "benches/support"
# What is posted.
BODIES = {"F2": "body.json", "F4": "order.json"}
ITEMS = json.loads((SUPPORT / BODIES["F2"]).read_bytes())["items"]
PATHS = {"F1": "/hello?name=Ada", "F2": "/transform", "F3": "/compute", "F4": "/order", "F5": "/profile"}
ANSWERS = {
    "F1": {"message": "hello Ada"},
    "F2": {"sum": sum(item["value"] for item in ITEMS), "count": len(ITEMS), "first": ITEMS[0]["name"]},
    "F3": {"fib": 17711},
    "F4": (SUPPORT / "order.html").read_text(),
    "F5": {"name": "Ada Lovelace", "city": "London"},
}


@dataclass
class Load:
    """What one run of `wrk` gave."""

    per_second: float
    p50_ms: float
    p99_ms: float
    requests: int
    errors: int
    cpu_us: Optional[float]
    rss_mib: float
    pss_mib: float


def check(peers):
    """Asks every peer for its functions; returns what was wrong."""
    wrong = []
    for peer in peers:
        try:
            with upstream(), Server(peer) as server:
                for function in peer.functions:
                    posted = (SUPPORT / BODIES[function]).read_bytes() if function in BODIES else None
                    status, body = server.ask(PATHS[function], posted)
                    if status != 200 or read(body, ANSWERS[function]) != ANSWERS[function]:
                        wrong.append(f"{peer.name} answers {function} with {status} {body[:200]!r}")
        except (RuntimeError, OSError, ValueError) as error:
            wrong.append(f"{peer.name}: {error}")
        say(f"check {peer.name}")
    return wrong


def read(body, like):
    """Reads an answer: a page as text, everything else as JSON."""
    return body.decode() if isinstance(like, str) else json.loads(body)


def load(peers, settings):
    """Runs the rounds: in each one every peer, in a new order, so that noise meets all of them."""
    loads = {peer.name: {} for peer in peers}
    for number in range(settings.rounds):
        for peer in random.sample(peers, len(peers)):
            say(f"load, round {number + 1} of {settings.rounds}: {peer.name}")
            with tolerating(peer), upstream(), Server(peer, settings.watch) as server:
                for function in measured(peer, settings):
                    wrk(server, function, 64, 1)
                    settle(server)
                    loads[peer.name].setdefault(function, []).append(asdict(wrk(server, function, 64, settings.seconds)))
                    settle(server)
                if "F1" in measured(peer, settings):
                    # Last, because the server is warm then.
                    alone = wrk(server, "F1", 1, 1)
                    loads[peer.name].setdefault("F1, 1 connection", []).append(asdict(alone))
    return loads


def measured(peer, settings):
    """Returns the functions of a peer that are wanted."""
    return [function for function in peer.functions if not settings.functions or function in settings.functions]


def settle(server):
    """Waits until the server has finished what `wrk` had under way when it ended."""
    end = time.monotonic() + 10
    used = cpu_us(server.pids())
    while time.monotonic() < end:
        time.sleep(0.1)
        before, used = used, cpu_us(server.pids())
        if used - before <= TICK_US:
            return


def wrk(server, function, connections, seconds):
    """Loads one function for some seconds, and looks at the server meanwhile."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "5s"]
    words = [server.url(PATHS[function])]
    if function in BODIES:
        command += ["-s", str(SUPPORT / "post.lua")]
        words += ["--", BODIES[function]]
    before = cpu_us(server.pids())
    process = subprocess.Popen([*command, *words], stdout=subprocess.PIPE, text=True, env=os.environ)
    memory = (0.0, 0.0)
    # Looking costs the core that the server wants, so it is done once a second, and once near the end.
    end = time.monotonic() + seconds - 0.3
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(1.0, left))
        memory = max(memory, memory_mib(server.pids()))
    output = process.communicate(timeout=seconds + 30)[0]
    return parse(output, cpu_us(server.pids()) - before, memory)


def parse(output, cpu, memory):
    """Reads the output of `wrk`."""

    def after(pattern):
        match = re.search(pattern, output)
        if not match:
            raise RuntimeError(f"wrk says something else than expected: {output}")
        return match[1]

    requests = int(after(r"(\d+) requests in"))
    lost = sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", output)))
    refused = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", output)))
    # A refusal is quick, and no answer.
    answered = max(requests - refused, 0)
    return Load(
        per_second=float(after(r"Requests/sec: +([\d.]+)")) * answered / max(requests, 1),
        p50_ms=milliseconds(after(r"50% +(\S+)")),
        p99_ms=milliseconds(after(r"99% +(\S+)")),
        requests=answered,
        errors=lost + refused,
        cpu_us=cpu / answered if answered else None,
        rss_mib=memory[0],
        pss_mib=memory[1],
    )


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1_000, "m": 60_000}[unit]
