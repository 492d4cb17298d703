"""The catalogue of behaviours, and helpers to send a handshake and compare what comes back."""

from __future__ import annotations

import json
import zlib
from typing import Any

from tests.support.memory import MemorySite, Peer, pass_time
from tests.support.wire import TEXT, Frame, request
from wsdaemon.routing.catalogue import Catalogue
from wsdaemon.routing.registry import find_all
from wsdaemon.settings import BehaviourSettings

DEFLATE = "permessage-deflate"
TAIL = b"\0\0\xff\xff"
"""What the end of a compressed message leaves out (RFC 7692 section 7.2.1)."""
QUIET = "[websocket]\nping_interval = 0\n"
OVERHEAD = 1000
"""How many bytes a queued reply may count for beside its own."""
KEEP_ALIVE = "[websocket]\nping_interval = 1\nping_timeout = 1\n"
RIGHT = (
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"  # for the key of RFC 6455 section 1.3, as it says there
)
HELLO = Frame(TEXT, b"hello")
ECHOED = b"\x81\x05hello"


CATALOGUE = Catalogue(find_all(), BehaviourSettings())
DOCUMENT: dict[str, Any] = CATALOGUE.document()


def enabled_in(*names: str) -> dict[str, Any]:
    """Return the catalogue's document with these families and behaviours enabled."""
    document: dict[str, Any] = Catalogue(find_all(), BehaviourSettings(enabled=names)).document()
    return document


def parameters_of(behaviour: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all parameters that a behaviour takes."""
    groups = [DOCUMENT["groups"][name]["parameters"] for name in behaviour["groups"]]
    return [*behaviour["parameters"], *(each for group in groups for each in group)]


def ask(path: str, ini: str = "", **more: str) -> Peer:
    """Return the client's end of a connection on which a handshake was sent."""
    peer = MemorySite(ini).connect()
    peer.send(request(path, **more))
    return peer


def why(peer: Peer) -> str:
    """Return the body of the 400 that was sent."""
    head, _, body = peer.take().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 "), head
    return body.decode()


def accepted(protocol: str = "", accept: str = RIGHT, extensions: str = "", more: str = "") -> bytes:
    """Return the right 101."""
    lines = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
    lines += f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
    lines += accept + (f"Sec-WebSocket-Extensions: {extensions}\r\n" if extensions else "")
    return f"{lines}{more}\r\n".encode()


def refused(status: str, body: str = "", *, more: str = "", location: str = "") -> bytes:
    """Return the right refusal."""
    lines = f"HTTP/1.1 {status}\r\n" + (f"Location: {location}\r\n" if location else "")
    lines += "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n" + more
    if status[:3] not in ("204", "304"):
        lines += f"Content-Length: {len(body.encode())}\r\n"
    return f"{lines}Connection: close\r\n\r\n{body}".encode()


def is_over(peer: Peer) -> bool:
    """Whether nothing is left of a connection."""
    return not list(peer.site.hub.connections) and not peer.site.clock.getDelayedCalls()


def told(peer: Peer) -> list[dict[str, Any]]:
    """Return the JSON messages that came."""
    frames = peer.frames()
    assert all(frame.opcode == TEXT and frame.fin for frame in frames), frames
    return [json.loads(frame.payload) for frame in frames]


def read_all(peer: Peer, most: int = 1 << 62) -> bytes:
    """Return all that comes from a slow transport, at most so many bytes at a time."""
    sent = b""
    while piece := peer.take():
        assert len(piece) <= most
        sent += piece
        peer.transport.drain()
        pass_time(peer.site.clock, 0.001)
    return sent


def arrivals(peer: Peer, seconds: float, step: float = 0.001, *, first: int = 1) -> list[tuple[int, bytes]]:
    """Let time pass; return what was received, with the number of the step in which it was."""
    came = []
    for number in range(first, first + round(seconds / step)):
        pass_time(peer.site.clock, number * step + step / 2 - peer.site.clock.seconds())
        if sent := peer.take():
            came.append((number, sent))
    return came


def status(site: MemorySite, target: str, **options: str) -> tuple[int, bytes]:
    """Return the status of the response to a handshake, 0 if it waits, and the response's body."""
    peer = site.connect()
    peer.send(request(target, **options))
    head, _, body = peer.take().partition(b"\r\n\r\n")
    peer.hang_up()
    return int(head[9:12]) if len(head) > 12 else 0, body


def inflated(payload: bytes, bits: int = 15) -> bytes:
    """Inflate a message that was compressed by itself, with a window of that size.

    It is inflated a few bytes at a time: else zlib reads from its output what is no longer in its window.
    """
    engine = zlib.decompressobj(-bits)
    data, message = payload + TAIL, bytearray()
    while data:
        message += engine.decompress(data, 100 if bits < 15 else 1 << 20)
        data = engine.unconsumed_tail
    return bytes(message)


def deflated(message: bytes) -> bytes:
    """Return a message as a client compresses it."""
    engine = zlib.compressobj(wbits=-15)
    return (engine.compress(message) + engine.flush(zlib.Z_SYNC_FLUSH))[:-4]
