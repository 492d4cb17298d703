"""Kinds of value of an INI option or URL parameter: from text to a checked value, and back to text for people.

`Kind.parse` raises `ValueError` with what is wrong and what to write. `Kind.check` looks at the machine (does the
folder exist?) once everything is parsed.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from wsdaemon.origins import parse_host, parse_origin

_YES = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class Kind:
    """A kind of value."""

    name: ClassVar[str] = "text"
    """The kind's name in the JSON catalogue of parameters, by which a page chooses the input field."""

    form: ClassVar[str] = ""
    """What to write, in a few words: a format for the kind's own fields."""

    @property
    def what(self) -> str:
        """What to write, in a few words."""
        return self.form.format(**vars(self))

    def parse(self, text: str, base: Path) -> Any:
        """Return the value that `text` stands for; paths are relative to the folder `base`."""
        return text

    def show(self, value: Any) -> str:
        """Return the text that stands for `value`; the empty text for None."""
        return "" if value is None else str(value)

    def check(self, value: Any) -> str | None:
        """Return what is wrong with `value` on this machine, or None."""
        return None


@dataclass(frozen=True)
class Text(Kind):
    """Any text on one line."""

    what: str = "a text"
    may_be_empty: bool = False

    def parse(self, text: str, base: Path) -> str:
        """Return the text itself."""
        if "\n" in text or not (text or self.may_be_empty):
            raise ValueError(f"is not one line of text; write {self.what}")
        return text


@dataclass(frozen=True)
class Number(Kind):
    """A whole number from `low` to `high`."""

    name: ClassVar[str] = "number"
    form: ClassVar[str] = "a whole number from {low} to {high}"
    low: int
    high: int

    def parse(self, text: str, base: Path) -> int:
        """Return the number."""
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            raise ValueError(f"{quote(text)} is not a whole number; write {self.what}")
        return _within(self, int(text), str(int(text)))


@dataclass(frozen=True)
class Seconds(Kind):
    """A time in seconds from `low` to `high`, fractions allowed. If `low` is 0, then 0 means off."""

    low: float
    high: float

    @property
    def what(self) -> str:
        """What to write."""
        off = ", 0 switches it off" if self.low == 0 else ""
        return f"seconds from {self.low:g} to {self.high:g}{off}"

    def parse(self, text: str, base: Path) -> float:
        """Return the number of seconds."""
        if not re.fullmatch(r"[+-]?([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})", text):
            raise ValueError(f"{quote(text)} is not a number of seconds; write {self.what}")
        return _within(self, float(text), text)

    def show(self, value: float) -> str:
        """Return the seconds without needless digits."""
        return f"{value:.9f}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class Size(Kind):
    """A number of bytes from `low` to `high`, with an optional k, m or g (1024 each)."""

    name: ClassVar[str] = "size"
    low: int
    high: int

    @property
    def what(self) -> str:
        """What to write."""
        return f"bytes from {self.show(self.low)} to {self.show(self.high)}, as 65536, 64k or 16m"

    def parse(self, text: str, base: Path) -> int:
        """Return the number of bytes."""
        match = re.fullmatch(r"([0-9]{1,15}) ?([kmg]?)(i?b)?", text.lower())
        if match is None:
            raise ValueError(f"{quote(text)} is not a size; write {self.what}")
        return _within(self, int(match[1]) * _UNITS[match[2]], text)

    def show(self, value: int) -> str:
        """Return the size with the largest unit that divides it."""
        for unit in ("g", "m", "k"):
            if value and value % _UNITS[unit] == 0:
                return f"{value // _UNITS[unit]}{unit}"
        return str(value)


@dataclass(frozen=True)
class Switch(Kind):
    """Yes or no."""

    name: ClassVar[str] = "switch"
    what: str = "yes or no"

    def parse(self, text: str, base: Path) -> bool:
        """Return True or False."""
        try:
            return _YES[text.lower()]
        except KeyError:
            raise ValueError(f"{quote(text)} is neither; write {self.what}") from None

    def show(self, value: bool) -> str:
        """Return yes or no."""
        return "yes" if value else "no"


@dataclass(frozen=True)
class Choice(Kind):
    """One of some words."""

    name: ClassVar[str] = "choice"
    words: tuple[str, ...]

    @property
    def what(self) -> str:
        """What to write."""
        return " or ".join(self.words)

    def parse(self, text: str, base: Path) -> str:
        """Return the word."""
        if text.lower() not in self.words:
            raise ValueError(f"{quote(text)} is not one of them; write {self.what}")
        return text.lower()


@dataclass(frozen=True)
class Location(Kind):
    """A path, relative to the INI file's folder."""

    folder: bool = False
    keyword: str = ""  # a word that may stand in place of a path

    @property
    def what(self) -> str:
        """What to write."""
        what = "the path of a folder" if self.folder else "the path of a PEM file"
        return f"{what}, or {self.keyword}" if self.keyword else what

    def parse(self, text: str, base: Path) -> Path | str:
        """Return the absolute path, or the keyword."""
        if self.keyword and text.lower() == self.keyword:
            return self.keyword
        if not text or "\n" in text or "\0" in text:
            raise ValueError(f"is not a path; write {self.what}")
        try:
            return (base / Path(text).expanduser()).resolve()
        except RuntimeError:  # an unknown user behind ~, or a loop of links
            raise ValueError(f"{quote(text)} cannot be resolved; write {self.what}") from None

    def check(self, value: Path | str | None) -> str | None:
        """Return why the folder or file cannot be read, or None."""
        if value is None or isinstance(value, str):
            return None
        try:
            if self.folder:
                next(value.iterdir(), None)
            elif not value.is_file():
                return f"{value} is not a file; write {self.what}" if value.exists() else f"there is no {value}"
            else:
                value.open("rb").close()
        except FileNotFoundError:
            return f"there is no {value}"
        except OSError as error:
            return f"cannot read {value}: {(error.strerror or 'error').lower()}"
        return None


@dataclass(frozen=True)
class Lines(Kind):
    """Several texts, one on each line."""

    what: str = "one on each line, the lines indented"

    def parse(self, text: str, base: Path) -> tuple[str, ...]:
        """Return the texts."""
        return tuple(line.strip() for line in text.splitlines() if line.strip())

    def show(self, value: tuple[str, ...]) -> str:
        """Return the lines, indented."""
        return "".join(f"\n    {line}" for line in value)


@dataclass(frozen=True)
class Words(Kind):
    """Some words."""

    what: str = "words, separated by spaces, commas or lines"

    def parse(self, text: str, base: Path) -> tuple[str, ...]:
        """Return the words in their normal form."""
        return tuple(map(self.normal, text.replace(",", " ").split()))

    def show(self, value: tuple[str, ...]) -> str:
        """Return the words on one line."""
        return " ".join(value)

    def normal(self, word: str) -> str:
        """Return the normal form of a word; raises `ValueError`."""
        return word.lower()


@dataclass(frozen=True)
class Origins(Words):
    """Web origins (RFC 6454), `same`, or `*`."""

    what: str = "*, or same, or origins as https://example.org:8443, separated by spaces or lines"

    def parse(self, text: str, base: Path) -> tuple[str, ...]:
        """Return the origins, one at least."""
        origins = super().parse(text, base)
        if not origins:
            raise ValueError(f"is empty; write {self.what}")
        return origins

    def normal(self, word: str) -> str:
        """Return the origin with its port."""
        return word.lower() if word.lower() in ("*", "same") else str(parse_origin(word))


@dataclass(frozen=True)
class Hosts(Words):
    """Names of hosts, or addresses, with or without a port."""

    what: str = "names or addresses as example.org, example.org:8443 or [::1], separated by spaces or lines"

    def normal(self, word: str) -> str:
        """Return the name; one without a port stands for all ports."""
        try:
            host, port = parse_host(word, 1)
        except ValueError:
            raise ValueError(f"{quote(word)} is not a host; write {self.what}") from None
        return f"{host}:{port}" if ":" in word.rpartition("]")[2] else host


_Value = TypeVar("_Value", int, float)


def _within(kind: Number | Seconds | Size, value: _Value, text: str) -> _Value:
    if not kind.low <= value <= kind.high:
        raise ValueError(f"{text} is out of range; write {kind.what}")
    return value


def quote(text: str) -> str:
    """Return `text` quoted for an error message: on one line, and cut to 60 characters."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of an error message about an unknown `name`: the known name closest to it, or all of them."""
    known = list(known)
    close = difflib.get_close_matches(name[:40].lower(), known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"


def option(kind: Kind, default: Any, why: str, *, example: str = "", needs_restart: bool = False) -> Any:
    """Declare an option: a dataclass field with its kind, and a line for the reference on its purpose.

    `example` is what conf/ws.ini shows if there is no default; a reload leaves an option that `needs_restart` as it is.
    """
    return field(
        default=default, metadata={"kind": kind, "why": why, "example": example, "needs_restart": needs_restart}
    )


def options_of(section: type[Any]) -> dict[str, Field[Any]]:
    """Return a section's options by name."""
    return {each.name: each for each in fields(section) if "kind" in each.metadata}
