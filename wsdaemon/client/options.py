"""The options of `wsping`, Jetty's and more, and the target that the options of any command describe."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial

from wsdaemon.client.flags import Number, Sections, add_flags, flag, given
from wsdaemon.client.plan import PingPlan
from wsdaemon.client.target import Target, bracketed, parse_target, proxy_from_environment
from wsdaemon.client.tls import ClientTls

DEFAULT_PROTOCOL = "echo"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """The server and the subprotocol, as Jetty's client named them."""

    host: str | None = flag(None, "-h", "--host", metavar="HOST", shown="localhost", text="the host, without a URL")
    port: int | None = flag(
        None, "-p", "--port", metavar="PORT", shown="8080", read=Number(int, 1, 65535), text="the port, without a URL",
    )  # fmt: skip
    protocol: str | None = flag(
        None, "-P", "--protocol", metavar="NAME", shown=f"{DEFAULT_PROTOCOL}; none for a URL with a path",
        text="the subprotocol to offer; '' offers none and sends PINGs",
        more="Sent as typed: `echo-assemble`, `org.ietf.websocket.test-echo` or any other.",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Display:
    """What a run shows."""

    verbose: bool = flag(
        False, "-v", "--verbose", text="show each frame sent and received, on standard error",
        more="`>` was sent, `<` received: opcode, `fin` or `more`, reserved bits, length, masking key, the header in "
        "hex, and the payload's first 16 bytes (compressed, where that was agreed on).",
    )  # fmt: skip
    quiet: bool = flag(False, "-q", "--quiet", text="show only the summary")
    as_json: bool = flag(False, "--json", text="print one JSON document and nothing else")


CONNECTING: Sections = {"how to connect": (Target,)}
"""The options of every command that connects; `target_from` reads them."""

PING: Sections = {"what to send": (Endpoint, PingPlan), "what to show": (Display,), **CONNECTING}
"""The options of `wsping`."""


def ping_parser(prog: str) -> argparse.ArgumentParser:
    """Return the parser of `wsping`, called `prog`."""
    parser = argparse.ArgumentParser(
        prog=prog, add_help=False, formatter_class=partial(argparse.HelpFormatter, max_help_position=30),
        description="Send WebSocket messages, check that they come back, and time them.",
        epilog="Exit codes: 0 all replies right, 1 something lost or wrong, 2 usage, 3 could not connect, "
        "130 interrupted.",
    )  # fmt: skip
    add_ping_options(parser)
    return parser


def add_ping_options(parser: argparse.ArgumentParser) -> None:
    """Add all options of `wsping`."""
    parser.add_argument("url", metavar="URL", nargs="?", help="ws://HOST/PATH or wss://HOST/PATH, instead of -h and -p")
    parser.add_argument("--help", action="help", help="show this help and exit")
    add_flags(parser, PING)


def plan_from(options: argparse.Namespace) -> PingPlan:
    """Return the run that `wsping`'s options describe; raises as `target_from` does."""
    endpoint, plan = Endpoint(**given(options, Endpoint)), given(options, PingPlan)
    url, protocol = _url(options.url, endpoint), endpoint.protocol
    if protocol == "":
        plan["use_pings"] = True
    elif protocol is None and not plan.get("use_pings") and not given(options, Target).get("subprotocols"):
        has_path = url.partition("://")[2].partition("?")[0].partition("/")[2] != ""
        protocol = None if has_path else DEFAULT_PROTOCOL
    return PingPlan(target=target_from(options, url, (protocol,) if protocol else ()), **plan)


def _url(url: str | None, endpoint: Endpoint) -> str:
    host = endpoint.host or "localhost"
    if url is None:
        if "/" in host:
            raise ValueError(f"-h takes a host's name; write the URL {host!r} without -h")
        return f"ws://{bracketed(host)}:{endpoint.port or 8080}/"
    if endpoint.host is not None or endpoint.port is not None:
        raise ValueError("give a URL, or -h and -p, not both")
    return url


def target_from(options: argparse.Namespace, url: str, offered: tuple[str, ...] = ()) -> Target:
    """Return the target at `url` that a command's options describe; `offered` come before those of --subprotocol.

    Raises `ValueError` for wrong options, `OSError` for a file that cannot be read.
    """
    found = given(options, Target)
    found["subprotocols"] = (*offered, *found.get("subprotocols", ()))
    target = parse_target(url, **found)
    if "proxy" not in found and target.connect_to is None:
        target = parse_target(url, **found, proxy=proxy_from_environment(target))
    if target.is_secure:
        ClientTls(target)  # raises now if a file is wrong
    return target
