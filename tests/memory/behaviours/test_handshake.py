"""The answer to the opening handshake where the URL says how it is to be: the very bytes, and when. In memory."""

from __future__ import annotations

import base64
import hashlib
import json
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.behaviours import ask, why
from tests.support.memory import MemorySite, Peer, pass_time
from tests.support.wire import BINARY, PING, TEXT, Frame, close, request

RIGHT = (
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"  # for the key of RFC 6455 section 1.3, as it says there
)
HELLO = Frame(TEXT, b"hello")
ECHOED = b"\x81\x05hello"
KEPT = 1 << 16
"""How many bytes may come before the answer does."""


def accepted(protocol: str = "", accept: str = RIGHT, extensions: str = "", more: str = "") -> bytes:
    """Return the 101 as it should be."""
    lines = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
    lines += f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
    lines += accept + (f"Sec-WebSocket-Extensions: {extensions}\r\n" if extensions else "")
    return f"{lines}{more}\r\n".encode()


def refused(status: str, body: str = "", *, more: str = "", location: str = "") -> bytes:
    """Return a refusal as it should be."""
    lines = f"HTTP/1.1 {status}\r\n" + (f"Location: {location}\r\n" if location else "")
    lines += "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n" + more
    if status[:3] not in ("204", "304"):
        lines += f"Content-Length: {len(body.encode())}\r\n"
    return f"{lines}Connection: close\r\n\r\n{body}".encode()


def is_over(peer: Peer) -> bool:
    """Whether nothing is left of a connection."""
    return not list(peer.site.hub.connections) and not peer.site.clock.getDelayedCalls()


# -- refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 204, 300, 304, 400, 401, 403, 404, 407, 418, 426, 429, 500, 503])
def test_status(status: int) -> None:
    """Any status but 101 refuses the handshake, with its usual phrase; no body where the status has none."""
    peer = ask(f"/handshake?status={status}")
    assert peer.take() == refused(f"{status} {HTTPStatus(status).phrase}")
    assert peer.is_ended()
    assert not peer.is_aborted()


@pytest.mark.parametrize("status", [299, 420, 599])
def test_unknown_status(status: int) -> None:
    """A status that nobody has heard of is sent too."""
    assert ask(f"/handshake?status={status}").take() == refused(f"{status} Refused")


@pytest.mark.parametrize("body", ["come back later", "für später €", "a&b=c", "line\nline", "x" * 4096, "é" * 2048])
def test_body(body: str) -> None:
    """The body of a refusal is the text in UTF-8, and Content-Length counts its bytes."""
    assert ask(f"/handshake?status=503&body={quote(body)}").take() == refused("503 Service Unavailable", body)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_no_body(status: str) -> None:
    """Where a status has no body, none is sent (RFC 9110 section 6.4.1)."""
    assert ask(f"/handshake?status={status[:3]}&body=never+seen").take() == refused(status)


def test_after_a_refusal() -> None:
    """What comes behind a refused handshake is not looked at, and the stream is gone within `close_timeout`."""
    peer = ask("/handshake?status=503", "[websocket]\nclose_timeout = 2")
    assert peer.take() == refused("503 Service Unavailable")
    peer.send(HELLO.masked() + request("/"))
    assert peer.take() == b""
    pass_time(peer.site.clock, 2.1)
    assert peer.is_aborted()
    assert is_over(peer)


# -- redirected -------------------------------------------------------------------------------------------------------

STAYS = [
    "/", "/echo", "/echo?delay=5", "echo", "./echo", "?x=1", "#x", "/a//b", "/a?u=//evil", "/a?to=user@evil",
    "/a:80", "ws://localhost/x", "wss://localhost/x", "http://localhost", "https://localhost/?x", "WS://LOCALHOST/x",
    "hTTps://LocalHost/",
]  # fmt: skip
LEAVES = [
    "//evil", "//evil/x", "///evil", "////evil/x", "\\\\evil", "/\\evil", "\\/evil", "/\\/evil", "http:evil",
    "http:/evil", "http:///evil", "https:evil", "http:\\\\evil", "http://evil", "https://evil/", "ws://evil/x",
    "wss://localhost.evil/", "ws://evil.localhost/", "ws://localhost:81/", "ws://localhost:evil/", "HTTP://EVIL/",
    "http://localhost@evil/", "http://user@localhost/", "ws://evil\\@localhost/", "ws://localhost\\@evil/", "ws://evil#@localhost/",
    "ws://evil?@localhost/", "javascript:alert(1)", "data:,x", "ftp://localhost/", "file:///etc/passwd", "echo:80",
    " //evil", "  http://evil", "http://[::1", "ws://localhost /", "ws:localhost", "ws:///localhost",
]  # fmt: skip


@pytest.mark.parametrize("location", STAYS)
def test_redirect(location: str) -> None:
    """A handshake is redirected to this site: 302, and the Location as it was written."""
    peer = ask(f"/handshake?location={quote(location)}")
    assert peer.take() == refused("302 Found", location=location)
    assert peer.is_ended()


@pytest.mark.parametrize("location", LEAVES)
def test_no_redirect_elsewhere(location: str) -> None:
    """One that leads elsewhere, for a browser or anyone, is refused where the server does not allow it."""
    peer = ask(f"/handshake?location={quote(location)}")
    assert why(peer).startswith("location: leaves this site")
    assert why_not_by_name(location)


def why_not_by_name(location: str) -> bool:
    """Say whether the same is refused where a subprotocol's name asks for it."""
    name = "handshake&location~" + quote(location, safe="").replace("/", "%2F")
    return why(ask("/", subprotocols=name)).startswith("location: leaves this site")


@pytest.mark.parametrize("location", LEAVES)
def test_redirect_anywhere(location: str) -> None:
    """With `redirect = anywhere` any of these goes out as it was written."""
    peer = ask(f"/handshake?location={quote(location)}", "[behaviours]\nredirect = anywhere")
    assert peer.take() == refused("302 Found", location=location)


@pytest.mark.parametrize(
    "text", ["/%09/evil", "%09//evil", "/%0d%0aSet-Cookie:+a", "/%0a", "/%00", "/%7f", "/%C3%A9", "%0b//evil"]
)
@pytest.mark.parametrize("redirect", ["site", "anywhere"])
def test_no_control_characters(text: str, redirect: str) -> None:
    """Nothing that cannot stand in a header gets into one, be it allowed to redirect anywhere."""
    assert "location: " in why(ask(f"/handshake?location={text}", f"[behaviours]\nredirect = {redirect}"))


@pytest.mark.parametrize(
    ("host", "location", "stays"),
    [
        ("Example.ORG:8080", "ws://example.org:8080/x", True),
        ("example.org:8080", "WSS://EXAMPLE.ORG:8080/x", True),
        ("example.org:8080", "ws://example.org/x", False),
        ("example.org", "ws://example.org:8080/x", False),
        ("[::1]:9000", "ws://[::1]:9000/x", True),
        ("[::1]:9000", "ws://[::2]:9000/x", False),
    ],
)
def test_site(host: str, location: str, stays: bool) -> None:
    """This site is what the request's Host says, port included, in any case of letters."""
    peer = MemorySite().connect()
    path = f"/handshake?location={quote(location)}"
    peer.send(request(path).replace(b"Host: localhost", f"Host: {host}".encode()))
    if stays:
        assert peer.take() == refused("302 Found", location=location)
    else:
        assert why(peer).startswith("location: ")


@pytest.mark.parametrize("status", [301, 303, 307, 308, 503, 200])
def test_location_with_a_status(status: int) -> None:
    """A status that is given goes with the Location; only without one it is 302."""
    sent = ask(f"/handshake?location=/echo&status={status}&body=there").take()
    assert sent == refused(f"{status} {HTTPStatus(status).phrase}", "there", location="/echo")


@pytest.mark.parametrize("path", ["/echo", "/ticker", "/close", "/inspect", "/bytes", "/sink", "/bomb", "/status"])
def test_every_behaviour_can_be_refused(path: str) -> None:
    """The handshake's parameters go with every behaviour."""
    assert ask(path + "?status=418").take() == refused("418 I'm a Teapot")
    assert ask(path + "?location=/x").take() == refused("302 Found", location="/x")


# -- accepted, rightly or wrongly -------------------------------------------------------------------------------------

WRONG = base64.b64encode(hashlib.sha1(b"wrong", usedforsecurity=False).digest()).decode()


@pytest.mark.parametrize(
    ("accept", "lines"),
    [
        ("right", RIGHT),
        ("wrong", f"Sec-WebSocket-Accept: {WRONG}\r\n"),
        ("missing", ""),
        ("double", RIGHT * 2),
        ("empty", "Sec-WebSocket-Accept: \r\n"),
    ],
)
def test_accept(accept: str, lines: str) -> None:
    """The Sec-WebSocket-Accept header is right, wrong, missing, there twice or empty; then it is an echo."""
    peer = ask(f"/handshake?accept={accept}")
    assert peer.take() == accepted(accept=lines)
    peer.send(HELLO)
    assert peer.take() == ECHOED


@pytest.mark.parametrize(
    ("query", "offered", "named"),
    [
        ("", "", ""),
        ("", "mqtt", "mqtt"),
        ("", "mqtt, chat, echo", "mqtt"),
        ("?subprotocol=", "mqtt, chat", ""),
        ("?subprotocol=chat", "mqtt, chat", "chat"),
        ("?subprotocol=nobody.offered.this", "mqtt", "nobody.offered.this"),
        ("?subprotocol=nobody.offered.this", "", "nobody.offered.this"),
        ("?subprotocol=not+a%2C+token", "mqtt", "not a, token"),
        ("?subprotocol=" + "x" * 256, "", "x" * 256),
    ],
)
def test_subprotocol(query: str, offered: str, named: str) -> None:
    """The answer names the subprotocol that is asked for, offered or not; else the first offered, whatever it is."""
    peer = ask("/handshake" + query, subprotocols=offered)
    assert peer.take() == accepted(named)
    peer.send(HELLO)
    assert peer.take() == ECHOED


@pytest.mark.parametrize("offered", ["", "permessage-deflate; client_max_window_bits"])
@pytest.mark.parametrize("extension", ["", "x-nobody-offered-this", "permessage-deflate", "a; b=c, d"])
def test_extension(extension: str, offered: str) -> None:
    """The Sec-WebSocket-Extensions header is as it is given, whoever offered what; nothing is compressed."""
    peer = ask(f"/handshake?extension={quote(extension)}", extensions=offered)
    assert peer.take() == accepted(extensions=extension)
    peer.send(Frame(TEXT, b"a" * 125))
    assert peer.take() == b"\x81\x7d" + b"a" * 125


@pytest.mark.parametrize(("pad", "size"), [("1", 1), ("100", 100), ("64k", 65536), ("1m", 1 << 20)])
def test_pad(pad: str, size: int) -> None:
    """A needless header has just so many bytes, in a 101 and in a refusal."""
    header = f"X-Padding: {'x' * size}\r\n"
    assert ask(f"/handshake?pad={pad}").take() == accepted(more=header)
    assert ask(f"/handshake?pad={pad}&status=503").take() == refused("503 Service Unavailable", more=header)


@pytest.mark.parametrize(
    ("extra", "sent"),
    [("8102 6869", b"\x81\x02hi"), ("81:02:68:69", b"\x81\x02hi"), ("FF", b"\xff"), ("ab" * 1024, b"\xab" * 1024)],
)
def test_extra(extra: str, sent: bytes) -> None:
    """The bytes are right behind the answer, before whatever the connection sends, in a refusal too."""
    assert ask(f"/handshake?extra={quote(extra)}").take() == accepted() + sent
    assert ask(f"/burst?count=1&size=0&extra={quote(extra)}").take() == accepted() + sent + b"\x81\x00"
    assert ask(f"/handshake?status=503&body=b&extra={quote(extra)}").take() == (
        refused("503 Service Unavailable", "b") + sent
    )


# -- late -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", [1, 200, 60000])
@pytest.mark.parametrize("query", ["", "&status=503", "&location=/x"])
def test_wait(wait: int, query: str) -> None:
    """The answer comes so many milliseconds late, not before; `handshake_timeout` is about the client's part."""
    peer = ask(f"/handshake?wait={wait}{query}")
    pass_time(peer.site.clock, wait / 1000 - 0.0005)
    assert peer.take() == b""
    assert not peer.is_ended()
    pass_time(peer.site.clock, 0.001)
    answers = {
        "": accepted(),
        "&status=503": refused("503 Service Unavailable"),
        "&location=/x": refused("302 Found", location="/x"),
    }
    assert peer.take() == answers[query]


@pytest.mark.parametrize("late", ["wait=500", "dribble=5", "wait=100&dribble=2"])
@pytest.mark.parametrize("piece", [0, 1])
def test_what_comes_before_the_answer(late: str, piece: int) -> None:
    """What the client sends before the late answer is kept, and served behind it in its order."""
    early = HELLO.masked() + Frame(PING, b"p").masked() + Frame(TEXT, b"to").masked()
    peer = ask("/handshake?" + late)
    peer.send(early, piece=piece)
    pass_time(peer.site.clock, 2)
    assert peer.take() == accepted() + ECHOED + b"\x8a\x01p\x81\x02to"
    peer.send(HELLO)
    assert peer.take() == ECHOED


def test_what_comes_with_the_request() -> None:
    """What is in the request's own chunk is kept too, and half a frame of it goes on where it ended."""
    peer = MemorySite().connect()
    peer.send(request("/handshake?wait=100") + HELLO.masked()[:7])
    peer.send(HELLO.masked()[7:])
    pass_time(peer.site.clock, 0.1)
    assert peer.take() == accepted() + ECHOED


def test_closed_before_the_answer() -> None:
    """A Close that came before the answer is answered behind it."""
    peer = ask("/handshake?wait=100")
    peer.send(close(1000))
    pass_time(peer.site.clock, 0.1)
    assert peer.take() == accepted() + b"\x88\x02\x03\xe8"
    assert peer.is_ended()


@pytest.mark.parametrize("late", ["wait=500", "dribble=20"])
@pytest.mark.parametrize("more", [0, 1])
def test_how_much_is_kept(late: str, more: int) -> None:
    """64 KiB are kept; one byte more, and the stream is cut."""
    frame = Frame(BINARY, bytes(KEPT - 8 + more)).masked()
    assert len(frame) == KEPT + more
    peer = ask("/handshake?" + late)
    peer.send(frame[:100])
    peer.send(frame[100:])
    assert peer.is_aborted() == bool(more)
    pass_time(peer.site.clock, 10)
    if more:
        assert b"\r\n\r\n" not in peer.take()
        assert is_over(peer)
    else:
        assert peer.take() == accepted() + b"\x82\x7e\xff\xf8" + bytes(KEPT - 8)


@pytest.mark.parametrize("late", ["wait=500", "dribble=20", "wait=500&status=503", "dribble=20&status=503"])
def test_gone_before_the_answer(late: str) -> None:
    """A client that goes before the answer leaves nothing behind, and nothing is done for it any more."""
    peer = ask("/handshake?" + late)
    pass_time(peer.site.clock, 0.05)
    sent = peer.take()
    peer.hang_up()
    assert is_over(peer)
    pass_time(peer.site.clock, 5)
    assert peer.take() == b""
    assert sent == (b"" if "wait" in late else (accepted() if "status" not in late else refused("503"))[: len(sent)])


@pytest.mark.parametrize("late", ["wait=500", "dribble=20", "wait=500&status=503"])
def test_half_gone_before_the_answer(late: str) -> None:
    """Where the client ends its side before the answer, ours ends too, and no connection comes of it later."""
    peer = ask("/handshake?" + late)
    peer.transport.protocol.readConnectionLost()
    assert peer.is_ended()
    pass_time(peer.site.clock, 5)
    assert list(peer.site.hub.connections) == []
    assert b"\r\n\r\n" not in peer.take()
    peer.hang_up()
    assert is_over(peer)


@pytest.mark.parametrize("late", ["wait=500", "dribble=20"])
def test_shutdown_before_the_answer(late: str) -> None:
    """A server that shuts down accepts nobody any more, also where the answer was only late."""
    peer = ask("/handshake?" + late)
    drained = peer.site.hub.drain(1001, "bye")
    pass_time(peer.site.clock, 20)
    assert not peer.take().startswith(accepted())
    assert list(peer.site.hub.connections) == []
    assert peer.is_ended()
    assert drained.called


@pytest.mark.parametrize("query", ["", "&status=503&body=late"])
def test_dribble(query: str) -> None:
    """The answer goes out a byte at a time, with the time asked for between two; then it is all there."""
    whole = refused("503 Service Unavailable", "late") if query else accepted()
    peer = ask("/handshake?dribble=10" + query)
    clock = peer.site.clock
    assert peer.take() == whole[:1]
    for number in range(1, len(whole)):
        pass_time(clock, number * 0.01 - 0.001 - clock.seconds())
        assert (peer.take(), peer.is_ended()) == (b"", False)
        pass_time(clock, 0.0015)
        assert peer.take() == whole[number : number + 1]
    assert peer.is_ended() == bool(query)
    pass_time(peer.site.clock, 1)
    assert peer.take() == b""
    if not query:
        peer.send(HELLO)
        assert peer.take() == ECHOED, "the echo has no such pace"


def test_dribble_is_bounded() -> None:
    """An answer that takes longer than `max_wait` is cut."""
    peer = ask("/handshake?dribble=1000", "[behaviours]\nmax_wait = 20")
    pass_time(peer.site.clock, 19.9)
    assert not peer.is_ended()
    pass_time(peer.site.clock, 0.2)
    assert peer.is_aborted()
    assert len(peer.take()) in (20, 21)
    assert is_over(peer)


def test_dribble_is_over() -> None:
    """Once the answer is out, nothing bounds the connection any more but what bounds all."""
    peer = MemorySite("[websocket]\nping_interval = 0\n[behaviours]\nmax_wait = 20").open("/handshake")
    late = peer.site.connect()
    late.send(request("/handshake?dribble=1&wait=1"))
    pass_time(peer.site.clock, 100)
    late.take()
    late.send(HELLO)
    assert late.take() == ECHOED
    assert not late.is_ended()


def test_all_together() -> None:
    """Everything that can be wrong with an answer can be so at once."""
    peer = ask(
        "/handshake?wait=50&dribble=1&accept=double&subprotocol=x&extension=y&pad=3&extra=8100", subprotocols="a, b"
    )
    pass_time(peer.site.clock, 2)
    assert peer.take() == accepted("x", RIGHT * 2, "y", "X-Padding: xxx\r\n") + b"\x81\x00"


# -- who gets what ----------------------------------------------------------------------------------------------------

FRAGMENTS = Frame(TEXT, b"a", fin=False).masked() + Frame(0, b"b").masked()
AS_FRAGMENTS, COLLECTED = b"\x01\x01a\x80\x01b", b"\x81\x02ab"


@pytest.mark.parametrize(
    ("path", "offered", "named", "reply"),
    [
        ("/echo", "", "", AS_FRAGMENTS),  # Jetty's: frame by frame
        ("/echo/more", "", "", AS_FRAGMENTS),
        ("/echo?", "", "", AS_FRAGMENTS),
        ("/echo", "echo", "echo", AS_FRAGMENTS),
        ("/echo", "lws-mirror-protocol", "lws-mirror-protocol", AS_FRAGMENTS),
        ("/echo", "mqtt, lws-mirror-protocol", "lws-mirror-protocol", AS_FRAGMENTS),
        ("/echo", "echo-assemble", "echo-assemble", COLLECTED),
        ("/echo?fragment=1", "", "", COLLECTED),
        ("/echo?fragment=1", "echo", "echo", COLLECTED),
        ("/echo?fragment=1", "mqtt, echo", "mqtt", COLLECTED),
        ("/echo?fragment=1", "ticker", "ticker", COLLECTED),
        ("/echo?fragment=1", "lws-mirror-protocol", "lws-mirror-protocol", COLLECTED),
        ("/echo?", "echo-assemble", "echo-assemble", COLLECTED),
        ("/echo/more?fragment=1", "", "", AS_FRAGMENTS),  # the query is for the behaviour's own path
        ("/", "echo", "echo", AS_FRAGMENTS),
        ("/", "echo&fragment~1", "echo&fragment~1", COLLECTED),
        ("/", "echo&fragment~2", "echo&fragment~2", AS_FRAGMENTS),
        ("/", "mqtt, echo&fragment~1, echo", "echo&fragment~1", COLLECTED),
        ("/close?after=9999", "echo, ticker", "echo", COLLECTED),
        ("/handshake", "echo", "echo", COLLECTED),
    ],
)
def test_who_gets_what(path: str, offered: str, named: str, reply: bytes) -> None:
    """A behaviour's path goes before what is offered; Jetty's echo knows no query and goes before its own path."""
    peer = ask(path, subprotocols=offered)
    assert peer.take() == accepted(named)
    peer.send(FRAGMENTS)
    assert peer.take() == reply


@pytest.mark.parametrize("offered", ["mqtt", "mqtt, amqp"])
def test_unknown_at_the_plain_echo(offered: str) -> None:
    """Jetty's echo stands by `unknown_subprotocol`, as ever; with a query, whatever is offered is accepted."""
    assert "None of the subprotocols is known" in why(ask("/echo", subprotocols=offered))
    peer = ask("/echo?fragment=1", subprotocols=offered)
    assert peer.take() == accepted("mqtt")


@pytest.mark.parametrize(
    "path", ["/close?after=99", "/ticker", "/bytes", "/burst", "/sink", "/bomb", "/frames", "/inspect", "/status"]
)
def test_any_subprotocol(path: str) -> None:
    """On a behaviour's path whatever is offered is accepted, be unknown ones refused elsewhere."""
    offered = "v1.nobody.knows, other"
    assert ask(path, subprotocols=offered).take().startswith(accepted("v1.nobody.knows"))
    assert "None of the subprotocols is known" in why(ask("/", subprotocols=offered))


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("ticker&interval~100&count~2", b"\x81\x010\x81\x011\x88\x0c\x03\xe8counted up"),
        ("dumb-increment-protocol&interval~100&count~1", b"\x81\x010\x88\x0c\x03\xe8counted up"),
        ("ticker&&count~1&", b"\x81\x010\x88\x0c\x03\xe8counted up"),
        ("close&code~1013&reason~a%20b", b"\x88\x05\x03\xf5a b"),
        ("close&reason~a+b", b"\x88\x05\x03\xe8a b"),
        ("close&reason~~%7E%26%3D", b"\x88\x06\x03\xe8~~&="),
        ("close&reason~%E2%82%AC", b"\x88\x05\x03\xe8\xe2\x82\xac"),
        ("close&half_code", b"\x88\x01\x03"),
        ("close", b"\x88\x02\x03\xe8"),
        ("burst&count~2&size~0", b"\x81\x00\x81\x00"),
        ("frames&hex~8100", b"\x81\x00"),
        ("%63lose", None),
        ("Close", None),
        ("closes&code~1000", None),
    ],
)
def test_by_name(name: str, sent: bytes | None) -> None:
    """A subprotocol's name can ask for what a query does, with ~ for = and %XX for what no name may hold."""
    peer = ask("/", subprotocols=name)
    if sent is None:
        assert "None of the subprotocols is known" in why(peer)
        return
    pass_time(peer.site.clock, 1)
    assert peer.take() == accepted(name) + sent


def test_delay_by_name() -> None:
    """`echo&delay~100` is the echo with parameters, not Jetty's."""
    peer = ask("/", subprotocols="echo&delay~100")
    assert peer.take() == accepted("echo&delay~100")
    peer.send(HELLO)
    assert peer.take() == b""
    pass_time(peer.site.clock, 0.1)
    assert peer.take() == ECHOED


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ticker&interva~1", "interva: unknown parameter; did you mean interval?"),
        ("ticker&interval~0", "interval: 0 is out of range"),
        ("ticker&count", "count: has no value"),
        ("close&code~1&code~2", "code: is given twice"),
        ("close&reason~%ff", "reason: is not UTF-8"),
        ("handshake&location~%2F%2Fevil", "location: leaves this site"),
    ],
)
def test_refused_by_name(name: str, reason: str) -> None:
    """A name with a parameter that cannot be is refused with the reason."""
    assert reason in why(ask("/", subprotocols=name))


@pytest.mark.parametrize("path", ["/dumb-increment-protocol", "/ticker", "/lws-status", "/echo-awkward"])
def test_every_name_reads_its_query(path: str) -> None:
    """A behaviour can have several names in a URL; a wrong query is refused in each."""
    assert "nonsense: unknown parameter" in why(ask(path + "?nonsense=1"))
    assert ask(path + "?code=4000&after=0").take().endswith(b"\x88\x02\x0f\xa0")


# -- what /inspect shows of a request ---------------------------------------------------------------------------------

LINES = [
    ("HOST", "localhost"),
    ("X-One", "1"),
    ("upgrade", "WebSocket"),
    ("x-one", "2"),
    ("X-Latin", "caf\xe9"),
    ("Connection", "keep-alive, Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("X-ONE", "3"),
    ("Cookie", "a=b; c=d"),
    ("sec-websocket-KEY", "dGhlIHNhbXBsZSBub25jZQ=="),
]
REQUEST = b"GET /inspect?delay=0 HTTP/1.1\r\n" + b"".join(
    f"{name}: \t {value} \r\n".encode("latin-1") for name, value in LINES
)
PAGE = b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nX-Other: request\r\n\r\n"


def shown(sent: bytes) -> dict[str, Any]:
    """Return what /inspect says of the handshake."""
    _, _, rest = sent.rpartition(b"\r\n\r\n")
    start = rest.index(b"{")
    told: dict[str, Any] = json.loads(rest[start:])
    return told


@pytest.mark.parametrize("piece", [0, 1, 7, 100])
@pytest.mark.parametrize("more", [[], [("X-Empty", "")]])
def test_headers_as_they_came(piece: int, more: list[tuple[str, str]]) -> None:
    """Headers are shown in their order, letters and number, whether the request came whole or in pieces."""
    peer = MemorySite().connect()
    peer.send(REQUEST + b"".join(f"{name}:\r\n".encode() for name, _ in more) + b"\r\n", piece=piece)
    told = shown(peer.take())
    assert told["headers"] == [list(line) for line in LINES + more]
    assert (told["method"], told["target"], told["http_version"]) == ("GET", "/inspect?delay=0", "HTTP/1.1")


@pytest.mark.parametrize("together", [False, True])
def test_headers_of_this_request_only(together: bool) -> None:
    """On a connection that was used for a page before, that request's headers are not shown."""
    peer = MemorySite().connect()
    for chunk in [PAGE + PAGE + REQUEST + b"\r\n"] if together else [PAGE, PAGE, REQUEST + b"\r\n"]:
        peer.send(chunk)
    pass_time(peer.site.clock, 0.1)
    assert shown(peer.take())["headers"] == [list(line) for line in LINES]
