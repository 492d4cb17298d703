"""Promise 10: frames behind the upgrade are not lost, and a malformed request never becomes a WebSocket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.promises.conftest import PLAIN_AND_TLS
from tests.support.daemon import Daemon
from tests.support.http_client import Response, take_response
from tests.support.raw import RawClient
from tests.support.wire import BINARY, CONTINUATION, KEY, PING, PONG, TEXT, Frame, request, take_frames

HELLO = Frame(TEXT, b"hello")
EARLY = [
    Frame(BINARY, b"x" * 200),
    Frame(TEXT, b"hel", fin=False),
    Frame(PING, b"?"),
    Frame(CONTINUATION, "lö".encode()),
    HELLO,
]
ANSWERS = [EARLY[0], EARLY[1], Frame(PONG, b"?"), *EARLY[3:]]
FIRST_FLIGHT = request("/echo") + b"".join(frame.masked() for frame in EARLY)


# -- frames behind the upgrade ----------------------------------------------------------------------------------------


@pytest.fixture
def turns(default_daemon: Daemon) -> Iterator[RawClient]:
    """Another connection, whose echo shows that the daemon has read what was sent before."""
    with RawClient(default_daemon) as other:
        yield other


def send_apart(client: RawClient, pieces: list[bytes], turns: RawClient) -> None:
    """Send pieces that the daemon reads one by one.

    Two turns of its loop are over once two echoes came, so what was there before the first has been read.
    """
    for piece in pieces:
        client.send(piece)
        turns.echo(HELLO)
        turns.echo(HELLO)


def assert_answered(client: RawClient) -> None:
    assert client.read_head().startswith(b"HTTP/1.1 101 ")
    frames: list[Frame] = []
    while len(frames) < len(ANSWERS):
        frames.append(client.frame())
    assert frames == ANSWERS


@PLAIN_AND_TLS
def test_promise_10_one_segment(default_daemon: Daemon, tls: bool) -> None:
    """Frames in the same segment as the upgrade request are processed."""
    with RawClient(default_daemon, None, tls=tls) as client:
        client.send(FIRST_FLIGHT)
        assert_answered(client)


@PLAIN_AND_TLS
def test_promise_10_every_split(default_daemon: Daemon, turns: RawClient, tls: bool) -> None:
    """Wherever request and frames are split in two, all frames are processed."""
    for at in range(1, len(FIRST_FLIGHT)):
        with RawClient(default_daemon, None, tls=tls) as client:
            send_apart(client, [FIRST_FLIGHT[:at], FIRST_FLIGHT[at:]], turns)
            assert_answered(client)


@PLAIN_AND_TLS
@pytest.mark.parametrize("size", [1, 7, 100])
def test_promise_10_many_pieces(default_daemon: Daemon, turns: RawClient, tls: bool, size: int) -> None:
    """So they are if everything arrives in small pieces, down to single bytes."""
    with RawClient(default_daemon, None, tls=tls) as client:
        send_apart(client, [FIRST_FLIGHT[at : at + size] for at in range(0, len(FIRST_FLIGHT), size)], turns)
        assert_answered(client)


@PLAIN_AND_TLS
def test_promise_10_large_first_frame(default_daemon: Daemon, tls: bool) -> None:
    """A first frame far larger than a segment is echoed whole."""
    large = Frame(BINARY, bytes(range(256)) * 20_000)
    with RawClient(default_daemon, tls=tls, early=large.masked()) as client:
        assert client.frame() == large
        client.echo(HELLO)


@PLAIN_AND_TLS
def test_promise_10_behind_other_requests(default_daemon: Daemon, tls: bool) -> None:
    """An upgrade pipelined behind page requests, all in one segment, is served with its frames."""
    page = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with RawClient(default_daemon, None, tls=tls) as client:
        client.send(page + page + FIRST_FLIGHT)
        received = b""
        for _ in range(2):
            while (taken := take_response(received)) is None or not taken[0].complete:
                received += receive(client)
            assert taken[0].status == 404
            received = taken[1]
        frames: list[Frame] = []
        while len(frames) < len(ANSWERS):
            head, _, rest = received.partition(b"\r\n\r\n")
            frames, _ = take_frames(rest)
            if len(frames) < len(ANSWERS):
                received += receive(client)
        assert head.startswith(b"HTTP/1.1 101 ")
        assert frames == ANSWERS


def receive(client: RawClient) -> bytes:
    data = client.socket.recv(1 << 16)
    assert data, "the daemon ended the stream"
    return data


# -- upgrades that are not plainly right ------------------------------------------------------------------------------


def with_more(*lines: bytes) -> bytes:
    return request("/echo", more=b"".join(line + b"\r\n" for line in lines).decode("latin-1"))


HOST, VERSION = b"Host: localhost\r\n", b"Sec-WebSocket-Version: 13\r\n"
KEY_LINE = b"Sec-WebSocket-Key: " + KEY + b"\r\n"
RIGHT = request("/echo")
REFUSED = {
    "a body by its length": with_more(b"Content-Length: 5") + b"hello",
    "a body that is a frame": with_more(b"Content-Length: 11") + HELLO.masked(),
    "a length without the body": with_more(b"Content-Length: 1000000000000"),
    "a body in chunks": with_more(b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n",
    "an empty body in chunks": with_more(b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "two bodies": with_more(b"Transfer-Encoding: chunked", b"Content-Length: 5") + b"hello",
    "HTTP/1.0": RIGHT.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "HTTP/0.9": RIGHT.replace(b" HTTP/1.1", b""),
    "HTTP/1.2": RIGHT.replace(b"HTTP/1.1", b"HTTP/1.2"),
    "HTTP/2": RIGHT.replace(b"HTTP/1.1", b"HTTP/2"),
    "no Host": RIGHT.replace(HOST, b""),
    "two Hosts": RIGHT.replace(HOST, HOST + b"Host: other.test\r\n"),
    "one Host twice": RIGHT.replace(HOST, HOST + HOST),
    "two Hosts in other cases": RIGHT.replace(HOST, HOST + b"hOST: localhost\r\n"),
    "two Hosts in one": RIGHT.replace(HOST, b"Host: localhost, other.test\r\n"),
    "two Hosts at a distance": RIGHT[:-2] + HOST + b"\r\n",
    "an empty Host": RIGHT.replace(HOST, b"Host:\r\n"),
    "no key": RIGHT.replace(KEY_LINE, b""),
    "one key twice": RIGHT.replace(KEY_LINE, KEY_LINE * 2),
    "two keys": RIGHT.replace(KEY_LINE, KEY_LINE + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"),
    "an empty key": RIGHT.replace(KEY, b""),
    "a short key": RIGHT.replace(KEY, b"AAAA"),
    "a long key": RIGHT.replace(KEY, b"AAAA" + KEY),
    "no base64": RIGHT.replace(KEY, b"!" * 24),
    "one Origin twice": with_more(b"Origin: http://localhost", b"Origin: http://localhost"),
    "two Origins": with_more(b"Origin: http://localhost", b"Origin: http://evil.example"),
    "null and an Origin": with_more(b"Origin: null", b"Origin: http://localhost"),
    "no version": RIGHT.replace(VERSION, b""),
    "two versions": RIGHT.replace(VERSION, VERSION * 2),
    "no Connection": RIGHT.replace(b"Connection: Upgrade\r\n", b""),
}


@PLAIN_AND_TLS
@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_promise_10_refused(default_daemon: Daemon, data: bytes, tls: bool) -> None:
    """Missing, duplicate or misplaced headers: 400, and the frame behind them is ignored."""
    response = last_answer(default_daemon, data + HELLO.masked(), tls=tls)
    assert response.status == 400
    assert b"hello" not in response.body


@PLAIN_AND_TLS
@pytest.mark.parametrize("version", ["0", "7", "8", "12", "14", "130", "013", "13, 8", "8, 13", "x", "", "-13", "13.0"])
def test_promise_10_versions(default_daemon: Daemon, version: str, tls: bool) -> None:
    """Any version other than 13: 426, and the response names 13."""
    data = RIGHT.replace(VERSION, f"Sec-WebSocket-Version: {version}\r\n".encode())
    response = last_answer(default_daemon, data + HELLO.masked(), tls=tls)
    assert response.status == 426
    assert response["sec-websocket-version"] == "13"
    assert response["upgrade"] == "websocket"


CONTROLS = [*range(0x09), *range(0x0A, 0x20), *range(0x7F, 0xA0)]
PLACES = {"a header of no matter": b"X: a%sb", "the Origin": b"Origin: http://a%s", "the name": b"X%sb: a"}


@pytest.mark.parametrize("place", PLACES)
def test_promise_10_control_bytes(default_daemon: Daemon, place: str) -> None:
    """Any control or C1 byte in a header: 400, so that what follows is not taken for another header."""
    for control in CONTROLS:
        line = PLACES[place] % bytes((control,))
        data = RIGHT[:-2] + line + b"Sec-WebSocket-Protocol: echo\r\n\r\n"
        response = last_answer(default_daemon, data + HELLO.masked())
        assert response.status == 400, f"{control:#x}"
        assert response["sec-websocket-protocol"] is None


def test_promise_10_controls_at_the_edges(default_daemon: Daemon) -> None:
    """The same at the start and the end of a value, and in the request target."""
    for control in CONTROLS:
        byte = bytes((control,))
        for line in (b"X: " + byte + b"a\r\n", b"X: a" + byte + b"\r\n", b"X:" + byte + b"\r\n"):
            assert last_answer(default_daemon, RIGHT[:-2] + line + b"\r\n").status == 400, (control, line)
        assert last_answer(default_daemon, RIGHT.replace(b"/echo", b"/echo" + byte)).status == 400, f"{control:#x}"


def test_promise_10_what_is_right(default_daemon: Daemon) -> None:
    """A tab, Latin-1 or UTF-8 text without C1 bytes, an empty body and one Origin are accepted."""
    for line in (b"X: a\tb", b"X: \xa0\xe9\xff", b"X: \xc3\xa9", b"Content-Length: 0", b"Origin: http://localhost"):
        with RawClient(default_daemon, None) as client:
            client.send(RIGHT[:-2] + line + b"\r\n\r\n" + HELLO.masked())
            assert client.read_head().startswith(b"HTTP/1.1 101 ")
            assert client.frame() == HELLO


# -- one Host on any request ------------------------------------------------------------------------------------------


@PLAIN_AND_TLS
@pytest.mark.parametrize("hosts", [b"", HOST * 2, HOST + b"Host: other.test\r\n", HOST + b"X: y\r\nhost:localhost\r\n"])
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"OPTIONS", b"BREW"])
def test_promise_10_one_host(default_daemon: Daemon, method: bytes, hosts: bytes, tls: bool) -> None:
    """A missing or duplicate Host: 400 for any request; HTTP/1.0 may omit it."""
    for target in (b"/", b"/nothing", b"http://localhost/"):
        line = b"%s %s HTTP/1.1\r\n" % (method, target)
        assert last_answer(default_daemon, line + hosts + b"\r\n", tls=tls).status == 400
        if hosts:
            assert last_answer(default_daemon, line.replace(b"1.1", b"1.0") + hosts + b"\r\n", tls=tls).status == 400


def last_answer(daemon: Daemon, data: bytes, *, tls: bool = False) -> Response:
    """Send bytes and return the only response, which must end the connection."""
    with RawClient(daemon, None, tls=tls) as client:
        client.send(data)
        taken = take_response(client.read_to_end(), ended=True)
        assert taken is not None, "no answer"
        response, rest = taken
        assert rest == b"", "the answer is the last"
        return response
