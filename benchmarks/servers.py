"""Servers in the benchmark: features, requirements and the command of each."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"
OWN = "wsdaemon"
LIMIT = "limit"

ECHO = frozenset({"echo", "handshakes"})
PLAIN = ECHO | {"broadcast", "memory", "tls"}
ALL = PLAIN | {"deflate", "files"}

INI = """\
[server]
port = {port}
docroot = {files}
# The generator is a single address. Everything else has its default.
max_connections = 100000
max_per_address = 100000
max_new_per_second = 0

[tls]
enabled = yes
port = {tls_port}
certificate = {certificate}
private_key = {key}
"""


@dataclass(frozen=True)
class Places:
    """Ports and files of a server."""

    folder: Path
    port: int
    tls_port: int
    files_port: int
    certificate: Path
    key: Path
    files: Path


@dataclass(frozen=True, kw_only=True)
class Server:
    """Server: its row in the tables, its features, its requirements, and the command that starts it."""

    name: str
    title: str
    features: frozenset[str]
    command: Callable[[Places], list[str | Path]]
    modules: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    program: str = ""
    echo: tuple[str, ...] = ("-u", "/")
    broadcast: tuple[str, ...] = ("-u", "/broadcast")
    has_files_port: bool = False

    def missing(self) -> str:
        """Return why the server cannot take part; empty if it can."""
        if self.program and shutil.which(self.program) is None:
            return f"{self.program} is not installed"
        absent = [name for name in self.modules if importlib.util.find_spec(name) is None]
        if absent:
            return f"not installed: {', '.join(absent)}"
        absent = [f"{file.parent.name}/{file.name}" for file in self.files if not file.exists()]
        return f"not made: {', '.join(absent)}" if absent else ""


def _wsdaemon(places: Places) -> list[str | Path]:
    """Write an INI file and return the twistd command, both as a user would."""
    ini = places.folder / "ws.ini"
    ini.write_text(INI.format_map(vars(places)))
    twistd = Path(sys.executable).with_name("twistd")
    return [twistd, "--nodaemon", "--pidfile=", "wsdaemon", "--config", ini]


def _peer(module: str, *more: str) -> Callable[[Places], list[str | Path]]:
    def command(places: Places) -> list[str | Path]:
        return [
            sys.executable, "-m", f"benchmarks.peers.{module}",
            f"--port={places.port}", f"--tls-port={places.tls_port}", f"--files-port={places.files_port}",
            f"--certificate={places.certificate}", f"--key={places.key}", f"--files={places.files}", *more,
        ]  # fmt: skip

    return command


SERVERS = (
    Server(
        name=OWN, title="wsdaemon", features=ALL, command=_wsdaemon, modules=("wsdaemon",),
        echo=("-u", "/echo"), broadcast=("-u", "/", "-P", "echo-broadcast"),
    ),
    Server(
        name=LIMIT, title="C on epoll: the limit", features=ECHO, files=(BUILD / "limit",),
        command=lambda places: [BUILD / "limit", str(places.port)],
    ),
    Server(
        name="picows", title="picows on uvloop", features=PLAIN, modules=("picows", "uvloop"),
        command=_peer("serve_picows"),
    ),
    Server(
        name="ws", title="ws (Node)", features=PLAIN | {"deflate"}, program="node",
        files=(HERE / "node" / "node_modules" / "ws",),
        command=lambda places: [
            "node", HERE / "node" / "server.mjs",
            str(places.port), str(places.tls_port), places.certificate, places.key,
        ],
    ),
    Server(
        name="aiohttp", title="aiohttp on uvloop", features=ALL, modules=("aiohttp", "uvloop"),
        command=_peer("serve_aiohttp"),
    ),
    Server(
        name="aiohttp-isal", title="aiohttp with isal", features=frozenset({"deflate"}),
        modules=("aiohttp", "uvloop", "isal"), command=_peer("serve_aiohttp", "--isal"),
    ),
    Server(
        name="websockets", title="websockets on uvloop", features=PLAIN | {"deflate"},
        modules=("websockets", "uvloop"), command=_peer("serve_websockets"),
    ),
    Server(
        name="tornado", title="Tornado", features=PLAIN | {"deflate"}, modules=("tornado",),
        command=_peer("serve_tornado"),
    ),
    Server(
        name="autobahn", title="Autobahn on Twisted, stock", features=ALL, modules=("autobahn", "twisted"),
        command=_peer("serve_autobahn"), has_files_port=True,
    ),
)  # fmt: skip
"""All servers, in the order of the tables' rows. Beside stock Autobahn, Twisted's File has its own port."""


def present(servers: list[Server]) -> tuple[list[Server], dict[str, str]]:
    """Return the servers that can take part, and the names of the others with the reason."""
    left_out = {server.name: reason for server in servers if (reason := server.missing())}
    return [server for server in servers if server.name not in left_out], left_out
