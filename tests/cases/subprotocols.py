"""Jetty's subprotocols: messages of all kinds come back whole and in order, by every name; and who may connect."""

from __future__ import annotations

from typing import Any

from tests.cases.vocabulary import DEFLATE, GREETING, HERE, Case, refused, replies

_MESSAGES = ("hello", b"\0\xff\x10", "", b"", GREETING * 200, "x" * 65000, bytes(range(250)) * 260)
_ELSEWHERE = "http://evil.example"


def _messages(name: str, *, deflate: bool, **more: Any) -> Case:
    sees = replies(*_MESSAGES, subprotocol=name, extensions=DEFLATE if deflate else "")
    return Case("/", sees, sends=_MESSAGES, offers=(name,), deflate=deflate, **more)


def echoes(name: str) -> list[Case]:
    """Return a name's cases with and without compression and TLS.

    In memory there is no TLS. Chromium always offers compression, and its page came over HTTP.
    """
    return [
        _messages(name, deflate=True),
        _messages(name, deflate=False, chromium=None),
        *(_messages(name, deflate=deflate, tls=True, wsproto=None, chromium=None) for deflate in (False, True)),
    ]


BROADCASTS = [case for name in ("echo-broadcast", "echo-broadcast-ping") for case in echoes(name)]
"""For one client at a time: each hears all others."""

CASES = [
    *(case for name in ("echo", "echo-assemble", "echo-fragment", "lws-mirror-protocol") for case in echoes(name)),
    # The first one that is known is chosen.
    Case("/", replies(HERE, subprotocol="org.ietf.websocket.test-echo-fragment"),
         offers=("nope", "org.ietf.websocket.test-echo-fragment", "echo")),
    Case("/", refused(400, "None of the subprotocols is known…"), offers=("nope",)),
    # A page of another site may not enter the chat.
    Case("/echo-broadcast", refused(403), origin=_ELSEWHERE, chromium=None),
    Case("/echo", replies(HERE), origin=_ELSEWHERE, chromium=None),
]  # fmt: skip
