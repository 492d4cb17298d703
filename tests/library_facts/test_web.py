"""What the code relies on or works around in twisted.web: each fact fails when an upgrade changes it."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.web import http
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from tests.library_facts.test_transport import Producer
from tests.support.http_client import Response, Transport, request, take_response, wait
from tests.support.memory import MemorySite


class Stock:
    """A connection to a stock Site with one resource."""

    def __init__(self, resource: Resource, **options: Any) -> None:
        self.clock = Clock()
        site: Any = Site(resource, reactor=self.clock, **options)
        site.protocol = HTTPChannel  # without what may turn to HTTP/2
        self.transport = Transport()
        channel = site.buildProtocol(self.transport.getPeer())
        self.channel = self.transport.protocol = channel
        channel.makeConnection(self.transport)

    def ask(self, target: str, *headers: str) -> Response:
        """Return the response to a request, which may need turns of the reactor."""
        self.channel.dataReceived(request(target, *headers))
        found: list[Response] = []

        def is_there() -> bool:
            taken = take_response(self.transport.value(), ended=self.transport.gone)
            if taken is not None and taken[0].complete:
                found.append(taken[0])
            return bool(found)

        wait(is_there)
        self.transport.lose()
        return found[0]


class Keeping(Resource):
    """Keeps its requests and never responds."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Any] = []

    def render(self, request: Any) -> int:
        self.requests.append(request)
        return NOT_DONE_YET


class Plain(Resource):
    """Responds with a few bytes."""

    isLeaf = True

    def render(self, request: Any) -> bytes:
        return b"plain"


# -- the site ---------------------------------------------------------------------------------------------------------


def test_a_form_is_parsed_unless_switched_off() -> None:
    """A Site parses a form's fields into memory unless parsePOSTFormSubmission is off."""
    found = []
    for options in ({}, {"parsePOSTFormSubmission": False}):
        keeping = Keeping()
        head = request("/", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 3", method="POST")
        Stock(keeping, **options).channel.dataReceived(head + b"a=b")
        found.append(keeping.requests[0].args)
    assert found == [{b"a": [b"b"]}, {}]


def test_a_large_body_goes_to_disk() -> None:
    """A body is stored before a resource is asked, on disk if it is long: so the channel refuses it by its headers."""
    keeping = Keeping()
    stock = Stock(keeping)
    stock.channel.dataReceived(request("/", "Content-Length: 1000000000000", method="PUT") + bytes(1000))
    (waiting,) = stock.channel.requests
    assert keeping.requests == []
    assert waiting.content.fileno() >= 0
    assert waiting.content.tell() == 1000
    waiting.content.close()


def test_all_is_known_once_the_headers_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """By allHeadersReceived the channel knows the headers and the length, which our refusals look at."""

    def stop() -> None:
        raise StopIteration

    for more, length in (((), 0), (("Content-Length: 7",), 7), (("Transfer-Encoding: chunked",), None)):
        channel = Stock(Keeping()).channel
        monkeypatch.setattr(channel, "allHeadersReceived", stop)
        with pytest.raises(StopIteration):
            channel.dataReceived(request("/x", *more, method="PUT"))
        assert channel.length == length
        assert channel.requests[-1].requestHeaders.hasHeader("host")


def test_limits_of_headers() -> None:
    """Twisted's own limits, 16 KiB and 500 headers, refuse by `_respondToBadRequestAndDisconnect`: so ours are set."""
    assert (HTTPChannel.totalHeadersSize, HTTPChannel.maxHeaders, HTTPChannel.MAX_LENGTH) == (16384, 500, 16384)
    for limit in ("totalHeadersSize", "maxHeaders"):
        channel = Stock(Keeping()).channel
        setattr(channel, limit, 20)
        told: list[str] = []
        channel._respondToBadRequestAndDisconnect = lambda told=told, limit=limit: told.append(limit)
        channel.dataReceived(request("/", *["A: b"] * 30))
        assert told[0] == limit


def test_half_a_request_is_in_the_line_buffer() -> None:
    """A line that has not ended is in `_buffer`; the public `clearLineBuffer` would take it away."""
    channel = Stock(Keeping()).channel
    channel.dataReceived(b"GET / HT")
    assert channel._buffer == b"GET / HT"


def test_a_line_that_is_too_long_is_told() -> None:
    """lineLengthExceeded is called for a line over MAX_LENGTH before the line ends."""
    stock = Stock(Keeping())
    told: list[bytes] = []
    stock.channel.lineLengthExceeded = told.append
    stock.channel.dataReceived(b"x" * 16390)
    assert len(told) == 1


def test_a_bad_request_does_not_stop_the_parser() -> None:
    """After a 400, more bytes from the transport get more responses: so `refuse` ignores everything that follows."""
    keeping = Keeping()
    stock = Stock(keeping)
    stock.channel.dataReceived(b"nonsense\r\n")
    stock.channel.dataReceived(b"nonsense\r\n")
    stock.channel.dataReceived(b"\r\n")
    assert stock.transport.value().count(b"HTTP/1.1 400 ") == 2


def test_a_length_of_many_digits_raises() -> None:
    """A Content-Length of more digits than Python reads raises a ValueError out of headerReceived."""
    stock = Stock(Keeping())
    with pytest.raises(ValueError, match="digits"):
        stock.channel.dataReceived(request("/", "Content-Length: " + "9" * 5000))


def test_the_timeout_is_pushed_back() -> None:
    """A byte now and then pushes Twisted's own timeout back: so it is off, and ours cannot be pushed back."""
    stock = Stock(Keeping(), timeout=10)
    for _ in range(10):
        stock.channel.dataReceived(b"G")
        stock.clock.advance(9)
    assert not stock.transport.disconnecting
    stock.clock.advance(2)
    assert stock.transport.disconnecting


def test_what_follows_a_request_is_in_the_line_buffer() -> None:
    """While a request is rendered, `clearLineBuffer` returns what arrived behind it, and empties the buffer."""

    class Taking(Resource):
        isLeaf = True

        def render(self, request: Any) -> bytes:
            return bytes(request.channel.clearLineBuffer() + b"|" + request.channel.clearLineBuffer())

    stock = Stock(Taking())
    stock.channel.dataReceived(request("/") + b"\x81\x80\r\n1234")
    assert stock.transport.value().endswith(b"\r\n\r\n\x81\x80\r\n1234|")


def test_channel_is_its_transports_producer() -> None:
    """The channel is the transport's producer, which must be undone before the connection is handed over."""
    stock = Stock(Keeping())
    assert id(stock.transport.producer) == id(stock.channel)


def test_a_paused_channel_may_be_paused_again() -> None:
    """pauseProducing pauses the response's producer, even one that was registered after the channel was paused."""
    stock, producer = Stock(Keeping()), Producer()
    stock.channel.pauseProducing()
    stock.channel.registerProducer(producer, True)
    assert producer.told == []
    stock.channel.pauseProducing()
    stock.channel.resumeProducing()
    assert producer.told == ["pause", "resume"]


def test_the_next_request_waits_for_request_done() -> None:
    """Each pipelined request is parsed after `requestDone` for the one before: so it can be put off."""
    keeping = Keeping()
    stock = Stock(keeping)
    stock.channel.dataReceived(request("/1") + request("/2"))
    assert [each.path for each in keeping.requests] == [b"/1"]
    keeping.requests[0].finish()
    assert [each.path for each in keeping.requests] == [b"/1", b"/2"]


def test_http2_is_offered_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twisted's own site offers h2 by ALPN if h2 is installed; ours never does."""
    monkeypatch.setattr(http, "H2_ENABLED", True)
    assert b"h2" in Site(Resource()).acceptableProtocols()
    assert MemorySite().site.acceptableProtocols() == [b"http/1.1"]


def test_the_server_header_tells_the_version() -> None:
    """Twisted's own request names Twisted and guesses a type."""
    response = Stock(Plain()).ask("/")
    assert (response["server"] or "").startswith("TwistedWeb/")
    assert response["content-type"] == "text/html"
