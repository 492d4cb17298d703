"""Parameters: declared once as the fields of frozen dataclasses, read from a URL's query, and described to people.

What reads them and what lists them (the command, the JSON, the pages, the docs) look at the same declarations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import Field, field, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote_to_bytes

from wsdaemon.options import Kind, Number, Size, Switch, nearest, options_of, quote
from wsdaemon.settings import BehaviourSettings
from wsdaemon.websocket.handshake import Handshake

_Group = TypeVar("_Group")


class ParameterError(ValueError):
    """A parameter that cannot be taken: its name, and what is wrong with it and what to write."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


class Family(NamedTuple):
    """A family of behaviours and parameters, with a line about it; lists are in the order of `rank`."""

    rank: int
    name: str
    summary: str


def parameter(kind: Kind, default: Any, why: str, *, example: str = "", rfc: str = "", cap: str = "") -> Any:
    """Declare a parameter: a field of a dataclass that knows its kind and, in a line, what it does.

    `cap` names the option of [behaviours] that bounds it further; `rfc` the section that it exercises.
    """
    return field(
        default=default, metadata={"kind": kind, "why": why, "example": example, "rfc": rfc, "cap": cap}
    )  # fmt: skip


class Given:
    """What a URL asks for: one value of each group of parameters."""

    __slots__ = ("_groups", "names")

    def __init__(self, groups: Iterable[object], names: Iterable[str] = ()) -> None:
        self._groups = {type(each): each for each in groups}
        self.names = frozenset(names)
        """The parameters that were given; the others have their defaults."""

    def check_request(self, handshake: Handshake, settings: BehaviourSettings) -> None:
        """Raise `ParameterError` where a group cannot be taken in this handshake (see its `check_request`)."""
        for group in self._groups.values():
            check = getattr(group, "check_request", None)
            if check is not None:
                check(handshake, settings)

    def names_any_of(self, group: type[Any]) -> bool:
        """Say whether a parameter of the group is given."""
        return not self.names.isdisjoint(options_of(group))

    def forget(self, group: type[Any]) -> None:
        """Let go of a group's values, which may be large."""
        self._groups.pop(group, None)

    def of(self, group: type[_Group]) -> _Group:
        """Return the values of a group; its defaults where the behaviour does not take it."""
        found: Any = self._groups.get(group)
        return group() if found is None else found


class Described(NamedTuple):
    """One parameter, as people and programs are told of it."""

    name: str
    kind: Kind
    default: str | None
    why: str
    example: str
    rfc: str


def describe(group: type[Any], settings: BehaviourSettings) -> list[Described]:
    """Return a group's parameters, with the bounds that hold on this server."""
    found = []
    for name, each in options_of(group).items():
        kind = _bounded(each, settings)
        default = None if each.default is None else each.metadata["kind"].show(each.default)
        told = each.metadata
        found.append(Described(name, kind, default, told["why"], told["example"] or default or "", told["rfc"]))
    return found


def read_query(query: str, groups: tuple[type[Any], ...], settings: BehaviourSettings) -> Given:
    """Return what a query asks for; raises `ParameterError` for the first parameter that cannot be taken.

    As in a form, `+` is a space, and bytes are UTF-8. A switch can stand without a value, for yes.
    """
    pairs = []
    for pair in query.split("&"):
        if pair:
            name, separator, text = pair.partition("=")
            pairs.append((_unquoted(name, name), _unquoted(name, text) if separator else None))
    return read_pairs(pairs, groups, settings)


def read_pairs(
    pairs: Iterable[tuple[str, str | None]], groups: tuple[type[Any], ...], settings: BehaviourSettings
) -> Given:
    """Return what pairs of name and value ask for; see `read_query`."""
    known = _by_name(groups)
    values: dict[type[Any], dict[str, Any]] = {group: {} for group in groups}
    for name, text in pairs:
        if name not in known:
            raise ParameterError(_shown(name), f"unknown parameter{nearest(name, known)}")
        group, each = known[name]
        if name in values[group]:
            raise ParameterError(name, "is given twice")
        kind = _bounded(each, settings)
        if text is None:
            if not isinstance(kind, Switch):
                raise ParameterError(name, f"has no value; write {kind.what}")
            text = "yes"
        try:
            values[group][name] = kind.parse(text, Path())
        except ValueError as error:
            raise ParameterError(name, str(error)) from None
    groups_given = [group(**them) for group, them in values.items()]
    for each in groups_given:
        check = getattr(each, "check", None)
        if check is not None:
            check()  # what is wrong between parameters that are each right in themselves
    return Given(groups_given, (name for them in values.values() for name in them))


@cache
def _by_name(groups: tuple[type[Any], ...]) -> Mapping[str, tuple[type[Any], Field[Any]]]:
    return {name: (group, each) for group in groups for name, each in options_of(group).items()}


def _bounded(each: Field[Any], settings: BehaviourSettings) -> Kind:
    """Return a parameter's kind with what this server's settings cap it to."""
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
