"""Peers that nobody asks anything: how long they take to start, and what they use while they wait."""

import os
import tempfile
import time
from contextlib import ExitStack

from results import say, tolerating
from server import RUNS, Server, cpu_us, memory_mib


def start(peers, settings):
    """Measures the time from the start of the process to its first 200. A peer keeps its folder, so all but the first are restarts."""
    RUNS.mkdir(parents=True, exist_ok=True)
    folders = {peer.name: tempfile.mkdtemp(prefix=f"{peer.name}-", dir=RUNS) for peer in peers}
    times = {peer.name: [] for peer in peers}
    for number in range(settings.starts):
        say(f"start, round {number + 1} of {settings.starts}")
        for peer in peers:
            with tolerating(peer), Server(peer, folder=folders[peer.name]) as server:
                times[peer.name].append(server.start_ms)
    return times


def idle(peers, settings):
    """Measures all of them at once; one that reloads in a mode of its own runs twice, without and with it."""
    with ExitStack() as running:
        servers = []
        for peer in peers:
            for watch in (False, True) if peer.reloads == "watch" else (False,):
                with tolerating(peer):
                    servers.append((watch, running.enter_context(Server(peer, watch))))
        say(f"idle: {len(servers)} servers settle, then {settings.idle} s")
        time.sleep(min(5, settings.idle))
        before = [used_ms(server) for _, server in servers]
        time.sleep(settings.idle)
        used = {}
        for (watch, server), ms in zip(servers, before):
            rss, pss = memory_mib(server.pids())
            cpu_ms = max(0.0, used_ms(server) - ms)
            watches = watch or server.peer.reloads == "always"
            figures = {"watches": watches, "processes": len(server.pids()), "rss_mib": rss, "pss_mib": pss, "cpu_ms": cpu_ms}
            used.setdefault(server.peer.name, []).append(figures)
        return used


def used_ms(server):
    """Returns the CPU time used so far. The scheduler's own count is fine enough, but forgets threads that have ended."""
    pids = server.pids()
    return max(sum(map(threads_ns, pids)) / 1e6, cpu_us(pids) / 1e3)


def threads_ns(pid):
    total = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                total += int(file.read().split()[0])
    except OSError:
        pass
    return total
