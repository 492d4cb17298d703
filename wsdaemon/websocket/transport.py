"""What a connection may ask of its transport, and nothing else, so that more than TCP and TLS can carry it."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.interfaces import ISSLTransport


class Transport(Protocol):
    """A byte stream to one peer that pauses its producer while it cannot send (`IPushProducer`)."""

    def write(self, data: bytes) -> None:
        """Send, now or later, in order."""

    def loseConnection(self) -> None:
        """Send what is written, then end the stream."""

    def abortConnection(self) -> None:
        """End the stream at once."""

    def getPeer(self) -> Any:
        """Return the peer's address."""

    def getHost(self) -> Any:
        """Return the own address."""

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Tell `producer` when to pause and when to go on."""

    def unregisterProducer(self) -> None:
        """Tell no one any more."""

    def pauseProducing(self) -> None:
        """Read nothing from the peer."""

    def resumeProducing(self) -> None:
        """Read from the peer again."""


def abort_connection(transport: Transport) -> None:
    """End the stream at once."""
    transport.abortConnection()


def lose_connection(transport: Transport) -> None:
    """Send what is written, then end the stream."""
    transport.loseConnection()


def finish_sending(transport: Transport) -> None:
    """Send what is written and that nothing follows, and go on reading until the peer ends the stream too.

    On TCP that is a half-close. TLS does as much when it is told to end: it waits for the peer's close_notify.
    """
    half_close = getattr(transport, "loseWriteConnection", None)
    if half_close is not None and not ISSLTransport.providedBy(transport):
        half_close()
    else:
        transport.loseConnection()
