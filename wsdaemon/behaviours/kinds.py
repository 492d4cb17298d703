"""The kinds of value that only a behaviour's parameters have; `options` has those that INI options have too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from wsdaemon.options import Kind, Number, quote

_PRINTABLE = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True)
class Milliseconds(Number):
    """A time in whole milliseconds from `low` to `high`."""

    name: ClassVar[str] = "milliseconds"
    form: ClassVar[str] = "milliseconds, a whole number from {low} to {high}"


@dataclass(frozen=True)
class Status(Number):
    """A final HTTP status, or 101."""

    form: ClassVar[str] = "101, or a whole number from {low} to {high}"
    low: int = 200
    high: int = 599

    def parse(self, text: str, base: Path) -> int:
        """Return the status."""
        return 101 if text == "101" else super().parse(text, base)


@dataclass(frozen=True)
class CloseCodeOrNone(Number):
    """Any 16-bit number, or `none` for a Close without a code."""

    name: ClassVar[str] = "code"
    form: ClassVar[str] = "a whole number from {low} to {high}, or none"
    low: int = 0
    high: int = 65535

    def parse(self, text: str, base: Path) -> int:
        """Return the code; -1 for none."""
        return -1 if text.lower() == "none" else super().parse(text, base)

    def show(self, value: int) -> str:
        """Return the code, or none."""
        return "none" if value < 0 else str(value)


@dataclass(frozen=True)
class ShortText(Kind):
    """A text of at most `high` bytes in UTF-8; with `printable`, only what a header can hold."""

    high: int
    printable: bool = False

    @property
    def what(self) -> str:
        """What to write."""
        kind = "printable ASCII" if self.printable else "text"
        return f"{kind} of at most {self.high} bytes"

    def parse(self, text: str, base: Path) -> str:
        """Return the text itself."""
        if self.printable and not _PRINTABLE.fullmatch(text):
            raise ValueError(f"{quote(text)} is not allowed in a header; write {self.what}")
        length = len(text.encode())
        if length > self.high:
            raise ValueError(f"is {length} bytes long; write {self.what}")
        return text


@dataclass(frozen=True)
class Hex(Kind):
    """Bytes, two hex digits each; spaces and colons may stand between them."""

    name: ClassVar[str] = "hex"
    form: ClassVar[str] = "at most {high} bytes in hex, as 8102 6869"
    high: int

    def parse(self, text: str, base: Path) -> bytes:
        """Return the bytes."""
        try:
            octets = bytes.fromhex(text.replace(":", " "))
        except ValueError:
            raise ValueError(f"{quote(text)} is not hex; write {self.what}") from None
        if len(octets) > self.high:
            raise ValueError(f"is {len(octets)} bytes long; write {self.what}")
        return octets

    def show(self, value: bytes) -> str:
        """Return the bytes in hex."""
        return value.hex()


@dataclass(frozen=True)
class Sizes(Kind):
    """Numbers of bytes: at most `count`, each up to `high`."""

    name: ClassVar[str] = "sizes"
    form: ClassVar[str] = "at most {count} numbers from 0 to {high} with commas between, as 1,0,10"
    count: int
    high: int

    def parse(self, text: str, base: Path) -> tuple[int, ...]:
        """Return the numbers."""
        words = [word.strip() for word in text.split(",")] if text.strip() else []
        if not all(re.fullmatch("[0-9]{1,9}", word) and int(word) <= self.high for word in words):
            raise ValueError(f"{quote(text)} is not a list of sizes; write {self.what}")
        if len(words) > self.count:
            raise ValueError(f"has {len(words)} numbers; write {self.what}")
        return tuple(map(int, words))

    def show(self, value: tuple[int, ...]) -> str:
        """Return the numbers with commas between."""
        return ",".join(map(str, value))
