"""The opening handshake: every wrong thing has its status, and what is right is read as it was meant."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wsdaemon.websocket.handshake import Handshake, HandshakeRefused, read_handshake, wants_upgrade

Headers = Sequence[tuple[bytes, bytes]]

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
GOOD: dict[bytes, bytes] = {
    b"Host": b"server.example.com",
    b"Upgrade": b"websocket",
    b"Connection": b"Upgrade",
    b"Sec-WebSocket-Key": KEY,
    b"Sec-WebSocket-Version": b"13",
}


def headers(*more: tuple[bytes, bytes], without: bytes = b"") -> Headers:
    """Return a good handshake's headers; those that `more` names are replaced, however often it names them."""
    names = {name for name, _ in more} | {without}
    return [*((name, value) for name, value in GOOD.items() if name not in names), *more]


def test_sample() -> None:
    """The example of RFC 6455 section 1.2 is read as what it says."""
    more = (
        (b"Origin", b"http://example.com"),
        (b"Sec-WebSocket-Protocol", b"chat, superchat"),
        (b"Sec-WebSocket-Extensions", b"permessage-deflate; client_max_window_bits"),
    )
    assert read_handshake(b"/chat?x=y", b"HTTP/1.1", headers(*more)) == Handshake(
        target="/chat?x=y",
        host="server.example.com",
        origin="http://example.com",
        key=KEY.decode(),
        subprotocols=("chat", "superchat"),
        extensions="permessage-deflate; client_max_window_bits",
    )


def test_least() -> None:
    """A client that is no browser, and wants nothing special, may leave out the rest."""
    handshake = read_handshake(b"/", b"HTTP/1.1", headers())
    assert (handshake.origin, handshake.subprotocols, handshake.extensions) == (None, (), "")


SAME = {
    "names in any case": [(name.upper(), value) for name, value in GOOD.items()],
    "names in small letters": [(name.lower(), value) for name, value in GOOD.items()],
    "upgrade in capitals": headers((b"Upgrade", b"WebSocket"), (b"Connection", b"UPGRADE")),
    "Connection as a list": headers((b"Connection", b"keep-alive, Upgrade")),
    "Connection on several lines": headers((b"Connection", b"keep-alive"), (b"Connection", b"upgrade")),
    "lists with nothing in them": headers((b"Connection", b",, upgrade ,")),
    "spaces and tabs": headers((b"Connection", b" \tupgrade\t "), (b"Sec-WebSocket-Version", b" 13\t")),
    "a body of nothing": headers((b"Content-Length", b"0")),
    "other headers": headers((b"X", b"\t caf\xe9 \xff"), (b"X", b""), (b"Cookie", b"a=b; c=d")),
}


@pytest.mark.parametrize("given_headers", SAME.values(), ids=SAME)
def test_the_same_in_other_words(given_headers: Headers) -> None:
    """Case, order, spaces, and how a list is spread over lines, mean nothing."""
    assert read_handshake(b"/", b"HTTP/1.1", given_headers) == read_handshake(b"/", b"HTTP/1.1", headers())
    backwards = read_handshake(b"/", b"HTTP/1.1", given_headers[::-1])
    assert backwards == read_handshake(b"/", b"HTTP/1.1", headers())


def test_lists_over_several_lines() -> None:
    """Subprotocols and extensions on several lines are one list, in order (RFC 9110 section 5.3)."""
    lines = (
        (b"Sec-WebSocket-Protocol", b"one, two"),
        (b"sec-websocket-protocol", b"three"),
        (b"Sec-WebSocket-Protocol", b"4"),
        (b"Sec-WebSocket-Extensions", b"a; b=1"),
        (b"Sec-WebSocket-Extensions", b"c, d"),
    )
    handshake = read_handshake(b"/", b"HTTP/1.1", headers(*lines))
    assert handshake.subprotocols == ("one", "two", "three", "4")
    assert [each.strip() for each in handshake.extensions.split(",")] == ["a; b=1", "c", "d"]


CONTROLS = [bytes((octet,)) for octet in (*range(0x20), *range(0x7F, 0xA0)) if octet != 0x09]
REFUSED: dict[str, tuple[int, Headers]] = {
    "no Host": (400, headers(without=b"Host")),
    "two Hosts": (400, headers((b"Host", b"a"), (b"Host", b"b"))),
    "the same Host twice": (400, headers((b"Host", b"a"), (b"host", b"a"))),
    "empty Host": (400, headers((b"Host", b""))),
    "Host with a path": (400, headers((b"Host", b"a/b"))),
    "Host with a user": (400, headers((b"Host", b"user@a"))),
    "Host with a space": (400, headers((b"Host", b"a b"))),
    "Host with a comma and space": (400, headers((b"Host", b"a, b"))),
    "Host with a wrong port": (400, headers((b"Host", b"a:99999"))),
    "Host with no IPv6 address": (400, headers((b"Host", b"[::g]"))),
    "no Connection": (400, headers(without=b"Connection")),
    "Connection without upgrade": (400, headers((b"Connection", b"keep-alive"))),
    "Connection nearly upgrade": (400, headers((b"Connection", b"upgrades, up grade, xupgrade"))),
    "Connection with a no-break space": (400, headers((b"Connection", b"\xa0upgrade"))),
    "no version": (400, headers(without=b"Sec-WebSocket-Version")),
    "two versions": (400, headers((b"Sec-WebSocket-Version", b"13"), (b"Sec-WebSocket-Version", b"13"))),
    "version 8": (426, headers((b"Sec-WebSocket-Version", b"8"))),
    "version 0": (426, headers((b"Sec-WebSocket-Version", b"0"))),
    "version 14": (426, headers((b"Sec-WebSocket-Version", b"14"))),
    "version 013": (426, headers((b"Sec-WebSocket-Version", b"013"))),
    "version 13.0": (426, headers((b"Sec-WebSocket-Version", b"13.0"))),
    "a list of versions": (426, headers((b"Sec-WebSocket-Version", b"13, 8"))),
    "an empty version": (426, headers((b"Sec-WebSocket-Version", b""))),
    "no key": (400, headers(without=b"Sec-WebSocket-Key")),
    "two keys": (400, headers((b"Sec-WebSocket-Key", KEY), (b"Sec-WebSocket-Key", KEY))),
    "empty key": (400, headers((b"Sec-WebSocket-Key", b""))),
    "key of 15 bytes": (400, headers((b"Sec-WebSocket-Key", b"AAAAAAAAAAAAAAAAAAAA"))),
    "key of 17 bytes": (400, headers((b"Sec-WebSocket-Key", b"AAAAAAAAAAAAAAAAAAAAAAA="))),
    "key without its end": (400, headers((b"Sec-WebSocket-Key", KEY[:-2]))),
    "key with more behind it": (400, headers((b"Sec-WebSocket-Key", KEY + b"="))),
    "key in another alphabet": (400, headers((b"Sec-WebSocket-Key", b"-_hlIHNhbXBsZSBub25jZQ=="))),
    "key with a space in it": (400, headers((b"Sec-WebSocket-Key", KEY[:5] + b" " + KEY[5:]))),
    "key with a no-break space": (400, headers((b"Sec-WebSocket-Key", KEY + b"\xa0"))),
    "key that is not ASCII": (400, headers((b"Sec-WebSocket-Key", b"\xff" * 24))),
    "two Origins": (400, headers((b"Origin", b"http://a"), (b"Origin", b"http://a"))),
    "a length": (400, headers((b"Content-Length", b"1"))),
    "a length and none": (400, headers((b"Content-Length", b"0"), (b"Content-Length", b"5"))),
    "a length that is none": (400, headers((b"Content-Length", b"x"))),
    "a transfer coding": (400, headers((b"Transfer-Encoding", b"chunked"))),
    "an empty subprotocol": (400, headers((b"Sec-WebSocket-Protocol", b""))),
    "a subprotocol with a space": (400, headers((b"Sec-WebSocket-Protocol", b"a b"))),
    "a subprotocol in quotes": (400, headers((b"Sec-WebSocket-Protocol", b'"a"'))),
    "a subprotocol that is not ASCII": (400, headers((b"Sec-WebSocket-Protocol", b"caf\xe9"))),
    "a subprotocol twice": (400, headers((b"Sec-WebSocket-Protocol", b"a, b"), (b"Sec-WebSocket-Protocol", b"a"))),
    **{
        f"a control character {octet!r} in {name.decode()}": (400, headers((name, GOOD.get(name, b"a") + octet + b"x")))
        for octet in CONTROLS
        for name in (b"Host", b"Sec-WebSocket-Protocol", b"X-Other")
    },
}


def refusal(target: bytes, version: bytes, given_headers: Headers) -> HandshakeRefused:
    with pytest.raises(HandshakeRefused) as caught:
        read_handshake(target, version, given_headers)
    return caught.value


@pytest.mark.parametrize(("status", "given_headers"), REFUSED.values(), ids=REFUSED)
def test_refused(status: int, given_headers: Headers) -> None:
    """A header that is missing, doubled or wrong has its status; a 426 names the version that is spoken."""
    refused = refusal(b"/", b"HTTP/1.1", given_headers)
    assert refused.status == status
    assert dict(refused.headers) == ({"Sec-WebSocket-Version": "13"} if status == 426 else {})
    assert refused.reason.isprintable()


@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"http/1.1", b""])
def test_other_versions_of_http(version: bytes) -> None:
    """RFC 6455 section 4.1 asks for HTTP/1.1."""
    assert refusal(b"/", version, headers()).status == 400


@pytest.mark.parametrize(
    "target", [b"", b"*", b"echo", b"/a#b", b"/#", b"http://a/b", b"/a b", b"/\x7f", b"/\xe9", b"/\0", b"?x", b"//a#"]
)
def test_targets(target: bytes) -> None:
    """The target is a path with perhaps a query, in ASCII, and has no fragment (RFC 6455 section 3)."""
    assert refusal(target, b"HTTP/1.1", headers()).status == 400


@pytest.mark.parametrize(
    ("target", "segment"),
    [
        (b"/", ""), (b"/echo", "echo"), (b"/echo/", "echo"), (b"/echo/more", "echo"), (b"/echo?x=/y", "echo"),
        (b"/?echo", ""), (b"//echo", "echo"), (b"/%65cho", "%65cho"), (b"/Echo", "Echo"),
    ],
)  # fmt: skip
def test_first_segment(target: bytes, segment: str) -> None:
    """What names a subprotocol is the path's first segment, as it is written."""
    assert read_handshake(target, b"HTTP/1.1", headers()).first_segment == segment


@pytest.mark.parametrize(
    ("method", "upgrade", "wants"),
    [
        (b"GET", [b"websocket"], True),
        (b"GET", [b"WebSocket"], True),
        (b"GET", [b"h2c, websocket"], True),
        (b"GET", [b"h2c", b" websocket\t"], True),
        (b"GET", [], False),
        (b"GET", [b""], False),
        (b"GET", [b"h2c"], False),
        (b"GET", [b"websockets"], False),
        (b"GET", [b"web socket"], False),
        (b"GET", [b"websocket/13"], False),
        (b"POST", [b"websocket"], False),
        (b"HEAD", [b"websocket"], False),
        (b"get", [b"websocket"], False),
    ],
)
def test_wants_upgrade(method: bytes, upgrade: list[bytes], wants: bool) -> None:
    """A GET with the token `websocket` in Upgrade asks for a WebSocket, and nothing else does."""
    assert wants_upgrade(method, [(b"Host", b"websocket"), *((b"uPGRADE", each) for each in upgrade)]) == wants


NAMES = st.sampled_from([*GOOD, b"Origin", b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Extensions", b"Content-Length"])
TOKENS = st.text("aA1-_!|", min_size=1, max_size=5).map(str.encode)  # the HTTP channel lets no other name through
VALUES = st.one_of(
    st.binary(max_size=30),
    st.text("aA1[]:/@,;=\"' \t-._~%\xe9\xa0", max_size=12).map(lambda text: text.encode("latin-1")),
    st.sampled_from([*GOOD.values(), b"http://a", b"null", b"a, b", b"[::1]:80", b"0"]),
)


@given(
    target=st.one_of(st.binary(max_size=20), st.just(b"/")),
    version=st.sampled_from([b"HTTP/1.1", b"HTTP/1.0"]),
    more=st.lists(st.tuples(st.one_of(NAMES, TOKENS), VALUES), max_size=6),
    replace=st.booleans(),
)
@example(target=b"/", version=b"HTTP/1.1", more=[(b"Host", b"[")], replace=True)
@example(target=b"/", version=b"HTTP/1.1", more=[(b"Host", b"[::1%25x]")], replace=True)
@example(target=b"/", version=b"HTTP/1.1", more=[(b"Host", "a:\u0661".encode())], replace=True)
def test_any_headers(target: bytes, version: bytes, more: list[tuple[bytes, bytes]], replace: bool) -> None:
    """Whatever the headers, they are a handshake or refused, and a handshake holds nothing that was not checked."""
    given_headers = headers(*more) if replace else [*GOOD.items(), *more]
    handshake: Handshake | HandshakeRefused
    try:
        handshake = read_handshake(target, version, given_headers)
    except HandshakeRefused as refused:
        handshake = refused
    if isinstance(handshake, HandshakeRefused):
        assert handshake.status in (400, 426)
        assert handshake.reason.isprintable()
        return
    assert version == b"HTTP/1.1"
    assert handshake.target.isascii()
    assert handshake.target.isprintable()
    assert len(handshake.key) == 24
    assert len(set(handshake.subprotocols)) == len(handshake.subprotocols)
    assert all(name.isascii() and name.isprintable() and name for name in handshake.subprotocols)
    assert handshake.host == handshake.host.strip() != ""
