"""Every subprotocol on the wire, in memory and over a real socket, from one table of scenarios."""

from __future__ import annotations

import socket

import pytest

from tests.support.daemon import Daemon
from tests.support.memory import MemorySite
from tests.support.patience import PATIENCE
from tests.support.scenarios import ALL_NAMES, SCENARIOS, Scenario
from tests.support.wire import PING, PONG, Frame, request, take_frames

MARKER = Frame(PING, b"that is all")


def closes(scenario: Scenario) -> bool:
    return any(frame.opcode == 8 for frame in scenario.gets)


@pytest.mark.parametrize("piece", [0, 1, 7])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_in_memory(scenario: Scenario, piece: int) -> None:
    """Exactly the frames of the table come back, however the bytes are cut."""
    peer = MemorySite().open(subprotocols=scenario.name)
    if sum(len(frame.payload) for frame in scenario.sends) > 10_000:
        piece *= 541
    for frame in scenario.sends:
        peer.send(frame, piece=piece)
    assert peer.frames() == scenario.gets
    assert peer.received == b""
    assert peer.is_ended() == closes(scenario)
    assert not peer.is_aborted()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_over_a_socket(scenario: Scenario, server: Daemon) -> None:
    """The same frames come over a real socket, and a connection that closes ends with FIN, not with a reset."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(request(subprotocols=scenario.name) + b"".join(frame.masked() for frame in scenario.sends))
        if not closes(scenario):
            connection.sendall(MARKER.masked())
        received = b""
        while True:
            chunk = connection.recv(1 << 16)
            received += chunk
            frames, rest = take_frames(received.partition(b"\r\n\r\n")[2])
            if not chunk or Frame(PONG, MARKER.payload) in frames:
                break
    assert received.startswith(b"HTTP/1.1 101 ")
    assert rest == b""
    assert frames == [*scenario.gets, *([] if closes(scenario) else [Frame(PONG, MARKER.payload)])]


@pytest.mark.parametrize(("short", "name"), [(short, name) for short, names in ALL_NAMES.items() for name in names])
def test_names(short: str, name: str) -> None:
    """Every name of the table chooses its behaviour and is named in the response."""
    site = MemorySite()
    peer = site.open("/whatever", subprotocols=name)
    assert f"\r\nSec-WebSocket-Protocol: {name}".encode() in peer.handshake
    assert [connection.subprotocol for connection in site.hub.connections] == [short]
