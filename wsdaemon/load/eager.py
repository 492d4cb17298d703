"""The client's TCP transport: sends at once, and all replies to one chunk of input together.

What is written while a chunk is processed goes out behind it in one system call (`wsdaemon.websocket.eager` says what
that saves).
"""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from wsdaemon.client import Target
from wsdaemon.client.connect import tcp_endpoint
from wsdaemon.websocket.eager import EagerConnection

_P = TypeVar("_P")


def eager_endpoint(target: Target, reactor: Any) -> IStreamClientEndpoint:
    """Return an endpoint for a target's TCP connection, as `wsdaemon.client.connect` chooses it, that sends at once."""
    return EagerEndpoint(tcp_endpoint(target, reactor))


@implementer(IStreamClientEndpoint)
class EagerEndpoint:
    """Connects by another endpoint; a TCP transport of that sends at once."""

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect."""
        connected: Deferred[IProtocol] = self._endpoint.connect(protocolFactory)
        return connected.addCallback(_send_at_once)


def _send_at_once(protocol: _P) -> _P:
    transport: Any = getattr(protocol, "transport", None)
    if type(transport) is tcp.Client and transport.connected and not transport.disconnecting:
        transport.__class__ = EagerClient  # the reactor makes only its own class
        transport.doWrite()  # what is queued by now goes first
    return protocol


class EagerClient(EagerConnection, tcp.Client):
    """A client's end."""

    _corked: list[bytes] | None = None

    def write(self, data: bytes) -> None:
        """Send bytes, behind the chunk of input that is being processed."""
        if self._corked is None:
            super().write(data)
        else:
            self._corked.append(data)

    def doRead(self) -> Any:
        """Read once, then send what was written meanwhile."""
        corked = self._corked = []
        try:
            return super().doRead()
        finally:
            self._corked = None
            if corked:
                self.write(corked[0] if len(corked) == 1 else b"".join(corked))
