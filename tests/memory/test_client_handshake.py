"""The client's opening handshake in memory: the request, the server's response, a proxy's tunnel, TLS files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.error import ConnectionRefusedError as Refused

from tests.support.certificates import Identity
from tests.support.client_memory import MemoryEndpoint, Recorder, Server, opened, switching
from tests.support.wire import PING, PONG, TEXT, Frame
from wsdaemon.client import CannotConnect, HandshakeRefused, HandshakeTimeout, HandshakeTimes, Target, parse_target
from wsdaemon.client.connect import connect


class TestRequest:
    """What is asked for is what the target says."""

    def test_plain(self) -> None:
        request = Server("ws://localhost:81/a?b").accept().split("\r\n")
        assert request[:2] == ["GET /a?b HTTP/1.1", "Host: localhost:81"]
        assert {"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"} <= set(request)
        assert not any(line.startswith(("Origin", "Sec-WebSocket-Protocol", "Sec-WebSocket-Ext")) for line in request)

    def test_everything(self) -> None:
        """Headers may repeat, and take the place of ours; a URL's user becomes credentials."""
        headers = [("Cookie", "a"), ("Cookie", "b"), ("host", "other"), ("X-Ü".replace("Ü", "U"), "ü")]
        server = Server(
            "ws://me:s%40crt@localhost/", headers=headers, origin="https://o", subprotocols=("b", "A"),
            compression="client_max_window_bits; server_max_window_bits=10",
        )  # fmt: skip
        request = server.accept("Sec-WebSocket-Protocol: A\r\n").split("\r\n")
        assert "Authorization: Basic bWU6c0BjcnQ=" in request
        assert [line for line in request if line.startswith("Cookie")] == ["Cookie: a", "Cookie: b"]
        assert [line for line in request if line.lower().startswith("host")] == ["host: other"]
        assert {"Origin: https://o", "X-U: ü", "Sec-WebSocket-Protocol: b, A"} <= set(request)
        offer = "permessage-deflate; client_max_window_bits; server_max_window_bits=10"
        assert f"Sec-WebSocket-Extensions: {offer}" in request
        assert server.connection.subprotocol == "A"

    def test_keys_are_fresh(self) -> None:
        keys = {Server().take() for _ in range(20)}
        assert len(keys) == 20


class TestAnswer:
    """Only a correct 101 opens the connection."""

    def test_times(self) -> None:
        """TCP and the upgrade are timed apart."""
        server = Server(endpoint=MemoryEndpoint(later=True))
        server.clock.advance(0.5)
        server.endpoint.release()
        server.clock.advance(0.25)
        server.accept()
        assert server.connection.times == HandshakeTimes(0.5, None, 0.25)

    def test_byte_by_byte_with_frames_behind(self) -> None:
        """However the answer is cut, what follows it is read as frames."""
        for piece in (1, 2, 7, 1000):
            server = Server()
            request = server.take().decode()
            server.send(switching(request), Frame(TEXT, b"hi"), Frame(PING, b"x"), piece=piece)
            assert server.listener.happened == ["opened", (b"hi", False, 1)]
            assert server.frames() == [Frame(PONG, b"x")]

    @pytest.mark.parametrize(
        ("answer", "cause"),
        [
            (b"SSH-2.0-OpenSSH\r\n", "the answer is not HTTP: it begins with b'S"),
            (b"HTTP/2 101\r\n\r\n", "the answer is not HTTP"),
            (b"\x15\x03\x01\x00\x02", "the answer is not HTTP"),
            (b"HTTP/1.1 101 ok\r\n\r\n", "HTTP Upgrade header missing"),
            (b"HTTP/1.0 101 ok\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", "Unsupported HTTP version"),
            (b"HTTP/1.1 101 ok\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
             "Sec-WebSocket-Accept bogus"),
            (b"HTTP/1.1 200 " + b"x" * 70000, "the head of the answer is over 64 KiB"),
        ],
    )  # fmt: skip
    def test_what_is_no_handshake(self, answer: bytes, cause: str) -> None:
        for piece in (0, 1000, 1):
            server = Server()
            server.send(answer, piece=piece)
            (error,) = server.errors
            assert isinstance(error, CannotConnect)
            assert error.step == "upgrade"
            assert cause in error.cause
            assert server.transport.aborted
            assert server.listener.happened == []

    @pytest.mark.parametrize(
        ("more", "cause"),
        [
            ("Sec-WebSocket-Protocol: b\r\n", "chose the subprotocol 'b', which was not offered"),
            ("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n", "which was not offered"),
            ("Sec-WebSocket-Extensions: permessage-deflate\r\n", "the server compresses, which was not offered"),
            ("Sec-WebSocket-Extensions: x-other\r\n", "x-other"),
        ],
    )
    def test_what_was_not_offered(self, more: str, cause: str) -> None:
        server = Server(subprotocols=("a",))
        server.accept(more)
        (error,) = server.errors
        assert isinstance(error, CannotConnect)
        assert cause in error.cause

    def test_an_interim_response(self) -> None:
        """A 1xx before the 101 is no refusal (RFC 9110 section 15.2)."""
        server = Server()
        server.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        server.accept()
        assert server.listener.happened == ["opened"]

    def test_no_subprotocol_chosen_is_in_order(self) -> None:
        assert opened(subprotocols=("a",)).connection.subprotocol is None

    def test_refused(self) -> None:
        """The status, the reason, all headers and the body's start are told."""
        for piece in (0, 1):
            server = Server()
            head = b"HTTP/1.1 401 Go Away\r\nWWW-Authenticate: Basic\r\nX: \xfc\r\nContent-Length: 5\r\n\r\n"
            server.send(head + b"hello and more", piece=piece)
            (error,) = server.errors
            assert isinstance(error, HandshakeRefused)
            assert (error.status, error.reason, error.body) == (401, "Go Away", b"hello")
            assert error.headers == (("WWW-Authenticate", "Basic"), ("X", "ü"), ("Content-Length", "5"))
            assert server.transport.aborted

    @pytest.mark.parametrize("ending", ["time", "close", "much"])
    def test_refused_without_a_length(self, ending: str) -> None:
        """Its body is waited for, but not for ever, and not all of it is kept."""
        server = Server()
        server.send(b"HTTP/1.1 503 Busy\r\n\r\npart")
        assert server.errors == []
        if ending == "time":
            server.clock.advance(1)
        elif ending == "close":
            server.transport.lose()
        else:
            server.send(b"x" * 10000)
        (error,) = server.errors
        assert error.body == b"part" + (b"x" * 2044 if ending == "much" else b"")

    def test_the_server_hangs_up(self) -> None:
        server = Server()
        server.transport.lose()
        (error,) = server.errors
        assert str(error) == "the WebSocket handshake failed: the server closed the connection without an answer"

    @pytest.mark.parametrize(
        ("error", "step", "cause"),
        [
            (Refused(), "tcp", "nothing listens on localhost:80"),
            (DNSLookupError("x"), "resolve", "there is no address for localhost"),
            (ConnectError(113), "tcp", "localhost:80: No route to host"),
        ],
    )
    def test_tcp_fails(self, error: Exception, step: str, cause: str) -> None:
        (caught,) = Server(endpoint=MemoryEndpoint(error=error)).errors
        assert isinstance(caught, CannotConnect)
        assert (caught.step, caught.cause) == (step, cause)

    @pytest.mark.parametrize(("scheme", "step"), [("ws", "the WebSocket handshake"), ("wss", "the TLS handshake")])
    def test_silence(self, scheme: str, step: str) -> None:
        """A server that never answers is given up after the timeout; the error names the step that was under way."""
        server = Server(f"{scheme}://localhost/", timeout=3)
        server.clock.advance(2.9)
        assert server.errors == []
        server.clock.advance(0.1)
        (error,) = server.errors
        assert isinstance(error, HandshakeTimeout)
        assert (str(error), error.seconds) == (f"{step} took longer than 3 s", 3)
        assert server.transport.aborted
        assert server.clock.getDelayedCalls() == []

    def test_tcp_never_comes(self) -> None:
        server = Server(endpoint=MemoryEndpoint(later=True))
        server.clock.advance(10)
        assert server.errors[0].step == "tcp"
        assert server.endpoint.cancelled

    def test_cancelling(self) -> None:
        """Whatever is under way is cut."""
        early, late = Server(endpoint=MemoryEndpoint(later=True)), Server()
        for server in (early, late):
            server.attempt.cancel()
            assert server.clock.getDelayedCalls() == []
        assert early.endpoint.cancelled
        assert late.transport.aborted


class TestProxy:
    """An HTTP proxy is asked for a tunnel, and the handshake goes through it."""

    def test_tunnel(self) -> None:
        server = Server("ws://[::1]:81/", proxy="http://me:pw@proxy:3128")
        assert (
            server.take()
            == b"CONNECT [::1]:81 HTTP/1.1\r\nHost: [::1]:81\r\nProxy-Authorization: Basic bWU6cHc=\r\n\r\n"
        )
        server.send(b"HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n", piece=3)
        server.accept()
        assert server.listener.happened == ["opened"]

    @pytest.mark.parametrize(
        ("answer", "cause"),
        [
            (b"HTTP/1.1 407 Who are you\r\n\r\n", "it answered 407 Who are you"),
            (b"hello\r\n", "the answer is not HTTP"),
            (b"HTTP/1.1 " + b"x" * 70000, "over 64 KiB"),
        ],
    )
    def test_refused(self, answer: bytes, cause: str) -> None:
        server = Server(proxy="http://proxy")
        server.send(answer)
        (error,) = server.errors
        assert (error.step, cause in error.cause) == ("proxy", True)
        assert server.transport.aborted

    def test_hangs_up_or_is_silent(self) -> None:
        server = Server(proxy="http://proxy")
        server.transport.lose()
        assert server.errors[0].cause == "the proxy closed the connection without an answer"
        server = Server(proxy="http://proxy")
        server.clock.advance(10)
        assert (server.errors[0].step, type(server.errors[0])) == ("proxy", HandshakeTimeout)


class TestTlsFiles:
    """Files that cannot be used are named at once; tests/unit/test_tls.py has all that can be wrong with one."""

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"ca": "missing"}, "No such file"),
            ({"ca": "a.key"}, "holds no certificate in PEM"),
            ({"certificate": "a.pem"}, "a.pem holds no private key in PEM"),
            ({"certificate": "a.pem", "private_key": "b.key"}, "is not the key of"),
        ],
    )
    def test_wrong_files(self, tmp_path: Path, options: dict[str, str], message: str) -> None:
        Identity("a").write(tmp_path, "a")
        Identity("b").write(tmp_path, "b")
        files: dict[str, Any] = {name: tmp_path / file for name, file in options.items()}
        target: Target = parse_target("wss://localhost/", **files)
        with pytest.raises((OSError, ValueError), match=message):
            connect(target, Recorder(), reactor=None, endpoint=MemoryEndpoint())
