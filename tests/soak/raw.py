"""A connection by hand, for what no library does."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Any

from tests.soak.world import Unexpected, Visit
from tests.support.wire import CLOSE, Frame, close_code, request, take_frames

SMALL = 16 << 10
"""A receive buffer that is soon full."""


class RawPeer:
    """One connection to the daemon; made by `RawPeer.connect`, used as a context, cut without ado at its end."""

    def __init__(self, visit: Visit, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._visit = visit
        self._reader = reader
        self._writer = writer
        self._transport: Any = writer.transport
        self._rest = b""
        self._frames: list[Frame] = []

    @classmethod
    async def connect(
        cls, visit: Visit, *, tls: bool = False, port: int = 0, buffer: int = 0, segment: int = 0
    ) -> RawPeer:
        """Connect only; with sizes of the receive buffer and the largest segment, if not 0."""
        plain = socket.socket()
        plain.setblocking(False)
        try:
            if buffer:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            if segment:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
            plain.bind((visit.address, 0))
            await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", port or visit.port(tls)))
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            context = visit.world.tls if tls else None
            reader, writer = await asyncio.open_connection(
                sock=plain, ssl=context, server_hostname="localhost" if tls else None
            )
        except BaseException:
            plain.close()
            raise
        return cls(visit, reader, writer)

    @classmethod
    async def upgrade(cls, visit: Visit, path: str, *, extensions: str = "", **options: Any) -> RawPeer:
        """Connect and make the upgrade."""
        peer = await cls.connect(visit, **options)
        try:
            await peer.send(request(path, extensions=extensions))
            head = await peer.head()
            if not head.startswith(b"HTTP/1.1 101 "):
                raise Unexpected(f"no upgrade: {head[:100]!r}")
        except BaseException:
            peer._transport.abort()
            raise
        return peer

    async def __aenter__(self) -> RawPeer:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.abort()

    async def send(self, data: bytes | Frame) -> None:
        """Send bytes, or a masked frame; waits while the daemon does not read."""
        self._writer.write(data.masked() if isinstance(data, Frame) else data)
        await self._writer.drain()

    async def head(self) -> bytes:
        """Return the next HTTP response's head, or what was received if the stream ends before."""
        while b"\r\n\r\n" not in self._rest:
            if not await self._receive():
                return self._rest
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        return head

    async def status(self) -> str:
        """Return the status of the next response, or `cut` if the connection ends without one."""
        try:
            head = await self.head()
        except ConnectionError:
            return "cut"
        return head[9:12].decode("ascii", "replace") or "cut"

    async def frame(self) -> Frame | None:
        """Return the next frame, or None at the stream's end."""
        while not self._frames:
            self._frames, self._rest = take_frames(self._rest)
            if not self._frames and not await self._receive():
                return None
        return self._frames.pop(0)

    async def to_end(self) -> None:
        """Read until the daemon ends its side."""
        with contextlib.suppress(ConnectionError):
            while await self._receive():
                self._rest = b""

    async def ending(self) -> str:
        """Read to the end and return the code of the Close frame, or `end` or `cut` if there was none."""
        code = ""
        try:
            while (frame := await self.frame()) is not None:
                code = str(close_code(frame)) if frame.opcode == CLOSE else code
        except ConnectionError:
            return code or "cut"
        return code or "end"

    async def close_code(self) -> str:
        """Read until the Close frame and return its code."""
        while (frame := await self.frame()) is not None:
            if frame.opcode == CLOSE:
                return str(close_code(frame))
        raise Unexpected("the stream ended without a Close frame")

    def stop_reading(self) -> None:
        """Stop reading."""
        self._transport.pause_reading()

    def read_again(self) -> None:
        """Read again, with a large buffer."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._transport.resume_reading()

    async def flood(self, data: bytes) -> None:
        """Send `data` for ever and read nothing; returns when the daemon has aborted the connection."""
        self.stop_reading()
        with contextlib.suppress(ConnectionError):
            while True:
                await self.send(data)
                await asyncio.sleep(0)  # a TLS stream of asyncio takes bytes for ever unless its loop can see the end
                self._visit.world.tally.bytes += len(data)

    async def until_cut(self, *, reset: bool = False) -> None:
        """Read nothing, and return once the daemon has ended the stream, or with `reset` cut it; not for TLS."""
        self.stop_reading()
        await self._visit.world.cut(self._socket.fileno(), reset=reset)

    def end_sending(self) -> None:
        """Half-close: end our side only."""
        self._writer.write_eof()

    def reset(self) -> None:
        """Reset the connection."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    @property
    def _socket(self) -> Any:
        return self._writer.get_extra_info("socket")

    async def _receive(self) -> bool:
        data = await self._reader.read(1 << 16)
        self._rest += data
        return bool(data)
