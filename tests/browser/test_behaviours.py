"""What Chromium notices of each behaviour that its URL chooses, in a real daemon.

All connections are made by one page; then each is looked at, with what the console says of it. Where Chromium does not
notice what is wrong by RFC 6455 or RFC 7692, the table says so: that is a fact about this client.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Page

from tests.support.daemon import Daemon
from wsdaemon.behaviours.wrong import WRONG

HERE = "are you there"
LONG = "a rather long text that is worth compressing " * 200
DEFLATE = "permessage-deflate"

CONNECT = """
async (cases) => {
  const hex = (octets) => Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");
  const show = async (data) => {
    const isText = typeof data === "string";
    const octets = isText ? new TextEncoder().encode(data) : new Uint8Array(data);
    if (octets.length > 10000) {
      const digest = hex(new Uint8Array(await crypto.subtle.digest("SHA-256", octets)));
      return { type: isText ? "text" : "binary", size: octets.length, sha256: digest };
    }
    return isText ? data : { binary: hex(octets) };
  };
  const one = ({ url, subprotocols = [], send = [], until = 0, patience = 10000 }) => new Promise((resolve) => {
    const seen = { opened: false, error: false, messages: [] };
    const begun = performance.now();
    const elapsed = () => Math.round(performance.now() - begun);
    const socket = new WebSocket(url, subprotocols);
    const finish = async () => {
      clearTimeout(impatience);
      seen.messages = await Promise.all(seen.messages.map(show));
      resolve(seen);
    };
    const impatience = setTimeout(() => {
      seen.gaveUp = true;
      seen.buffered = socket.bufferedAmount;
      socket.onclose = null;
      socket.close();
      finish();
    }, patience);
    socket.binaryType = "arraybuffer";
    seen.url = socket.url;
    socket.onopen = () => {
      Object.assign(seen, { opened: true, openedAfter: elapsed(), subprotocol: socket.protocol,
        extensions: socket.extensions });
      for (const message of send) {
        if (typeof message === "string") socket.send(message);
        else for (let sent = 0; sent < message.size; sent += 65536) socket.send(new Uint8Array(65536));
      }
    };
    socket.onmessage = (event) => {
      seen.messages.push(event.data);
      if (seen.messages.length === until) {
        seen.enoughAfter = elapsed();
        socket.close(1000, "enough");
      }
    };
    socket.onerror = () => { seen.error = true; };
    socket.onclose = (event) => {
      Object.assign(seen, { code: event.code, reason: event.reason, clean: event.wasClean, closedAfter: elapsed() });
      finish();
    };
  });
  const results = [];
  let next = 0;
  const work = async () => {
    while (next < cases.length) {
      const number = next++;
      results[number] = await one(cases[number]);
    }
  };
  await Promise.all(Array.from({ length: 4 }, work));  // with more at once Chromium makes them wait
  return results;
}
"""


class Case(NamedTuple):
    """A connection, what comes of it, and what the console says of it; nothing, where that is empty."""

    path: str
    expected: dict[str, Any]
    console: str
    asked: dict[str, Any]

    @property
    def id(self) -> str:
        """Return its name among the tests."""
        return " ".join([self.path[:60], *map(str, self.asked.get("subprotocols", ()))])


def case(path: str, seen: tuple[dict[str, Any], str], **asked: Any) -> Case:
    """Return a connection that sends a text, and ends once something has come."""
    return Case(path, *seen, {"send": [HERE], "until": 1, **asked})


def fails(console: str, *messages: str) -> tuple[dict[str, Any], str]:
    """Say that Chromium fails the connection, after it was open, and why."""
    return {"opened": True, "messages": list(messages), "error": True, "code": 1006, "clean": False}, console


def not_taken(console: str) -> tuple[dict[str, Any], str]:
    """Say that Chromium does not take the answer to its handshake, and why."""
    seen = {"opened": False, "messages": [], "error": True, "code": 1006, "reason": "", "clean": False}
    return seen, f"Error during WebSocket handshake: {console}"


def ended(code: int, reason: str = "", messages: tuple[str, ...] = ()) -> tuple[dict[str, Any], str]:
    """Say that it ends with a Close, of which the page sees the code and the reason."""
    seen = {"opened": True, "messages": list(messages), "code": code, "reason": reason, "error": False, "clean": True}
    return seen, ""


def lost(*messages: str) -> tuple[dict[str, Any], str]:
    """Say that it ends without a Close, and that neither an error nor the console says so."""
    return {"opened": True, "messages": list(messages), "code": 1006, "error": False, "clean": False}, ""


def replies(*messages: Any, **more: Any) -> tuple[dict[str, Any], str]:
    """Say that everything is right, for Chromium, and these messages come."""
    seen = {"opened": True, "messages": list(messages), "code": 1000, "reason": "enough", "error": False, "clean": True}
    return {**seen, **more}, ""


def gives_up(*messages: str) -> tuple[dict[str, Any], str]:
    """Say that the page waits in vain."""
    return {"opened": True, "messages": list(messages), "gaveUp": True, "error": False}, ""


def digest(octets: bytes, kind: str = "binary") -> dict[str, Any]:
    return {"type": kind, "size": len(octets), "sha256": hashlib.sha256(octets).hexdigest()}


def told(octets: bytes, frames: int) -> str:
    return json.dumps({"size": len(octets), "frames": frames, "sha256": hashlib.sha256(octets).hexdigest()})


FRAMES = {
    "masked": fails("A server must not mask any frames that it sends to the client."),
    "rsv1": fails("One or more reserved bits are on: reserved1 = 1, reserved2 = 0, reserved3 = 0"),
    "rsv2": fails("One or more reserved bits are on: reserved1 = 0, reserved2 = 1, reserved3 = 0"),
    "rsv3": fails("One or more reserved bits are on: reserved1 = 0, reserved2 = 0, reserved3 = 1"),
    "opcode3": fails("Unrecognized frame opcode: 3"),
    "opcode11": fails("Unrecognized frame opcode: 11"),
    "length16": fails("Invalid frame header"),
    "length64": fails("Invalid frame header"),
    "length-high-bit": fails("Invalid frame header"),
    "huge": lost(),  # it goes without a word, and without a Close of its own
    "long-ping": fails("Invalid frame header"),
    "long-pong": fails("Invalid frame header"),
    "long-close": fails("Invalid frame header"),
    "fragmented-ping": fails("Invalid frame header"),
    "close-one-byte": fails("Received a broken close frame with an invalid size of 1 byte."),
    "close-utf8": fails("Received a broken close frame containing invalid UTF-8."),
    "close-1005": fails("Received a broken close frame containing a reserved status code."),
    "close-1006": fails("Received a broken close frame containing a reserved status code."),
    "close-999": ended(999),  # missed, see /close?code=999
    "close-then-text": fails("Data frame received after close"),
    "lone-continuation": fails("Received unexpected continuation frame."),
    "interleaved": fails("Received start of new message but previous message is unfinished."),
    "utf8": fails("Could not decode a text frame as UTF-8."),
    "utf8-cut": fails("Could not decode a text frame as UTF-8."),
    "utf8-surrogate": fails("Could not decode a text frame as UTF-8."),
    "utf8-overlong": fails("Could not decode a text frame as UTF-8."),
    "utf8-late": fails("Could not decode a text frame as UTF-8."),
}

CASES = [
    # Without compression, so that no extension gives RSV1 a meaning.
    *(case(f"/frames?wrong={name}&compression=decline", seen) for name, seen in FRAMES.items()),
    case("/frames?wrong=rsv1", fails("Invalid frame header")),  # it does not inflate
    case("/frames?json=%5B%7B%22text%22%3A%22a%22%2C%22fin%22%3Afalse%7D%2C%7B%22opcode%22%3A%22ping%22%7D%2C%7B%22"
         "opcode%22%3A0%2C%22text%22%3A%22b%22%7D%5D", replies("ab", HERE), until=2),
    case("/frames?hex=8103616263&on=message", replies("abc", "abc"), send=["1", "2"], until=2),
    # How a reply is cut.
    *(case(f"/echo?{query}", replies("grüße 👋" * 20), send=["grüße 👋" * 20])
      for query in ("fragment=7", "fragment=7&pings=yes", "sizes=1,0,5", "empty=2&fragment=2")),
    case("/echo?endless=yes", fails("Received start of new message but previous message is unfinished."),
         send=[HERE, HERE]),
    case("/echo?endless=yes&seed=1", gives_up(), patience=1500),
    case("/echo?mask=yes", fails("A server must not mask any frames that it sends to the client.")),
    case("/echo?rsv=1", fails("One or more reserved bits are on: reserved1 = 0, reserved2 = 0, reserved3 = 1")),
    case("/echo?rsv=4&compression=decline", fails("One or more reserved bits are on: reserved1 = 1")),
    case("/echo?rsv=4", fails("Invalid frame header")),  # it does not inflate
    case("/echo?opcode=0", fails("Received unexpected continuation frame.")),
    case("/echo?opcode=2", replies({"binary": HERE.encode().hex()})),
    case("/echo?opcode=3", fails("Unrecognized frame opcode: 3")),
    case("/echo?opcode=9", gives_up(), patience=1500),
    case("/echo?length=16", fails("Invalid frame header")),
    case("/echo?length=64", fails("Invalid frame header")),
    case("/echo?utf8=invalid", fails("Could not decode a text frame as UTF-8.")),
    case("/echo?utf8=cut", fails("Could not decode a text frame as UTF-8.")),
    case("/echo?utf8=cut&seed=1", fails("Could not decode a text frame as UTF-8."), send=[LONG]),  # compressed
    # How it ends.
    *(case(f"/close?code={code}&reason=gr%C3%BC%C3%9Fe", ended(code, "grüße"))
      for code in (1000, 1001, 1011, 1012, 1013, 1014, 3000, 4999)),
    *(case(f"/close?code={code}", fails("Received a broken close frame containing a reserved status code."))
      for code in (1005, 1006, 1015)),
    # Missed: these codes may not be sent either (RFC 6455 section 7.4.2), but the page gets them as they are.
    *(case(f"/close?code={code}", ended(code)) for code in (0, 999, 1004, 1016, 2999, 5000, 65535)),
    case("/close?code=none", ended(1005)),
    case("/close?half_code=yes", fails("Received a broken close frame with an invalid size of 1 byte.")),
    case(f"/close?reason={'x' * 123}", ended(1000, "x" * 123)),
    case(f"/close?reason={'x' * 124}", fails("Invalid frame header")),
    case("/close?messages=2&code=4000", ended(4000, "", ("1", "2")), send=["1", "2", "3"], until=9),
    *(case(f"/close?{how}&messages=1", lost(HERE), until=9) for how in ("how=fin", "how=rst", "how=half")),
    case("/close?how=midframe&messages=1", lost(HERE), until=9),
    case("/close?how=never", gives_up(HERE), patience=1500),
    # The handshake. Pages are not told why it is refused, but the console is.
    *(case(f"/handshake?status={status}&body=later", not_taken(f"Unexpected response code: {status}"))
      for status in (200, 404, 503)),
    case("/handshake?status=401", ({"opened": False, "code": 1006, "error": True}, "HTTP Authentication failed")),
    case("/handshake?location=/echo", not_taken("Unexpected response code: 302")),  # it follows none
    case("/handshake?accept=wrong", not_taken("Incorrect 'Sec-WebSocket-Accept' header value")),
    case("/handshake?accept=missing", not_taken("'Sec-WebSocket-Accept' header is missing")),
    case("/handshake?accept=double", not_taken("'Sec-WebSocket-Accept' header must not appear more than once")),
    case("/handshake?accept=empty", not_taken("Incorrect 'Sec-WebSocket-Accept' header value")),
    case("/handshake?subprotocol=x",
         not_taken("Response must not include 'Sec-WebSocket-Protocol' header if not present in request: x")),
    case("/handshake?subprotocol=y", not_taken("'Sec-WebSocket-Protocol' header value 'y' in response does not match"),
         subprotocols=["a", "b"]),
    case("/handshake?subprotocol=",
         not_taken("Sent non-empty 'Sec-WebSocket-Protocol' header but no response was received"),
         subprotocols=["a", "b"]),
    case("/handshake?subprotocol=b", replies(HERE, subprotocol="b"), subprotocols=["a", "b"]),
    case("/handshake?extension=x-nobody", not_taken("Found an unsupported extension 'x-nobody'")),
    case("/handshake?extension=permessage-deflate;bogus=1",
         not_taken("Error in permessage-deflate: Received an unexpected permessage-deflate extension parameter")),
    case("/handshake?extension=", replies(HERE, extensions="")),
    case("/handshake?pad=64k", replies(HERE)),
    case("/handshake?pad=300k", not_taken("net::ERR_RESPONSE_HEADERS_TOO_BIG")),
    case("/handshake?extra=8102:6869", replies("hi", HERE), until=2),
    case("/handshake?nonsense=1", not_taken("Unexpected response code: 400")),
    # Time; how long is looked at below.
    case("/echo?stall=both", gives_up(), patience=1500),
    case("/ticker?interval=5&stall=read", gives_up("0", "1"), send=[], until=2, patience=1500),  # as for its Close
    case("/ticker?interval=5&stall=write", gives_up(), send=[], patience=1500),
    case("/echo?pong=never&pongs=5&ping_rate=500&delay=50", replies(HERE)),
    # The order of replies.
    case("/echo?drop=3", replies(*"12457"), send=list("1234567"), until=5),
    case("/echo?double=3", replies(*"123345667"), send=list("1234567"), until=9),
    case("/echo?swap=3", replies(*"1243576"), send=list("1234567"), until=7),
    # Compression, which it always offers.
    case("/echo?compression=decline", replies(LONG, extensions=""), send=[LONG]),
    *(case(f"/echo?{query}", replies(LONG, LONG, extensions=f"{DEFLATE}; {query.replace('=yes', '')}"),
           send=[LONG, LONG], until=2)
      for query in ("server_no_context_takeover=yes", "client_no_context_takeover=yes", "server_max_window_bits=8",
                    "server_max_window_bits=9", "client_max_window_bits=8", "client_max_window_bits=9")),
    *(case(f"/echo?{query}", replies(LONG, LONG, extensions=DEFLATE), send=[LONG, LONG], until=2)
      for query in ("compression=force", "stream=stored", "stream=bfinal")),
    case("/echo?stream=bad", fails("Invalid frame header")),
    case("/echo?stream=flagged", fails("Invalid frame header")),
    # Missed: half a message is a message. Only what follows it does not inflate.
    case("/echo?stream=cut", replies("hellh"), send=["hello hello hello hello"]),
    case("/echo?stream=cut&seed=1", ({"code": 1006, "error": True}, "Invalid frame header"),
         send=["hello hello hello hello"] * 2, until=2),
    # It has no bound that a page could set.
    case("/bomb?size=20m", replies(digest(bytes(20 << 20)), HERE), until=2),
    # Streams.
    case("/ticker?interval=5&count=4", ended(1000, "counted up", tuple("0123")), send=[], until=9),
    case("/ticker?interval=60000", ended(1000), send=["closeme"]),
    case("/", ended(1000, "counted up", ("0", "1")), subprotocols=["ticker&interval~5&count~2"], until=9),
    case("/burst?count=3&size=4", replies("0 ..", "1 ..", "2 .."), send=[], until=3),
    case("/bytes?size=1m", replies(digest(bytes(range(256)) * 4096), told(bytes(range(256)) * 4096, 16)), send=[],
         until=2),
    case("/bytes?size=1m&type=text&pattern=zeros&frame=0",
         replies(digest(b"0" * (1 << 20), "text"), told(b"0" * (1 << 20), 1)), send=[], until=2),
]  # fmt: skip


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
def page(browser: Browser, server: Daemon) -> Iterator[Page]:
    """A page of the daemon's."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.http)
    yield page
    context.close()


def connections(page: Page, *cases: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what came of each connection, with what the console said of it."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    found: list[dict[str, Any]] = page.evaluate(CONNECT, list(cases))
    for each in found:
        start = f"WebSocket connection to '{each['url']}' failed: "
        each["console"] = "".join(text.removeprefix(start) for text in said if text.startswith(start))
    return found


@pytest.fixture(scope="module")
def outcomes(page: Page, server: Daemon) -> list[dict[str, Any]]:
    """What came of each of CASES, all in one page."""
    return connections(page, *({**each.asked, "url": server.ws + each.path} for each in CASES))


def test_every_wrong_frame_is_known_here() -> None:
    assert set(FRAMES) == set(WRONG)


@pytest.mark.parametrize("number", range(len(CASES)), ids=[each.id for each in CASES])
def test_the_browser_notices(outcomes: list[dict[str, Any]], number: int) -> None:
    """The behaviour is noticed as the table says: by an error with a message in the console, or by what comes."""
    seen, expected = outcomes[number], CASES[number].expected
    assert {key: seen.get(key) for key in expected} == expected
    assert seen["console"].startswith(CASES[number].console)
    assert bool(seen["console"]) == bool(CASES[number].console)


def test_nothing_comes_sooner_than_the_url_says(page: Page, server: Daemon) -> None:
    """Nothing but the lower bound is certain."""
    bounds = {
        "/handshake?wait=150": ("openedAfter", 140),
        "/handshake?dribble=1": ("openedAfter", 110),  # over 120 bytes
        "/close?after=150": ("closedAfter", 140),
        "/echo?delay=150": ("enoughAfter", 140),
        "/echo?delay=100&jitter=1000&seed=1": ("enoughAfter", 230),  # chance begins with 0.134 there
        "/echo?throttle=200": ("enoughAfter", 40),
        "/echo?drip=10": ("enoughAfter", 130),
    }
    asked = [{"url": server.ws + path, "send": [HERE], "until": int("after" not in path)} for path in bounds]
    for seen, (what, milliseconds) in zip(connections(page, *asked), bounds.values(), strict=True):
        assert not seen["error"], seen
        assert seen[what] >= milliseconds, seen


def test_the_same_seed_gives_the_same_bytes(page: Page, server: Daemon) -> None:
    """Random ones, and corrupt ones."""
    for path, until in (("bytes?size=1000&pattern=random", 2), ("echo?corrupt=2", 4)):
        asked = [{"url": f"{server.ws}/{path}&seed={seed}", "send": [HERE] * 4, "until": until} for seed in (1, 1, 2)]
        first, second, other = (each["messages"] for each in connections(page, *asked))
        assert first == second != other
    assert [message == HERE for message in first] == [True, False, True, False]


def test_a_sink_tells_what_came_in(page: Page, server: Daemon) -> None:
    """After so many messages; and a last time behind the page's Close, which the page does not see any more."""
    send = ["1", "22", LONG, "4"]
    (seen,) = connections(page, {"url": f"{server.ws}/sink?per=2&every=60000", "send": send, "until": 2})
    reports = [json.loads(message) for message in seen["messages"][:2]]
    assert [(each["messages"], each["bytes"]) for each in reports] == [(2, 3), (4, len("".join(send)))]
    assert (seen["code"], seen["clean"]) == (1000, True)


def test_what_is_not_read_stays_with_the_page(page: Page, server: Daemon) -> None:
    """It has to look at bufferedAmount to notice; nothing else tells it."""
    # More than the kernel holds of a connection that nobody reads from.
    asked = {"url": f"{server.ws}/echo?stall=read&compression=decline", "send": [{"size": 16 << 20}], "patience": 1000}
    (seen,) = connections(page, asked)
    assert (seen.get("gaveUp"), seen["error"], seen["console"]) == (True, False, "")
    assert seen["buffered"] > 0


def test_inspect_shows_the_browser(browser: Browser, server: Daemon) -> None:
    """Its headers, TLS and masking keys."""
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    page.goto(server.https)
    asked = {"url": f"{server.wss}/inspect", "send": ["hello", LONG], "subprotocols": ["a", "b"], "until": 3}
    (seen,) = connections(page, asked)
    context.close()
    handshake, hello = (json.loads(message) for message in seen["messages"][:2])
    headers = dict(handshake["headers"])
    assert headers["Origin"] == server.https
    assert "HeadlessChrome" in headers["User-Agent"]
    assert headers["Sec-WebSocket-Extensions"] == f"{DEFLATE}; client_max_window_bits"
    assert headers["Sec-WebSocket-Protocol"] == "a, b"
    assert (handshake["subprotocol"], handshake["extensions"], handshake["tls"]["version"]) == ("a", DEFLATE, "TLSv1.3")
    assert (hello["text"], hello["size"], hello["frame_count"]) == ("hello", 5, 1)
    assert len(hello["frames"][0]["masking_key"]) == 8


def test_status_tells_of_this_page(page: Page, server: Daemon) -> None:
    """A page of the daemon's own may know; who they are it does not say."""
    (seen,) = connections(page, {"url": f"{server.ws}/status", "until": 1})
    told = json.loads(seen["messages"][0])
    (you,) = [each for each in told["conns"] if each["number"] == told["you"]]
    assert (you["peer"], you["subprotocol"]) == ("hidden", "status")


def test_status_tells_pages_of_other_sites_nothing(browser: Browser, server: Daemon) -> None:
    context = browser.new_context()
    (seen,) = connections(context.new_page(), {"url": f"{server.ws}/status", "until": 1})
    context.close()
    assert (seen["opened"], seen["code"]) == (False, 1006)
    assert seen["console"] == "Error during WebSocket handshake: Unexpected response code: 403"
