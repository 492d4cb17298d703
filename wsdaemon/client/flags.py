"""Command-line options, each declared once as a field of a dataclass.

`flag` declares one. All else reads the declarations: `add_flags` adds the options to a parser, `given` returns the
fields that were given, and `check` finds numbers out of range.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

Sections = Mapping[str, tuple[type[Any], ...]]
"""Dataclasses with options, by the title that help and documentation give them."""


@dataclass(frozen=True)
class Number:
    """A whole number (`int`) or any number (`float`) from `low` to `high`, or over `low` if it `exceeds` it.

    The option's value is divided by `per`: 1000 for an option in milliseconds whose field is in seconds.
    """

    kind: type[int] | type[float]
    low: float
    high: float | None = None
    exceeds: bool = False
    per: int = 1

    def __call__(self, text: str) -> float:
        """Return the number that `text` stands for; raises `ValueError`."""
        try:
            value = self.kind(text)
        except ValueError:
            value = math.nan
        if not self.allows(value):
            raise ValueError(f"{text!r} is not {self}")
        return value if self.per == 1 else value / self.per

    def allows(self, value: float) -> bool:
        """Whether a number is in the range."""
        high = (1e18 if self.kind is int else 1e9) if self.high is None else self.high
        return (self.low < value if self.exceeds else self.low <= value) and value <= high

    def __str__(self) -> str:
        what = "a whole number" if self.kind is int else "a number"
        if self.exceeds:
            return f"{what} over {self.low}" + ("" if self.high is None else f", at most {self.high}")
        return f"{what} of at least {self.low}" if self.high is None else f"{what} from {self.low} to {self.high}"


@dataclass(frozen=True, kw_only=True)
class Flag:
    """An option of a command."""

    names: tuple[str, ...]
    text: str
    """What it does, in a line."""
    more: str = ""
    """More sentences, for the documentation only."""
    metavar: str = ""
    """The name of its value; an option without one is a switch."""
    read: Callable[[str], Any] = str
    """Returns the field's value for the text of the option, or raises `ValueError`."""
    bare: Any = None
    """The field's value if the option is given without a value; None: it needs one."""
    many: bool = False
    """Whether it can be repeated; then the field is a tuple."""
    shown: str = ""
    """The default, as it is shown."""
    off: tuple[str, str, Any] | None = None
    """The opposite option: its name, what it does, and its value of the field."""
    instead_of: str = ""
    """The field of another option that excludes this one."""

    def add_to(self, group: Any, name: str) -> None:
        """Add the option to a parser's group; the field `name` is absent unless the option is given."""
        how: dict[str, Any] = {"help": f"{self.text} (default: {self.shown})" if self.shown else self.text}
        if self.metavar:
            how |= {"metavar": self.metavar, "type": _reader(self.read)}
            how |= {} if self.bare is None else {"nargs": "?", "const": self.bare}
        else:
            how["const"] = self.bare
        action = "append" if self.many else "store" if self.metavar else "store_const"
        group.add_argument(*self.names, action=action, dest=name, default=argparse.SUPPRESS, **how)
        if self.off is not None:
            off, why, value = self.off
            group.add_argument(
                off, action="store_const", const=value, help=why, dest=name, default=argparse.SUPPRESS
            )  # fmt: skip


def flag(default: Any, *names: str, text: str, **what: Any) -> Any:
    """Declare a field of a dataclass as an option; `what` are other fields of `Flag`."""
    if what.get("metavar") and default not in (None, ()):
        what.setdefault("shown", f"{default:g}" if isinstance(default, float) else str(default))
    else:
        what.setdefault("bare", None if what.get("metavar") else True)
    return field(default=default, metadata={"flag": Flag(names=names, text=text, **what)})


def flags_of(*declared: type[Any]) -> Iterator[tuple[str, Flag]]:
    """Yield the options that dataclasses declare, with the names of their fields."""
    for each in declared:
        yield from ((one.name, one.metadata["flag"]) for one in fields(each) if "flag" in one.metadata)


def add_flags(parser: argparse.ArgumentParser, sections: Sections) -> None:
    """Add all options of some sections to a parser."""
    for title, declared in sections.items():
        group = parser.add_argument_group(title)
        flags = dict(flags_of(*declared))
        pairs = {each.instead_of for each in flags.values()} | {name for name, each in flags.items() if each.off}
        exclusive = {name: group.add_mutually_exclusive_group() for name in flags if name in pairs}
        for name, each in flags.items():
            each.add_to(exclusive.get(each.instead_of or name, group), name)


def given(options: argparse.Namespace, declared: type[Any]) -> dict[str, Any]:
    """Return the fields of a dataclass that were given as options."""
    found = {name: getattr(options, name) for name, _ in flags_of(declared) if hasattr(options, name)}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}


def check(values: object) -> None:
    """Raise `ValueError` for the first number in a dataclass that is out of range."""
    for name, each in flags_of(type(values)):
        value = getattr(values, name)
        if isinstance(each.read, Number) and value is not None and not each.read.allows(value):
            raise ValueError(f"{name} is {each.read}, not {value}")


def _reader(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return `read` for argparse, which shows the text of no exception but its own."""
    if isinstance(read, type):
        return read

    def typed(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return typed
