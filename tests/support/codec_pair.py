"""One of our connections and the oracle: both get the same bytes and must report the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from twisted.internet.task import Clock

from tests.support.client_memory import Recorder as ClientRecorder
from tests.support.client_memory import opened
from tests.support.memory import Transport
from tests.support.oracle import Event, Oracle
from tests.support.wire import KEY
from wsdaemon.settings import LimitSettings, WebSocketSettings
from wsdaemon.subprotocols.assemble import EchoAssemble
from wsdaemon.websocket.autobahn_facts import CLOSED
from wsdaemon.websocket.factory import ConnectionFactory
from wsdaemon.websocket.handshake import Handshake, Request
from wsdaemon.websocket.hub import Hub

LATE = 15
"""One side may notice a fault at its first byte, the other after a header and a byte of payload."""


LOOKALIKE = b"\x81\x80\x82\x80"
"""A masking key that looks like an empty message to a parser that has lost its place."""

BAD_CODES = [0, 1, 999, 1004, 1005, 1006, 1014, 1015, 1016, 1100, 2000, 2999, 5000, 65535]
"""No Close frame may have one of these (RFC 6455 section 7.4), and 1014 is too young for either side."""


def octets(opcode: int, payload: bytes, key: bytes | None, *, fin: bool = True, rsv: int = 0, form: int = 0) -> bytes:
    """Return a frame, masked with a key or not; `form` is how many bytes its length takes at least: 0, 2 or 8."""
    length = len(payload)
    mask_bit = 0 if key is None else 0x80
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    form = max(form, 0 if length < 126 else 2 if length < 1 << 16 else 8)
    short = length if not form else 126 if form == 2 else 127
    header = bytes((first, mask_bit | short)) + (length.to_bytes(form, "big") if form else b"")
    if key is None:
        return header + payload
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes((key * (length // 4 + 1))[:length], "big")
    return header + key + mixed.to_bytes(length, "big")


def cut(data: bytes, places: list[float]) -> list[bytes]:
    """Return the data in pieces, possibly empty ones."""
    borders = [0, *sorted(int(place * len(data)) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(borders)]


@dataclass(frozen=True)
class Split:
    """How bytes are delivered: in pieces, some held back, with or without a turn of the loop between."""

    places: list[float]
    bytewise: bool
    kept: int
    settled: bool

    def pieces(self, data: bytes) -> list[bytes]:
        if not self.bytewise:
            return [piece for piece in cut(data, self.places) if piece]
        head, middle, tail = data[:150], data[150:-50], data[150:][-50:]
        return [bytes((byte,)) for byte in head] + [middle] * bool(middle) + [bytes((byte,)) for byte in tail]


class NotingServer(EchoAssemble):
    """Records what it sees and behaves as its base does."""

    def opened(self) -> None:
        self.seen: list[Event] = []

    def message_received(self, message: bytes, is_binary: bool) -> None:
        self.seen.append(("binary" if is_binary else "text", message))
        super().message_received(message, is_binary)

    def onPing(self, payload: bytes) -> None:
        if self.can_send:
            self.seen.append(("ping", payload))
        super().onPing(payload)

    def pong_received(self, payload: bytes) -> None:
        if self.can_send:
            self.seen.append(("pong", payload))


class ServerSide:
    """A server's connection; with `turns`, each step on its input takes a turn of the loop of its own."""

    is_client = False
    offers = ("", "permessage-deflate", "permessage-deflate; server_no_context_takeover; server_max_window_bits=10")

    def __init__(self, limit: int, offer: str, early: bytes, turns: bool, batch_size: int) -> None:
        self.clock = Clock()
        self.transport = Transport()
        hub = Hub(self.clock, LimitSettings(turn_budget=-1.0 if turns else 60.0))
        factory = ConnectionFactory(NotingServer, WebSocketSettings(message_limit=limit), hub)
        connection: Any = factory.make()
        connection.batch = batch_size
        self.connection: NotingServer = connection
        self.transport.protocol = connection
        connection.begin(
            Request(Handshake("/", "localhost", None, KEY.decode(), (), offer), None, None, early), self.transport
        )
        self.settle()
        head, _, self._sent = self.transport.value().partition(b"\r\n\r\n")
        self.transport.clear()
        marker = b"sec-websocket-extensions: "
        lines = [line for line in head.split(b"\r\n") if line.lower().startswith(marker)]
        self.extensions = lines[0][len(marker) :].decode() if lines else ""
        assert bool(self.extensions) == bool(offer)

    def seen(self) -> list[Event]:
        """Return the events and how the connection ended."""
        seen, closing = self.connection.seen, self.connection.closing
        if closing.state != CLOSED:
            return [*seen]
        return [*seen, ("close", closing.received) if closing.is_clean else ("fail", closing.sent)]

    def deliver(self, data: bytes) -> None:
        """Deliver bytes; deferred work is left to `settle`."""
        if not self.transport.gone:
            self.transport.protocol.dataReceived(data)

    def settle(self) -> None:
        """Do what was deferred to the next turn of the loop."""
        while any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls()):
            self.clock.advance(0)

    def sent(self) -> bytes:
        """Return what was sent since the last time."""
        sent: bytes = self._sent + self.transport.value()
        self._sent = b""
        self.transport.clear()
        return sent

    @staticmethod
    def answer_to(event: Event) -> Event | None:
        """Return what the other end receives in reply to the events."""
        kind, value = event
        answers = {"ping": "pong", "pong": "", "fail": "close"}
        return (answers.get(kind, kind), value) if answers.get(kind, kind) else None


class ClientSide:
    """A client's connection; it has no turns and no batches."""

    is_client = True
    offers = ("", "permessage-deflate", "permessage-deflate; server_no_context_takeover")

    def __init__(self, limit: int, offer: str, early: bytes, turns: bool, batch_size: int) -> None:
        self.extensions = offer
        listener = ClientRecorder(wants_frames=limit == 300)
        listener.message_limit = limit
        more = f"Sec-WebSocket-Extensions: {offer}\r\n" if offer else ""
        self._server = opened(more=more, listener=listener, compression="" if offer else None)
        self.connection = self._server.connection
        self._happened = listener.happened
        self._happened.clear()
        answer_ping = self.connection.onPing

        def note_ping(payload: bytes) -> None:
            self._happened.append(("ping", payload))
            answer_ping(payload)

        self.connection.onPing = note_ping  # type: ignore[method-assign]  # a listener hears of no ping
        self.deliver(early)

    def seen(self) -> list[Event]:
        """Return the events and how the connection ended."""
        events = [each if len(each) == 2 else ("binary" if each[1] else "text", each[0]) for each in self._happened]
        closing = self.connection.closing
        if closing.state == CLOSED and not closing.is_clean:
            return [*events, ("fail", closing.sent)]
        return [*events, ("close", closing.received)] if closing.received is not None else events

    def deliver(self, data: bytes) -> None:
        """Deliver bytes."""
        self._server.send(data)

    def settle(self) -> None:
        """Nothing is deferred."""

    def sent(self) -> bytes:
        """Return what was sent since the last time."""
        return self._server.take()

    @staticmethod
    def answer_to(event: Event) -> Event | None:
        """Return what the other end receives in reply to the events."""
        kind, value = event
        answers = {"ping": "pong", "fail": "close", "close": "close"}
        return (answers[kind], value) if kind in answers else None


class Pair:
    """Both of them, and a second oracle at the other end, which reads what our side sends."""

    def __init__(
        self,
        side: type[ServerSide | ClientSide],
        *,
        limit: int = 1 << 16,
        offer: int = 0,
        early: bytes = b"",
        turns: bool = False,
        batch_size: int = 256,
    ) -> None:
        """Begin; `offer` is the number of the side's offer, `early` comes with the handshake."""
        self.ours = side(limit, side.offers[offer], early, turns, batch_size)
        extensions = self.ours.extensions
        self.oracle = Oracle(client=side.is_client, extensions=extensions, limit=limit)
        self.reader = Oracle(client=not side.is_client, extensions=extensions)
        self.oracle.feed(early)
        self.kept = b""  # to be delivered with what comes next
        self.closing: list[Event] = []  # what had been when our side began to close, and that
        self.one_ended = False  # and the other has not yet
        self.behind = 0  # bytes since then
        self.compare()

    def deliver(self, data: bytes, split: Split) -> None:
        """Deliver to both and compare after each piece."""
        whole = self.kept + data
        end = max(0, len(whole) - split.kept)
        self.kept = whole[end:]
        pieces = split.pieces(whole[:end])
        for index, piece in enumerate(pieces):
            self.ours.deliver(piece)
            self.oracle.feed(piece)
            self.behind += len(piece) if self.one_ended else 0
            if split.settled or index == len(pieces) - 1:
                self.ours.settle()
                self.compare()

    def close(self, code: int) -> None:
        """Start a close from our side, unless the connection has ended."""
        if not self.oracle.ended and not self.one_ended and not self.closing:
            self.closing = [*self.oracle.events, ("close", code)]
            self.ours.connection.close(code)
            self.compare()

    def finish(self) -> None:
        """Deliver what was held back, and what a side still needs to see the end."""
        self.deliver(b"", Split([], False, 0, True))
        if self.one_ended and not self.settled:
            self.deliver(bytes(LATE), Split([], True, 0, True))

    def compare(self) -> None:
        """Both saw the same and, if both ended, ended with the same code."""
        ours, theirs = self.ours.seen(), self.oracle.events
        our_end = ours.pop() if ours and ours[-1][0] in ("close", "fail") else None
        their_end = self.oracle.ended
        told = (
            self.closing[:-1] if self.closing and not self.ours.is_client else theirs[: len(theirs) - bool(their_end)]
        )
        assert ours == told
        self.settled = our_end == their_end or self.may_differ(our_end, their_end)
        self.one_ended, was_so = bool(our_end) != bool(their_end), self.one_ended
        self.behind = self.behind if self.one_ended and was_so and not self.settled else 0
        assert self.settled or (self.one_ended and self.behind < LATE), (our_end, their_end, self.oracle.reason)
        self.compare_answers(self.closing or [*ours, our_end])

    def may_differ(self, our_end: Event | None, their_end: Event | None) -> bool:
        """Whether the ends differ for a known reason."""
        if self.closing and their_end is not None:
            # Who has begun to close looks only for the other's Close, not at the data before it (RFC 6455 section
            # 1.4: it is discarded); and has no second code to send.
            return their_end in (("fail", 1007), ("fail", 1009)) or (our_end is not None and our_end[0] == their_end[0])
        if self.ours.is_client and self.ours.connection.data and our_end is None:
            return True  # a short frame is held until it is whole, and only then is its text looked at
        # What is compressed may be refused by its frame's header, or when the first part of it is inflated.
        return bool(self.ours.extensions) and our_end == ("fail", 1009) and their_end is None

    def compare_answers(self, seen: Sequence[Event | None]) -> None:
        """The oracle at the other end receives what the events require."""
        self.reader.feed(self.ours.sent())
        answers = [self.ours.answer_to(event) for event in seen if event]
        assert self.reader.events == [answer for answer in answers if answer]
