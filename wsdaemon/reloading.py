"""What a reload cannot change."""

from __future__ import annotations

from collections.abc import Iterator

from wsdaemon.config import Configuration

FIXED = (
    ("server", "port"),
    ("server", "interface"),
    ("server", "endpoints"),
    ("tls", "enabled"),
    ("tls", "port"),
    ("limits", "backlog"),
    ("admin", "enabled"),
    ("admin", "interface"),
    ("admin", "port"),
    ("admin", "host_names"),
    ("log", "level"),
    ("log", "format"),
)
"""The options that hold from the start to the end: what is listened on, and how it is logged."""


def needing_a_restart(old: Configuration, new: Configuration) -> Iterator[tuple[str, str]]:
    """Yield the options that have changed and cannot before a restart: where each is given, and its name."""
    for section, name in FIXED:
        before, after = (getattr(getattr(each.settings, section), name) for each in (old, new))
        if before != after:
            yield new.place(section, name), f"[{section}] {name}"
