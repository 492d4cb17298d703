"""The catalogue of behaviours: which there are on a server, what they take, and how that is told to people.

The command, the JSON, the page, the lab and the docs all show what `Catalogue.document` returns, which comes from the
declarations that read the parameters: so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from wsdaemon.behaviours.answering import check_redirect
from wsdaemon.behaviours.behaving import REPLIES, Behaving
from wsdaemon.behaviours.parameters import Described, Family, Given, ParameterError, describe, read_query
from wsdaemon.options import Choice, Switch
from wsdaemon.settings import BehaviourSettings
from wsdaemon.websocket.connection import Connection
from wsdaemon.websocket.handshake import Handshake, HandshakeRefused


class Catalogue:
    """The behaviours among all subprotocols, as far as `[behaviours] enabled` has them."""

    def __init__(self, found: Iterable[type[Connection]], settings: BehaviourSettings) -> None:
        self.settings = settings
        self.all = [each for each in found if issubclass(each, Behaving)]
        self.by_path = {name: each for each in self.all if self.is_there(each) for name in _paths(each)}
        """The enabled ones by the first segment of their URLs."""
        self.absent = {name for each in self.all for name in _paths(each)} - self.by_path.keys()
        """The paths of the others."""
        self._taken = {each: (*each.own, *filter(self._is_enabled, each.parts)) for each in self.all}

    @property
    def families(self) -> list[Family]:
        """All families, in their order."""
        return sorted({each.family for each in (*self.all, *REPLIES)})

    def is_there(self, subprotocol: type[Connection]) -> bool:
        """Say whether a subprotocol is enabled; all but behaviours are."""
        if not issubclass(subprotocol, Behaving):
            return True
        words = {"all", *subprotocol.names, path_of(subprotocol), subprotocol.family.name}
        if path_of(subprotocol) == "echo":  # it is there for the parts
            words |= {part.family.name for part in subprotocol.parts}
        return not words.isdisjoint(self.settings.enabled)

    def read(self, behaviour: type[Behaving], query: str, handshake: Handshake) -> Given:
        """Return what a query asks for; raises `HandshakeRefused` with 400 where that cannot be."""
        try:
            given = read_query(query, self._taken[behaviour], self.settings)
            check_redirect(given, handshake, self.settings)
        except ParameterError as error:
            off = any(error.name in _names(part) for part in behaviour.parts if part not in self._taken[behaviour])
            raise HandshakeRefused(400, f"{error.name}: is not enabled on this server" if off else str(error)) from None
        return given

    def read_name(self, name: str, handshake: Handshake) -> tuple[type[Behaving], Given] | None:
        """Return what a subprotocol's name asks for, as `ticker&interval~100`; None where it is no behaviour's.

        What cannot stand in a name can be written as %XX, as in a query.
        """
        base, _, rest = name.partition("&")
        behaviour = self.by_path.get(base)
        if behaviour is None:
            return None
        query = "&".join(pair.replace("~", "=", 1) for pair in rest.split("&"))
        return behaviour, self.read(behaviour, query, handshake)

    def document(self) -> dict[str, Any]:
        """Return all there is to know, as it goes into JSON."""
        groups = {part.family.name: self._group(part) for part in REPLIES if self._is_enabled(part)}
        behaviours = sorted(self.all, key=lambda each: (each.family, path_of(each)))
        return {
            "families": {each.name: each.summary for each in self.families},
            "groups": groups,
            "behaviours": [self._behaviour(each) for each in behaviours],
        }

    def _is_enabled(self, part: type[Any]) -> bool:
        return not {"all", part.family.name}.isdisjoint(self.settings.enabled)

    def _group(self, part: type[Any]) -> dict[str, Any]:
        return {"summary": _summary(part), "parameters": self._parameters(part)}

    def _behaviour(self, each: type[Behaving]) -> dict[str, Any]:
        return {
            "name": path_of(each),
            "path": "/" + path_of(each),
            "family": each.family.name,
            "summary": each.summary,
            "description": _text(each),
            "rfc": each.rfc,
            "example": each.example,
            "subprotocols": [name for name in _paths(each) if name != "echo"],
            "parameters": [told for own in each.own for told in self._parameters(own)],
            "groups": [part.family.name for part in self._taken[each] if part not in each.own],
            "enabled": self.is_there(each),
        }

    def _parameters(self, group: type[Any]) -> list[dict[str, Any]]:
        return [_told(each) for each in describe(group, self.settings)]


class Section(NamedTuple):
    """One family of a document: its enabled behaviours, its parameters if it has any, and the paths that take these."""

    family: str
    summary: str
    behaviours: list[dict[str, Any]]
    group: dict[str, Any] | None
    takers: list[str]


def sections(document: dict[str, Any]) -> Iterator[Section]:
    """Yield what `Catalogue.document` returned family by family, without those of which nothing is enabled."""
    enabled = [each for each in document["behaviours"] if each["enabled"]]
    for family, summary in document["families"].items():
        own = [each for each in enabled if each["family"] == family]
        group = document["groups"].get(family)
        if own or group:
            yield Section(family, summary, own, group, [each["path"] for each in enabled if family in each["groups"]])


def path_of(behaviour: type[Behaving]) -> str:
    """Return the first segment of a behaviour's URLs."""
    return behaviour.path or behaviour.names[-1]


def _paths(behaviour: type[Behaving]) -> dict[str, None]:
    """Return the names that it has, in a URL or as a subprotocol."""
    return dict.fromkeys((*behaviour.names, path_of(behaviour)))


def _names(group: type[Any]) -> set[str]:
    return {each.name for each in describe(group, BehaviourSettings())}


def _told(each: Described) -> dict[str, Any]:
    kind = each.kind
    told: dict[str, Any] = {
        "name": each.name,
        "kind": kind.name,
        "what": kind.what,
        "why": each.why,
        "default": each.default,
        "example": each.example,
        "rfc": each.rfc,
    }
    for name in ("low", "high"):
        if hasattr(kind, name):
            told[name] = getattr(kind, name)
    if isinstance(kind, Choice):
        told["choices"] = list(kind.words)
    elif isinstance(kind, Switch):
        told["choices"] = ["no", "yes"]
    return told


def _text(documented: type[Any]) -> str:
    return " ".join((documented.__doc__ or "").split())


def _summary(documented: type[Any]) -> str:
    return _text(documented)
