"""The results as markdown, for docs/performance.md."""

import statistics
from dataclasses import dataclass
from typing import Optional

BASE, PICLOUD = "axum", "picloud"
TITLES = {
    "F1": "F1: `GET`, one greeting, 64 connections",
    "F2": "F2: `POST`, 1.9 KB of JSON, 64 connections",
    "F3": "F3: fib(22), 64 connections",
    "F4": "F4: `POST`, an order to a page, 64 connections",
    "F5": "F5: `GET`, one request to another service, 64 connections",
    "F1, 1 connection": "F1 with 1 connection",
}


def report(results):
    """Returns all tables for which there are results."""
    parts = [
        machine(results.read("machine")),
        *(loads(results.read("load"), function) for function in TITLES),
        still(results.read("start"), results.read("idle")),
        saves(results.read("save")),
        many(results.read("many")),
        ahead(results.read("load"), results.read("save")),
        problems(results.read("problems")),
    ]
    return "\n".join(part for part in parts if part)


def table(head, rows):
    """Returns a table whose first column is text."""
    lines = ["| " + " | ".join(map(str, line)) + " |" for line in (head, *rows)]
    lines.insert(1, "|---|" + "---:|" * (len(head) - 1))
    return "\n".join(lines) + "\n"


def figure(number):
    """Returns a number with about three digits."""
    if number is None:
        return "–"
    size = abs(number)
    return f"{number:,.3f}" if 0 < size < 0.1 else f"{number:,.2f}" if size < 10 else f"{number:,.1f}" if size < 100 else f"{number:,.0f}"


def median(numbers):
    numbers = [number for number in numbers if number is not None]
    return statistics.median(numbers) if numbers else None


def ratio(number, base):
    return None if number is None or not base else number / base


def machine(facts):
    if not facts:
        return ""
    same = {}
    for peer, version in facts["versions"].items():
        same.setdefault(version, []).append(peer)
    versions = "\n".join(f"- {', '.join(peers)}: {version}" for version, peers in same.items())
    return f"Measured on {facts['date']}: {facts['processor']}, {facts['cores']} cores, {facts['memory']}, {facts['system']}, {facts['settings']}.\n\n{versions}\n"


def loads(load, function):
    rounds = {name: of[function] for name, of in load.items() if function in of}
    if not rounds:
        return ""
    middle = {name: lambda key, all=all: median(one[key] for one in all) for name, all in rounds.items()}
    base = middle.get(BASE, lambda key: None)
    rows = []
    for name in sorted(rounds, key=lambda name: -middle[name]("per_second")):
        of = middle[name]
        rows.append(
            [
                name,
                figure(of("per_second")),
                figure(ratio(of("per_second"), base("per_second"))),
                figure(of("p50_ms")),
                figure(of("p99_ms")),
                figure(of("cpu_us")),
                figure(ratio(of("cpu_us"), base("cpu_us"))),
                figure(of("rss_mib")),
                figure(of("pss_mib")),
                sum(one["errors"] for one in rounds[name]),
            ]
        )
    head = ["peer", "req/s", "× axum", "p50 ms", "p99 ms", "CPU µs/req", "× axum", "RSS MiB", "PSS MiB", "errors"]
    return f"### {TITLES[function]}\n\n{table(head, rows)}"


def still(starts, idle):
    names = list(starts or idle)
    if not names:
        return ""
    rows = []
    for name in sorted(names, key=lambda name: median(starts.get(name, [])) or 0):
        plain, *watching = idle.get(name, [{}])
        watched = watching[0] if watching else plain if plain.get("watches") else {}
        rows.append(
            [
                name,
                figure(median(starts.get(name, []))),
                figure(plain.get("rss_mib")),
                figure(plain.get("pss_mib")),
                figure(plain.get("cpu_ms")),
                figure(watched.get("rss_mib")),
                figure(watched.get("pss_mib")),
                figure(watched.get("cpu_ms")),
            ]
        )
    head = ["peer", "start → first 200 ms", "idle RSS MiB", "PSS MiB", "CPU ms", "watching: RSS MiB", "PSS MiB", "CPU ms"]
    return f"### Start and idle\n\n{table(head, rows)}"


def live_ms(saves, name, way):
    return median(one["live_ms"] for one in saves.get(name, {}).get(way, []))


def saves(save):
    if not save:
        return ""
    rows = []
    for name in sorted(save, key=lambda name: live_ms(save, name, "in place") or float("inf")):
        row = [name]
        for way in ("in place", "by rename"):
            done = save[name].get(way, [])
            lost = sum(one["live_ms"] is None for one in done)
            row += [
                figure(live_ms(save, name, way)),
                figure(max((one["live_ms"] for one in done if one["live_ms"] is not None), default=None)),
                f"{lost} of {len(done)}",
                figure(sum(one["failed"] for one in done) / len(done)) if done else "–",
            ]
        rows.append(row)
    head = ["peer"]
    for way in ("in place", "by rename"):
        head += [f"{way}: live after ms", "worst", "never", "failed requests a save"]
    return f"### A saved file\n\n{table(head, rows)}"


def many(figures):
    rows = []
    for name, counts in figures.items():
        for count, of in counts.items():
            keys = ("start_ms", "rss_mib", "pss_mib", "touched", "rss_touched_mib", "pss_touched_mib", "live_ms", "failed")
            rows.append([name, f"{int(count):,}", *(f"{of[key]:,}" if key == "touched" else figure(of[key]) for key in keys)])
    if not rows:
        return ""
    touched = ["others touched", "RSS after", "PSS after"]
    head = ["peer", "functions", "start ms", "RSS MiB", "PSS MiB", *touched, "save → live ms", "failed requests a save"]
    return f"### Many functions\n\n{table(head, rows)}"


@dataclass
class Standing:
    """How a peer stands beside PiCloud: what it has over what PiCloud has; above 1 it is ahead, nothing where it was not measured."""

    name: str
    f1: Optional[float]
    f2: Optional[float]
    f1_cpu: Optional[float]
    f2_cpu: Optional[float]
    save: Optional[float]
    rename: Optional[float]

    def leads(self):
        """Says by what it is ahead on F1, F2 and save → live together, in either way of saving."""
        if not (ahead_in(self.save) or ahead_in(self.rename)):
            return []
        ways = {"req/s": (self.f1, self.f2), "CPU": (self.f1_cpu, self.f2_cpu)}
        return [way for way, both in ways.items() if all(map(ahead_in, both))]


def ahead_in(standing):
    return standing is not None and standing > 1


def standings(load, save):
    """Compares every peer with PiCloud as it is by default."""

    def of(name, function, key):
        return median(one[key] for one in load.get(name, {}).get(function, []))

    def compare(name):
        def more(function):
            return ratio(of(name, function, "per_second"), of(PICLOUD, function, "per_second"))

        def less(function):
            return ratio(of(PICLOUD, function, "cpu_us"), of(name, function, "cpu_us"))

        def sooner(way):
            return ratio(live_ms(save, PICLOUD, way), live_ms(save, name, way))

        way = (sooner("in place"), sooner("by rename"))
        return Standing(name, more("F1"), more("F2"), less("F1"), less("F2"), *way)

    return [compare(name) for name in load if name != BASE and PICLOUD not in name]


def ahead(load, save):
    if PICLOUD not in load or PICLOUD not in save:
        return ""
    compared = standings(load, save)
    if not compared:
        return ""

    def cell(standing):
        return f"**{figure(standing)}**" if ahead_in(standing) else figure(standing)

    rows = []
    for one in sorted(compared, key=lambda one: -(one.f1 or 0)):
        cells = [cell(each) for each in (one.f1, one.f2, one.f1_cpu, one.f2_cpu, one.save, one.rename)]
        rows.append([one.name, *cells, f"**by {' and '.join(one.leads())}**" if one.leads() else "no"])
    head = ["peer", "F1 req/s", "F2 req/s", "F1 by CPU", "F2 by CPU", "save in place → live", "by rename", "ahead on F1, F2 and save together"]
    verdict = "".join(
        f"By {way}, ahead of PiCloud on F1, F2 and save → live together: "
        f"{', '.join(one.name for one in compared if way in one.leads()) or 'no peer that reloads code on save'}.\n"
        for way in ("req/s", "CPU")
    )
    note = "PiCloud records every run. Each figure is the peer's beside PiCloud's: above 1 (bold) the peer is ahead.\n"
    return f"### Who is ahead of PiCloud where\n\n{note}\n{table(head, rows)}\n{verdict}"


def problems(by_measure):
    lines = [f"- {measure}: {problem}\n" for measure, found in by_measure.items() for problem in found]
    return f"### What failed\n\n{''.join(lines)}" if lines else ""
