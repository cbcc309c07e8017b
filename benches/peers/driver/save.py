"""A saved file: how long until it answers, and how many requests fail meanwhile."""

import os
import random
import time
from contextlib import ExitStack

from results import say, tolerating
from server import Server

# One that has not gone live then is counted as never live.
LIMIT_S = 5.0
# A peer that has lost two saves has lost its watch; more would only take time.
LOST = 2


def in_place(path, text):
    """Saves as a shell does."""
    path.write_text(text)


def by_rename(path, text):
    """Saves as editors and git do."""
    beside = path.with_name(path.name + "~")
    beside.write_text(text)
    os.replace(beside, path)


WAYS = {"in place": in_place, "by rename": by_rename}


def save(peers, settings):
    """Saves `/hello` of every peer that reloads, in turns, with its watch mode on; all of them run at once."""
    saves = {}
    for way in WAYS:
        with ExitStack() as running:
            servers = []
            for peer in (peer for peer in peers if peer.reloads):
                with tolerating(peer):
                    servers.append(running.enter_context(Server(peer, watch=True)))
            texts = {server.peer.name: server.plan.hello.read_text() for server in servers}
            # Watchers are set up after the first answer.
            time.sleep(2)
            for number in range(settings.saves):
                say(f"save {way}, round {number + 1} of {settings.saves}")
                for server in servers:
                    done = saves.setdefault(server.peer.name, {}).setdefault(way, [])
                    if sum(one["live_ms"] is None for one in done) < LOST:
                        time.sleep(0.1 + random.random() * 0.2)
                        done.append(save_once(server, WAYS[way], texts[server.peer.name], f"save{number}"))
    return saves


def save_once(server, write, text, word):
    """Makes `/hello` greet with another word, and asks every millisecond, on a new connection each time, until it does."""
    assert text.count("hello ") == 1, f"{server.plan.hello} must say `hello ` once"
    write(server.plan.hello, text.replace("hello ", f"{word} "))
    began = time.perf_counter()
    failed, turn = 0, began
    while time.perf_counter() - began < LIMIT_S:
        try:
            status, body = server.ask("/hello?name=Ada")
            if status == 200 and f"{word} Ada".encode() in body:
                return {"live_ms": (time.perf_counter() - began) * 1000, "failed": failed}
            failed += status != 200
        except (OSError, ValueError):
            failed += 1
        turn = max(turn + 0.001, time.perf_counter())
        time.sleep(max(0.0, turn - time.perf_counter()))
    return {"live_ms": None, "failed": failed}
