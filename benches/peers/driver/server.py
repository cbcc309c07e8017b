"""One running peer: where it lives, how it is asked, what it uses."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# All that is installed, built for a run or measured; git ignores it. Not in /tmp, which may be memory: databases belong on a disk.
FOLDER = ROOT / "target/peers"
RUNS = FOLDER / f"runs-{os.getpid()}"
TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")


class Place:
    """What a peer gets for itself: a folder, a copy of its functions, ports."""

    # The service that F5 asks. Without `peers.upstream` nobody is there.
    upstream = "http://127.0.0.1:9"

    def __init__(self, name, watch=False, folder=None):
        RUNS.mkdir(parents=True, exist_ok=True)
        self.run = Path(folder or tempfile.mkdtemp(prefix=f"{name}-", dir=RUNS))
        self.functions = self.run / "functions"
        self.port, self.behind = free_port(), free_port()
        # Whether the peer is to watch its files, where that is a mode of its own.
        self.watch = watch

    def copy(self, source, *files):
        """Copies functions, and files that stand beside them, so that measures may change them."""
        if not self.functions.exists():
            shutil.copytree(source, self.functions)
            for file in files:
                shutil.copy(file, self.functions)

    def fill(self, template, into=None, **values):
        """Writes a configuration with its `@NAMES@` filled in."""
        values = {"UPSTREAM": self.upstream, "RUN": self.run, "FUNCTIONS": self.functions, "PORT": self.port, "BEHIND": self.behind, **values}
        text = template.read_text()
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        path = (into or self.run) / template.name
        path.write_text(text)
        return path


class Server:
    """A peer that runs; ends what it started, and nothing else."""

    def __init__(self, peer, watch=False, folder=None):
        self.peer = peer
        self.place = Place(peer.name, watch, folder)
        self.plan = peer.plan(self.place)
        self.processes = []
        self.start_ms = None

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            # Also of Ctrl-C while it starts.
            self.__exit__()
            raise
        return self

    def _start(self):
        log = open(self.place.run / "output.log", "ab")
        began = time.perf_counter()
        own = {"PORT": str(self.place.port), "UPSTREAM": self.place.upstream, "NO_COLOR": "1", "HOME": str(self.place.run)}
        environment = {**os.environ, **own, **self.plan.environment}
        for command in self.plan.commands:
            self.processes.append(
                subprocess.Popen(
                    [str(word) for word in command],
                    env=environment,
                    cwd=self.plan.folder or self.place.run,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )
        log.close()
        while not self._answers():
            if time.perf_counter() - began > 60 or any(process.poll() is not None for process in self.processes):
                text = (self.place.run / "output.log").read_text(errors="replace")[-1000:]
                raise RuntimeError(f"{self.peer.name} does not start: {text}")
            time.sleep(0.001)
        self.start_ms = (time.perf_counter() - began) * 1000

    def __exit__(self, *_):
        for process in reversed(self.processes):
            self._signal(process, signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                self._signal(process, signal.SIGKILL)
                process.wait()
        self.processes = []

    @staticmethod
    def _signal(process, which):
        if process.poll() is None:
            # The session is the process's own, with all that it started.
            os.killpg(process.pid, which)

    def _answers(self):
        try:
            return self.ask("/hello?name=Ada")[0] == 200
        except (OSError, ValueError):
            return False

    def url(self, path):
        return f"http://127.0.0.1:{self.place.port}{path}"

    def ask(self, path, body=None):
        return ask(self.place.port, path, body)

    def pids(self):
        return tree([process.pid for process in self.processes])


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ask(port, path, body=None, timeout=5.0):
    """Sends one request on a connection of its own; returns status and body, raises OSError or ValueError when that fails."""
    head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n"
    if body is not None:
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout) as connection:
        connection.sendall(head.encode() + b"\r\n" + (body or b""))
        answer = b""
        while not is_whole(answer):
            part = connection.recv(65536)
            if not part:
                break
            answer += part
    head, found, rest = answer.partition(b"\r\n\r\n")
    if not found:
        raise OSError("no answer")
    return int(head.split()[1]), dechunk(rest) if is_chunked(head) else rest


def is_chunked(head):
    return re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head) is not None


def is_whole(answer):
    head, found, rest = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if length:
        return len(rest) >= int(length[1])
    return is_chunked(head) and rest.endswith(b"0\r\n\r\n")


def dechunk(rest):
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        size = int(size, 16)
        body, rest = body + rest[:size], rest[size + 2 :]
        if not size:
            break
    return body


def tree(pids):
    """Returns these processes and all below them."""
    children = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        fields = stat(pid)
        if fields:
            children.setdefault(int(fields[1]), []).append(int(pid))
    found, open_ends = [], list(pids)
    while open_ends:
        pid = open_ends.pop()
        found.append(pid)
        open_ends += children.get(pid, [])
    return found


def stat(pid):
    """Returns the fields of `/proc/PID/stat` after the name, or nothing when the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def cpu_us(pids):
    """Returns the CPU time of these processes; the kernel says it in hundredths of a second."""
    fields = filter(None, map(stat, pids))
    return sum(int(field[11]) + int(field[12]) for field in fields) * TICK_US


def memory_mib(pids):
    """Returns RSS and PSS together: PSS divides pages that several processes share."""
    rss = pss = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        rss += int(re.search(r"Rss: +(\d+)", text)[1])
        pss += int(re.search(r"Pss: +(\d+)", text)[1])
    return rss / 1024, pss / 1024
