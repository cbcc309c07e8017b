"""A folder of very many functions, for peers that find functions in a folder: start, memory, one save to live."""

import shutil
import statistics
import time

from results import say, tolerating
from save import in_place, save_once
from server import Server, memory_mib

SAVES = 3
# Of touching every function once.
LIMIT_S = 10.0


def many(peers, settings):
    """Measures each peer with each number of functions."""
    figures = {}
    for peer in (peer for peer in peers if peer.copy):
        for count in settings.counts:
            say(f"many: {peer.name}, {count} functions")
            with tolerating(peer):
                figures.setdefault(peer.name, {})[str(count)] = one(peer, count)
    return figures


def one(peer, count):
    server = Server(peer)
    hello = server.plan.hello
    text, suffix = hello.read_text(), "".join(hello.suffixes)
    for number in range(count - 1):
        (hello.parent / f"f{number}{suffix}").write_text(peer.copy(text, f"f{number}"))
    with server:
        time.sleep(2)
        rss, pss = memory_mib(server.pids())
        touched = touch(server, count - 1)
        rss_touched, pss_touched = memory_mib(server.pids())
        saves = [save_once(server, in_place, text, f"save{number}") for number in range(SAVES)] if peer.reloads == "always" else []
    shutil.rmtree(server.place.run, ignore_errors=True)
    live = [one["live_ms"] for one in saves if one["live_ms"] is not None]
    return {
        "start_ms": server.start_ms,
        "rss_mib": rss,
        "pss_mib": pss,
        "touched": touched,
        "rss_touched_mib": rss_touched,
        "pss_touched_mib": pss_touched,
        "live_ms": statistics.median(live) if live else None,
        "failed": sum(one["failed"] for one in saves) / len(saves) if saves else None,
    }


def touch(server, count):
    """Asks every function once, because some peers load a function only then; returns how many there was time for."""
    began = time.perf_counter()
    for number in range(count):
        if time.perf_counter() - began > LIMIT_S:
            return number
        status, _ = server.ask(f"/f{number}?name=Ada")
        if status != 200:
            raise RuntimeError(f"{server.peer.name} answers function {number} of {count} with {status}")
    return count
