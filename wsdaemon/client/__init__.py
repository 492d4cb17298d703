"""The client: connecting to any WebSocket endpoint, checking what comes back, measuring, reporting."""

from __future__ import annotations

from wsdaemon.client.connect import connect
from wsdaemon.client.connection import ClientConnection, Frame, HandshakeTimes, Listener
from wsdaemon.client.errors import CannotConnect, ClientError, HandshakeRefused, HandshakeTimeout
from wsdaemon.client.target import Target, parse_target

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
]
