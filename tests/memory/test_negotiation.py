"""What an opening handshake agrees on: the subprotocol, by what is offered and by the path, and compression."""

from __future__ import annotations

import pytest

from tests.support.http_client import Response, take_response
from tests.support.memory import MemorySite
from tests.support.wire import TEXT, Frame, request

DEFLATE = "permessage-deflate"
HELLO = Frame(TEXT, b"hello")
SITE = MemorySite()
UNKNOWN = "chat, ECHO"


def opened(target: str, site: MemorySite = SITE, **offers: str) -> tuple[Response, str]:
    """Return the answer to a handshake and the short name of the subprotocol that it gets; the connection ends."""
    peer = site.open(target, **offers)
    taken = take_response(peer.handshake + b"\r\n\r\n")
    assert taken is not None
    (connection,) = site.hub.connections
    peer.hang_up()
    return taken[0], connection.subprotocol


@pytest.mark.parametrize(
    ("offered", "chosen", "name"),
    [
        (["echo"], "echo", "echo"),
        (["org.ietf.websocket.test-echo"], "org.ietf.websocket.test-echo", "echo"),
        (["lws-mirror-protocol"], "lws-mirror-protocol", "echo"),
        (["org.ietf.websocket.test-echo-broadcast"], "org.ietf.websocket.test-echo-broadcast", "echo-broadcast"),
        (["unknown, echo-fragment, echo"], "echo-fragment", "echo-fragment"),
        (["unknown", "echo-assemble", "echo"], "echo-assemble", "echo-assemble"),
        (["log, echo"], "log", "log"),
        (["echo, log"], "echo", "echo"),
    ],
)
def test_first_known_of_those_offered(offered: list[str], chosen: str, name: str) -> None:
    """The client's order decides, the path does not, and the response says the name that the client said."""
    headers = "".join(f"Sec-WebSocket-Protocol: {each}\r\n" for each in offered)
    response, got = opened("/echo-broadcast-ping", more=headers)
    assert (response["sec-websocket-protocol"], got) == (chosen, name)


SHORT = ["echo", "echo-broadcast", "echo-broadcast-ping", "echo-assemble", "echo-fragment", "log"]
PATHS = {
    **{f"/{name}": name for name in SHORT},
    **{f"/{name}/more?x=/log": name for name in SHORT},
    "/org.ietf.websocket.test-echo": "echo",
    "/": "log",
    "/nothing": "log",
    "/Echo": "log",
    "/x/echo": "log",
    "/?echo": "log",
}


@pytest.mark.parametrize(("target", "name"), PATHS.items())
def test_path(target: str, name: str) -> None:
    """Who offers none gets what the path's first segment names, else the default, and is told no name."""
    response, got = opened(target)
    assert (response["sec-websocket-protocol"], got) == (None, name)


def test_configured_default() -> None:
    """The INI file says what the default is."""
    assert opened("/", MemorySite("[server]\ndefault_subprotocol = echo-fragment\n"))[1] == "echo-fragment"


def test_unknown() -> None:
    """Only unknown ones: a 400 that names the known ones, or the default without a name, as configured."""
    peer = SITE.connect()
    peer.send(request("/echo", subprotocols=UNKNOWN))
    taken = take_response(peer.take())
    assert taken is not None
    assert (taken[0].status, taken[0]["content-type"]) == (400, "text/plain; charset=utf-8")
    assert all(name in taken[0].body.decode() for name in (*SHORT, "lws-mirror-protocol"))
    lenient = MemorySite("[server]\nunknown_subprotocol = default\n")
    response, got = opened("/echo", lenient, subprotocols=UNKNOWN)
    assert (response["sec-websocket-protocol"], got) == (None, "log")


@pytest.mark.parametrize(
    ("offer", "agreed"),
    [
        (DEFLATE, True),
        (f"{DEFLATE}; client_max_window_bits", True),
        (f"{DEFLATE}; client_max_window_bits=10; server_max_window_bits=10", True),
        (f"{DEFLATE}; server_no_context_takeover; client_no_context_takeover", True),
        (f"x-webkit-deflate-frame, {DEFLATE}", True),
        (f"{DEFLATE}; unknown, {DEFLATE}", True),
        (f"{DEFLATE}; server_max_window_bits=99, {DEFLATE}; server_max_window_bits=12", True),
        ("unknown", False),
        (f"{DEFLATE}; unknown", False),
        (f"{DEFLATE}; server_max_window_bits", False),
        (f"{DEFLATE}; server_max_window_bits=7", False),
        (f"{DEFLATE}; server_max_window_bits=16", False),
        (f"{DEFLATE}; client_max_window_bits=x", False),
        (f"{DEFLATE}; server_no_context_takeover=1", False),
        (f"{DEFLATE}; server_no_context_takeover; server_no_context_takeover", False),
        ("", False),
        (",", False),
        (";;;===", False),
        ('"', False),
    ],
)
def test_compression(offer: str, agreed: bool) -> None:
    """permessage-deflate is agreed to when it is offered rightly; a wrong offer is declined and harms nobody."""
    answer = opened("/echo", more=f"Sec-WebSocket-Extensions: {offer}\r\n")[0]["sec-websocket-extensions"]
    assert (answer is not None) == agreed
    assert answer is None or answer.split(";")[0].strip() == DEFLATE
    peer = SITE.open("/echo", more=f"Sec-WebSocket-Extensions: {offer}\r\n")
    peer.send(HELLO)
    assert peer.frames() == [HELLO]
    peer.hang_up()
