"""What Node's `ws` notices of each behaviour that its URL chooses, in a real daemon.

All connections are made by one process, tests/node/behave.mjs; then each is looked at. Where `ws` does not notice what
is wrong by RFC 6455 or RFC 7692, the table says so: that is a fact about this client.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.support.daemon import ROOT, Daemon
from wsdaemon.behaviours.wrong import WRONG

NODE = ROOT / "tests" / "node"
HERE = "are you there"
LONG = "a rather long text that is worth compressing " * 200
REQUESTED: dict[str, Any] = {"perMessageDeflate": True}
REDIRECTED: dict[str, Any] = {"followRedirects": True}
MANY = {"size": 32 << 20}
"""More than the kernel holds of a connection that nobody reads from."""


class Case(NamedTuple):
    """A connection, and what comes of it."""

    path: str
    expected: dict[str, Any]
    asked: dict[str, Any]

    @property
    def id(self) -> str:
        """Return its name among the tests."""
        given = {**self.asked, **self.asked.get("options", {})}
        words = [str(given[key])[:30] for key in ("perMessageDeflate", "subprotocols", "scheme") if key in given]
        return " ".join([self.path[:60], *words])


def case(path: str, expected: dict[str, Any], **asked: Any) -> Case:
    """Return a connection that sends a ping and then a text, and ends once the text has come back."""
    return Case(path, expected, {"ping": True, "send": [HERE], "until": {"messages": 1}, **asked})


def fails(error: str, **more: Any) -> dict[str, Any]:
    """Say that `ws` fails the connection, after it was open, and why; it hands on nothing."""
    return {"opened": True, "messages": [], "code": 1006, "error": error, **more}


def invalid(error: str) -> dict[str, Any]:
    return fails(f"Invalid WebSocket frame: {error}")


def not_taken(error: str) -> dict[str, Any]:
    """Say that `ws` does not take the answer to its handshake, and why."""
    return {"opened": False, "messages": [], "code": 1006, "error": error}


def answered(status: int, body: str = "") -> dict[str, Any]:
    """Say that the handshake is refused."""
    return {"opened": False, "status": status, "body": body}


def ended(code: int, reason: str = "") -> dict[str, Any]:
    """Say that the connection ends without a fault that `ws` finds."""
    return {"opened": True, "messages": [], "code": code, "reason": reason, "error": None}


def replies(*messages: Any, **more: Any) -> dict[str, Any]:
    """Say that everything is right, for `ws`, and these messages come."""
    return {"opened": True, "messages": list(messages), "code": 1000, "reason": "enough", "error": None, **more}


def digest(octets: bytes) -> dict[str, Any]:
    return {"size": len(octets), "sha256": hashlib.sha256(octets).hexdigest()}


def told(octets: bytes, frames: int) -> str:
    return json.dumps({"size": len(octets), "frames": frames, "sha256": hashlib.sha256(octets).hexdigest()})


FRAMES = {
    "masked": invalid("MASK must be clear"),
    "rsv1": invalid("RSV1 must be clear"),
    "rsv2": invalid("RSV2 and RSV3 must be clear"),
    "rsv3": invalid("RSV2 and RSV3 must be clear"),
    "opcode3": invalid("invalid opcode 3"),
    "opcode11": invalid("invalid opcode 11"),
    # Missed: it does not look whether a length is written in as few bytes as can be.
    "length16": replies("short", HERE),
    "length64": replies("short", HERE),
    "length-high-bit": fails("Unsupported WebSocket frame: payload length > 2^53 - 1"),
    "huge": fails("Unsupported WebSocket frame: payload length > 2^53 - 1"),
    "long-ping": invalid("invalid payload length 126"),
    "long-pong": invalid("invalid payload length 126"),
    "long-close": invalid("invalid payload length 126"),
    "fragmented-ping": invalid("FIN must be set"),
    "close-one-byte": invalid("invalid payload length 1"),
    "close-utf8": invalid("invalid UTF-8 sequence"),
    "close-1005": invalid("invalid status code 1005"),
    "close-1006": invalid("invalid status code 1006"),
    "close-999": invalid("invalid status code 999"),
    # It looks at nothing behind a Close, as RFC 6455 section 5.5.1 has it: data there is to be ignored.
    "close-then-text": ended(1000),
    "lone-continuation": invalid("invalid opcode 0"),
    "interleaved": invalid("invalid opcode 1"),
    "utf8": invalid("invalid UTF-8 sequence"),
    "utf8-cut": invalid("invalid UTF-8 sequence"),
    "utf8-surrogate": invalid("invalid UTF-8 sequence"),
    "utf8-overlong": invalid("invalid UTF-8 sequence"),
    "utf8-late": invalid("invalid UTF-8 sequence"),
}

CASES = [
    *(case(f"/frames?wrong={name}", seen, until={"messages": 2 if "length" in name else 1})
      for name, seen in FRAMES.items()),
    case("/frames?json=%5B%7B%22text%22%3A%22a%22%2C%22fin%22%3Afalse%7D%2C%7B%22opcode%22%3A%22ping%22%2C%22text%22%3A"
         "%22p%22%7D%2C%7B%22opcode%22%3A0%2C%22text%22%3A%22b%22%7D%5D", replies("ab", HERE, pings=["p"]),
         until={"messages": 2}),
    case("/frames?hex=8103616263&on=message", replies("abc", "abc"), send=["1", "2"], until={"messages": 2}),
    # How a reply is cut.
    case("/echo?fragment=3", replies(HERE, pings=[])),
    case("/echo?fragment=5&pings=yes", replies("grüße 👋", pings=["between"] * 4), send=["grüße 👋"]),
    case("/echo?fragment=5&pings=yes", replies(LONG, pings=["between"] * 4), send=[LONG],
         options=REQUESTED),
    case("/echo?sizes=1,0,5&pings=yes", replies(HERE, pings=["between"] * 3)),
    case("/echo?empty=2&fragment=2&pings=yes", replies(HERE, pings=["between"] * 3)),
    case("/echo?endless=yes", invalid("invalid opcode 1"), send=[HERE, HERE]),
    case("/echo?mask=yes", invalid("MASK must be clear")),
    case("/echo?rsv=1", invalid("RSV2 and RSV3 must be clear")),
    case("/echo?rsv=2", invalid("RSV2 and RSV3 must be clear")),
    case("/echo?rsv=4", invalid("RSV1 must be clear")),
    case("/echo?rsv=4&fragment=2", invalid("RSV1 must be clear"), options=REQUESTED, send=[LONG]),
    case("/echo?rsv=7", invalid("RSV2 and RSV3 must be clear")),
    case("/echo?opcode=0", invalid("invalid opcode 0")),
    case("/echo?opcode=2", replies({"binary": HERE.encode().hex()})),
    case("/echo?opcode=3", invalid("invalid opcode 3")),
    case("/echo?opcode=8", invalid("invalid status code 24946")),  # of the text's first two bytes
    case("/echo?opcode=9", {"pings": [HERE], "messages": [], "error": None, "code": 1000}, until={"pings": 1}),
    case("/echo?opcode=10", {"pongs": [HERE, HERE], "messages": [], "error": None, "code": 1000}, until={"pongs": 2}),
    # Missed, as above.
    case("/echo?length=16", replies(HERE)),
    case("/echo?length=64", replies(HERE)),
    case("/echo?utf8=invalid", invalid("invalid UTF-8 sequence")),
    case("/echo?utf8=cut", invalid("invalid UTF-8 sequence")),
    case("/echo?utf8=invalid", invalid("invalid UTF-8 sequence"), send=[LONG], options=REQUESTED),
    # How it ends.
    *(case(f"/close?code={code}&reason=so", ended(code, "so")) for code in (1000, 1001, 1011, 1012, 1013, 1014, 3000)),
    case("/close?code=4999", ended(4999)),
    *(case(f"/close?code={code}", invalid(f"invalid status code {code}"))
      for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)),
    case("/close?code=none", ended(1005)),
    case("/close?half_code=yes", invalid("invalid payload length 1")),
    case(f"/close?reason={'x' * 123}", ended(1000, "x" * 123)),
    case(f"/close?reason={'x' * 124}", invalid("invalid payload length 126")),
    case("/close?messages=2&code=4000", {**ended(4000), "messages": ["1", "2"]}, send=["1", "2", "3"],
         until={"messages": 9}),
    *(case(f"/close?{how}&messages=1", {**ended(1006), "messages": [HERE]}, until={"messages": 9})
      for how in ("how=fin", "how=rst", "how=half", "how=midframe")),
    *(case(f"/close?{how}&messages=1", {**ended(1006), "messages": [HERE]}, until={"messages": 9}, scheme="wss")
      for how in ("how=fin", "how=rst", "how=half", "how=midframe")),
    # It waits half a minute for an answer to its Close, and has to be told to go.
    case("/close?how=never", {**ended(1006), "messages": [HERE], "gaveUp": True}, patience=1500),
    # The handshake.
    case("/handshake?status=503&body=come+back+later", answered(503, "come back later")),
    case("/handshake?status=401", answered(401)),
    case("/handshake?status=204&body=never+seen", answered(204)),
    case("/handshake?location=/echo", {**answered(302), "location": "/echo"}),
    case("/handshake?location=/close%3Fcode%3D4001", ended(4001), options=REDIRECTED),
    case("/handshake?status=307&location=/close%3Fcode%3D4002", ended(4002), options=REDIRECTED),
    case("/handshake?location=/handshake%3Flocation%3D/echo", replies(HERE), options=REDIRECTED),
    case("/handshake?location=//elsewhere.example/", {"status": 400}),
    *(case(f"/handshake?{accept}", not_taken("Invalid Sec-WebSocket-Accept header"))
      for accept in ("accept=wrong", "accept=missing", "accept=double", "accept=empty")),
    case("/handshake?subprotocol=x", not_taken("Server sent a subprotocol but none was requested")),
    case("/handshake?subprotocol=x", not_taken("Server sent an invalid subprotocol"), subprotocols=["a", "b"]),
    case("/handshake?subprotocol=", not_taken("Server sent no subprotocol"), subprotocols=["a", "b"]),
    case("/handshake?subprotocol=b", replies(HERE, subprotocol="b"), subprotocols=["a", "b"]),
    case("/handshake", replies(HERE, subprotocol="a"), subprotocols=["a", "b"]),
    case("/handshake?extension=x-nobody-offered-this",
         not_taken("Server sent a Sec-WebSocket-Extensions header but no extension was requested")),
    case("/handshake?extension=x-nobody-offered-this",
         not_taken("Server indicated an extension that was not requested"), options=REQUESTED),
    case("/handshake?extension=permessage-deflate;+bogus=1", not_taken("Invalid Sec-WebSocket-Extensions header"),
         options=REQUESTED),
    case("/handshake?extension=", replies(HERE, extensions=""), options=REQUESTED),
    case("/handshake?wait=30000", not_taken("Opening handshake has timed out"), options={"handshakeTimeout": 300}),
    case("/handshake?pad=8k", replies(HERE)),
    case("/handshake?pad=64k", not_taken("Parse Error: Header overflow")),
    case("/handshake?extra=8102+6869", replies("hi", HERE), until={"messages": 2}),
    case("/handshake?extra=8182+00000000+6869", invalid("MASK must be clear")),
    # Time; how long is looked at below.
    case("/echo?pong=never", replies(HERE, pongs=[])),
    case("/echo?pong_delay=60000", replies(HERE, pongs=[])),
    case("/echo?stall=both", {**ended(1006), "gaveUp": True}, patience=1500),
    case("/echo?stall=write", {**ended(1006), "gaveUp": True}, patience=1500),
    case("/echo?stall=read&stall_after=1", {**ended(1006), "messages": ["1"], "gaveUp": True}, send=["1", "2"],
         until={"messages": 2}, patience=1500),
    # The order of replies.
    case("/echo?drop=3", replies(*"12457"), send=list("1234567"), until={"messages": 5}),
    case("/echo?double=3", replies(*"123345667"), send=list("1234567"), until={"messages": 9}),
    case("/echo?swap=3", replies(*"1243576"), send=list("1234567"), until={"messages": 7}),
    # Compression.
    case("/echo?compression=decline", replies(HERE, extensions=""), options=REQUESTED),
    case("/echo?compression=force",
         not_taken("Server sent a Sec-WebSocket-Extensions header but no extension was requested")),
    *(case(f"/echo?{query}", replies(LONG, LONG, extensions="permessage-deflate"), send=[LONG, LONG],
           until={"messages": 2}, options=REQUESTED)
      for query in ("compression=force", "server_no_context_takeover=yes", "client_no_context_takeover=yes",
                    "server_no_context_takeover=no", "client_no_context_takeover=no", "server_max_window_bits=8",
                    "server_max_window_bits=9", "client_max_window_bits=8", "client_max_window_bits=9",
                    "stream=stored", "stream=bfinal")),
    case("/echo?client_max_window_bits=9", not_taken("Invalid Sec-WebSocket-Extensions header"),
         options={"perMessageDeflate": {"clientMaxWindowBits": False}}),
    # Missed: it asked the server to do without context (RFC 7692 section 7.1.1.1) and for a small window (section
    # 7.1.2.1); the answer does not grant either, and must not be taken then.
    case("/echo?server_no_context_takeover=no", replies(HERE),
         options={"perMessageDeflate": {"serverNoContextTakeover": True}}),
    case("/echo?server_max_window_bits=15", replies(HERE), options={"perMessageDeflate": {"serverMaxWindowBits": 9}}),
    case("/echo?stream=bad", fails("invalid block type"), options=REQUESTED),
    case("/echo?stream=flagged", fails("invalid stored block lengths"), options=REQUESTED),
    # Missed at first: half a message is a message, and what follows it does not inflate.
    case("/echo?stream=cut", {**fails("invalid stored block lengths"), "messages": ["hellh"]}, options=REQUESTED,
         send=["hello hello hello hello"] * 2, until={"messages": 2}),
    case("/bomb", fails("Max payload size exceeded"), options={**REQUESTED, "maxPayload": 1 << 20}),
    case("/bomb?size=1m", replies(digest(bytes(1 << 20)), HERE), options={**REQUESTED, "maxPayload": 1 << 20},
         until={"messages": 2}),
    case("/bomb", ended(1008, "needs permessage-deflate, which was not offered")),
    # Streams.
    case("/ticker?interval=5&count=4", {**ended(1000, "counted up"), "messages": list("0123")}, until={}),
    case("/ticker?interval=60000", ended(1000), send=["closeme"], until={}),
    case("/anything", {**ended(1000, "counted up"), "messages": ["0", "1"]}, until={},
         subprotocols=["ticker&interval~5&count~2"]),
    case("/burst?count=3&size=4", replies("0 ..", "1 ..", "2 .."), send=[], until={"messages": 3}),
    case("/burst?count=2&size=4&type=binary", replies({"binary": b"0 ..".hex()}, {"binary": b"1 ..".hex()}), send=[],
         until={"messages": 2}),
    case("/bytes?size=1m", replies(digest(bytes(range(256)) * 4096), told(bytes(range(256)) * 4096, 16)), send=[],
         until={"messages": 2}),
    case("/bytes?size=1m&type=text&pattern=zeros&frame=0", replies(digest(b"0" * (1 << 20)), told(b"0" * (1 << 20), 1)),
         send=[], until={"messages": 2}),
    case("/bytes?size=1m", fails("Max payload size exceeded"), send=[], options={"maxPayload": (1 << 20) - 1}),
]  # fmt: skip


def connections(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what came of each connection."""
    if shutil.which("node") is None or not (NODE / "node_modules" / "ws").is_dir():
        if os.environ.get("CI"):
            pytest.fail("Node's ws is not installed, and CI must not leave its tests out; `make test` installs it")
        # A machine without npm can run all the rest; CI cannot come here.
        pytest.skip("Node's ws is not installed; `make test` installs it where there is npm")
    done = subprocess.run(
        ["node", NODE / "behave.mjs"], input=json.dumps(cases), capture_output=True, text=True, timeout=60, check=True
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """The daemon as it comes, with TLS; in the end it does not wait long for those that stall."""
    config = tmp_path_factory.mktemp("daemon") / "ws.ini"
    config.write_text("[tls]\nenabled = yes\ncertificate = auto\nport = 0\n[websocket]\nclose_timeout = 1\n")
    daemon = Daemon([f"--config={config}", "--port=0"])
    yield daemon
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.output


@pytest.fixture(scope="module")
def outcomes(server: Daemon) -> list[dict[str, Any]]:
    """What came of each of CASES, all in one process."""
    asked = [{**each.asked, "url": getattr(server, each.asked.get("scheme", "ws")) + each.path} for each in CASES]
    return connections(asked)


def test_every_wrong_frame_is_known_here() -> None:
    assert set(FRAMES) == set(WRONG)


@pytest.mark.parametrize("number", range(len(CASES)), ids=[each.id for each in CASES])
def test_the_client_notices(outcomes: list[dict[str, Any]], number: int) -> None:
    """The behaviour is noticed as the table says, by an error or by what comes."""
    seen, expected = outcomes[number], CASES[number].expected
    assert {key: seen.get(key) for key in expected} == expected


@pytest.mark.parametrize(
    ("path", "what", "milliseconds", "asked"),
    [
        ("/handshake?wait=150", "openedAfter", 140, {}),
        ("/handshake?dribble=1", "openedAfter", 110, {}),  # over 120 bytes
        ("/close?after=150", "closedAfter", 140, {"until": {}}),
        ("/echo?delay=150", "enoughAfter", 140, {}),
        ("/echo?delay=100&jitter=1000&seed=1", "enoughAfter", 230, {}),  # chance begins with 0.134 there
        ("/echo?throttle=10k", "enoughAfter", 150, {"send": ["x" * 2000]}),
        ("/echo?drip=10", "enoughAfter", 130, {}),
        ("/ticker?interval=30&count=5", "closedAfter", 140, {"until": {}}),
        ("/echo?pongs=30", "enoughAfter", 140, {"send": [], "ping": False, "until": {"pongs": 5}}),
        ("/echo?pong_delay=150", "enoughAfter", 140, {"send": [], "until": {"pongs": 1}}),
    ],
)
def test_nothing_comes_sooner_than_the_url_says(
    server: Daemon, path: str, what: str, milliseconds: int, asked: dict[str, Any]
) -> None:
    (seen,) = connections([{**case(path, {}, **asked).asked, "url": server.ws + path}])
    assert seen["error"] is None
    assert seen[what] >= milliseconds


def test_a_wrong_pong_has_another_payload(server: Daemon) -> None:
    (seen,) = connections([{**case("", {}).asked, "url": f"{server.ws}/echo?pong=wrong"}])
    (payload,) = seen["pongs"]
    assert payload != HERE
    assert seen["messages"] == [HERE]


def test_pings_in_a_flood_and_pongs_that_nobody_asked_for_are_seen(server: Daemon) -> None:
    """And do no harm."""
    asked = {"send": [HERE], "until": {"messages": 1, "pings": 20, "pongs": 5}}
    (seen,) = connections([{"url": f"{server.ws}/echo?ping_rate=1000&pongs=10", **asked}])
    assert (seen["messages"], seen["code"], seen["error"]) == ([HERE], 1000, None)
    assert set(seen["pings"]) == {"flood"}
    assert set(seen["pongs"]) == {"unasked"}


def test_what_is_not_read_stays_with_the_client(server: Daemon) -> None:
    """Its buffer is never empty again, where the server only stalls."""
    asked: dict[str, Any] = {"send": [MANY], "patience": 2000}
    (seen,) = connections([{"url": f"{server.ws}/sink?stall=read", **asked}])
    assert seen["gaveUp"]
    assert seen["buffered"] > 0


def test_the_same_seed_corrupts_in_the_same_way(server: Daemon) -> None:
    """Every second message, in one place."""
    asked = {"send": [HERE] * 6, "until": {"messages": 6}}
    first, second, other = connections(
        [{"url": f"{server.ws}/echo?corrupt=2&seed={seed}", **asked} for seed in (3, 3, 4)]
    )
    assert first["messages"] == second["messages"] != other["messages"]
    for number, message in enumerate(first["messages"], 1):
        assert sum(one != another for one, another in zip(message, HERE, strict=True)) == (number % 2 == 0)


def test_a_sink_tells_what_came_in(server: Daemon) -> None:
    """After so many messages, and before the answer to the Close."""
    asked = {"send": ["1", {"binary": "0001"}, "345", {"size": 100_000}], "until": {"messages": 2}}
    (seen,) = connections([{"url": f"{server.ws}/sink?per=2&every=60000", **asked}])
    reports = [json.loads(message) for message in seen["messages"]]
    assert [(each["messages"], each["bytes"]) for each in reports[:2]] == [(2, 3), (4, 100_006)]
    assert [each["last"] for each in reports] == [False, False, True]
    assert (seen["code"], seen["error"]) == (1000, None)


def test_inspect_shows_this_client(server: Daemon) -> None:
    """Its handshake, TLS, a compressed message, and its masking keys."""
    asked = {"send": ["hello", LONG], "until": {"messages": 3}, "subprotocols": ["a", "b"], "options": REQUESTED}
    (seen,) = connections([{"url": f"{server.wss}/inspect?fragment=2", **asked}])
    assert [message if isinstance(message, dict) else "" for message in seen["messages"][:2]] == ["", ""]
    handshake, hello = (json.loads(message) for message in seen["messages"][:2])
    headers = {name.lower(): value for name, value in handshake["headers"]}
    assert headers["sec-websocket-protocol"] == "a,b"
    assert headers["sec-websocket-extensions"] == "permessage-deflate; client_max_window_bits"
    assert handshake["target"] == "/inspect?fragment=2"
    assert (handshake["subprotocol"], handshake["extensions"]) == ("a", "permessage-deflate")
    assert handshake["tls"]["version"] == "TLSv1.3"
    assert handshake["tls"]["cipher"].startswith("TLS_")
    (frame,) = hello["frames"]
    assert len(frame["masking_key"]) == 8
    assert (hello["text"], hello["size"], hello["compressed"]) == ("hello", 5, True)


def test_status_tells_of_this_client(server: Daemon) -> None:
    (seen,) = connections([{"url": f"{server.ws}/status", "until": {"messages": 1}}])
    told_of = json.loads(seen["messages"][0])
    (you,) = [each for each in told_of["conns"] if each["number"] == told_of["you"]]
    assert (you["peer"], you["subprotocol"]) == ("hidden", "status")
