"""Well-behaved clients on a third-party library; every reply is checked."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.soak.ledger import Ear
from tests.soak.world import Unexpected, Visit
from tests.support.patience import PATIENCE

LIMIT = 64 << 10
"""Message limit of the subprotocols that collect whole messages."""

Message = str | bytes


class Open(connect):
    """An open WebSocket: `async with Open(visit, "/echo") as socket`."""

    def __init__(self, visit: Visit, path: str, name: str | None = None, *, tls: bool = False, **options: Any) -> None:
        super().__init__(
            f"ws{'s' if tls else ''}://127.0.0.1:{visit.port(tls)}{path}",
            ssl=visit.world.tls if tls else None,
            local_addr=(visit.address, 0),
            subprotocols=[Subprotocol(name)] if name else None,
            ping_interval=None,  # the daemon asks often enough
            open_timeout=PATIENCE,
            close_timeout=PATIENCE,
            max_size=None,
            max_queue=None,
            proxy=None,
            **options,
        )


async def echo(visit: Visit) -> None:
    """Messages of all sizes, whole and fragmented, one by one and in batches, are echoed unchanged."""
    async with _open(visit, "echo") as socket:
        while not visit.over:
            if visit.rng.random() < 0.1:
                messages = [_message(visit, 512) for _ in range(visit.rng.randint(2, 20))]
            else:
                messages = [_message(visit, 1 << 20)]
            begun = time.monotonic()
            for message in messages:
                await socket.send(_fragments(visit, message) if visit.rng.random() < 0.2 else message)
            for message in messages:
                _compare(message, await socket.recv())
                visit.world.tally.note(2, 2 * len(message))
            visit.world.tally.slowest = max(visit.world.tally.slowest, time.monotonic() - begun)
            await visit.think(1.5)
    _closed_well(socket)


async def assemble(visit: Visit) -> None:
    """A message in fragments comes back as one frame."""
    await _reframed(visit, "echo-assemble", _fragments, lambda size: [size])


async def fragment(visit: Visit) -> None:
    """A message comes back as two frames, the first half and the rest."""
    await _reframed(visit, "echo-fragment", lambda _, message: message, lambda size: [size // 2, -(-size // 2)])


async def _reframed(
    visit: Visit, name: str, sent: Callable[[Visit, Message], Any], sizes: Callable[[int], list[int]]
) -> None:
    async with _open(visit, name) as socket:
        while not visit.over:
            message = _message(visit, LIMIT)
            await socket.send(sent(visit, message))
            frames = [frame async for frame in socket.recv_streaming(decode=False)]
            whole = _encoded(message)
            _compare(whole, b"".join(frames), list(map(len, frames)) == sizes(len(whole)))
            visit.world.tally.note(2, 2 * len(message))
            await visit.think(1.5)
    _closed_well(socket)


async def log(visit: Visit) -> None:
    """Logged messages get no reply; the pings behind them do."""
    async with _open(visit, "log") as socket:
        while not visit.over:
            message = _message(visit, 1 << 20)
            await socket.send(message)
            await (await socket.ping())
            visit.world.tally.note(1, len(message))
            await visit.think(1.5)
    _closed_well(socket)
    answers = [message async for message in socket]
    if answers:
        raise Unexpected(f"log answered: {answers[0][:60]!r}")


async def idle(visit: Visit) -> None:
    """An idle client that answers the daemon's pings stays connected."""
    async with _open(visit, visit.rng.choice(["echo", "echo-fragment", "log"])) as socket:
        while not visit.over:
            await visit.think(1.5)
        await (await socket.ping())
    _closed_well(socket)


async def broadcast(visit: Visit) -> None:
    """A member receives every message of the room, in the same order as the others."""
    await _member(visit, "echo-broadcast")


async def broadcast_ping(visit: Visit) -> None:
    """The same with the daemon's pings in between."""
    await _member(visit, "echo-broadcast-ping")


class Member:
    """A member of the room: always receiving; a message counts as sent when it comes back."""

    def __init__(self, visit: Visit, socket: ClientConnection, name: str) -> None:
        self._visit = visit
        self._socket = socket
        self._name = name
        self._said = 0
        self._awaited = ""
        self._heard = asyncio.Event()

    async def say(self, padding: str, *, binary: bool = False) -> None:
        """Send a message and wait until it comes back."""
        self._said += 1
        self._awaited = f"{self._name}:{self._said}"
        self._heard.clear()
        await self._socket.send(self._visit.world.ledger.write(self._awaited, padding, binary=binary))
        await self._heard.wait()

    async def listen(self) -> None:
        """Receive until the connection ends; raises `OutOfOrder`."""
        ear = Ear(self._visit.world.ledger)
        async for message in self._socket:
            self._visit.world.tally.note(1, len(message))
            if ear.hear(message) == self._awaited:
                self._heard.set()


async def _member(visit: Visit, name: str) -> None:
    rng = visit.rng
    async with _open(visit, name, deflate=0.1) as socket, asyncio.TaskGroup() as group:
        member = Member(visit, socket, f"m{visit.number}")
        group.create_task(member.listen())
        while True:
            size = _size(visit, 4096)
            at = rng.randrange(len(visit.world.prose) - size)
            await member.say(visit.world.prose[at : at + size], binary=rng.random() < 0.3)
            if visit.over:
                break
            await visit.think(4)
        await socket.close()
    _closed_well(socket)


def _open(visit: Visit, name: str, *, deflate: float = 0.4) -> Open:
    """Return one of the ways to this subprotocol; `deflate` is the share of those that compress."""
    rng = visit.rng
    tls = rng.random() < 0.35
    path, offered = rng.choice([(f"/{name}", None), ("/", name), ("/some/where?x=y", name)])
    compression = "deflate" if rng.random() < deflate else None
    scheme = "https" if tls else "http"
    origin: Any = f"{scheme}://127.0.0.1:{visit.port(tls)}" if rng.random() < 0.5 else None
    return Open(visit, path, offered, tls=tls, compression=compression, origin=origin)


def _size(visit: Visit, largest: int) -> int:
    """Return a random size: sometimes 0, mostly small, rarely up to `largest`."""
    chance = visit.rng.random()
    if chance < 0.1:
        return 0
    most = largest if chance > 0.98 else min(largest, LIMIT if chance > 0.85 else 4096)
    return int(math.exp(visit.rng.uniform(0, math.log(most))))


def _message(visit: Visit, largest: int) -> Message:
    """Return a text or bytes of a random length, at most `largest` bytes."""
    rng, size = visit.rng, _size(visit, largest)
    if rng.random() < 0.5:
        at = rng.randrange(len(visit.world.noise) - size)
        return visit.world.noise[at : at + size]
    at = rng.randrange(len(visit.world.prose) - size)
    # Some of its characters take two bytes.
    return visit.world.prose[at : at + size].encode()[:size].decode("utf-8", "ignore")


def _fragments(visit: Visit, message: Message) -> list[Any]:
    """Return the message in one to five pieces, possibly empty."""
    borders = sorted(visit.rng.randint(0, len(message)) for _ in range(visit.rng.randint(0, 4)))
    return [message[start:end] for start, end in zip([0, *borders], [*borders, len(message)], strict=True)]


def _encoded(message: Message) -> bytes:
    return message.encode() if isinstance(message, str) else message


def _compare(sent: Message, came: Message, framed_well: bool = True) -> None:
    if came != sent:
        raise Unexpected(f"{len(sent)} of {type(sent).__name__} came back as {len(came)} of {type(came).__name__}")
    if not framed_well:
        raise Unexpected(f"{len(sent)} bytes came back in other frames than they should")


def _closed_well(socket: ClientConnection) -> None:
    if socket.close_code != 1000:
        raise Unexpected(f"closed with {socket.close_code} {socket.close_reason}")
