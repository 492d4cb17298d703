"""Promise 15: which origins may connect to what, and by which host names."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.daemon import Daemon, Start
from tests.support.raw import RawClient

SITE = "chat.example"
LISTED = "https://app.example:8443"
INI = f"""\
[server]
host_names = {SITE} localhost
[subprotocol:echo-broadcast]
allowed_origins = same {LISTED}
"""

# Origin and Host, of pages that would read or write other people's chat: by likeness, by tricks, by a name that leads
# here (DNS rebinding).
HOSTILE = [
    ("http://evil.example", SITE),
    ("http://evil.example", "evil.example"),
    ("http://evil.example:80", "evil.example:80"),
    ("http://chat.example.evil.example", SITE),
    ("http://evilchat.example", SITE),
    ("http://chat.example:81", SITE),
    ("http://chat.example:8080", "chat.example:80"),
    ("https://chat.example", SITE),
    ("http://chat.example.", SITE),
    ("http://chat.example@evil.example", SITE),
    ("http://evil.example#chat.example", SITE),
    ("http://evil.example/chat.example", SITE),
    ("http://chat.example/", SITE),
    ("null", SITE),
    ("file://", SITE),
    ("", SITE),
    ("chat.example", SITE),
    ("http://chat.example http://evil.example", SITE),
    ("https://app.example", SITE),
    ("https://app.example:443", SITE),
    ("http://app.example:8443", SITE),
    ("https://app.example:84430", SITE),
    ("https://sub.app.example:8443", SITE),
    ("https://app.example:8443", "evil.example"),
    ("http://[::1]", SITE),
    ("http://127.0.0.1", "127.0.0.1"),
    ("http://0x7f000001", "0x7f000001"),
    ("javascript://chat.example", SITE),
    ("http://chаt.example", SITE),  # noqa: RUF001  # a Cyrillic letter, as the bytes of its UTF-8
]
WELCOME = [
    (f"http://{SITE}", SITE),
    (f"HTTP://{SITE.upper()}", SITE),
    (f"http://{SITE}:80", SITE),
    (f"http://{SITE}:8080", f"{SITE}:8080"),
    (LISTED, SITE),
    ("http://localhost:8080", "localhost:8080"),
    (None, SITE),
]


@pytest.fixture(scope="module")
def guarded(served: Start) -> Daemon:
    """A daemon with configured host names and origins for the chat."""
    return served(INI)


def _status(served: Daemon, origin: str | None, host: str, path: str = "/echo-broadcast") -> int:
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]
    lines += [] if origin is None else [f"Origin: {origin}"]
    with RawClient(served, None) as client:
        client.send(("\r\n".join(lines) + "\r\n\r\n").encode())
        return int(client.read_head().split(b" ")[1])


@pytest.mark.parametrize(("origin", "host"), HOSTILE)
def test_promise_15_hostile(guarded: Daemon, origin: str, host: str) -> None:
    """The chat refuses hostile origins."""
    assert _status(guarded, origin, host) in (400, 403, 421)


@pytest.mark.parametrize(("origin", "host"), WELCOME)
def test_promise_15_welcome(guarded: Daemon, origin: str | None, host: str) -> None:
    """It accepts its own pages, listed origins, and clients that are not browsers."""
    assert _status(guarded, origin, host) == 101


@pytest.mark.parametrize("path", ["/echo", "/echo-assemble", "/echo-fragment", "/log"])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", None])
def test_promise_15_echo(guarded: Daemon, path: str, origin: str | None) -> None:
    """Other subprotocols accept any origin, but only by a configured host name."""
    assert _status(guarded, origin, SITE, path) == 101
    assert _status(guarded, origin, "evil.example", path) == 421


@pytest.mark.parametrize("target", ["/", "http://evil.example/", "/nothing"])
@pytest.mark.parametrize("host", ["evil.example", SITE, "evil.example:80", "", "chat.example."])
def test_promise_15_plain_requests(guarded: Daemon, host: str, target: str) -> None:
    """Pages too are served only by a configured name, wherever the request states it."""
    with RawClient(guarded, None) as client:
        client.send(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        status = int(client.read_head().split(b" ")[1])
    own = host == SITE and "evil" not in target
    assert status in ((200, 404) if own else (421,))


def test_promise_15_without_names(daemon: Callable[..., Daemon]) -> None:
    """Without configured names any Host is accepted, and the chat accepts the origin of that Host."""
    served = daemon()
    assert _status(served, "http://any.example:8080", "any.example:8080") == 101
    assert _status(served, "http://any.example:8081", "any.example:8080") == 403
