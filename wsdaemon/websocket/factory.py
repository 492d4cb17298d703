"""The factory of one subprotocol's connections."""

from __future__ import annotations

from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory

from wsdaemon.settings import WebSocketSettings
from wsdaemon.websocket.autobahn_facts import SERVER_OPTIONS, starting_state
from wsdaemon.websocket.connection import Connection
from wsdaemon.websocket.hub import Hub


class ConnectionFactory(WebSocketServerFactory):
    """Makes the connections of one subprotocol."""

    noisy = False

    def __init__(self, subprotocol: type[Connection], settings: WebSocketSettings, hub: Hub) -> None:
        super().__init__(server="")
        self.settings = settings
        self.setProtocolOptions(**SERVER_OPTIONS)
        # What all connections have in common is on the class, as every message looks at it.
        shared = {
            "factory": self, "settings": settings, "hub": hub, "subprotocol": subprotocol.names[-1],
            "is_fast": subprotocol.takes_whole_messages and not hub.verbose,
        }  # fmt: skip
        self.protocol: type[Any] = type(subprotocol.__name__, (subprotocol,), {**starting_state(), **shared})

    def make(self, *asked: object) -> Connection:
        """Return a new connection; `asked` is what the URL asks of a behaviour."""
        connection: Connection = self.protocol(*asked)
        return connection
