"""TCP that sends at once, and what belongs to one chunk of input in one go.

What is written while a chunk of input is worked on goes out right behind it, in one system call
(`wsdaemon.websocket.eager` says what that saves).
"""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.tcp import Connection
from zope.interface import implementer

from wsdaemon.client.target import Target, parse_proxy
from wsdaemon.websocket.eager import can_be_eager, sent_at_once

_P = TypeVar("_P")


def eager_endpoint(target: Target, reactor: Any) -> IStreamClientEndpoint:
    """Return where to open TCP to for a target, as `wsdaemon.client.connect` chooses it, and sending at once."""
    host, port = target.tcp_address if target.proxy is None else parse_proxy(target.proxy)[:2]
    return EagerEndpoint(HostnameEndpoint(reactor, host, port, timeout=target.timeout))


@implementer(IStreamClientEndpoint)
class EagerEndpoint:
    """Connects as another endpoint does; where that gives TCP, it sends at once."""

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect."""
        connected: Deferred[IProtocol] = self._endpoint.connect(protocolFactory)
        return connected.addCallback(_send_at_once)


def _send_at_once(protocol: _P) -> _P:
    transport = getattr(protocol, "transport", None)
    if isinstance(transport, Connection) and can_be_eager():
        make_eager(transport)
    return protocol


def make_eager(tcp: Any) -> None:
    """Let a TCP transport of Twisted's send at once; its `write` and `doRead` are replaced."""
    later, read = tcp.write, tcp.doRead
    held: list[bytes] = []
    reading = False

    def write(data: bytes) -> None:
        if reading:
            held.append(data)
        else:
            send(data)

    def send(data: bytes) -> None:
        sent = sent_at_once(tcp, data)
        if sent < len(data):
            later(data[sent:] if sent else data)

    def do_read() -> Any:
        nonlocal reading
        reading = True
        try:
            return read()
        finally:
            reading = False
            if held:
                data = held[0] if len(held) == 1 else b"".join(held)
                held.clear()
                send(data)

    tcp.write, tcp.doRead = write, do_read
