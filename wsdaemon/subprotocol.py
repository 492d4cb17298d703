"""Public interface for subprotocols: everything that a package with its own subprotocols imports.

A subprotocol subclasses `Connection`; its options are the fields of a subclass of `WebSocketSettings`, each declared
with `option` and a `Kind`. docs/subprotocols.md has an example and says how long a name stays.
"""

from __future__ import annotations

from wsdaemon.options import (
    Choice,
    Hosts,
    Kind,
    Lines,
    Location,
    Number,
    Origins,
    Seconds,
    Size,
    Switch,
    Text,
    Words,
    option,
)
from wsdaemon.settings import StreamingSettings, WebSocketSettings
from wsdaemon.websocket.codes import CloseCode, Opcode
from wsdaemon.websocket.connection import Connection

__all__ = [
    "Choice",
    "CloseCode",
    "Connection",
    "Hosts",
    "Kind",
    "Lines",
    "Location",
    "Number",
    "Opcode",
    "Origins",
    "Seconds",
    "Size",
    "StreamingSettings",
    "Switch",
    "Text",
    "WebSocketSettings",
    "Words",
    "option",
]
