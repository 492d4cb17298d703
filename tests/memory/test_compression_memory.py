"""Compressors are kept between messages for those who use them, and only so many."""

from __future__ import annotations

import zlib
from typing import Any

from twisted.internet.task import Clock

from tests.support.memory import MemorySite, Peer
from tests.support.wire import TEXT, Frame

MESSAGE = b"the same words again and again, so that a window is worth something" * 3


def _echo(peer: Peer, sender: zlib._Compress, receiver: zlib._Decompress) -> int:
    """Send a message, check that it comes back, and return the length of its compressed form."""
    data = sender.compress(MESSAGE) + sender.flush(zlib.Z_SYNC_FLUSH)
    peer.send(Frame(TEXT, data[:-4], rsv=4))
    (frame,) = peer.frames()
    assert receiver.decompress(frame.payload + b"\0\0\xff\xff") == MESSAGE
    return len(frame.payload)


def _client(site: MemorySite) -> tuple[Peer, zlib._Compress, zlib._Decompress]:
    peer = site.open("/echo-assemble", extensions="permessage-deflate")
    return peer, zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)


def test_kept_while_used() -> None:
    """The second message of a connection is compressed by what the first has left."""
    client = _client(MemorySite())
    assert _echo(*client) > 2 * _echo(*client)


def test_given_back_when_idle() -> None:
    """After `compressor_idle` the compressor is gone, and the next message starts anew, which no client minds."""
    site = MemorySite("[limits]\ncompressor_idle = 5")
    client = _client(site)
    first = _echo(*client)
    site.clock.advance(4)
    assert _echo(*client) < first
    site.clock.advance(4)
    assert _echo(*client) < first, "it was used in the meantime"
    site.clock.advance(10)
    assert site.hub.compressors.count == 0
    assert _echo(*client) >= first - 10


def test_only_so_many() -> None:
    """Of many connections in use, those used last keep theirs; all get back what they sent."""
    site = MemorySite("[limits]\nmax_compressors = 3")
    clients = [_client(site) for _ in range(5)]
    first = [_echo(*client) for client in clients]
    assert site.hub.compressors.count == 3
    for client, length in zip(reversed(clients), reversed(first), strict=True):
        again = _echo(*client)
        kept = client in clients[2:]
        assert (again < length) == kept
    assert site.hub.compressors.count == 3


def test_nothing_is_left() -> None:
    """A connection that goes takes its compressor with it, and no timer stays."""
    site = MemorySite()
    client = _client(site)
    _echo(*client)
    peer = client[0]
    assert isinstance(site.clock, Clock)
    peer.hang_up()
    assert site.hub.compressors.count == 0
    assert site.clock.getDelayedCalls() == []


def test_a_message_in_the_making_keeps_its_compressor() -> None:
    """A message that is sent in frames is compressed by one compressor, however long it takes and whoever comes."""
    site = MemorySite("[limits]\nmax_compressors = 1\n")
    peer = site.open("/echo", extensions="permessage-deflate")
    engine, back = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)
    peer.send(Frame(TEXT, engine.compress(MESSAGE) + engine.flush(zlib.Z_SYNC_FLUSH), fin=False, rsv=4))
    other = _client(site)
    _echo(*other)
    _echo(*other)
    site.clock.advance(10)
    peer.send(Frame(0, (engine.compress(MESSAGE) + engine.flush(zlib.Z_SYNC_FLUSH))[:-4]))
    payload = b"".join(frame.payload for frame in peer.frames() if frame.opcode in (0, 1))
    assert back.decompress(payload + b"\0\0\xff\xff") == MESSAGE * 2


def test_unfinished_messages_count_too() -> None:
    """Messages that are never finished keep no more compressors than others, and go on right all the same."""
    site = MemorySite("[limits]\nmax_compressors = 2\n")
    clients = [(site.open("/echo", extensions="permessage-deflate"), zlib.compressobj(wbits=-15)) for _ in range(6)]
    for peer, engine in clients:
        peer.send(Frame(TEXT, engine.compress(MESSAGE) + engine.flush(zlib.Z_SYNC_FLUSH), fin=False, rsv=4))
    assert site.hub.compressors.count == 2
    connections: list[Any] = list(site.hub.connections)
    kept = [each for each in connections if each.deflate is not None and each.deflate._compressor is not None]
    assert len(kept) == 2
    for peer, engine in clients:
        peer.send(Frame(0, (engine.compress(MESSAGE) + engine.flush(zlib.Z_SYNC_FLUSH))[:-4]))
        payload = b"".join(frame.payload for frame in peer.frames())
        assert zlib.decompressobj(wbits=-15).decompress(payload + b"\0\0\xff\xff") == MESSAGE * 2
