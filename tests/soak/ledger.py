"""Ledger of the broadcast room: every member that keeps up must receive the same messages in order, without a gap."""

from __future__ import annotations

import zlib


class OutOfOrder(Exception):
    """A member received something else than the others."""


class Ledger:
    """The room's messages by name, in the order in which they were first received."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.place: dict[str, int] = {}
        self._sums: dict[str, tuple[type, int]] = {}

    def write(self, name: str, padding: str, *, binary: bool) -> str | bytes:
        """Return a message to send; it is known from now on."""
        text = f"{name}|{padding}"
        self._sums[name] = (bytes if binary else str, zlib.crc32(text.encode()))
        return text.encode() if binary else text

    def read(self, message: str | bytes) -> str:
        """Return the name of a message; raises `OutOfOrder` if nobody sent it like that."""
        data = message if isinstance(message, bytes) else message.encode()
        name = data.partition(b"|")[0].decode("utf-8", "replace")
        if self._sums.get(name) != (type(message), zlib.crc32(data)):
            raise OutOfOrder(f"nobody said {message[:60]!r} ({len(data)} bytes)")
        return name


class Ear:
    """What one member receives: from its first message on, the order without gaps, changes or repetitions."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._next: int | None = None

    def hear(self, message: str | bytes) -> str:
        """Check the next message and return its name; raises `OutOfOrder`."""
        name, ledger = self._ledger.read(message), self._ledger
        at = ledger.place.setdefault(name, len(ledger.order))
        if at == len(ledger.order):
            ledger.order.append(name)
        if self._next not in (None, at):
            due = ledger.order[self._next] if self._next is not None and self._next < len(ledger.order) else "a new one"
            raise OutOfOrder(f"heard {name} (number {at}), where {due} (number {self._next}) was due")
        self._next = at + 1
        return name
