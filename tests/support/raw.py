"""A WebSocket client made of a blocking socket: it sends any bytes, and reads only when it is told to."""

from __future__ import annotations

import contextlib
import functools
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType

from tests.support.daemon import Daemon
from tests.support.patience import PATIENCE, Stopwatch
from tests.support.wire import CLOSE, PING, PONG, Frame, close_code, request, take_frames


class RawClient:
    """One connection to the daemon; `path` None leaves it at that, else the upgrade is made."""

    def __init__(
        self,
        daemon: Daemon,
        path: str | None = "/echo",
        *,
        tls: bool = False,
        subprotocols: str = "",
        extensions: str = "",
        more: str = "",
        early: bytes = b"",
        receive_buffer: int = 0,
    ) -> None:
        self.daemon = daemon
        plain = socket.socket()
        plain.settimeout(PATIENCE)
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            plain.connect(("127.0.0.1", daemon.tls_port if tls else daemon.port))
        except OSError:
            plain.close()
            raise
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket: socket.socket = untrusting().wrap_socket(plain) if tls else plain
        self._rest = b""
        self._frames: deque[Frame] = deque()
        self.handshake = b""
        self._unsent = b""
        self.ended = False  # whether the daemon has ended its side
        if path is not None:
            self.send(request(path, subprotocols=subprotocols, extensions=extensions, more=more) + early)
            self.handshake = self.read_head()
            assert self.handshake.startswith(b"HTTP/1.1 101 "), self.handshake

    def __enter__(self) -> RawClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, data: bytes | Frame) -> None:
        """Send bytes, or a masked frame. Raises `ConnectionError` once the daemon has cut the stream, also with TLS."""
        try:
            self.socket.sendall(data.masked() if isinstance(data, Frame) else data)
        except ssl.SSLEOFError as error:  # Python's word for it where TLS meets the end within a write
            raise ConnectionResetError(*error.args) from error

    def send_while_reading(self, data: bytes | Frame) -> None:
        """Send bytes, or a masked frame, as the daemon takes them, whenever something is read.

        In one thread: Python's ssl module does not guard a TLS connection that one thread reads from and another
        writes to.
        """
        self._unsent += data.masked() if isinstance(data, Frame) else data

    def read_head(self) -> bytes:
        """Return the next HTTP response's head; what follows it stays to be read."""
        while b"\r\n\r\n" not in self._rest:
            if not self._receive():
                return self._rest
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        return head

    def read(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        while len(self._rest) < count:
            assert self._receive(), "the stream ended too early"
        data, self._rest = self._rest[:count], self._rest[count:]
        return data

    def frame(self) -> Frame:
        """Return the next frame."""
        return next(self.frames())

    def frames(self) -> Iterator[Frame]:
        """Yield frames until the daemon ends its side."""
        while True:
            frames, self._rest = take_frames(self._rest)
            self._frames += frames
            while self._frames:
                yield self._frames.popleft()
            if not self._receive():
                return

    def echo(self, frame: Frame) -> float:
        """Send a frame, take the next one, which must be the same, and return how long the daemon took, in seconds.

        Keep-alive pings are answered on the way: on a busy machine a test takes longer than their interval.
        """
        watch = Stopwatch(self.daemon)
        self.send(frame)
        while (taken := self.frame()).opcode == PING != frame.opcode:
            self.send(Frame(PONG, taken.payload))
        assert taken == frame
        return watch.seconds()

    def close_code(self) -> int:
        """Read until the Close frame and return its code."""
        for frame in self.frames():
            if frame.opcode == CLOSE:
                return close_code(frame)
        raise AssertionError("the stream ended without a Close frame")

    def read_to_end(self) -> bytes:
        """Return all that comes until the daemon ends its side; raises `ConnectionResetError` where it cuts it."""
        parts = [self._rest]
        try:
            while data := self._next():
                parts.append(data)
        finally:
            self._rest = b"".join(parts)
        data, self._rest = self._rest, b""
        return data

    def flood(self, data: bytes, seconds: float) -> int:
        """Send `data` over and over for so long and read nothing; returns how many bytes went out.

        Ends early where the daemon cuts the connection.
        """
        until, sent, at = time.monotonic() + seconds, 0, 0
        self.socket.setblocking(False)
        with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
            while time.monotonic() < until:
                try:
                    # TLS wants the same bytes again where it could not send them.
                    count = self.socket.send(data[at:])
                except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                    select.select([], [self.socket], [], min(0.05, max(0.0, until - time.monotonic())))
                    continue
                sent += count
                at = (at + count) % len(data)
        with contextlib.suppress(OSError):
            self.socket.settimeout(PATIENCE)
        return sent

    def wait_until_cut(self) -> float:
        """Read nothing, and return after how many seconds of the daemon's its reset or end is there."""
        watch = Stopwatch(self.daemon)
        poller = select.poll()
        poller.register(self.socket.fileno(), select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        assert poller.poll(PATIENCE * 1000), f"the connection is still there after {PATIENCE:g} s"
        return watch.seconds()

    def _receive(self) -> bool:
        data = self._next()
        self._rest += data
        return bool(data)

    def _next(self) -> bytes:
        try:
            data = self._receive_and_send() if self._unsent else self.socket.recv(1 << 16)
        except ssl.SSLEOFError:
            data = b""
        self.ended = not data
        return data

    def _receive_and_send(self) -> bytes:
        """Return what comes in next, and send meanwhile what is to be sent."""
        self.socket.setblocking(False)
        try:
            while self._unsent:
                with contextlib.suppress(BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                    self._unsent = self._unsent[self.socket.send(self._unsent[: 1 << 14]) :]
                with contextlib.suppress(BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                    return self.socket.recv(1 << 16)
                readable, writable, _ = select.select([self.socket], [self.socket], [], PATIENCE)
                assert readable or writable, f"nothing moves in {PATIENCE} s"
        finally:
            self.socket.settimeout(PATIENCE)
        return self.socket.recv(1 << 16)


@functools.cache
def untrusting() -> ssl.SSLContext:
    """A context for a certificate that the daemon made itself."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
