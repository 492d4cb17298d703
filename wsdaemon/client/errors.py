"""Errors of connecting.

ClientError
├── CannotConnect       a step failed: DNS, TCP, the proxy, TLS, or a response that is no handshake
├── HandshakeRefused    the server answered with another HTTP status than 101
└── HandshakeTimeout    a step took too long
"""

from __future__ import annotations

STEPS = {
    "resolve": "looking up the name",
    "tcp": "connecting by TCP",
    "proxy": "asking the proxy",
    "tls": "the TLS handshake",
    "upgrade": "the WebSocket handshake",
}
"""The steps of connecting, by the name that errors carry."""


class ClientError(Exception):
    """The connection could not be made; `step` is one of `STEPS`."""

    def __init__(self, step: str, text: str) -> None:
        super().__init__(text)
        self.step = step


class CannotConnect(ClientError):
    """A step failed; `cause` says why, for people."""

    def __init__(self, step: str, cause: str) -> None:
        super().__init__(step, f"{STEPS[step]} failed: {cause}")
        self.cause = cause


class HandshakeRefused(ClientError):
    """The server answered the handshake with an HTTP status that is not 101.

    `reason` is the status line's, `headers` have the server's order and spelling, `body` is at most the first 2 KiB.
    """

    def __init__(self, status: int, reason: str, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
        super().__init__("upgrade", f"the server refused the WebSocket: {status} {reason}".rstrip())
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body


class HandshakeTimeout(ClientError):
    """The connection was not open after `seconds`; `step` was still under way."""

    def __init__(self, step: str, seconds: float) -> None:
        super().__init__(step, f"{STEPS[step]} took longer than {seconds:g} s")
        self.seconds = seconds
