"""Any query gets what it asks for, or a 400 that names the parameter."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.behaviours import DOCUMENT, parameters_of
from tests.support.http_client import Server
from tests.support.memory import MemorySite
from tests.support.wire import TEXT, Frame, request

TAKEN = {each["path"]: parameters_of(each) for each in DOCUMENT["behaviours"]}
NAMES = sorted({each["name"] for them in TAKEN.values() for each in them})
WORDS = sorted({word for them in TAKEN.values() for each in them for word in each.get("choices", ())})
SITE = MemorySite("[behaviours]\nmax_bytes = 64k\nmax_count = 50\nmax_bomb = 64k\n")

values = st.one_of(
    st.integers(-3, 300).map(str),
    st.integers().map(str),
    st.sampled_from(WORDS),
    st.sampled_from(
        ["", "none", "1k", "4g", "1e3", "0x10", "٣", "1,2,3", "8102 6869", "[]", "[{}]", '[{"opcode":99}]']
    ),
    st.text(max_size=40),
)
pairs = st.tuples(st.one_of(st.sampled_from(NAMES), st.text(max_size=12)), values)


def answered(target: str, **options: str) -> tuple[int, bytes]:
    """Send a handshake and a message; return the response's status, 0 if it waits, and its body."""
    peer = SITE.connect()
    peer.send(request(target, **options))
    head, _, body = peer.take().partition(b"\r\n\r\n")
    assert head[:9] in (b"HTTP/1.1 ", b"", b"H"), head
    status = int(head[9:12]) if len(head) > 12 else 0
    if status != 400:
        peer.send(Frame(TEXT, b"a message"))
    peer.hang_up()
    return status, body


def failures() -> dict[str, int]:
    """Return how many connections have failed so far, by cause."""
    return {name: count for name, count in SITE.hub.tally.counts.items() if "failed" in name}


def name_of(text: bytes) -> str:
    return text.decode().partition(": ")[0]


@settings(max_examples=500)
@given(path=st.sampled_from(sorted(TAKEN)), query=st.lists(pairs, max_size=4))
@example(path="/echo", query=[("fragment", "1000"), ("empty", "1000")])
@example(path="/echo", query=[("sizes", ",".join(["1"] * 100)), ("empty", "100")])
@example(path="/handshake", query=[("location", "//evil")])
def test_a_wrong_parameter_gives_a_400_that_names_it_and_nothing_else(path: str, query: list[tuple[str, str]]) -> None:
    """A right one has its effect; there is never an exception, nor a 5xx that the URL does not ask for."""
    written = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in query)
    before = failures()
    status, body = answered(f"{path}?{written}")
    asked = {value for name, value in query if name in ("status", "location")}
    if status == 400 and "400" not in asked:
        name = name_of(body)
        assert body.endswith(b"\n")
        assert name in {each for each, _ in query} or name.startswith(("'", '"')), body
    elif not asked:
        assert status in (0, 101), (status, body)
    assert failures() == before
    assert SITE.hub.queued == 0, "all that was held is forgotten"


@settings(max_examples=500)
@given(query=st.binary(max_size=60), path=st.sampled_from(sorted(TAKEN)))
def test_any_bytes_in_a_query_are_answered(query: bytes, path: str) -> None:
    """Also bytes that are not UTF-8, and characters with a meaning in queries."""
    written = quote(query, safe="&=+;%#?/~'[]{}")
    assert answered(f"{path}?{written}")[0] in (0, 101, 400)


@settings(max_examples=300)
@given(name=st.text("abcdefghijklmnopqrstuvwxyz&~%0123456789.-_", max_size=40), base=st.sampled_from(sorted(TAKEN)))
def test_any_name_of_a_subprotocol_is_answered(name: str, base: str) -> None:
    assert answered("/", subprotocols=f"{base.strip('/')}&{name}")[0] in (0, 101, 400)


def _outside(each: dict[str, Any]) -> list[str]:
    """Return values just beyond a parameter's bounds."""
    low, high = each.get("low"), each.get("high")
    found = [] if low is None else [str(low - 1)]
    return found + ([] if high is None else [str(high + 1) if each["kind"] not in ("hex", "json", "text") else ""])


@pytest.mark.parametrize(
    ("path", "each", "value"),
    [
        (path, each, value)
        for path, them in TAKEN.items()
        for each in them
        for value in _outside(each)
        if value and each["kind"] != "sizes"
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else str(value),
)
def test_beyond_its_bounds_a_parameter_is_refused_with_them(path: str, each: dict[str, Any], value: str) -> None:
    status, body = answered(f"{path}?{each['name']}={value}")
    if each["name"] in ("size", "count", "frame"):
        assert status == 400
        assert body.startswith(f"{each['name']}: ".encode())
    else:
        assert (status, body.decode()) == (
            400,
            f"{each['name']}: {_said(each, value)}; write {each['what']}\n",
        )


def _said(each: dict[str, Any], value: str) -> str:
    if each["kind"] == "size" and value.startswith("-"):
        return f"{value!r} is not a size"
    return f"{value} is out of range"


def test_the_refusal_is_one_line_of_text(tmp_path: Any) -> None:
    """No input comes back as markup or as a second line."""
    server = Server(tmp_path)
    for query in ("%0d%0aX: y=1", "delay=%0a%0d<script>", "<script>=1", "delay=" + "9" * 500, "%e2%80%a8=1"):
        answer = server.ask(f"/echo?{query.replace(' ', '+')}", *request().decode().split("\r\n")[2:-2])
        assert answer.status == 400
        assert answer["content-type"] == "text/plain; charset=utf-8"
        assert answer["x-content-type-options"] == "nosniff"
        assert len(answer.body.decode().splitlines()) == 1
        assert len(answer.body) < 2000
