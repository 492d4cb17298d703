"""Handshake: the answer to the opening handshake is refused, late or wrong."""

from __future__ import annotations

from wsdaemon.behaviours.answering import HandshakeParameters
from wsdaemon.behaviours.behaving import Behaving


class AwkwardHandshake(Behaving):
    """Echo, if the client takes the answer to its handshake."""

    names = ("handshake",)
    family = HandshakeParameters.family
    summary = "The opening handshake is refused, redirected, answered late, in drops or wrongly; then echo."
    example = "/handshake?status=503&body=come+back+later"
    rfc = "RFC 6455 section 4"
