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
WRONG: dict[bytes, tuple[int, list[bytes]]] = {  # a header's status, and its values that get it
    b"Host": (400, [b"", b"a/b", b"user@a", b"a b", b"a, b", b"a:99999", b"[::g]"]),
    b"Connection": (400, [b"keep-alive", b"upgrades, up grade, xupgrade", b"\xa0upgrade"]),
    b"Sec-WebSocket-Version": (426, [b"8", b"0", b"14", b"013", b"13.0", b"13, 8", b""]),
    b"Sec-WebSocket-Key": (
        400,
        [
            b"", b"AAAAAAAAAAAAAAAAAAAA", b"AAAAAAAAAAAAAAAAAAAAAAA=",  # of 0, 15 and 17 bytes
            KEY[:-2], KEY + b"=", b"-_hlIHNhbXBsZSBub25jZQ==", KEY[:5] + b" " + KEY[5:], KEY + b"\xa0", b"\xff" * 24,
        ],
    ),
    b"Content-Length": (400, [b"1", b"x"]),
    b"Transfer-Encoding": (400, [b"chunked"]),
    b"Sec-WebSocket-Protocol": (400, [b"", b"a b", b'"a"', b"caf\xe9"]),
}  # fmt: skip
ONCE = [b"Host", b"Sec-WebSocket-Version", b"Sec-WebSocket-Key", b"Origin"]
REFUSED: dict[str, tuple[int, Headers]] = {
    **{f"no {name.decode()}": (400, headers(without=name)) for name in GOOD if name != b"Upgrade"},
    **{
        f"{name.decode()} twice": (
            400,
            headers(*[(each, GOOD.get(name, b"http://a")) for each in (name, name.lower())]),
        )
        for name in ONCE
    },
    "two Hosts": (400, headers((b"Host", b"a"), (b"Host", b"b"))),
    "a length and none": (400, headers((b"Content-Length", b"0"), (b"Content-Length", b"5"))),
    "a subprotocol twice": (400, headers((b"Sec-WebSocket-Protocol", b"a, b"), (b"Sec-WebSocket-Protocol", b"a"))),
    **{
        f"{name.decode()}: {value!r}": (status, headers((name, value)))
        for name, (status, values) in WRONG.items()
        for value in values
    },
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
