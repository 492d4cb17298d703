"""The target and the Host of a request."""

from __future__ import annotations

import pytest

from wsdaemon.origins import names_server
from wsdaemon.site.site import origin_form


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://host/echo?x=y", b"/echo?x=y"),
        (b"HTTPS://host:1/", b"/"),
        (b"ws://host", b"/"),
        (b"http://host?x=http://other/", b"/?x=http://other/"),
        (b"/http://host/", b"/http://host/"),
        (b"ftp://host/", b"ftp://host/"),
        (b"*", b"*"),
    ],
)
def test_a_target_may_be_a_whole_url(target: bytes, path: bytes) -> None:
    """A request whose target is a URL (RFC 9112 section 3.2.2) is one for its path."""
    assert origin_form(target) == path


@pytest.mark.parametrize(
    ("target", "hosts", "is_ours"),
    [
        (b"/", [b"site.test"], True), (b"/", [b" SITE.test:443\t"], True), (b"/", [b"other"], False), (b"/", [], False),
        (b"/", [b"site.test", b"other"], False), (b"http://site.test/x", [b"site.test"], True),
        (b"http://other/x", [b"site.test"], False), (b"http://other?x", [b"site.test"], False),
        (b"/://other/", [b"site.test"], True), (b"http://site.test", [], True), (b"/", [b"\xff"], False),
    ],
)  # fmt: skip
def test_the_names_of_the_server(target: bytes, hosts: list[bytes], is_ours: bool) -> None:
    """If names are configured, the Host and the host of a URL must be among them; otherwise any host is accepted."""
    assert names_server(target, hosts, True, ["site.test"]) is is_ours
    assert names_server(target, hosts, True, [])
