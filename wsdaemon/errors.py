"""Errors of the server, and who deals with them. The client's are in `wsdaemon.client.errors`.

StartupError             the daemon cannot start or reload; the text is for the operator
├── ConfigError          problems of the configuration, all at once (`wsdaemon.config`)
└── SubprotocolError     a subprotocol cannot be used (`wsdaemon.routing.registry`)

HandshakeRefused         the response to a handshake that fails (`wsdaemon.websocket.handshake`)

ValueError
├── ParameterError       a parameter in a URL; becomes a response of 400 (`wsdaemon.behaviours.parameters`)
└── PlanError            a load run that is not possible; becomes a usage error (`wsdaemon.load.plan`)
"""

from __future__ import annotations


class StartupError(Exception):
    """The daemon cannot start or reload. The text has a line for each problem, and names the option."""
