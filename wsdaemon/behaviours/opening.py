"""The opening handshake of a behaviour: what is answered, when, and how."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from wsdaemon.behaviours.answering import HandshakeParameters, acceptance, refusal
from wsdaemon.behaviours.compressing import CompressionParameters, force
from wsdaemon.behaviours.ending import Ending
from wsdaemon.behaviours.paced import STALLED
from wsdaemon.observe.tally import Cause
from wsdaemon.websocket.handshake import Handshake
from wsdaemon.websocket.transport import abort_connection, finish_sending

_EARLY = 1 << 16
"""How much a client may send before it is answered."""


class Opening(Ending):
    """A connection whose handshake is answered as its URL says."""

    _early = b""

    def accept(self, handshake: Handshake, subprotocol: str | None, early: bytes) -> None:
        """Answer the handshake as the URL asks for, and begin where the answer is a 101."""
        self.target = handshake.target
        self._early = early
        answer = self.given.of(HandshakeParameters)
        go_on = partial(self._answer, handshake, subprotocol)
        self.hub.answering.add(self)
        if answer.wait:
            self.deadlines.set("handshake", answer.wait / 1000, go_on)
        else:
            go_on()

    def _answer(self, handshake: Handshake, subprotocol: str | None) -> None:
        answer = self.given.of(HandshakeParameters)
        if self.hub.draining:
            self._end(abort_connection)
            return
        if answer.is_refusal:
            self._cause = f"refused with {answer.final_status}, as asked for"
            self.hub.tally.count(Cause.HANDSHAKE_ASKED, hundreds=answer.final_status // 100)
            self.hub.traffic.handshakes[answer.final_status] += 1
            self._dribble(refusal(answer), partial(self._end, finish_sending))
            return
        if answer.subprotocol is not None:
            subprotocol = answer.subprotocol
        if answer.extension is not None:
            extensions = answer.extension
        else:
            extensions = self.agree_on_extensions(handshake.extensions)
        self._dribble(acceptance(answer, handshake, subprotocol, extensions), self.accepted)

    def _dribble(self, data: bytes, done: Callable[[], None]) -> None:
        every = self.given.of(HandshakeParameters).dribble / 1000
        if not every:
            self.transport.write(data)
            done()
            return

        def drop(at: int) -> None:
            self.transport.write(data[at : at + 1])
            if at + 1 < len(data):
                self.deadlines.set("handshake", every, partial(drop, at + 1))
            else:
                done()

        self._hold()
        drop(0)

    def agree_on_extensions(self, header: str) -> str:
        """Agree on compression, as the URL asks for where it does."""
        how = self.given.of(CompressionParameters)
        if how == CompressionParameters() or not self.settings.compression:
            return super().agree_on_extensions(header)
        offers = self._parseExtensionsHeader(header) if header else ()
        self._perMessageCompress, extensions = force(how, offers, self.settings, self.hub.compressors)
        return extensions

    def accepted(self) -> None:
        """Begin: the answer is out."""
        self.deadlines.cancel("hold")
        self.hub.answering.discard(self)
        early, self._early = self._early, b""
        self.begin(early)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes from the transport; those before our answer wait for it, and some are never looked at."""
        if self._deaf or self.read_paused & STALLED:
            return
        if self.state == self.STATE_CONNECTING:
            self._early += data
            if len(self._early) > _EARLY:
                self.hub.tally.note(Cause.EARLY_DATA, "{peer}: sent much before it was answered", peer=self.peer)
                self.transport.abortConnection()
        else:
            super().dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let go of everything."""
        self.hub.answering.discard(self)
        super().connectionLost(reason)
