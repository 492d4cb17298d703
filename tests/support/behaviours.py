"""The catalogue of behaviours, as anybody can read it."""

from __future__ import annotations

from typing import Any

from wsdaemon.routing.catalogue import Catalogue
from wsdaemon.routing.registry import find_all
from wsdaemon.settings import BehaviourSettings

DOCUMENT: dict[str, Any] = Catalogue(find_all(), BehaviourSettings()).document()


def parameters_of(behaviour: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all parameters that a behaviour takes."""
    groups = [DOCUMENT["groups"][name]["parameters"] for name in behaviour["groups"]]
    return [*behaviour["parameters"], *(each for group in groups for each in group)]
