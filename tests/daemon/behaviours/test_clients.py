"""What Python's `websockets` notices of each behaviour that its URL chooses, in a real daemon.

Nobody here wrote this client: what it says of a wrong handshake or frame is what any other sees too. The same with
Node's `ws` and with Chromium stands in test_behaviours_node.py and test_behaviours_browser.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidHeader,
    InvalidHeaderValue,
    InvalidMessage,
    InvalidStatus,
    NegotiationError,
)
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, PerMessageDeflate
from websockets.frames import Close
from websockets.typing import Origin, Subprotocol

from tests.support.certificates import Identity
from tests.support.daemon import ROOT, Daemon
from tests.support.loops import run
from wsdaemon.behaviours.wrong import WRONG
from wsdaemon.routing.catalogue import Catalogue
from wsdaemon.routing.registry import find_all
from wsdaemon.settings import BehaviourSettings
from wsdaemon.tls import AUTO_FILE

HERE = "are you there?"
LONG = "a rather long text that is worth compressing " * 200
MANY = 32 << 20
"""More than the kernel holds of a connection that nobody reads from."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("behaviours")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Daemon]:
    """The daemon as it comes, with TLS; in the end it does not wait long for those that stall."""
    (folder / "ws.ini").write_text(
        "[tls]\nenabled = yes\ncertificate = auto\nport = 0\n[websocket]\nclose_timeout = 1\n"
    )
    daemon = Daemon([f"--config={folder}/ws.ini", "--port=0"])
    yield daemon
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.output


class Seen(NamedTuple):
    """What a client saw of one connection."""

    messages: list[str | bytes]
    code: int | None
    """1006 where no Close came."""
    reason: str | None
    sent: Close | None
    """What the client says itself: why it fails the connection, where it does."""
    cause: BaseException | None
    extensions: list[Any]


async def visit(url: str, *messages: str | bytes, count: int | None = None, **options: Any) -> Seen:
    """Send messages, take `count` replies, by default one for each, or what comes before the end, and close."""
    connection = await connect(url, **{"compression": None, **options})
    got: list[str | bytes] = []
    cause = None
    try:
        with contextlib.suppress(ConnectionClosed):  # what came before is there to be read
            for message in messages:
                await connection.send(message)
        while len(got) < (len(messages) if count is None else count):
            got.append(await connection.recv())
    except ConnectionClosed as closed:
        cause = closed.__cause__
    await connection.close()
    sent = connection.protocol.close_sent
    extensions = list(connection.protocol.extensions)
    return Seen(got, connection.close_code, connection.close_reason, sent, cause, extensions)


def see(url: str, *messages: str | bytes, count: int | None = None, **options: Any) -> Seen:
    return run(lambda: visit(url, *messages, count=count, **options))


def timed(client: Callable[[], Awaitable[Any]]) -> float:
    """Return how many seconds something takes."""

    async def measured() -> float:
        begun = time.monotonic()
        await client()
        return time.monotonic() - begun

    return run(measured)


def refused(url: str, **options: Any) -> InvalidHandshake:
    """Return why the client does not take an answer to its handshake."""

    async def client() -> InvalidHandshake:
        with pytest.raises(InvalidHandshake) as caught:
            await connect(url, **options)
        return caught.value

    return run(client)


def texts(seen: Seen) -> list[Any]:
    return [json.loads(message) for message in seen.messages]


def test_no_parameter_and_no_choice_is_left_without_a_client() -> None:
    """Every path, parameter and choice is in a URL of one of the three files."""
    files = (ROOT / "tests").glob("test_behaviours_*.py")
    known = "".join(
        file.read_text() for file in files if file.stem.rpartition("_")[2] in ("clients", "node", "browser")
    )
    document = Catalogue(find_all(), BehaviourSettings()).document()
    wanted = {f"{re.escape(each['path'])}\\b" for each in document["behaviours"]}
    for group in (*document["groups"].values(), *document["behaviours"]):
        for each in group["parameters"]:
            if each["name"] == "wrong":
                continue  # see the next test
            choices = [choice for choice in each.get("choices", ()) if choice != each["default"]]
            wanted |= {f'[?&"]{each["name"]}={choice}' + r"\b" * bool(choice) for choice in choices or [""]}
    assert sorted(each for each in wanted if re.search(each, known) is None) == []


# -- frames that are wrong --------------------------------------------------------------------------------------------

FAILS = {
    "masked": (1002, "incorrect masking"),
    "rsv1": (1002, "reserved bits must be 0"),
    "rsv2": (1002, "reserved bits must be 0"),
    "rsv3": (1002, "reserved bits must be 0"),
    "opcode3": (1002, "invalid opcode"),
    "opcode11": (1002, "invalid opcode"),
    # It takes the length for a number of 64 bits, and finds it too big rather than wrong.
    "length-high-bit": (1009, "frame with 9223372036854775812 bytes exceeds limit"),
    "huge": (1009, "frame with 4611686018427387904 bytes exceeds limit"),
    "long-ping": (1002, "control frame too long"),
    "long-pong": (1002, "control frame too long"),
    "long-close": (1002, "control frame too long"),
    "fragmented-ping": (1002, "fragmented control frame"),
    "close-one-byte": (1002, "close frame too short"),
    "close-utf8": (1007, "invalid start byte at position 0"),
    "close-1005": (1002, "invalid status code"),
    "close-1006": (1002, "invalid status code"),
    "close-999": (1002, "invalid status code"),
    "lone-continuation": (1002, "unexpected continuation frame"),
    "interleaved": (1002, "expected a continuation frame"),
    "utf8": (1007, "invalid start byte at position 4"),
    "utf8-cut": (1007, "unexpected end of data at position 4"),
    "utf8-surrogate": (1007, "invalid continuation byte at position 5"),
    "utf8-overlong": (1007, "invalid start byte at position 5"),
    "utf8-late": (1007, "invalid start byte at position 5"),
}
"""Why it fails the connection."""

MISSED = {
    # It does not look whether a length is written in as few bytes as can be.
    "length16": (["short", HERE], 1000),
    "length64": (["short", HERE], 1000),
    # It looks at nothing behind a Close, as RFC 6455 section 5.5.1 has it: data there is to be ignored.
    "close-then-text": ([], 1000),
}
"""What it takes as if it were right."""


def test_every_wrong_frame_is_known_here() -> None:
    assert {*FAILS, *MISSED} == set(WRONG)


@pytest.mark.parametrize("name", FAILS)
def test_a_wrong_frame_makes_it_fail_the_connection(server: Daemon, name: str) -> None:
    """It ends the connection itself, with the code that RFC 6455 has for that, and hands on nothing."""
    code, reason = FAILS[name]
    seen = see(f"{server.ws}/frames?wrong={name}", HERE)
    assert seen.messages == []
    assert seen.code == 1006
    assert seen.sent is not None
    assert (seen.sent.code, seen.sent.reason[: len(reason)]) == (code, reason)


def test_rsv1_is_wrong_where_compression_was_agreed_on_too(server: Daemon) -> None:
    """It has a meaning then, but what follows it does not inflate."""
    seen = see(f"{server.ws}/frames?wrong=rsv1", HERE, compression="deflate")
    assert (seen.messages, seen.sent) == ([], Close(1002, "decompression failed"))


@pytest.mark.parametrize("name", MISSED)
def test_a_wrong_frame_that_it_does_not_notice(server: Daemon, name: str) -> None:
    seen = see(f"{server.ws}/frames?wrong={name}", HERE, count=2)
    assert (seen.messages, seen.code) == MISSED[name]


FRAMES = [{"opcode": "text", "fin": False, "text": "a"}, {"opcode": "ping"}, {"opcode": 0, "hex": "62"}]


def test_right_frames_are_taken_and_the_order_is_wrong_json_hex(server: Daemon) -> None:
    """Frames can be given as JSON and as hex; right ones come as messages."""
    given = quote(json.dumps(FRAMES))
    assert see(f"{server.ws}/frames?hex=810568656c6c6f&json={given}", HERE, count=3).messages == ["ab", "hello", HERE]


def test_frames_come_in_answer_to_each_message(server: Daemon) -> None:
    assert see(f"{server.ws}/frames?hex=8101 41&on=message".replace(" ", "%20"), "x", "y").messages == ["A", "A"]
    seen = see(f"{server.ws}/frames?wrong=masked&on=message", "x")
    assert seen.sent == Close(1002, "incorrect masking")


@pytest.mark.parametrize("compression", ["deflate", None])
@pytest.mark.parametrize(
    "query", ["fragment=7", "sizes=1,0,5", "pings=yes&fragment=4", "empty=2&fragment=2", "empty=3"]
)
def test_a_message_in_many_frames_is_the_same_message(server: Daemon, query: str, compression: str | None) -> None:
    """However it is cut, within a character too, and whatever stands between."""
    messages: list[str | bytes] = [HERE, "grüße 👋" * 50, b"\0\xff" * 500, "", LONG]
    seen = see(f"{server.ws}/echo?{query}", *messages, compression=compression)
    assert (seen.messages, seen.code) == (messages, 1000)


@pytest.mark.parametrize(
    ("query", "close"),
    [
        ("mask=yes", Close(1002, "incorrect masking")),
        ("rsv=1", Close(1002, "reserved bits must be 0")),
        ("rsv=2", Close(1002, "reserved bits must be 0")),
        ("rsv=4", Close(1002, "reserved bits must be 0")),
        ("rsv=7", Close(1002, "reserved bits must be 0")),
        ("opcode=0", Close(1002, "unexpected continuation frame")),
        ("opcode=3", Close(1002, "invalid opcode")),
        ("opcode=8", Close(1002, "invalid status code")),
        ("utf8=invalid", Close(1007, "invalid start byte at position 14")),
        ("utf8=cut", Close(1007, "unexpected end of data at position 14")),
    ],
)
def test_a_reply_that_is_wrong_makes_it_fail_the_connection(server: Daemon, query: str, close: Close) -> None:
    """The connection opens as any other, and goes wrong with the first reply."""
    seen = see(f"{server.ws}/echo?{query}", HERE)
    assert (seen.messages, seen.code, seen.sent) == ([], 1006, close)


@pytest.mark.parametrize("query", ["length=16", "length=64"])
def test_a_length_that_is_too_long_is_not_noticed(server: Daemon, query: str) -> None:
    """It does not look whether the length is written in as few bytes as can be, as RFC 6455 section 5.2 asks."""
    assert see(f"{server.ws}/echo?{query}", HERE).messages == [HERE]


def test_another_opcode_makes_another_kind_of_message(server: Daemon) -> None:
    assert see(f"{server.ws}/echo?opcode=2", HERE).messages == [HERE.encode()]


def test_an_endless_message_never_comes(server: Daemon) -> None:
    """The first reply does not end, and a second one begins within it: that is what the client finds wrong."""
    seen = see(f"{server.ws}/echo?endless=yes", HERE, HERE)
    assert (seen.messages, seen.sent) == ([], Close(1002, "expected a continuation frame"))


# -- how it ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999])
def test_the_close_code_and_the_reason_arrive(server: Daemon, code: int) -> None:
    seen = see(f"{server.ws}/close?code={code}&reason=gr%C3%BC%C3%9Fe+%F0%9F%91%8B", HERE)
    assert (seen.messages, seen.code, seen.reason) == ([], code, "grüße 👋")
    assert seen.sent == Close(code, "grüße 👋")  # its answer


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535])
def test_a_close_code_that_may_not_be_sent_is_a_protocol_error(server: Daemon, code: int) -> None:
    """RFC 6455 section 7.4: reserved ones, those that only stand for something, and those that belong to nobody."""
    seen = see(f"{server.ws}/close?code={code}", HERE)
    assert (seen.code, seen.sent) == (1006, Close(1002, "invalid status code"))


def test_a_close_without_a_code_is_1005(server: Daemon) -> None:
    assert see(f"{server.ws}/close?code=none", HERE).code == 1005


@pytest.mark.parametrize("query", ["half_code=yes", "half_code=yes&code=none"])
def test_half_a_close_code_is_a_protocol_error(server: Daemon, query: str) -> None:
    assert see(f"{server.ws}/close?{query}", HERE).sent == Close(1002, "close frame too short")


def test_a_reason_can_be_as_long_as_a_control_frame_and_longer(server: Daemon) -> None:
    assert see(f"{server.ws}/close?reason={'x' * 123}", HERE).reason == "x" * 123
    assert see(f"{server.ws}/close?reason={'x' * 124}", HERE).sent == Close(1002, "control frame too long")


@pytest.mark.parametrize("query", ["messages=2&code=4000", "messages=2&code=4000&after=60000"])
def test_the_end_comes_behind_so_many_replies(server: Daemon, query: str) -> None:
    seen = see(f"{server.ws}/close?{query}", "1", "2", "3")
    assert (seen.messages, seen.code) == (["1", "2"], 4000)


def test_the_end_comes_after_a_time(server: Daemon) -> None:
    """Not before it, and until then the connection is an echo; any path can have it."""
    for path in ("close", "echo", "inspect"):
        assert timed(lambda path=path: visit(f"{server.ws}/{path}?after=150", count=9)) > 0.14  # type: ignore[misc]
    assert see(f"{server.ws}/close?after=200", HERE, count=2)[:2] == ([HERE], 1000)


@pytest.mark.parametrize("how", ["how=fin", "how=rst", "how=half", "how=midframe"])
@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_an_end_without_a_close_is_1006(server: Daemon, folder: Path, scheme: str, how: str) -> None:
    """Behind a reply, so that the connection was well open; the client has sent no Close either."""
    options = {"ssl": ssl.create_default_context(cafile=folder / AUTO_FILE)} if scheme == "wss" else {}
    seen = see(f"{getattr(server, scheme)}/close?{how}&messages=1", "1", count=2, **options)
    assert (seen.messages, seen.code, seen.sent) == (["1"], 1006, None)
    if how == "how=midframe":
        assert isinstance(seen.cause, EOFError)
        assert str(seen.cause) == "stream ends after 14 bytes, expected 100 bytes"
    if how == "how=rst" and scheme == "ws":
        assert isinstance(seen.cause, ConnectionResetError)


def test_a_close_that_is_never_answered(server: Daemon) -> None:
    """Everything comes back, but the client waits for an answer to its Close in vain."""
    seen = see(f"{server.ws}/close?how=never&code=4000", "1", "2", close_timeout=0.2)
    assert (seen.messages, seen.code, seen.sent) == (["1", "2"], 1006, Close(1000, ""))


def test_what_is_never_answered_is_held_only_so_long(tmp_path: Path) -> None:
    """`[behaviours] max_wait` bounds it: then the server cuts the connection, whatever the client's patience."""
    (tmp_path / "ws.ini").write_text("[behaviours]\nmax_wait = 0.3\n")
    daemon = Daemon([f"--config={tmp_path}/ws.ini", "--port=0"])
    try:
        for path in ("close?how=never", "echo?stall=both", "echo?stall=write"):
            seen = see(f"{daemon.ws}/{path}", count=0, close_timeout=50, ping_interval=None)
            assert (seen.code, seen.sent) == (1006, Close(1000, "")), path
        with pytest.raises(InvalidStatus) as caught:
            see(f"{daemon.ws}/echo?delay=301")
        assert "delay: 301 is out of range" in (caught.value.response.body or b"").decode()
    finally:
        assert daemon.stop() == 0


# -- the handshake ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "kind", "text"),
    [
        ("accept=wrong", InvalidHeaderValue, "invalid Sec-WebSocket-Accept header: "),
        ("accept=missing", InvalidHeader, "missing Sec-WebSocket-Accept header"),
        ("accept=double", InvalidHeader, "invalid Sec-WebSocket-Accept header: multiple values"),
        ("accept=empty", InvalidHeader, "empty Sec-WebSocket-Accept header"),
        ("subprotocol=nobody.offered.this", NegotiationError, "no subprotocols supported"),
        ("extension=x-nobody-offered-this", NegotiationError, "Unsupported extension: name = x-nobody-offered-this"),
        ("extension=permessage-deflate;+bogus=1", NegotiationError, "Unsupported extension: name = permessage-deflate"),
        ("extension=%3B%3B", InvalidHeader, "invalid Sec-WebSocket-Extensions header"),
    ],
)
def test_a_wrong_answer_to_the_handshake_is_not_taken(
    server: Daemon, query: str, kind: type[InvalidHandshake], text: str
) -> None:
    error = refused(f"{server.ws}/handshake?{query}")
    assert isinstance(error, kind)
    assert str(error).startswith(text)


def test_a_subprotocol_that_was_not_among_the_offered_is_not_taken(server: Daemon) -> None:
    offered = [Subprotocol("one"), Subprotocol("two")]
    error = refused(f"{server.ws}/handshake?subprotocol=three", subprotocols=offered)
    assert isinstance(error, NegotiationError)
    assert str(error) == "unsupported subprotocol: three"


def test_the_subprotocol_can_be_any_of_the_offered_or_none(server: Daemon) -> None:
    """On a behaviour's path it is the first, whatever it is called."""
    offered = [Subprotocol("one"), Subprotocol("two")]

    async def named(query: str) -> str | None:
        async with connect(f"{server.ws}/handshake{query}", subprotocols=offered) as connection:
            return connection.subprotocol

    async def client() -> list[str | None]:
        return [await named(query) for query in ("", "?subprotocol=two", "?subprotocol=")]

    assert run(client) == ["one", "two", None]


def test_an_extension_header_can_be_left_out(server: Daemon) -> None:
    assert see(f"{server.ws}/handshake?extension=", HERE, compression="deflate").extensions == []


@pytest.mark.parametrize("status", [200, 204, 301, 400, 401, 403, 404, 418, 429, 500, 503, 599])
def test_the_handshake_is_refused_with_a_status_and_a_body(server: Daemon, status: int) -> None:
    error = refused(f"{server.ws}/handshake?status={status}&body=come+back+later%21")
    assert isinstance(error, InvalidStatus)
    assert error.response.status_code == status
    assert error.response.body == (b"" if status == 204 else b"come back later!")


def test_a_redirect_is_followed(server: Daemon) -> None:
    """With 302 where no status is named; the client connects where the Location header says."""

    async def client() -> None:
        location = quote("/close?code=4321")
        for query in (f"location={location}", f"status=307&location={location}"):
            assert (await visit(f"{server.ws}/handshake?{query}", HERE)).code == 4321
        there = quote(f"{server.ws}/inspect?from=here".replace("?from=here", ""))
        seen = await visit(f"{server.ws}/handshake?location={there}", count=1)
        assert json.loads(seen.messages[0])["target"] == "/inspect"

    run(client)


def test_a_redirect_to_elsewhere_is_refused(server: Daemon) -> None:
    """The server is no open redirector, unless it is told to be."""
    for location in ("ws://elsewhere.example/", "//elsewhere.example/", "\\\\elsewhere.example/"):
        error = refused(f"{server.ws}/handshake?location={quote(location, safe='')}")
        assert isinstance(error, InvalidStatus)
        assert error.response.status_code == 400
        assert b"leaves this site" in (error.response.body or b"")


def test_a_late_handshake_is_waited_for_as_long_as_the_client_is_told_to(server: Daemon) -> None:
    async def impatient() -> None:
        with pytest.raises(TimeoutError):
            await connect(f"{server.ws}/handshake?wait=30000", open_timeout=0.2)

    run(impatient)
    assert timed(lambda: visit(f"{server.ws}/handshake?wait=150", HERE)) > 0.14


def test_a_handshake_in_drops_is_put_together(server: Daemon) -> None:
    """A byte at a time: the answer has over 120 of them."""
    assert timed(lambda: visit(f"{server.ws}/handshake?dribble=1", HERE)) > 0.11


def test_a_handshake_with_a_needless_header_is_taken_until_that_is_too_long(server: Daemon) -> None:
    """This client's bound is 8 KiB a line."""
    assert see(f"{server.ws}/handshake?pad=4k", HERE).messages == [HERE]
    error = refused(f"{server.ws}/handshake?pad=8k")
    assert isinstance(error, InvalidMessage)
    assert str(error.__cause__).startswith("read 8205 bytes, expected no more than 8192 bytes")


def test_frames_in_the_same_segment_as_the_handshake_are_not_lost(server: Daemon) -> None:
    assert see(f"{server.ws}/handshake?extra=8102+6869", HERE, count=2).messages == ["hi", HERE]
    assert see(f"{server.ws}/handshake?extra=8182+00000000+6869", HERE).sent == Close(1002, "incorrect masking")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("echo?dealy=1", "dealy: unknown parameter; did you mean delay?"),
        ("echo?delay=soon", "delay: 'soon' is not a whole number"),
        ("echo?delay=1&delay=2", "delay: is given twice"),
        ("handshake?status=100", "status: 100 is out of range"),
        ("bytes?fragment=2", "fragment: unknown parameter"),
        ("frames?wrong=evrything", "wrong: 'evrything' is none of them"),
    ],
)
def test_a_url_that_asks_for_what_there_is_not_is_400_and_says_why(server: Daemon, path: str, text: str) -> None:
    error = refused(f"{server.ws}/{path}")
    assert isinstance(error, InvalidStatus)
    assert error.response.status_code == 400
    assert (error.response.body or b"").decode().startswith(text)


# -- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "message", "seconds"),
    [
        ("delay=150", HERE, 0.14),
        ("delay=100&jitter=1000&seed=1", HERE, 0.1 + 0.13),  # chance begins with 0.134 there
        ("throttle=10k", "x" * 2000, 0.15),
        ("drip=5", HERE, 0.07),
    ],
)
def test_a_reply_comes_no_sooner_than_that(server: Daemon, query: str, message: str, seconds: float) -> None:
    async def client() -> None:
        async with connect(f"{server.ws}/echo?{query}", compression=None) as connection:
            begun = time.monotonic()
            await connection.send(message)
            assert await connection.recv() == message
            assert time.monotonic() - begun > seconds

    run(client)


def test_delayed_replies_keep_their_order(server: Daemon) -> None:
    messages = [str(number) for number in range(50)]
    assert see(f"{server.ws}/echo?delay=20&jitter=40", *messages).messages == messages


@pytest.mark.parametrize("query", ["throttle=10k", "drip=5"])
def test_a_close_is_answered_at_the_same_pace(server: Daemon, query: str) -> None:
    seen = see(f"{server.ws}/echo?{query}", HERE)
    assert (seen.messages, seen.code) == ([HERE], 1000)


@pytest.mark.parametrize("query", ["pong=never", "pong=wrong", "pong_delay=60000"])
def test_a_ping_without_its_pong_makes_it_give_up(server: Daemon, query: str) -> None:
    """Though messages do come back: that is what pings are for."""
    seen = see(f"{server.ws}/echo?{query}", HERE, count=2, ping_interval=0.2, ping_timeout=0.2)
    assert (seen.messages, seen.code, seen.sent) == ([HERE], 1006, Close(1011, "keepalive ping timeout"))


def test_a_late_pong_is_a_pong(server: Daemon) -> None:
    async def client() -> None:
        async with connect(f"{server.ws}/echo?pong_delay=150") as connection:
            begun = time.monotonic()
            await (await connection.ping("1"))
            assert time.monotonic() - begun > 0.14

    run(client)


def test_pongs_and_pings_that_nobody_asked_for_do_no_harm(server: Daemon) -> None:
    """It takes them while messages come and go."""
    messages = [str(number) for number in range(20)]
    assert see(f"{server.ws}/echo?pongs=5&ping_rate=1000&delay=100", *messages)[:2] == (messages, 1000)


@pytest.mark.parametrize("stall", ["read", "write", "both"])
def test_a_stall_is_noticed_by_the_missing_pong(server: Daemon, stall: str) -> None:
    """With stall=read the ticker goes on; with the others nothing comes at all."""
    url = f"{server.ws}/ticker?interval=20&stall={stall}"
    seen = see(url, count=100_000, ping_interval=0.3, ping_timeout=0.3, close_timeout=0.1)
    assert seen.sent == Close(1011, "keepalive ping timeout")
    assert seen.code == 1006
    assert seen.messages[:2] == (["0", "1"] if stall == "read" else [])


@pytest.mark.parametrize("stall", ["read", "write", "both"])
def test_a_stall_can_come_after_some_messages(server: Daemon, stall: str) -> None:
    """They are answered, and the next one never is."""

    async def client() -> None:
        connection = await connect(f"{server.ws}/echo?stall={stall}&stall_after=3", ping_interval=0.2, ping_timeout=0.2,
                                   close_timeout=0.1)  # fmt: skip
        for message in ("1", "2"):
            await connection.send(message)
            assert await connection.recv() == message
        await connection.send("3")
        await connection.send("4")
        assert await connection.recv() == "3"
        with pytest.raises(ConnectionClosed):
            await connection.recv()
        assert (connection.close_code, connection.protocol.close_sent) == (1006, Close(1011, "keepalive ping timeout"))

    run(client)


def test_what_is_not_read_holds_the_sender_up(server: Daemon) -> None:
    """With stall=read the client cannot send all, and its own pings wait as well: nothing but a time limit tells it.

    With stall=write it can send all, and is told nothing.
    """

    async def send_all(connection: ClientConnection) -> None:
        for _ in range(MANY >> 20):
            await connection.send(bytes(1 << 20))

    async def client() -> None:
        options: Any = {"compression": None, "ping_interval": 0.2, "ping_timeout": 0.2, "close_timeout": 0.1}
        held_up = await connect(f"{server.ws}/sink?stall=read&per=1", **options)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(send_all(held_up), 1)
        assert held_up.close_code is None
        held_up.transport.abort()
        await held_up.wait_closed()

        untold = await connect(f"{server.ws}/sink?stall=write&per=1", **{**options, "ping_interval": None})
        await send_all(untold)
        waiting = asyncio.ensure_future(untold.recv())
        await untold.close()
        with pytest.raises(ConnectionClosed):
            await waiting
        assert untold.close_code == 1006

    run(client)


# -- the order of replies ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "messages", "replies"),
    [
        ("drop=3", "1234567", "12457"),
        ("double=3", "1234567", "123345667"),
        ("swap=3", "1234567", "1243576"),
        ("drop=2&double=3", "123456", "1335"),
    ],
)
def test_replies_are_dropped_doubled_and_swapped(server: Daemon, query: str, messages: str, replies: str) -> None:
    """Every Nth, and no other."""
    assert see(f"{server.ws}/echo?{query}", *messages, count=len(replies)).messages == list(replies)


def test_a_corrupt_reply_differs_in_one_place_and_is_the_same_in_each_run(server: Daemon) -> None:
    """A text stays UTF-8; another seed makes other bytes."""
    messages: list[str | bytes] = ["grüße 👋, hello"] * 6 + [bytes(range(100))] * 6
    first, second, other = (see(f"{server.ws}/echo?corrupt=2&seed={seed}", *messages).messages for seed in (7, 7, 8))
    assert first == second
    assert first != other
    for number, (message, reply) in enumerate(zip(messages, first, strict=True), 1):
        assert len(message) == len(reply)
        differing = sum(one != another for one, another in zip(message, reply, strict=True))
        assert differing == (number % 2 == 0)


# -- compression ------------------------------------------------------------------------------------------------------


def deflate(**parameters: Any) -> dict[str, Any]:
    return {"extensions": [ClientPerMessageDeflateFactory(**parameters)], "compression": None}


@pytest.mark.parametrize(
    ("query", "agreed"),
    [
        ("compression=decline", []),
        ("compression=force", [PerMessageDeflate(False, False, 15, 15)]),
        ("server_no_context_takeover=yes", [PerMessageDeflate(True, False, 15, 15)]),
        ("client_no_context_takeover=yes", [PerMessageDeflate(False, True, 15, 15)]),
        ("server_max_window_bits=8", [PerMessageDeflate(False, False, 8, 15)]),
        ("server_max_window_bits=9", [PerMessageDeflate(False, False, 9, 15)]),
        ("client_max_window_bits=9", [PerMessageDeflate(False, False, 15, 9)]),
        ("stream=stored", [PerMessageDeflate(False, False, 15, 15)]),
    ],
)
def test_what_is_agreed_on_for_compression_holds(server: Daemon, query: str, agreed: list[Any]) -> None:
    """The client sees it in the handshake, and all messages come back as they were."""
    messages: list[str | bytes] = [LONG, LONG, HERE, bytes(5000), LONG[::-1]]
    seen = see(f"{server.ws}/echo?{query}", *messages, **deflate(client_max_window_bits=True))
    assert (seen.messages, seen.code) == (messages, 1000)
    assert list(map(repr, seen.extensions)) == list(map(repr, agreed))


@pytest.mark.parametrize(
    ("query", "offer"),
    [
        ("compression=force", {"compression": None}),
        ("server_no_context_takeover=no", deflate(server_no_context_takeover=True)),
        ("server_max_window_bits=15", deflate(server_max_window_bits=9)),
        ("client_max_window_bits=9", deflate(client_max_window_bits=None)),
        # RFC 7692 allows 8, but zlib cannot compress so, and this client says no.
        ("client_max_window_bits=8", deflate(client_max_window_bits=True)),
    ],
)
def test_an_answer_that_was_not_offered_is_not_taken(server: Daemon, query: str, offer: dict[str, Any]) -> None:
    assert isinstance(refused(f"{server.ws}/echo?{query}", **offer), NegotiationError)


def test_who_asks_to_do_without_context_is_told_so_or_not(server: Daemon) -> None:
    """client_no_context_takeover=no: the hint that the client gave is not taken up, which it has to accept."""
    offer = deflate(client_no_context_takeover=True)
    seen = see(f"{server.ws}/echo?client_no_context_takeover=no", LONG, LONG, **offer)
    assert seen.messages == [LONG, LONG]


@pytest.mark.parametrize("stream", ["stream=bad", "stream=flagged"])
def test_what_does_not_inflate_makes_it_fail_the_connection(server: Daemon, stream: str) -> None:
    seen = see(f"{server.ws}/echo?{stream}", HERE, compression="deflate")
    assert (seen.messages, seen.sent) == ([], Close(1002, "decompression failed"))


def test_half_a_compressed_message_is_noticed_only_with_the_next(server: Daemon) -> None:
    """What inflates of it is taken for the message, without looking for the block's end: zlib is not asked for that."""
    seen = see(f"{server.ws}/echo?stream=cut", "hello hello hello hello", "hello hello", compression="deflate")
    assert (seen.messages, seen.sent) == (["hellh"], Close(1002, "decompression failed"))


def test_behind_a_compressed_message_that_ends_its_stream_it_sees_nothing_any_more(server: Daemon) -> None:
    """A defect of this client: RFC 7692 section 7.2.3.4 allows such a block, and Node's ws and Chromium take it.

    Its zlib object is at its end then, and gives an empty message for all that follows.
    """
    messages = ["hello hello hello", "hello again", LONG]
    seen = see(f"{server.ws}/echo?stream=bfinal", *messages, compression="deflate")
    assert (seen.messages, seen.code) == (["hello hello hello", "", ""], 1000)
    anew = "stream=bfinal&server_no_context_takeover=yes"
    assert see(f"{server.ws}/echo?{anew}", *messages, compression="deflate").messages == messages


@pytest.mark.parametrize("utf8", ["invalid", "cut"])
def test_a_compressed_text_can_be_wrong_utf8_too(server: Daemon, utf8: str) -> None:
    seen = see(f"{server.ws}/echo?utf8={utf8}", LONG, compression="deflate")
    assert seen.messages == []
    assert seen.sent is not None
    assert seen.sent.code == 1007


def test_a_bomb_is_stopped_by_the_client_s_bound(server: Daemon) -> None:
    """16 MiB by default, over the client's 1 MiB: it stops inflating, and says 1009."""
    for path in ("bomb", "bomb?size=64m"):
        seen = see(f"{server.ws}/{path}", HERE, compression="deflate")
        assert seen.messages == []
        assert seen.sent is not None
        assert (seen.sent.code, seen.sent.reason) == (1009, "frame exceeds limit of 1048576 bytes")


def test_a_bomb_within_the_bound_is_a_message(server: Daemon) -> None:
    """Of zeros, all of them; then echo."""
    seen = see(f"{server.ws}/bomb?size=3m", HERE, count=2, compression="deflate", max_size=3 << 20)
    assert seen.messages == [bytes(3 << 20), HERE]
    assert see(f"{server.ws}/bomb?size=0", HERE, count=2, compression="deflate").messages == [b"", HERE]


def test_a_bomb_for_a_client_without_compression_is_a_refusal(server: Daemon) -> None:
    seen = see(f"{server.ws}/bomb?size=1k", HERE)
    assert (seen.messages, seen.code) == ([], 1008)
    assert "permessage-deflate" in str(seen.reason)


# -- streams ----------------------------------------------------------------------------------------------------------


def test_a_ticker_counts_up_and_ends(server: Daemon) -> None:
    seen = see(f"{server.ws}/ticker?interval=5&count=5", count=9)
    assert (seen.messages, seen.code, seen.reason) == (["0", "1", "2", "3", "4"], 1000, "counted up")
    assert timed(lambda: visit(f"{server.ws}/ticker?interval=30&count=5", count=9)) > 0.14


def test_a_ticker_is_told_to_begin_anew_and_to_end(server: Daemon) -> None:
    """By path or by lws' name; other messages change nothing."""

    async def client(url: str, **options: Any) -> None:
        connection = await connect(url, **options)
        while await connection.recv() != "2":
            pass
        await connection.send("something else")
        await connection.send("reset\n")
        while await connection.recv() != "0":
            pass
        assert await connection.recv() == "1"
        await connection.send("closeme\n")
        await connection.wait_closed()
        assert connection.close_code == 1000

    run(lambda: client(f"{server.ws}/ticker?interval=10"))
    run(lambda: client(server.ws, subprotocols=[Subprotocol("dumb-increment-protocol")]))


def test_a_subprotocol_s_name_can_carry_the_parameters(server: Daemon) -> None:
    """For clients that cannot choose their URL's query."""

    async def client() -> None:
        name = Subprotocol("ticker&interval~5&count~3")
        async with connect(server.ws, subprotocols=[name]) as connection:
            assert connection.subprotocol == name
            assert [message async for message in connection] == ["0", "1", "2"]

    run(client)


@pytest.mark.parametrize("compression", ["deflate", None])
def test_a_burst_is_numbered_and_whole(server: Daemon, compression: str | None) -> None:
    """Many messages without a pause, in order; and what the client sends comes back."""
    seen = see(f"{server.ws}/burst?count=2000&size=100", HERE, count=2001, compression=compression)
    seen.messages.remove(HERE)
    assert seen.messages == [f"{number} ".ljust(100, ".") for number in range(2000)]
    assert see(f"{server.ws}/burst?count=3&size=4&type=binary", count=3).messages == [b"0 ..", b"1 ..", b"2 .."]
    assert len(see(f"{server.ws}/burst", HERE, count=101).messages) == 101


@pytest.mark.parametrize("kind", ["type=binary", "type=text"])
@pytest.mark.parametrize("frame", ["frame=64k", "frame=0", "frame=1000"])
@pytest.mark.parametrize("pattern", ["pattern=counter", "pattern=zeros", "pattern=random&seed=42"])
def test_a_large_message_arrives_as_its_digest_says(server: Daemon, kind: str, frame: str, pattern: str) -> None:
    """The message, then what it was, then echo."""
    seen = see(f"{server.ws}/bytes?size=1m&{kind}&{frame}&{pattern}", HERE, count=3)
    message, told, echo = seen.messages
    assert isinstance(message, str if kind == "type=text" else bytes)
    octets = message.encode() if isinstance(message, str) else message
    frames = {"frame=64k": 16, "frame=0": 1, "frame=1000": 1049}[frame]
    assert json.loads(told) == {"size": 1 << 20, "frames": frames, "sha256": hashlib.sha256(octets).hexdigest()}
    assert len(octets) == 1 << 20
    assert echo == HERE
    if pattern == "pattern=counter":
        first, states = (0, 256) if isinstance(message, bytes) else (32, 95)
        assert octets[: 2 * states] == bytes(range(first, first + states)) * 2
    elif pattern == "pattern=zeros":
        assert set(octets) == {ord("0") if isinstance(message, str) else 0}


def test_the_same_seed_gives_the_same_bytes(server: Daemon) -> None:
    first, second, other = (
        see(f"{server.ws}/bytes?size=1000&pattern=random&seed={seed}", count=2).messages for seed in (1, 1, 2)
    )
    assert first == second
    assert first != other


def test_a_message_beyond_the_client_s_bound_is_too_big(server: Daemon) -> None:
    seen = see(f"{server.ws}/bytes?size=1048577&frame=0", count=2)
    assert seen.sent == Close(1009, "frame with 1048577 bytes exceeds limit of 1048576 bytes")


def test_a_sink_tells_what_came_in(server: Daemon) -> None:
    """After so many messages, and at the end, before the answer to the Close."""

    async def client() -> None:
        connection = await connect(f"{server.ws}/sink?per=2&every=3600000", compression=None)
        for message in ("one", "four!", bytes(5000), ["a", "b", "cd"], "last"):
            await connection.send(message)
        reports = [json.loads(await connection.recv()) for _ in range(2)]
        assert [(each["messages"], each["frames"], each["bytes"]) for each in reports] == [(2, 2, 8), (4, 7, 5012)]
        closing = asyncio.create_task(connection.close())
        last = json.loads(await connection.recv())
        await closing
        assert [each["last"] for each in (*reports, last)] == [False, False, True]
        assert (last["messages"], last["bytes"]) == (5, 5016)
        assert last["seconds"] >= reports[1]["seconds"] >= reports[0]["seconds"]
        assert connection.close_code == 1000

    run(client)


@pytest.mark.parametrize("compression", ["deflate", None])
def test_a_sink_tells_now_and_then(server: Daemon, compression: str | None) -> None:
    """What is compressed counts by what it is."""
    seen = see(f"{server.ws}/sink?every=30", LONG, bytes(100_000), count=1, compression=compression)
    (told,) = texts(seen)
    assert (told["messages"], told["bytes"], told["last"]) == (2, len(LONG) + 100_000, False)


# -- who sees what ----------------------------------------------------------------------------------------------------


def test_inspect_shows_the_handshake(server: Daemon) -> None:
    """The headers as they were sent, in order, and what was agreed on."""

    async def client() -> None:
        async with connect(
            f"{server.ws}/inspect?messages=9&double=2", subprotocols=[Subprotocol("x"), Subprotocol("y")],
            additional_headers=[("X-Twice", "1"), ("x-tWICE", "2")], origin=Origin("http://here.example"),
        ) as connection:  # fmt: skip
            told = json.loads(await connection.recv())
            request = connection.request
            assert request is not None
            assert told["headers"] == [[name, value] for name, value in request.headers.raw_items()]
            assert ["x-tWICE", "2"] in told["headers"]
            assert (told["method"], told["target"]) == ("GET", "/inspect?messages=9&double=2")
            host, port = connection.local_address
            assert told["peer"] == f"{host}:{port}"
            assert (told["tls"], told["subprotocol"]) == (None, "x")
            assert told["extensions"] == "permessage-deflate"

    run(client)


def test_inspect_shows_each_message_with_its_frames(server: Daemon) -> None:
    async def client() -> None:
        async with connect(f"{server.ws}/inspect", compression=None) as connection:
            await connection.recv()
            for message in ("héllo", b"\0\1", ["one", "two"], ""):
                await connection.send(message)
            first, second, third, fourth = [json.loads(await connection.recv()) for _ in range(4)]
            (frame,) = first["frames"]
            assert len(bytes.fromhex(frame.pop("masking_key"))) == 4
            assert frame == {"opcode": 1, "fin": True, "rsv": 0, "length": 6}
            assert (first["message"], first["type"], first["size"], first["text"]) == (1, "text", 6, "héllo")
            assert (second["type"], second["base64"], second["compressed"]) == ("binary", "AAE=", False)
            # The client says with an empty frame that there is no more.
            shown = [(each["opcode"], each["fin"], each["length"]) for each in third["frames"]]
            assert (third["frame_count"], shown) == (3, [(1, False, 3), (0, False, 3), (0, True, 0)])
            assert len({each["masking_key"] for each in third["frames"]}) == 3, "each frame has a key of its own"
            assert (third["text"], fourth["text"], fourth["message"]) == ("onetwo", "", 4)

    run(client)


def test_inspect_shows_what_is_compressed(server: Daemon) -> None:
    _, told = texts(see(f"{server.ws}/inspect", LONG, count=2, compression="deflate", max_size=None))
    assert (told["compressed"], told["size"], told["text"]) == (True, len(LONG), LONG)
    assert told["payload_size"] == sum(each["length"] for each in told["frames"]) < len(LONG) / 10
    assert told["frames"][0]["rsv"] == 4


def test_inspect_shows_tls(server: Daemon, folder: Path) -> None:
    context = ssl.create_default_context(cafile=folder / AUTO_FILE)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context.minimum_version = context.maximum_version = version

        async def client() -> None:
            async with connect(f"{server.wss}/inspect", ssl=context) as connection:
                told = json.loads(await connection.recv())["tls"]
                secure = connection.transport.get_extra_info("ssl_object")
                assert told == {
                    "version": secure.version(), "cipher": secure.cipher()[0], "client_certificate": None,
                }  # fmt: skip

        run(client)


def test_inspect_shows_whose_certificate_the_client_has(tmp_path: Path) -> None:
    authority = Identity("clients", is_ca=True)
    authority.write(tmp_path, "clients")
    Identity("server").write(tmp_path, "server")
    Identity("ann", authority).write(tmp_path, "ann")
    (tmp_path / "ws.ini").write_text(
        "[tls]\nenabled = yes\nport = 0\ncertificate = server.pem\nprivate_key = server.key\nclient_ca = clients.pem\n"
    )
    context = ssl.create_default_context(cafile=tmp_path / "server.pem")
    context.load_cert_chain(tmp_path / "ann.pem", tmp_path / "ann.key")
    daemon = Daemon([f"--config={tmp_path}/ws.ini", "--port=0"])
    try:
        (told,) = texts(see(f"{daemon.wss}/inspect", count=1, ssl=context))
        assert told["tls"]["client_certificate"] == "CN=ann"
    finally:
        assert daemon.stop() == 0


def test_status_tells_who_comes_and_goes(server: Daemon) -> None:
    """At once, and on every change; addresses are nobody's business."""

    async def until(watcher: ClientConnection, wanted: Callable[[list[Any]], bool]) -> Any:
        while True:
            told = json.loads(await watcher.recv())
            assert told["version"] == "wsdaemon"
            assert told["count"] == len(told["conns"])
            assert {each["peer"] for each in told["conns"]} == {"hidden"}
            if wanted(told["conns"]):
                return told

    async def client() -> None:
        async with connect(f"{server.ws}/status") as watcher:
            told = await until(watcher, bool)
            assert [each["subprotocol"] for each in told["conns"] if each["number"] == told["you"]] == ["status"]
            other = await connect(f"{server.ws}/burst?count=1")
            await until(watcher, lambda conns: "burst" in [each["subprotocol"] for each in conns])
            await other.close()
            await until(watcher, lambda conns: "burst" not in [each["subprotocol"] for each in conns])

    run(client)
    # lws' name for it
    run(lambda: visit(server.ws, count=1, subprotocols=[Subprotocol("lws-status")]))


def test_parameters_of_all_families_work_together(server: Daemon) -> None:
    """`/echo?…`: delayed, dropped, in drops, in frames, at a pace, and then an end."""
    query = "delay=50&drop=2&double=3&fragment=3&pings=yes&drip=1&messages=4&code=4001&reason=enough&wait=50"
    begun = time.monotonic()
    seen = see(f"{server.ws}/echo?{query}", "1", "2", "3", "4", "5", count=9)
    assert (seen.messages, seen.code, seen.reason) == (["1", "3", "3", "5"], 4001, "enough")
    assert time.monotonic() - begun > 0.1
