"""Close: the server ends the connection, in any way there is."""

from __future__ import annotations

from wsdaemon.behaviours.behaving import Behaving
from wsdaemon.behaviours.closing import CloseParameters


class Close(Behaving):
    """Echo, until the connection ends: at once, after a time, or after some replies."""

    names = ("close",)
    family = CloseParameters.family
    closes = True
    summary = "The server ends the connection: with any code or none, without a Close, in a frame's middle, or never."
    example = "/close?code=1013&reason=try+again+later&after=500"
    rfc = "RFC 6455 section 7"
