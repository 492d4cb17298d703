"""The options of `wsping`, Jetty's and more, and those that every command takes which connects."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path

from wsdaemon.client.plan import Plan
from wsdaemon.client.target import Target, bracketed, parse_target, proxy_from_environment
from wsdaemon.client.tls import ClientTls

DEFAULT_HOST, DEFAULT_PORT, DEFAULT_PROTOCOL = "localhost", 8080, "echo"
_PING_LIMIT = 125  # RFC 6455 section 5.5
_LARGEST = 1 << 30


def add_connect_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how to connect; `target_from` reads them."""
    group = parser.add_argument_group("connecting")
    group.add_argument(
        "--header", metavar="NAME:VALUE", action="append", default=[], help="one more header, repeatable"
    )
    group.add_argument("--origin", metavar="ORIGIN", help="the Origin header, as a browser would send it")
    group.add_argument(
        "--subprotocol", metavar="NAME", action="append", default=[], help="offer a subprotocol; repeatable, in order"
    )
    compress = group.add_mutually_exclusive_group()
    compress.add_argument(
        "--compress", metavar="PARAMETERS", nargs="?", const="", help="offer permessage-deflate, with these parameters"
    )
    compress.add_argument(
        "--no-compress", dest="compress", action="store_const", const=None, help="offer no compression (default)"
    )
    group.add_argument("--ca", metavar="FILE", type=Path, help="trust the authorities in this file, not the system's")
    group.add_argument("--cert", metavar="FILE", type=Path, help="show this certificate to the server")
    group.add_argument("--key", metavar="FILE", type=Path, help="its private key (default: in the file of --cert)")
    group.add_argument("--insecure", action="store_true", help="do not verify the server's certificate")
    group.add_argument("--connect-to", metavar="ADDRESS[:PORT]", help="open TCP to this address instead of the URL's")
    proxy = group.add_mutually_exclusive_group()
    proxy.add_argument("--proxy", metavar="URL", help="go through an HTTP proxy (default: as the environment says)")
    proxy.add_argument("--no-proxy", action="store_true", help="go through none, whatever the environment says")
    group.add_argument(
        "--timeout", metavar="S", type=_number(0.001), default=10.0,
        help="give up connecting, or closing, after so many seconds (default: 10)",
    )  # fmt: skip


def target_from(options: argparse.Namespace, url: str | None = None, subprotocols: tuple[str, ...] = ()) -> Target:
    """Return the target that a command's options name; `subprotocols` are offered before those of --subprotocol.

    The URL is `options.url` where none is given. Raises `ValueError` for what is wrong with them, `OSError` where a
    file cannot be read.
    """
    headers = []
    for header in options.header:
        name, separator, value = header.partition(":")
        if not separator:
            raise ValueError(f"--header {header!r}: write NAME:VALUE")
        headers.append((name.strip(), value.strip()))
    target = parse_target(
        url or options.url,
        headers=headers,
        origin=options.origin,
        subprotocols=(*subprotocols, *options.subprotocol),
        compression=options.compress,
        timeout=options.timeout,
        ca=options.ca,
        certificate=options.cert,
        private_key=options.key,
        insecure=options.insecure,
        connect_to=options.connect_to,
        proxy=options.proxy,
    )
    if options.proxy is None and not options.no_proxy and options.connect_to is None:
        found = proxy_from_environment(target)
        if found is not None:
            target = parse_again(target, proxy=found)
    if target.is_secure:
        ClientTls(target)  # so that a wrong file is said now
    return target


def parse_again(target: Target, **changes: object) -> Target:
    """Return a target with something changed, checked again; raises `ValueError`."""
    fields = {each.name: getattr(target, each.name) for each in dataclasses.fields(target)} | changes
    for name in ("host", "port", "is_secure", "resource"):
        del fields[name]
    without = [header for header in target.headers if header[0] != "Authorization" or "@" not in target.url]
    return parse_target(**fields | {"headers": without})


def ping_parser(prog: str) -> argparse.ArgumentParser:
    """Return the parser of `wsping`, called `prog`."""
    parser = argparse.ArgumentParser(
        prog=prog, add_help=False, formatter_class=_Formatter,
        description="Send WebSocket messages, check that they come back, and time them.",
        epilog="Exit codes: 0 all replies right, 1 something lost or wrong, 2 usage, 3 could not connect, "
        "130 interrupted.",
    )  # fmt: skip
    add_ping_options(parser)
    return parser


def add_ping_options(parser: argparse.ArgumentParser) -> None:
    """Add all options of `wsping`."""
    parser.add_argument(
        "url", metavar="URL", nargs="?", help="ws://HOST/PATH or wss://HOST/PATH, in place of -h and -p"
    )
    parser.add_argument("--help", action="help", help="show this help and exit")
    add = parser.add_argument_group("what to send").add_argument
    add("-h", "--host", metavar="HOST", help=f"default: {DEFAULT_HOST}")
    add("-p", "--port", metavar="PORT", type=_whole(1, 65535), help=f"default: {DEFAULT_PORT}")
    add("-P", "--protocol", metavar="NAME",
        help="the subprotocol to offer, as typed; '' for none, and pings in place of messages "
        f"(default: {DEFAULT_PROTOCOL}; none for a URL with a path)")  # fmt: skip
    add("-c", "--count", metavar="N", type=_whole(0), default=10, help="messages per client; 0: no end (default: 10)")
    add("-s", "--size", metavar="N", type=_whole(0, _LARGEST), default=64, help="bytes per message (default: 64)")
    add("-f", "--fragment", metavar="N", type=_whole(0), default=4000,
        help="send frames of at most N bytes; 0: one frame per message (default: 4000)")  # fmt: skip
    add("-b", "--binary", action="store_true", help="binary messages of random bytes, not text of random letters")
    add("-C", "--clients", metavar="N", type=_whole(1, 10000), default=1, help="connections (default: 1)")
    add("-d", "--delay", metavar="MS", type=_number(0), default=1000.0,
        help="milliseconds from message to message; 0: as fast as can be (default: 1000)")  # fmt: skip
    add("-W", "--wait", metavar="S", type=_number(0.001), default=10.0,
        help="how many seconds a reply may take (default: 10)")  # fmt: skip
    add("--ping", action="store_true", help="send PING frames and time the PONGs")
    broadcast = parser.add_mutually_exclusive_group()
    broadcast.add_argument(
        "--broadcast",
        action="store_true",
        default=None,
        help="expect each message at every client (default: as the subprotocol's name says)",
    )
    broadcast.add_argument(
        "--no-broadcast", dest="broadcast", action="store_false", help="expect it at its sender only"
    )
    add("--reconnect", action="store_true", help="connect again when the connection is lost, ever more slowly")
    show = parser.add_argument_group("what to show").add_argument
    show("-v", "--verbose", action="store_true", help="show each frame sent and received, on standard error")
    show("-q", "--quiet", action="store_true", help="show only the summary")
    show("--json", action="store_true", help="print one JSON document in place of everything else")
    add_connect_options(parser)


def plan_from(options: argparse.Namespace) -> Plan:
    """Return what `wsping` is to do; raises `ValueError` for what is wrong, `OSError` for a file."""
    url: str | None = options.url
    if url is not None and (options.host is not None or options.port is not None):
        raise ValueError("give a URL, or -h and -p, not both")
    if url is None:
        url = f"ws://{bracketed(options.host or DEFAULT_HOST)}:{options.port or DEFAULT_PORT}/"
        if "/" in (options.host or ""):
            raise ValueError(f"-h takes a host's name; write the URL {options.host!r} without -h")
    names = (options.protocol,) if options.protocol else ()
    use_pings = options.ping or options.protocol == ""
    if options.protocol is None and not options.subprotocol and not options.ping:
        bare = url.partition("://")[2].partition("?")[0].partition("/")[2] == ""
        names = (DEFAULT_PROTOCOL,) if bare else ()
    if use_pings and options.size > _PING_LIMIT:
        raise ValueError(f"a ping holds at most {_PING_LIMIT} bytes; give -s {_PING_LIMIT} or less")
    return Plan(
        target=target_from(options, url, names),
        clients=options.clients,
        count=options.count,
        size=options.size,
        fragment=options.fragment,
        is_binary=options.binary,
        delay=options.delay / 1000,
        wait=options.wait,
        use_pings=use_pings,
        broadcast=options.broadcast,
        reconnect=options.reconnect,
    )


class _Formatter(argparse.HelpFormatter):
    """Help with room for the longer options."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30)


def _whole(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """Return what reads a whole number between the two, both included."""

    def read(text: str) -> int:
        number = int(text) if text.isascii() and text.isdecimal() else -1
        if number < lowest or (highest is not None and number > highest):
            limits = f"from {lowest} to {highest}" if highest is not None else f"of at least {lowest}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {limits}")
        return number

    return read


def _number(lowest: float) -> Callable[[str], float]:
    """Return what reads a number of at least `lowest`."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not lowest <= number < 1e9:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least {lowest:g}")
        return number

    return read
