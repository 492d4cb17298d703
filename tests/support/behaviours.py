"""The catalogue of behaviours, as anybody can read it, and what a handshake is answered with."""

from __future__ import annotations

from typing import Any

from tests.support.memory import MemorySite, Peer
from tests.support.wire import request
from wsdaemon.routing.catalogue import Catalogue
from wsdaemon.routing.registry import find_all
from wsdaemon.settings import BehaviourSettings

DEFLATE = "permessage-deflate"


CATALOGUE = Catalogue(find_all(), BehaviourSettings())
DOCUMENT: dict[str, Any] = CATALOGUE.document()


def enabled_in(*names: str) -> dict[str, Any]:
    """Return the catalogue's document where these families and behaviours are enabled."""
    document: dict[str, Any] = Catalogue(find_all(), BehaviourSettings(enabled=names)).document()
    return document


def parameters_of(behaviour: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all parameters that a behaviour takes."""
    groups = [DOCUMENT["groups"][name]["parameters"] for name in behaviour["groups"]]
    return [*behaviour["parameters"], *(each for group in groups for each in group)]


def ask(path: str, ini: str = "", **more: str) -> Peer:
    """Return the client's end of a connection on which a handshake was sent."""
    peer = MemorySite(ini).connect()
    peer.send(request(path, **more))
    return peer


def why(peer: Peer) -> str:
    """Return the body of the 400 that was sent."""
    head, _, body = peer.take().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 "), head
    return body.decode()


def status(site: MemorySite, target: str, **options: str) -> tuple[int, bytes]:
    """Return the status that a handshake is answered with, 0 where it waits, and the rest of the answer."""
    peer = site.connect()
    peer.send(request(target, **options))
    head, _, body = peer.take().partition(b"\r\n\r\n")
    peer.hang_up()
    return int(head[9:12]) if len(head) > 12 else 0, body
