"""Which behaviour a request gets, by its path or by the subprotocols that it offers. In memory."""

from __future__ import annotations

import pytest

from tests.support.behaviours import ECHOED, HELLO, accepted, ask, why
from tests.support.memory import pass_time
from tests.support.wire import TEXT, Frame

FRAGMENTS = Frame(TEXT, b"a", fin=False).masked() + Frame(0, b"b").masked()
AS_FRAGMENTS, COLLECTED = b"\x01\x01a\x80\x01b", b"\x81\x02ab"


@pytest.mark.parametrize(
    ("path", "offered", "named", "reply"),
    [
        ("/echo", "", "", AS_FRAGMENTS),  # Jetty's: frame by frame
        ("/echo/more", "", "", AS_FRAGMENTS),
        ("/echo?", "", "", AS_FRAGMENTS),
        ("/echo", "echo", "echo", AS_FRAGMENTS),
        ("/echo", "lws-mirror-protocol", "lws-mirror-protocol", AS_FRAGMENTS),
        ("/echo", "mqtt, lws-mirror-protocol", "lws-mirror-protocol", AS_FRAGMENTS),
        ("/echo", "echo-assemble", "echo-assemble", COLLECTED),
        ("/echo?fragment=1", "", "", COLLECTED),
        ("/echo?fragment=1", "echo", "echo", COLLECTED),
        ("/echo?fragment=1", "mqtt, echo", "mqtt", COLLECTED),
        ("/echo?fragment=1", "ticker", "ticker", COLLECTED),
        ("/echo?fragment=1", "lws-mirror-protocol", "lws-mirror-protocol", COLLECTED),
        ("/echo?", "echo-assemble", "echo-assemble", COLLECTED),
        ("/echo/more?fragment=1", "", "", AS_FRAGMENTS),  # the query is for the behaviour's own path
        ("/", "echo", "echo", AS_FRAGMENTS),
        ("/", "echo&fragment~1", "echo&fragment~1", COLLECTED),
        ("/", "echo&fragment~2", "echo&fragment~2", AS_FRAGMENTS),
        ("/", "mqtt, echo&fragment~1, echo", "echo&fragment~1", COLLECTED),
        ("/close?after=9999", "echo, ticker", "echo", COLLECTED),
        ("/handshake", "echo", "echo", COLLECTED),
    ],
)
def test_who_gets_what(path: str, offered: str, named: str, reply: bytes) -> None:
    """A behaviour's path takes precedence over the offer; without a query, /echo is Jetty's echo."""
    peer = ask(path, subprotocols=offered)
    assert peer.take() == accepted(named)
    peer.send(FRAGMENTS)
    assert peer.take() == reply


@pytest.mark.parametrize("offered", ["mqtt", "mqtt, amqp"])
def test_unknown_at_the_plain_echo(offered: str) -> None:
    """Jetty's echo follows `unknown_subprotocol`; with a query, any offered subprotocol is accepted."""
    assert "None of the subprotocols is known" in why(ask("/echo", subprotocols=offered))
    peer = ask("/echo?fragment=1", subprotocols=offered)
    assert peer.take() == accepted("mqtt")


@pytest.mark.parametrize(
    "path", ["/close?after=99", "/ticker", "/bytes", "/burst", "/sink", "/bomb", "/frames", "/inspect", "/status"]
)
def test_any_subprotocol(path: str) -> None:
    """On a behaviour's path any offered subprotocol is accepted, though unknown ones are refused elsewhere."""
    offered = "v1.nobody.knows, other"
    assert ask(path, subprotocols=offered).take().startswith(accepted("v1.nobody.knows"))
    assert "None of the subprotocols is known" in why(ask("/", subprotocols=offered))


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("ticker&interval~100&count~2", b"\x81\x010\x81\x011\x88\x0c\x03\xe8counted up"),
        ("dumb-increment-protocol&interval~100&count~1", b"\x81\x010\x88\x0c\x03\xe8counted up"),
        ("ticker&&count~1&", b"\x81\x010\x88\x0c\x03\xe8counted up"),
        ("close&code~1013&reason~a%20b", b"\x88\x05\x03\xf5a b"),
        ("close&reason~a+b", b"\x88\x05\x03\xe8a b"),
        ("close&reason~~%7E%26%3D", b"\x88\x06\x03\xe8~~&="),
        ("close&reason~%E2%82%AC", b"\x88\x05\x03\xe8\xe2\x82\xac"),
        ("close&half_code", b"\x88\x01\x03"),
        ("close", b"\x88\x02\x03\xe8"),
        ("burst&count~2&size~0", b"\x81\x00\x81\x00"),
        ("frames&hex~8100", b"\x81\x00"),
        ("%63lose", None),
        ("Close", None),
        ("closes&code~1000", None),
    ],
)
def test_by_name(name: str, sent: bytes | None) -> None:
    """A subprotocol's name can carry a query, with ~ for = and %XX for characters that no token may hold."""
    peer = ask("/", subprotocols=name)
    if sent is None:
        assert "None of the subprotocols is known" in why(peer)
        return
    pass_time(peer.site.clock, 1)
    assert peer.take() == accepted(name) + sent


def test_delay_by_name() -> None:
    """`echo&delay~100` is the echo with parameters, not Jetty's."""
    peer = ask("/", subprotocols="echo&delay~100")
    assert peer.take() == accepted("echo&delay~100")
    peer.send(HELLO)
    assert peer.take() == b""
    pass_time(peer.site.clock, 0.1)
    assert peer.take() == ECHOED


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ticker&interva~1", "interva: unknown parameter; did you mean interval?"),
        ("ticker&interval~0", "interval: 0 is out of range"),
        ("ticker&count", "count: has no value"),
        ("close&code~1&code~2", "code: is given twice"),
        ("close&reason~%ff", "reason: is not UTF-8"),
        ("handshake&location~%2F%2Fevil", "location: leaves this site"),
    ],
)
def test_refused_by_name(name: str, reason: str) -> None:
    """A name with a wrong parameter is refused, with the reason."""
    assert reason in why(ask("/", subprotocols=name))


@pytest.mark.parametrize("path", ["/dumb-increment-protocol", "/ticker", "/lws-status", "/echo-awkward"])
def test_every_name_reads_its_query(path: str) -> None:
    """Each of a behaviour's paths reads its query: a wrong one is refused."""
    assert "nonsense: unknown parameter" in why(ask(path + "?nonsense=1"))
    assert ask(path + "?code=4000&after=0").take().endswith(b"\x88\x02\x0f\xa0")
