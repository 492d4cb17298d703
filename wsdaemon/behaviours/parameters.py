"""Parameters: declared once as fields of frozen dataclasses, read from a URL's query, and described to people.

The command, the JSON, the pages and the docs describe them from the same declarations that read them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import Field, field, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote_to_bytes

from wsdaemon.options import Choice, Kind, Number, Size, Switch, nearest, options_of, quote
from wsdaemon.settings import BehaviourSettings
from wsdaemon.websocket.handshake import Handshake

_Group = TypeVar("_Group")


class ParameterError(ValueError):
    """A parameter that is refused: its name, what is wrong with it, and what to write."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


class Family(NamedTuple):
    """A family of behaviours and parameters, with a line about it. Lists are in the order of `rank`."""

    rank: int
    name: str
    summary: str


def parameter(kind: Kind, default: Any, why: str, *, example: str = "", rfc: str = "", cap: str = "") -> Any:
    """Declare a parameter: a dataclass field with its kind and a line on what it does.

    `rfc` is the section that it exercises, of RFC 6455 where no other RFC is named; `cap` is the option of
    [behaviours] that bounds it further.
    """
    section = f"RFC 6455 section {rfc}" if rfc[:1].isdigit() else rfc
    return field(default=default, metadata={"kind": kind, "why": why, "example": example, "rfc": section, "cap": cap})


class Given:
    """What a URL asks for: one value of each group of parameters."""

    __slots__ = ("_groups", "names")

    def __init__(self, groups: Iterable[object], names: Iterable[str] = ()) -> None:
        self._groups = {type(each): each for each in groups}
        self.names = frozenset(names)
        """The names of the parameters that were given; the others have their defaults."""

    def check(self) -> None:
        """Raise `ParameterError` if parameters do not fit together, though each of them is right."""
        for group in self._groups.values():
            if hasattr(group, "check"):
                group.check()

    def check_request(self, handshake: Handshake, settings: BehaviourSettings) -> None:
        """Raise `ParameterError` if a group's `check_request` refuses this handshake."""
        for group in self._groups.values():
            if hasattr(group, "check_request"):
                group.check_request(handshake, settings)

    def names_any_of(self, group: type[Any]) -> bool:
        """Say whether a parameter of the group is given."""
        return not self.names.isdisjoint(options_of(group))

    def forget(self, group: type[Any]) -> None:
        """Forget a group's values, which may be large."""
        self._groups.pop(group, None)

    def of(self, group: type[_Group]) -> _Group:
        """Return the values of a group; its defaults if the behaviour does not take it."""
        found: Any = self._groups.get(group)
        return group() if found is None else found


def describe(group: type[Any], settings: BehaviourSettings) -> list[dict[str, Any]]:
    """Return a group's parameters, each as it goes into JSON, with the bounds that hold on this server."""
    found = []
    for name, each in options_of(group).items():
        declared, kind = each.metadata, _bounded(each, settings)
        default = None if each.default is None else declared["kind"].show(each.default)
        told = {
            "name": name, "kind": kind.name, "what": kind.what, "why": declared["why"], "default": default,
            "example": declared["example"] or default or "", "rfc": declared["rfc"],
        }  # fmt: skip
        told |= {bound: getattr(kind, bound) for bound in ("low", "high") if hasattr(kind, bound)}
        if isinstance(kind, Choice | Switch):
            told["choices"] = list(kind.words) if isinstance(kind, Choice) else ["no", "yes"]
        found.append(told)
    return found


def read_query(query: str, groups: tuple[type[Any], ...], settings: BehaviourSettings) -> Given:
    """Return what a query asks for; raises `ParameterError` for the first parameter that is wrong.

    As in a form, `+` is a space, and bytes are UTF-8. A switch without a value means yes.
    """
    known = _by_name(groups)
    values: dict[type[Any], dict[str, Any]] = {group: {} for group in groups}
    for pair in filter(None, query.split("&")):
        written, separator, text = pair.partition("=")
        name, text = _unquoted(written, written), _unquoted(written, text)
        if name not in known:
            raise ParameterError(_shown(name), f"unknown parameter{nearest(name, known)}")
        group, each = known[name]
        if name in values[group]:
            raise ParameterError(name, "is given twice")
        kind = _bounded(each, settings)
        if not separator:
            if not isinstance(kind, Switch):
                raise ParameterError(name, f"has no value; write {kind.what}")
            text = "yes"
        try:
            values[group][name] = kind.parse(text, Path())
        except ValueError as error:
            raise ParameterError(name, str(error)) from None
    groups_given = [group(**them) for group, them in values.items()]
    given = Given(groups_given, (name for them in values.values() for name in them))
    given.check()
    return given


@cache
def _by_name(groups: tuple[type[Any], ...]) -> Mapping[str, tuple[type[Any], Field[Any]]]:
    return {name: (group, each) for group in groups for name, each in options_of(group).items()}


def _bounded(each: Field[Any], settings: BehaviourSettings) -> Kind:
    """Return a parameter's kind, with the bound that this server's settings put on it."""
    kind: Kind = each.metadata["kind"]
    cap = each.metadata["cap"]
    if cap and isinstance(kind, Number | Size):
        most = getattr(settings, cap)
        high = int(most * 1000) if isinstance(most, float) else most  # seconds there, milliseconds here
        return replace(kind, high=max(kind.low, min(kind.high, high)))
    return kind


def _unquoted(name: str, text: str) -> str:
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeDecodeError:
        raise ParameterError(_shown(name), "is not UTF-8") from None


def _shown(name: str) -> str:
    return name if name.isascii() and name.isidentifier() and len(name) <= 40 else quote(name)
