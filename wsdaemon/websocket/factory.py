"""The factory of one subprotocol's connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autobahn.twisted.websocket import WebSocketServerFactory

from wsdaemon.settings import WebSocketSettings
from wsdaemon.websocket.compression import accept_first
from wsdaemon.websocket.hub import Hub

if TYPE_CHECKING:
    from wsdaemon.websocket.connection import Connection


class ConnectionFactory(WebSocketServerFactory):
    """Makes the connections of one subprotocol."""

    noisy = False

    def __init__(self, subprotocol: type[Connection], settings: WebSocketSettings, hub: Hub) -> None:
        super().__init__(server="")
        self.protocol = subprotocol
        self.name = subprotocol.names[-1]
        self.settings = settings
        self.hub = hub
        self.setProtocolOptions(
            versions=[13],
            webStatus=False,
            failByDrop=False,
            echoCloseCodeReason=True,
            allowNullOrigin=True,
            # The deadlines are ours: they run on the hub's clock, hold in every state, and end what Autobahn's do not.
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            perMessageCompressionAccept=self._accept_compression,
        )

    def _accept_compression(self, offers: list[Any]) -> Any:
        return accept_first(offers, self.settings.compression_window) if self.settings.compression else None
