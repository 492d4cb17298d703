"""TLS of the client: what the server's certificate has to name, and what SNI carries."""

from __future__ import annotations

import pytest
from service_identity.hazmat import DNS_ID, IPAddress_ID

from wsdaemon.client import parse_target
from wsdaemon.client.tls import ClientTls


@pytest.mark.parametrize(
    ("host", "server_name", "identity"),
    [
        ("example.org", b"example.org", DNS_ID("example.org")),
        ("127.0.0.1", None, IPAddress_ID("127.0.0.1")),
        ("[::1]", None, IPAddress_ID("::1")),
        ("[fe80::1%eth0]", None, IPAddress_ID("fe80::1")),
        ("127.0.0.01", b"127.0.0.01", DNS_ID("127.0.0.01")),
    ],
)
def test_a_server_is_verified_by_its_name_or_its_address(
    host: str, server_name: bytes | None, identity: DNS_ID | IPAddress_ID
) -> None:
    """Only a name is in SNI (RFC 6066 section 3); an IPv6 zone is neither in SNI nor in a certificate."""
    tls = ClientTls(parse_target(f"wss://{host}/", insecure=True))
    assert (tls.clientConnectionForTLS(None).get_servername(), tls._identity) == (server_name, identity)
