"""TCP transport of a client that sends at once.

What is written while a chunk of input is processed goes out afterwards in one system call (`wsdaemon.websocket.eager`
says what that saves).
"""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from wsdaemon.websocket.eager import EagerConnection

_P = TypeVar("_P")


@implementer(IStreamClientEndpoint)
class EagerEndpoint:
    """Endpoint that connects by another endpoint, and makes its TCP transport send at once."""

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect; fires with the protocol."""
        connected: Deferred[IProtocol] = self._endpoint.connect(protocolFactory)
        return connected.addCallback(_send_at_once)


def _send_at_once(protocol: _P) -> _P:
    transport: Any = getattr(protocol, "transport", None)
    if type(transport) is tcp.Client and transport.connected and not transport.disconnecting:
        transport.__class__ = EagerClient  # the reactor makes only its own class
        transport.doWrite()  # what is queued by now goes first
    return protocol


class EagerClient(EagerConnection, tcp.Client):
    """Client's end of a TCP connection."""

    _corked: list[bytes] | None = None

    def write(self, data: bytes) -> None:
        """Send bytes: at once, or once the chunk of input at hand is processed."""
        if self._corked is None:
            super().write(data)
        else:
            self._corked.append(data)

    def doRead(self) -> Any:
        """Read once, then send what was written during that; returns why the connection is lost, if it is."""
        corked = self._corked = []
        try:
            return super().doRead()
        finally:
            self._corked = None
            if corked:
                self.write(corked[0] if len(corked) == 1 else b"".join(corked))
