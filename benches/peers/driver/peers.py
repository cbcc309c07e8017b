"""The peers: what each needs, how it is started, which file is saved to change `/hello`. README.md says how to add one."""

import json
import re
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional

from server import FOLDER, ROOT, Place, Server

HERE = ROOT / "benches/peers"
APPS, CONF = HERE / "apps", HERE / "conf"
# F4 for all who run JavaScript.
ORDER = APPS / "shared/order.mjs"
NGINX = Path("/usr/sbin/nginx")
LUA = Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")
CADDY = Path("/usr/bin/caddy")


def found(pattern, root=FOLDER):
    """Returns the file that fits; which one it is hangs on the processor or the distribution. One that is not there is not installed."""
    return next(iter(sorted(root.glob(pattern))), root / pattern)


PHP = found("php-fpm8.*", Path("/usr/sbin"))
NODE = found("node_modules/node-linux-*/bin/node")
DENO = found("node_modules/@deno/linux-*-glibc/deno")
BUN = found("node_modules/@oven/bun-linux-*/bin/bun")
WORKERD = found("node_modules/@cloudflare/workerd-linux-*/bin/workerd")
FASTIFY = FOLDER / "node_modules/fastify/package.json"
PYTHON = FOLDER / "python/bin/python"
UVICORN = FOLDER / "python/bin/uvicorn"
POCKETBASE = FOLDER / "python/bin/pocketbase"


@dataclass
class Built:
    """The programs of this repository, set by `build`."""

    picloud: Optional[Path] = None
    requests: Optional[Path] = None


BUILT = Built()


def build(profile):
    """Builds PiCloud and the benchmark `requests`, which can be bare axum."""
    command = ["cargo", "bench", "--locked", "--no-run", "--bench", "requests", "--profile", profile, "--message-format=json"]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in output.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] in ("picloud", "requests"):
            setattr(BUILT, message["target"]["name"], Path(message["executable"]))


@dataclass
class Plan:
    """How one run of a peer is started."""

    # Started in this order.
    commands: list
    environment: dict = field(default_factory=dict)
    # Where they are started; the folder of the run, if nothing is said.
    folder: Optional[Path] = None
    # The file that answers `/hello`: it says `hello ` once, in what it answers.
    hello: Optional[Path] = None


@dataclass
class Peer:
    """One row of the tables."""

    name: str
    plan: Callable
    needs: list
    version: Callable
    # "always" when a saved file goes live by itself, "watch" when that needs the peer's watch mode.
    reloads: Optional[str] = None
    # For a peer that finds functions in a folder by itself: the text of one function, made from that of `hello` and the new name.
    copy: Optional[Callable] = None
    # What it is measured on under load.
    functions: tuple = ("F1", "F2", "F3", "F4", "F5")

    def installed(self):
        return all(Path(need).exists() for need in self.needs)


PEERS = {}


def peer(name, *, needs=(), version, **more):
    """Adds a peer; the function below plans a run in a `Place`."""

    def add(plan):
        PEERS[name] = Peer(name, plan, list(needs), version, **more)
        return plan

    return add


def says(*command):
    """Returns what gives the first version in the output of a command."""

    def version():
        run = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        number = re.search(r"\d+[\d.]*\d[-+~\w.]*", run.stdout)
        return number[0] if number else "unknown"

    return version


def packaged(*packages):
    """Returns what gives the versions of Debian packages."""

    def version():
        query = ["dpkg-query", "-W", "-f", "${Package} ${Version}, ", *packages]
        return subprocess.run(query, stdout=subprocess.PIPE, text=True).stdout.rstrip(", ") if shutil.which("dpkg-query") else "unknown"

    return version


def locked(crate):
    """Returns what gives the version of a crate in Cargo.lock."""
    return lambda: re.search(rf'name = "{crate}"\nversion = "([^"]+)"', (ROOT / "Cargo.lock").read_text())[1]


def same(hello, _):
    """For peers that find a function by its file's name alone."""
    return hello


def bare_axum(place, port):
    return [BUILT.requests, "bare-axum", f"127.0.0.1:{port}", place.run / "address"]


@peer("axum", version=locked("axum"))
def axum(place):
    return Plan([bare_axum(place, place.port)])


@contextmanager
def upstream():
    """Runs the service that F5 asks, for all peers that are started meanwhile."""
    service = Peer("upstream", lambda place: Plan([bare_axum(place, place.port)]), [], locked("axum"))
    before = Place.upstream
    with Server(service) as server:
        Place.upstream = server.url("")
        try:
            yield
        finally:
            Place.upstream = before


def picloud_plan(place, record, port=None):
    place.copy(ROOT / "benches/functions")
    place.fill(APPS / "picloud/profile.rhai", into=place.functions)
    config = place.fill(CONF / "picloud.toml", RECORD=record)
    command = [BUILT.picloud, "serve", "--config", config, "--listen", f"127.0.0.1:{port or place.port}"]
    return Plan([command], hello=place.functions / "hello.rhai")


def revision():
    """Returns the version of PiCloud and the commit that it was built from."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout.strip()
    return f"{says(BUILT.picloud, '--version')()} ({commit})"


@peer("picloud", version=revision, reloads="always", copy=same)
def picloud(place):
    return picloud_plan(place, "all")


@peer("picloud-unrecorded", version=revision, reloads="always", copy=same)
def picloud_unrecorded(place):
    return picloud_plan(place, "none")


def nginx(place, http, modules="", **values):
    part = place.fill(CONF / http, **values).read_text()
    config = place.fill(CONF / "nginx.conf", MODULES=modules, HTTP=part)
    return [NGINX, "-c", config, "-e", place.run / "error.log"]


def lua_plan(place, cache):
    place.copy(APPS / "lua")
    modules = f"load_module {LUA.parent}/ndk_http_module.so;\nload_module {LUA};"
    return Plan([nginx(place, "lua.conf", modules, CODE_CACHE=cache)], hello=place.functions / "hello.lua")


# What asks no other service without a further package.
ALONE = ("F1", "F2", "F3", "F4")
LUA_VERSION = packaged("nginx", "libnginx-mod-http-lua", "lua-cjson")


@peer("nginx-lua", needs=[NGINX, LUA], version=LUA_VERSION, copy=same, functions=ALONE)
def lua(place):
    return lua_plan(place, "on")


@peer("nginx-lua-uncached", needs=[NGINX, LUA], version=LUA_VERSION, reloads="always", copy=same, functions=ALONE)
def lua_uncached(place):
    return lua_plan(place, "off")


@peer("nginx-php", needs=[NGINX, PHP], version=packaged("nginx", PHP.name.replace("php-fpm", "php") + "-fpm"), reloads="always", copy=same)
def php(place):
    place.copy(APPS / "php")
    settings = {
        "opcache.enable": 1,
        "opcache.validate_timestamps": 1,
        # PHP's own default is 2 s, which a save then waits for when the function is in use.
        "opcache.revalidate_freq": 0,
        "opcache.max_accelerated_files": 20000,
    }
    flags = [word for key, value in settings.items() for word in ("-d", f"{key}={value}")]
    fpm = [PHP, "-F", "-R", "-y", place.fill(CONF / "php-fpm.conf"), *flags]
    return Plan([fpm, nginx(place, "php.conf")], hello=place.functions / "hello.php")


def node_plan(place, app, **environment):
    place.copy(APPS / app, ORDER)
    server = place.functions / "server.mjs"
    return Plan([[NODE, *(["--watch"] if place.watch else []), server]], environment, hello=server)


@peer("node", needs=[NODE], version=says(NODE, "--version"), reloads="watch")
def node(place):
    return node_plan(place, "node")


@peer("node-http", needs=[NODE], version=says(NODE, "--version"), functions=("F5",))
def node_http(place):
    return node_plan(place, "node", CLIENT="http")


@peer("fastify", needs=[NODE, FASTIFY], version=lambda: json.loads(FASTIFY.read_text())["version"], reloads="watch")
def fastify(place):
    return node_plan(place, "fastify")


@peer("deno", needs=[DENO], version=says(DENO, "--version"), reloads="watch")
def deno(place):
    place.copy(APPS / "deno", ORDER)
    server = place.functions / "server.js"
    watch = ["--watch"] if place.watch else []
    command = [DENO, "run", *watch, "--no-config", "--no-remote", "--allow-net", "--allow-env", server]
    return Plan([command], {"DENO_NO_UPDATE_CHECK": "1", "DENO_DIR": str(place.run / "deno")}, hello=server)


@peer("bun", needs=[BUN], version=says(BUN, "--version"), reloads="watch")
def bun(place):
    place.copy(APPS / "bun", ORDER)
    server = place.functions / "server.js"
    return Plan([[BUN, *(["--hot"] if place.watch else []), "run", server]], hello=server)


@peer("workerd", needs=[WORKERD], version=says(WORKERD, "--version"), reloads="watch", functions=ALONE)
def workerd(place):
    place.copy(APPS / "workerd", ORDER)
    config = place.fill(CONF / "workerd.capnp", into=place.functions)
    return Plan([[WORKERD, "serve", *(["--watch"] if place.watch else []), config]], hello=place.functions / "worker.js")


@peer(
    "pocketbase",
    needs=[POCKETBASE],
    version=says(POCKETBASE, "--version"),
    reloads="always",
    copy=lambda hello, name: hello.replace("/hello", f"/{name}"),
    functions=ALONE,
)
def pocketbase(place):
    place.copy(APPS / "pocketbase")
    place.fill(APPS / "pocketbase/order.pb.js", into=place.functions, ORDER=ORDER.read_text().replace("export function", "function"))
    folders = [f"--dir={place.run}/data", f"--hooksDir={place.functions}", f"--migrationsDir={place.run}/migrations"]
    command = [POCKETBASE, "serve", f"--http=127.0.0.1:{place.port}", *folders]
    return Plan([command], hello=place.functions / "hello.pb.js")


def fastapi_version():
    program = (
        "import platform, importlib.metadata as m; print(f'{m.version(\"fastapi\")}, uvicorn {m.version(\"uvicorn\")}, Python {platform.python_version()}')"
    )
    return subprocess.run([PYTHON, "-c", program], stdout=subprocess.PIPE, text=True).stdout.strip()


@peer("fastapi", needs=[UVICORN], version=fastapi_version, reloads="watch", functions=ALONE)
def fastapi(place):
    place.copy(APPS / "fastapi")
    quiet = ["--no-access-log", "--log-level", "error"]
    command = [UVICORN, "app:app", "--host", "127.0.0.1", "--port", place.port, *quiet, *(["--reload"] if place.watch else [])]
    return Plan([command], folder=place.functions, hello=place.functions / "app.py")


@peer("nginx-picloud", needs=[NGINX], version=packaged("nginx"), functions=("F1",))
def nginx_picloud(place):
    behind = picloud_plan(place, "all", place.behind)
    return Plan([*behind.commands, nginx(place, "proxy.conf")])


@peer("caddy-picloud", needs=[CADDY], version=says(CADDY, "version"), functions=("F1",))
def caddy_picloud(place):
    behind = picloud_plan(place, "all", place.behind)
    return Plan([*behind.commands, [CADDY, "run", "--adapter", "caddyfile", "--config", place.fill(CONF / "Caddyfile")]])
