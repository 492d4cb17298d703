"""/inspect and /status: what the client sent, and who is connected. In memory, on a Clock."""

from __future__ import annotations

import base64
import json
import time
from datetime import datetime
from typing import Any

import pytest

from tests.support.behaviours import DEFLATE, deflated, inflated, told
from tests.support.memory import MemorySite, Peer, pass_time
from tests.support.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, close, close_code, request

# -- /inspect ----------------------------------------------------------------------------------------------------------


def inspecting(path: str = "/inspect", **more: str) -> Peer:
    """Return a connection to /inspect whose first message, the handshake, was read."""
    peer = MemorySite().open(path, **more)
    assert len(peer.frames()) == 1
    return peer


@pytest.mark.parametrize(
    ("query", "offered", "extensions", "subprotocol", "agreed"),
    [
        ("", "", "", None, None),
        ("", "mqtt, chat", "x-other", "mqtt", None),
        ("?subprotocol=chat", "mqtt", "", "chat", None),
        ("?subprotocol=", "mqtt", "", None, None),
        ("?extension=x-other", "", DEFLATE, None, "x-other"),
        ("?extension=", "", DEFLATE, None, None),
        ("?compression=decline", "", DEFLATE, None, None),
        ("?server_no_context_takeover=yes", "", DEFLATE, None, DEFLATE + "; server_no_context_takeover"),
    ],
)
def test_inspect_handshake(
    query: str, offered: str, extensions: str, subprotocol: str | None, agreed: str | None
) -> None:
    """The first message describes the handshake and the response."""
    peer = MemorySite().open("/inspect" + query, subprotocols=offered, extensions=extensions)
    (frame,) = peer.frames()
    data = inflated(frame.payload) if frame.rsv else frame.payload
    shown = json.loads(data)
    assert abs(time.time() - _seconds(shown.pop("time"))) < 60
    headers = dict(shown.pop("headers"))
    assert headers["Host"] == "localhost"
    assert headers.get("Sec-WebSocket-Protocol", "") == offered
    assert headers.get("Sec-WebSocket-Extensions", "") == extensions
    assert shown == {
        "method": "GET", "target": "/inspect" + query, "http_version": "HTTP/1.1", "peer": "127.0.0.1:40001",
        "tls": None, "subprotocol": subprotocol, "extensions": agreed,
    }  # fmt: skip


def _seconds(text: str) -> float:
    when = datetime.fromisoformat(text)
    assert when.tzinfo is not None
    return when.timestamp()


@pytest.mark.parametrize("payload", [b"", b"hello", "für 日本".encode(), b"x" * 126, b"x" * 70_000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("piece", [0, 1000])
def test_inspect_message(payload: bytes, opcode: int, piece: int) -> None:
    """Each message comes back as JSON: its number, type, size, its one frame, and its content."""
    peer = inspecting()
    for number in (1, 2):
        peer.send(Frame(opcode, payload), piece=piece)
        (shown,) = told(peer)
        content = {"text": payload.decode()} if opcode == TEXT else {"base64": base64.b64encode(payload).decode()}
        frame = {"opcode": opcode, "fin": True, "rsv": 0, "length": len(payload), "masking_key": "37fa213d"}
        assert shown == {
            "message": number, "opcode": opcode, "type": "text" if opcode == TEXT else "binary", "size": len(payload),
            "compressed": False, "frame_count": 1, "payload_size": len(payload), "frames": [frame], **content,
        }  # fmt: skip


def masked_with(key: bytes, frame: Frame) -> bytes:
    """Return a frame of less than 126 bytes, masked with a key of its own."""
    header = frame.masked()[:2]
    return header + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(frame.payload))


@pytest.mark.parametrize("piece", [0, 1])
def test_inspect_frames(piece: int) -> None:
    """A message's frames are listed with their masking keys, without the control frames between them."""
    peer = inspecting()
    keys = [bytes(4), b"\xff\x00\x01\x02", b"abcd"]
    frames = [Frame(TEXT, b"one ", fin=False), Frame(CONTINUATION, b"", fin=False), Frame(CONTINUATION, b"three")]
    sent = b"".join(
        masked_with(key, frame) + Frame(PING, b"p").masked() for key, frame in zip(keys, frames, strict=True)
    )
    peer.send(sent, piece=piece)
    came = peer.frames()
    assert [frame for frame in came if frame.opcode == PONG] == [Frame(PONG, b"p")] * 3
    (shown,) = [json.loads(frame.payload) for frame in came if frame.opcode == TEXT]
    assert shown["frames"] == [
        {"opcode": frame.opcode, "fin": frame.fin, "rsv": 0, "length": len(frame.payload), "masking_key": key.hex()}
        for key, frame in zip(keys, frames, strict=True)
    ]
    assert (shown["frame_count"], shown["payload_size"], shown["size"], shown["text"]) == (3, 9, 9, "one three")


def test_inspect_many_frames() -> None:
    """The first 100 frames of a message are listed, and all are counted; the next message starts from zero."""
    peer = inspecting()
    peer.send(Frame(BINARY, b"0", fin=False).masked() + Frame(CONTINUATION, b"1", fin=False).masked() * 148)
    peer.send(Frame(CONTINUATION, b"2").masked() + Frame(TEXT, b"next").masked())
    first, second = told(peer)
    assert (len(first["frames"]), first["frame_count"], first["payload_size"], first["size"]) == (100, 150, 150, 150)
    assert [frame["opcode"] for frame in first["frames"]] == [BINARY] + [CONTINUATION] * 99
    assert (len(second["frames"]), second["frame_count"], second["payload_size"]) == (1, 1, 4)


@pytest.mark.parametrize("piece", [0, 1])
def test_inspect_compressed(piece: int) -> None:
    """A compressed message is shown inflated, its frames as they were on the wire."""
    peer = inspecting("/inspect?server_no_context_takeover=yes", extensions=DEFLATE)
    payload = deflated(b"ab" * 500)
    peer.send(
        Frame(TEXT, payload[:5], rsv=4, fin=False).masked() + Frame(CONTINUATION, payload[5:]).masked(), piece=piece
    )
    (frame,) = peer.frames()
    shown = json.loads(inflated(frame.payload))
    assert (shown["compressed"], shown["size"], shown["payload_size"]) == (True, 1000, len(payload))
    assert [(each["rsv"], each["length"]) for each in shown["frames"]] == [(4, 5), (0, len(payload) - 5)]
    assert shown["text"] == "ab" * 500


def test_inspect_wrong_frames() -> None:
    """A client's protocol violation fails the connection, as everywhere."""
    peer = inspecting()
    peer.send(b"\x81\x02hi")
    assert close_code(peer.frames()[0]) == 1002
    peer = inspecting()
    peer.send(Frame(TEXT, b"\xff"))
    assert close_code(peer.frames()[0]) == 1007


# -- what /inspect shows of a request ----------------------------------------------------------------------------------

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
    """Headers are shown in their order and spelling, repeated ones too, however the request was split."""
    peer = MemorySite().connect()
    peer.send(REQUEST + b"".join(f"{name}:\r\n".encode() for name, _ in more) + b"\r\n", piece=piece)
    told = shown(peer.take())
    assert told["headers"] == [list(line) for line in LINES + more]
    assert (told["method"], told["target"], told["http_version"]) == ("GET", "/inspect?delay=0", "HTTP/1.1")


@pytest.mark.parametrize("together", [False, True])
def test_headers_of_this_request_only(together: bool) -> None:
    """Headers of earlier requests on the same connection are not shown."""
    peer = MemorySite().connect()
    for chunk in [PAGE + PAGE + REQUEST + b"\r\n"] if together else [PAGE, PAGE, REQUEST + b"\r\n"]:
        peer.send(chunk)
    pass_time(peer.site.clock, 0.1)
    assert shown(peer.take())["headers"] == [list(line) for line in LINES]


# -- /status -----------------------------------------------------------------------------------------------------------


def test_status() -> None:
    """It lists the connections at once, newest first, with addresses only if configured."""
    for ini, shows in (("", False), ("[behaviours]\nshow_addresses = yes", True)):
        site = MemorySite("[websocket]\nping_interval = 0\n" + ini)
        site.open("/echo?delay=1")
        site.open("/", subprotocols="echo")
        pass_time(site.clock, 50)
        site.open("/ticker?interval=3600000")
        peer = site.open("/status")
        (shown,) = told(peer)
        whens = [each.pop("time") for each in shown["conns"]]
        assert shown == {
            "you": 4,
            "version": "wsdaemon",
            "count": 4,
            "conns": [
                {"number": number, "peer": f"127.0.0.1:{40000 + number}" if shows else "hidden", "subprotocol": name}
                for number, name in ((4, "status"), (3, "ticker"), (2, "echo"), (1, "echo-awkward"))
            ],
        }  # fmt: skip
        assert all(
            abs(when - ago) < 10 for when, ago in zip(whens, [time.time()] * 2 + [time.time() - 50] * 2, strict=True)
        )


def test_status_on_change() -> None:
    """Changes are sent soon, several in one message, and nothing is sent without a change."""
    site = MemorySite("[websocket]\nping_interval = 0")
    peer = site.open("/status")
    assert [each["count"] for each in told(peer)] == [1]
    pass_time(site.clock, 60)
    assert peer.take() == b""
    others = [site.open("/echo") for _ in range(3)]
    pass_time(site.clock, 0.1)
    assert [each["count"] for each in told(peer)] == [4]
    others[0].hang_up()
    pass_time(site.clock, 0.1)
    assert [each["count"] for each in told(peer)] == [3]
    refused_peer = site.connect()
    refused_peer.send(request("/handshake?status=503"))
    late = site.connect()
    late.send(request("/handshake?wait=500"))
    pass_time(site.clock, 0.4)
    assert peer.take() == b"", "who has no WebSocket is not connected"
    pass_time(site.clock, 0.3)
    assert [each["count"] for each in told(peer)] == [4]


def test_status_goes_on_telling() -> None:
    """Constant changes do not postpone the message."""
    site = MemorySite("[websocket]\nping_interval = 0")
    peer = site.open("/status")
    peer.take()
    for _ in range(20):
        site.open("/echo")
        pass_time(site.clock, 0.05)
    counts = [each["count"] for each in told(peer)]
    assert 9 <= len(counts) <= 11
    assert counts == sorted(counts)


def test_status_ignores() -> None:
    """Input is ignored, and a connection is not told of its own end."""
    peer = MemorySite().open("/status")
    peer.take()
    peer.send(Frame(TEXT, b"hi").masked() + Frame(BINARY, b"").masked())
    pass_time(peer.site.clock, 1)
    assert peer.take() == b""
    peer.send(close(1000))
    (frame,) = peer.frames()
    assert frame.opcode == CLOSE
    peer.hang_up()
    assert list(peer.site.hub.watchers) == []


def test_status_lists_200() -> None:
    """Of more than 200 connections the newest 200 are listed; all are counted."""
    site = MemorySite()
    for _ in range(205):
        site.open("/echo")
    (shown,) = told(site.open("/status"))
    assert (shown["count"], len(shown["conns"])) == (206, 200)
    assert [each["number"] for each in shown["conns"]] == list(range(206, 6, -1))


@pytest.mark.usefixtures("slow")
def test_status_for_the_slow() -> None:
    """A client that does not read gets one message with the latest state once it does."""
    site = MemorySite("[websocket]\nping_interval = 0\nstall_timeout = 3600")
    peer = site.open("/status")
    peer.take()
    for _ in range(4):
        site.open("/echo")
        pass_time(site.clock, 1)
    assert peer.take() == b""
    peer.transport.drain()
    pass_time(site.clock, 0.2)
    assert [each["count"] for each in told(peer)] == [5]


@pytest.mark.parametrize(
    ("origin", "status"), [("http://localhost", b"101"), ("http://evil.example", b"403"), ("null", b"403")]
)
@pytest.mark.parametrize("path", ["/status", "/lws-status"])
def test_status_is_for_our_pages(origin: str, status: bytes, path: str) -> None:
    """Pages of other origins may not see who is connected."""
    peer = MemorySite().connect()
    peer.send(request(path, more=f"Origin: {origin}\r\n"))
    assert peer.take().split(b" ")[1] == status
