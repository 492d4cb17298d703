"""What the peers share: their command line and their TLS context."""

from __future__ import annotations

import argparse
import ssl

MAX_MESSAGE = 32 << 20
"""The largest message that every peer has to take, in bytes."""

BACKLOG = 4096
"""How many connections wait for `accept`, as many as wsdaemon has: a burst of handshakes is to be no peer's limit."""


def arguments(*flags: str) -> argparse.Namespace:
    """Parse the command line that all peers have; `flags` are further ones, without a value."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tls-port", type=int, required=True)
    parser.add_argument("--files-port", type=int, required=True)
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--files", required=True)
    for flag in flags:
        parser.add_argument(flag, action="store_true")
    return parser.parse_args()


def tls_context(options: argparse.Namespace) -> ssl.SSLContext:
    """Return the TLS context of the certificate that all servers use."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate, options.key)
    return context
