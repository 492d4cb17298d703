"""Promise 11: whoever closes and why, the Close frame arrives, then close_notify, then FIN, never a reset."""

from __future__ import annotations

import select
import signal
import socket
import ssl
from collections.abc import Callable

import pytest

from tests.promises.conftest import PLAIN_AND_TLS
from tests.support.daemon import WITH_TLS, Daemon
from tests.support.patience import PATIENCE
from tests.support.raw import RawClient
from tests.support.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, close, close_code, take_frames

HELLO = Frame(TEXT, b"hello")
FLOOD = Frame(BINARY, bytes(60_000)).masked() * 16
CLOSE_WAIT = 8  # what the kernel says of a connection whose peer sent FIN, and no reset (linux/tcp_states.h)
INI = f"""{WITH_TLS}
[subprotocol:echo-assemble]
message_timeout = 0.3
"""

CLIENT_ENDS = {
    "1000": (close(1000), 1000),
    "no code": (Frame(CLOSE), 1005),
    "1001": (close(1001, "bye"), 1001),
    "an own code": (close(4999, "x" * 123), 4999),
}
FAILURES = {
    "a reserved bit": (Frame(TEXT, b"x", rsv=2).masked(), 1002),
    "an unknown opcode": (Frame(3, b"x").masked(), 1002),
    "an unknown control opcode": (Frame(11, b"x").masked(), 1002),
    "no mask": (b"\x81\x01x", 1002),
    "a long ping": (Frame(PING, bytes(126)).masked(), 1002),
    "a ping in fragments": (Frame(PING, b"x", fin=False).masked(), 1002),
    "a continuation of nothing": (Frame(CONTINUATION, b"x").masked(), 1002),
    "a message within a message": (Frame(TEXT, b"x", fin=False).masked() * 2, 1002),
    "a Close of one byte": (Frame(CLOSE, b"x").masked(), 1002),
    "a Close with a wrong code": (close(1005).masked(), 1002),
    "no UTF-8": (Frame(TEXT, b"\xff").masked(), 1007),
    "no UTF-8 in a first fragment": (Frame(TEXT, b"\xff", fin=False).masked(), 1007),
    "no UTF-8 in a reason": (Frame(CLOSE, b"\x03\xe8\xff").masked(), 1007),
    "a message that is too big": (Frame(BINARY, bytes(65_537)).masked(), 1009),
    "a message that has no end": (Frame(TEXT, b"x", fin=False).masked(), 1008),
}


def read_ending(client: RawClient) -> list[Frame]:
    """Read to the stream's clean end, behind whole frames; then end our side."""
    received = bytearray()
    connection = client.socket
    if isinstance(connection, ssl.SSLSocket):
        vars(connection)["suppress_ragged_eofs"] = False  # only close_notify is an end
    while chunk := connection.recv(1 << 20):
        received += chunk
    if isinstance(connection, ssl.SSLSocket):
        client.socket = connection = connection.unwrap()  # answer close_notify by close_notify
        assert connection.recv(1) == b""
    assert state_of(connection) == CLOSE_WAIT, "the connection was reset"
    frames, rest = take_frames(bytes(received))
    assert rest == b""
    return frames


def state_of(connection: socket.socket) -> int:
    """Return the state of a TCP connection."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


# -- the client ends it -----------------------------------------------------------------------------------------------


@PLAIN_AND_TLS
@pytest.mark.parametrize("path", ["/echo", "/echo-assemble", "/echo-broadcast", "/log"])
@pytest.mark.parametrize(("end", "code"), CLIENT_ENDS.values(), ids=CLIENT_ENDS)
def test_promise_11_client_ends(server: Daemon, path: str, end: Frame, code: int, tls: bool) -> None:
    """A Close is answered with the same code, then the stream ends."""
    with RawClient(server, path, tls=tls) as client:
        client.send(end)
        *_, last = read_ending(client)
        assert close_code(last) == code


@PLAIN_AND_TLS
def test_promise_11_client_ends_with_answers_unread(server: Daemon, tls: bool) -> None:
    """A client that sends 2 MB and Close before it reads gets everything back, then Close, then FIN."""
    with RawClient(server, tls=tls, receive_buffer=1 << 16) as client:
        client.send(FLOOD * 2 + close(1000).masked())
        *echoes, last = read_ending(client)
        assert b"".join(frame.masked() for frame in echoes) == FLOOD * 2
        assert close_code(last) == 1000


def test_promise_11_half_close(server: Daemon) -> None:
    """A client that sends Close and ends its side at once still reads the replies and the end."""
    with RawClient(server) as client:
        client.send(HELLO.masked() + close(1000).masked())
        client.socket.shutdown(socket.SHUT_WR)
        echo, last = take_frames(client.read_to_end())[0]
        assert (echo, close_code(last)) == (HELLO, 1000)


# -- the daemon ends it -----------------------------------------------------------------------------------------------


@PLAIN_AND_TLS
@pytest.mark.parametrize("in_flight", [False, True], ids=["nothing more", "data in flight"])
@pytest.mark.parametrize(("wrong", "code"), FAILURES.values(), ids=FAILURES)
def test_promise_11_failures(server: Daemon, wrong: bytes, code: int, in_flight: bool, tls: bool) -> None:
    """A violation is answered with its code and the stream ends, even while the client keeps sending."""
    with RawClient(server, "/echo-assemble", tls=tls) as client:
        client.send(HELLO)
        client.send(wrong)
        if code == 1008:
            assert client.frame() == HELLO
            client.send(Frame(CONTINUATION, b"more", fin=False))
        if in_flight:
            keep_sending(client, Frame(PONG, b"").masked() if code == 1008 else FLOOD)
        frames = read_ending(client)
        assert close_code(frames[-1]) == code
        assert code == 1008 or frames[0] == HELLO, "what was right before is answered"


@PLAIN_AND_TLS
def test_promise_11_shutdown(tls_daemon: Callable[..., Daemon], tls: bool) -> None:
    """SIGTERM: every WebSocket gets 1001, whether it is idle, sends or does not read; then the daemon exits with 0."""
    server = tls_daemon()
    with (
        RawClient(server, tls=tls) as silent,
        RawClient(server, "/log", tls=tls) as sends,
        RawClient(server, tls=tls, receive_buffer=1 << 16) as unread,
        RawClient(server, "/echo-assemble", tls=tls) as unfinished,
    ):
        unread.send(FLOOD)
        unfinished.send(Frame(TEXT, b"x", fin=False))
        for client in (silent, unread, unfinished):
            client.send(Frame(PING, b"taken in"))
        silent.frame()
        unfinished.frame()
        server.process.send_signal(signal.SIGTERM)
        keep_sending(sends, FLOOD)
        for client in (silent, sends, unread, unfinished):
            *_, last = frames_until_close(client)
            assert close_code(last) == 1001
            client.send(close(1001))
            assert read_ending(client) == []
    assert server.process.wait(PATIENCE) == 0


@PLAIN_AND_TLS
def test_promise_11_slow_member(server: Daemon, tls: bool) -> None:
    """A broadcast member that does not read gets 1013 behind everything sent to it before."""
    with RawClient(server, "/echo-broadcast", tls=tls, receive_buffer=1 << 14) as member:
        with RawClient(server, "/echo-broadcast", tls=tls) as speaker:
            for number in range(200):
                message = Frame(TEXT, f"{number:<60000}".encode())
                speaker.echo(message)
        frames = frames_until_close(member)
        assert close_code(frames.pop()) == 1013
        assert [int(frame.payload) for frame in frames] == list(range(len(frames)))
        member.send(close(1013))
        assert read_ending(member) == []


def frames_until_close(client: RawClient) -> list[Frame]:
    frames: list[Frame] = []
    for frame in client.frames():
        frames.append(frame)
        if frame.opcode == CLOSE:
            break
    return frames


def keep_sending(client: RawClient, data: bytes) -> None:
    """Send `data` over and over until something can be read, and then some more."""
    while not select.select([client.socket], [], [], 0)[0]:
        client.send(data)
    for _ in range(4):
        client.send(data)


@PLAIN_AND_TLS
def test_promise_11_client_sends_after_its_close(server: Daemon, tls: bool) -> None:
    """A client that wrongly sends more behind its Close frame still gets the answer and no reset."""
    for _ in range(20):  # the reset is a matter of who is first
        with RawClient(server, tls=tls) as client:
            client.send(close(1000).masked() + FLOOD)
            *_, last = read_ending(client)
            assert close_code(last) == 1000


def test_promise_11_half_close_behind_a_failure(server: Daemon) -> None:
    """A client that ends its side at once still reads the replies to what it sent before, and why it failed."""
    for wrong, answers in ((Frame(TEXT, b"\xff"), [HELLO, close(1007)]), (Frame(PONG), [HELLO])):
        for _ in range(20):
            with RawClient(server) as client:
                client.send(HELLO.masked() + wrong.masked())
                client.socket.shutdown(socket.SHUT_WR)
                frames, _ = take_frames(client.read_to_end())
                assert [(frame.opcode, frame.payload[:2]) for frame in frames] == [
                    (frame.opcode, frame.payload[:2]) for frame in answers
                ]
