"""Public interface of the client: WebSocket connections from Twisted code (docs/client.md).

The package also holds `wsping`, which is built on it.
"""

from __future__ import annotations

from wsdaemon.client.connect import connect
from wsdaemon.client.connection import ClientConnection, Listener
from wsdaemon.client.errors import CannotConnect, ClientError, HandshakeRefused, HandshakeTimeout
from wsdaemon.client.events import Frame, HandshakeTimes
from wsdaemon.client.target import Target, parse_target, proxy_from_environment

__all__ = [
    "CannotConnect",
    "ClientConnection",
    "ClientError",
    "Frame",
    "HandshakeRefused",
    "HandshakeTimeout",
    "HandshakeTimes",
    "Listener",
    "Target",
    "connect",
    "parse_target",
    "proxy_from_environment",
]
