"""Echo with a query: every message comes back as the URL's parameters say."""

from __future__ import annotations

from wsdaemon.behaviours.behaving import Behaving
from wsdaemon.behaviours.timing import TimeParameters


class AwkwardEcho(Behaving):
    """`/echo?delay=200&fragment=3`: unlike echo's frames, messages are collected, up to `message_limit`."""

    names = ("echo-awkward",)
    path = "echo"
    family = TimeParameters.family
    summary = "Every message comes back, as all the parameters together say."
    example = "/echo?delay=200&jitter=50&throttle=10k"
    rfc = "RFC 6455 section 5"
