"""The listener that hears of a connection."""

from __future__ import annotations

from wsdaemon.client.connection import ClientConnection
from wsdaemon.client.events import Events


class Listener(Events):
    """What happens on a connection; subclass and override."""

    def opened(self, connection: ClientConnection) -> None:
        """The connection is open."""
