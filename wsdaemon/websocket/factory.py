"""The factory of one subprotocol's connections."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol

from wsdaemon.settings import WebSocketSettings
from wsdaemon.websocket.hub import Hub

if TYPE_CHECKING:
    from wsdaemon.websocket.connection import Connection


_OPTIONS = {
    "versions": [13],
    "webStatus": False,
    "failByDrop": False,
    "echoCloseCodeReason": True,
    "allowNullOrigin": True,
    # The deadlines are ours: they run on the hub's clock, hold in every state, and end what Autobahn's do not.
    "openHandshakeTimeout": 0,
    "closeHandshakeTimeout": 0,
}


class ConnectionFactory(WebSocketServerFactory):
    """Makes the connections of one subprotocol."""

    noisy = False

    def __init__(self, subprotocol: type[Connection], settings: WebSocketSettings, hub: Hub) -> None:
        super().__init__(server="")
        self.name = subprotocol.names[-1]
        self.settings = settings
        self.hub = hub
        self.setProtocolOptions(**_OPTIONS)
        own = {"settings": settings, "hub": hub}  # on the class, as every message looks at them
        self.protocol: type[Any] = type(subprotocol.__name__, (subprotocol,), {**_starting_state(), **own})
        self.protocol.is_fast = subprotocol.takes_whole_messages and not hub.verbose


@cache
def _starting_state() -> dict[str, Any]:
    """Return what Autobahn sets on every new connection, as attributes of a class.

    Autobahn sets some 60 of them one by one on each connection, and formats half of them for a log that nobody reads:
    much of the work of a handshake, and of a connection's memory. Here all connections begin with the same ones, made
    once in a process, and a connection stores only what differs. So these values must never be changed in place: those
    that Autobahn changes, `Engine` makes for each connection; the statistics, which nobody reads, are common to all.
    """
    connection = WebSocketServerProtocol()
    connection.factory = WebSocketServerFactory(server="")
    connection.factory.setProtocolOptions(**_OPTIONS)
    connection._connectionMade()
    state = vars(connection)
    for own in ("is_open", "is_closed", "_transport_details", "_results", "send_queue", "utf8validator", "factory"):
        del state[own]
    return {**state, "websocket_version": 13}
