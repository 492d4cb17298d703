"""wsproto as a client of the site in memory, on its Clock: seconds pass in no time."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from wsproto import events
from wsproto.connection import ConnectionType
from wsproto.handshake import H11Handshake
from wsproto.utilities import RemoteProtocolError

from tests.cases.vocabulary import Case, Ping, Zeros, shown
from tests.support.memory import MemorySite, Peer
from tests.support.oracle import Deflate, Oracle


class Visit:
    """One connection of wsproto's: `seen` is what it saw, once `run` returns."""

    def __init__(self, site: MemorySite, case: Case) -> None:
        self._clock: Clock = site.clock
        self._peer: Peer = site.connect()
        self._case = case
        outcome = case.outcome("wsproto")
        assert outcome is not None
        self._outcome = outcome
        self._until = case.until("wsproto")
        self._deadline = site.clock.seconds() + outcome.patience["connecting"] / 1000
        self._begun = site.clock.seconds()
        self._head = b""
        self._oracle: Oracle | None = None
        self._taken = 0
        self._is_closing = False
        self._is_over = False
        self.seen: dict[str, Any] = {
            "opened": False, "messages": [], "pings": [], "pongs": [], "behind": [], "error": None, "gave_up": False,
            "subprotocol": None, "extensions": "", "code": 1006, "at": {},
        }  # fmt: skip

    def run(self) -> dict[str, Any]:
        """Connect, and see what comes until the end, or until patience is lost."""
        offer = self._case.deflate
        extensions = [Offer(offer if isinstance(offer, dict) else {})] if offer else []
        self._handshake = H11Handshake(ConnectionType.CLIENT)
        origin = [(b"Origin", self._case.origin.encode())] if self._case.origin else []
        asks = events.Request("localhost", self._case.url, list(extensions), origin, list(self._case.offers))
        self._peer.send(self._handshake.send(asks))
        while not self._is_over:
            self._take()
            now, calls = self._clock.seconds(), self._clock.getDelayedCalls()
            if now >= self._deadline:
                self._lose_patience()
            else:  # on to what is due next
                due = min([self._deadline, *(call.getTime() for call in calls)])
                self._clock.advance(max(0.0, due - now))
        self._peer.hang_up()
        return self.seen

    def _lose_patience(self) -> None:
        """Close, where that is what was waited for, or give up."""
        self.seen["gave_up"] = True
        if self._oracle is None or self._is_closing:
            self._is_over = True
        else:
            self._close()

    def _take(self) -> None:
        """Take what came, and do what it asks for."""
        while (data := self._peer.take()) and not self._is_over:
            if self._oracle is None:
                data = self._take_head(data)
            if self._oracle is not None:
                self._oracle.feed(data)
                self._note(self._oracle)
        if self._peer.is_ended() and not self._is_over:
            self._end()

    def _take_head(self, data: bytes) -> bytes:
        """Take a part of the response; returns what is behind it."""
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if not end:
            return b""
        is_taken = head.startswith(b"HTTP/1.1 101 ")
        try:
            self._handshake.receive_data(head + end if is_taken else self._head)
            found = list(self._handshake.events())
        except (RemoteProtocolError, ValueError) as error:
            self.seen["error"] = str(error)
            self._end()
            return b""
        if not is_taken:
            self._refused(found)
            return b""
        (accepted,) = found
        assert isinstance(accepted, events.AcceptConnection)
        lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")]
        agreed = next((value for name, _, value in lines if name == "Sec-WebSocket-Extensions"), "")
        self._oracle = Oracle(client=True, extensions=agreed, limit=self._case.max_size or 1 << 40)
        self._mark("opened")
        self._deadline = self._clock.seconds() + self._outcome.patience["open"] / 1000
        self.seen |= {"opened": True, "subprotocol": accepted.subprotocol, "extensions": agreed}
        for message in self._case.sends:
            if isinstance(message, Ping):
                self._send(events.Ping(message.payload.encode()))
            else:
                self._send(events.Message(bytes(message.size) if isinstance(message, Zeros) else message))
        self._count()
        return rest

    def _refused(self, found: list[events.Event]) -> None:
        """Note a refusal."""
        response = found[0]
        assert isinstance(response, events.RejectConnection)
        headers = {bytes(name): bytes(value).decode() for name, value in response.headers}
        self.seen["status"] = response.status_code
        self.seen["location"] = headers.get(b"location")
        self.seen["body"] = b"".join(each.data for each in found if isinstance(each, events.RejectData)).decode()
        self._end()

    def _note(self, oracle: Oracle) -> None:
        """Note the events that are new, and close once there are enough of them."""
        while self._taken < len(oracle.events):
            kind, content = oracle.events[self._taken]
            self._taken += 1
            if kind in ("text", "binary"):
                message = content.decode() if kind == "text" else content
                self.seen["behind" if self._is_closing else "messages"].append(shown(message))
            elif kind in ("ping", "pong"):
                self.seen[kind + "s"].append(content.decode())
                if kind == "ping" and not self._is_closing:
                    self._send(events.Pong(content))
            elif kind == "fail":
                self.seen["error"] = str(content)
                self._is_over = True
                return
            else:
                self.seen |= {"code": content, "reason": oracle.reason}
                if not self._is_closing:
                    self._send(events.CloseConnection(1000 if content == 1005 else content, oracle.reason))
                self._end()
                return
            self._count()

    def _count(self) -> None:
        """Close, or wait for more, once there is enough."""
        is_enough = all(len(self.seen[what]) >= count for what, count in self._until.items())
        if not is_enough or self._outcome.linger is None or "enough" in self.seen["at"]:
            return
        self._mark("enough")
        if self._outcome.linger == 0:
            self._close()
        else:
            self._deadline = self._clock.seconds() + self._outcome.linger / 1000

    def _close(self) -> None:
        self._is_closing = True
        self._deadline = self._clock.seconds() + self._outcome.patience["closing"] / 1000
        self._send(events.CloseConnection(1000, "enough"))

    def _send(self, event: events.Event) -> None:
        assert self._oracle is not None
        self._peer.send(self._oracle.send(event))

    def _end(self) -> None:
        self._mark("closed")
        self._is_over = True

    def _mark(self, event: str) -> None:
        self.seen["at"][event] = round((self._clock.seconds() - self._begun) * 1000)


class Offer(Deflate):
    """permessage-deflate as other clients offer it: with a window that the server may choose."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        super().__init__()
        self._given = {"client_max_window_bits": True, **parameters}

    def offer(self) -> bool | str:
        """Return the parameters of the offer, or True where there are none."""
        given = [(name, value) for name, value in self._given.items() if value]
        return "; ".join(name if value is True else f"{name}={value}" for name, value in given) or True
