"""Command line and TLS context of all peers."""

from __future__ import annotations

import argparse
import ssl

MAX_MESSAGE = 32 << 20
"""Largest message that each peer accepts, in bytes."""

BACKLOG = 4096
"""Listen backlog, the same as wsdaemon's, so that no peer is limited in a burst of handshakes."""


def arguments(*flags: str) -> argparse.Namespace:
    """Parse the command line of all peers; `flags` are further switches."""
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
    """Return the TLS context with the certificate of all servers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate, options.key)
    return context
