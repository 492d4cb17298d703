"""Catalogue of behaviours: those of a server, their parameters, and their description for people.

The command, the JSON, the page, the lab and the docs all show what `Catalogue.document` returns. It is made from the
declarations that also read the parameters, so they cannot disagree.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

from wsdaemon import behaviours
from wsdaemon.behaviours.behaviour import Asked, Behaviour, Part
from wsdaemon.behaviours.parameters import Family, Given, ParameterError, describe, read_query
from wsdaemon.options import options_of
from wsdaemon.settings import BehaviourSettings
from wsdaemon.websocket.connection import Connection
from wsdaemon.websocket.handshake import Handshake, HandshakeRefused


class Catalogue:
    """Behaviours among all subprotocols, and which of them `[behaviours] enabled` enables."""

    def __init__(self, found: Iterable[type[Connection]], settings: BehaviourSettings) -> None:
        self.settings = settings
        self.all = [each for each in found if issubclass(each, Behaviour)]
        self.parts = find_parts()
        self.by_path = {name: each for each in self.all if self.is_there(each) for name in _paths(each)}
        """The enabled behaviours by the first segment of their URLs."""
        self.absent = {name for each in self.all for name in _paths(each)} - self.by_path.keys()
        """The paths of the others."""
        self._taken = {each: tuple(filter(self._is_enabled, self._parts_of(each))) for each in self.all}

    @property
    def families(self) -> list[Family]:
        """All families, in their order."""
        return sorted({each.family for each in (*self.all, *(part.parameters for part in self.parts))})

    def is_there(self, subprotocol: type[Connection]) -> bool:
        """Say whether a subprotocol is enabled; one that is no behaviour always is."""
        if not issubclass(subprotocol, Behaviour):
            return True
        words = {"all", *subprotocol.names, path_of(subprotocol), subprotocol.family.name}
        if path_of(subprotocol) == "echo":  # it serves the parts
            words |= {part.parameters.family.name for part in self.parts}
        return not words.isdisjoint(self.settings.enabled)

    def read(self, behaviour: type[Behaviour], query: str, handshake: Handshake) -> Asked:
        """Return what a query asks for; raises `HandshakeRefused` with 400 if a parameter is wrong."""
        parts = self._taken[behaviour]
        try:
            given = read_query(query, (*behaviour.own, *(part.parameters for part in parts)), self.settings)
            given.check_request(handshake, self.settings)
        except ParameterError as error:
            absent = [part.parameters for part in self._parts_of(behaviour) if part not in parts]
            off = any(error.name in options_of(group) for group in absent)
            raise HandshakeRefused(400, f"{error.name}: is not enabled on this server" if off else str(error)) from None
        return Asked(given, parts, self.settings)

    def nothing(self, behaviour: type[Behaviour]) -> Asked:
        """Return what a URL without parameters asks for."""
        return Asked(Given(()), self._taken[behaviour], self.settings)

    def read_name(self, name: str, handshake: Handshake) -> tuple[type[Behaviour], Asked] | None:
        """Return what a subprotocol's name asks for, as `ticker&interval~100`; None if no behaviour has it.

        What cannot stand in a name can be written as %XX, as in a query.
        """
        base, _, rest = name.partition("&")
        behaviour = self.by_path.get(base)
        if behaviour is None:
            return None
        query = "&".join(pair.replace("~", "=", 1) for pair in rest.split("&"))
        return behaviour, self.read(behaviour, query, handshake)

    def document(self) -> dict[str, Any]:
        """Return the whole catalogue, ready for JSON."""
        groups = [part.parameters for part in self.parts if self._is_enabled(part)]
        behaviours = sorted(self.all, key=lambda each: (each.family, path_of(each)))
        return {
            "families": {each.name: each.summary for each in self.families},
            "groups": {
                each.family.name: {"summary": _text(each), "parameters": describe(each, self.settings)}
                for each in groups
            },
            "behaviours": [self._behaviour(each) for each in behaviours],
        }

    def _parts_of(self, behaviour: type[Behaviour]) -> list[type[Part]]:
        return [part for part in self.parts if not (behaviour.streams and part.shapes_replies)]

    def _is_enabled(self, part: type[Part]) -> bool:
        return not {"all", part.parameters.family.name}.isdisjoint(self.settings.enabled)

    def _behaviour(self, each: type[Behaviour]) -> dict[str, Any]:
        return {
            "name": path_of(each),
            "path": "/" + path_of(each),
            "family": each.family.name,
            "summary": each.summary,
            "description": _text(each),
            "rfc": each.rfc,
            "example": each.example,
            "subprotocols": [name for name in _paths(each) if name != "echo"],
            "parameters": [told for own in each.own for told in describe(own, self.settings)],
            "groups": [part.parameters.family.name for part in self._taken[each]],
            "enabled": self.is_there(each),
        }


class Section(NamedTuple):
    """One family of a document: its enabled behaviours, its parameters if it has any, and the paths that take these."""

    family: str
    summary: str
    behaviours: list[dict[str, Any]]
    group: dict[str, Any] | None
    takers: list[str]


def sections(document: dict[str, Any]) -> Iterator[Section]:
    """Yield the families of a `Catalogue.document` that have something enabled."""
    enabled = [each for each in document["behaviours"] if each["enabled"]]
    for family, summary in document["families"].items():
        own = [each for each in enabled if each["family"] == family]
        group = document["groups"].get(family)
        if own or group:
            yield Section(family, summary, own, group, [each["path"] for each in enabled if family in each["groups"]])


def path_of(behaviour: type[Behaviour]) -> str:
    """Return the first segment of a behaviour's URLs."""
    return behaviour.path or behaviour.names[-1]


def _paths(behaviour: type[Behaviour]) -> dict[str, None]:
    """Return a behaviour's names, in a URL or as a subprotocol."""
    return dict.fromkeys((*behaviour.names, path_of(behaviour)))


@cache
def find_parts() -> tuple[type[Part], ...]:
    """Return the parts that the package `behaviours` defines, in their order."""
    found = (each for each in classes_in(behaviours) if issubclass(each, Part) and each is not Part)
    return tuple(sorted(found, key=lambda each: each.parameters.family.rank))


def classes_in(*packages: ModuleType) -> Iterator[type[Any]]:
    """Yield the classes that the modules of some packages define, by the name of the module."""
    places = [(each.name, package) for package in packages for each in pkgutil.iter_modules(package.__path__)]
    for name, package in sorted(places, key=lambda each: each[0]):
        module = importlib.import_module(f"{package.__name__}.{name}")
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == module.__name__:
                yield value


def _text(documented: type[Any]) -> str:
    return " ".join((documented.__doc__ or "").split())
