"""List of behaviours for a terminal, made from the catalogue's document."""

from __future__ import annotations

import textwrap
from typing import Any

from wsdaemon.routing.catalogue import Section, sections


def behaviours_text(document: dict[str, Any], name: str = "") -> str:
    """Return the list of behaviours for a terminal; with a `name`, all about it; raises `KeyError`."""
    if not name:
        return "\n".join(
            [*map(_overview, sections(document)), "", "`wsdaemon behaviours NAME` shows all about one or a family.", ""]
        )
    parts: list[str] = []
    groups = document["groups"]
    for section in sections(document):
        found = [each for each in section.behaviours if name in (each["name"], each["path"])]
        shown = found or (section.behaviours if name == section.family else ())
        parts += [_behaviour_text(each, groups) for each in shown]
    if name in groups:
        parts.append(_wrapped(f"{name}: ", groups[name]["summary"]))
        parts += map(_parameter_text, groups[name]["parameters"])
    if not parts:
        raise KeyError(name)
    return "\n".join(parts) + "\n"


def _overview(section: Section) -> str:
    lines = [f"{section.family}: {section.summary}"]
    lines += [_wrapped(f"  {each['path']:<12} ", each["summary"]) for each in section.behaviours]
    if section.group:
        lines.append(_wrapped("  parameters   ", _names(section.group)))
    return "\n".join(lines)


def _behaviour_text(each: dict[str, Any], groups: dict[str, Any]) -> str:
    lines = [
        _wrapped(f"{each['path']}: ", f"{each['summary']} {each['description']}"),
        f"  example: {each['example']}",
        f"  subprotocols: {', '.join(each['subprotocols'])}",
        f"  {each['rfc']}",
        *map(_parameter_text, each["parameters"]),
    ]
    lines += [f"  and of {family}: {_names(groups[family])}" for family in each["groups"]]
    return "\n".join(lines)


def _names(group: dict[str, Any]) -> str:
    return ", ".join(each["name"] for each in group["parameters"])


def _wrapped(start: str, text: str) -> str:
    indent = " " * min(len(start), 15)
    return textwrap.fill(text, 100, initial_indent=start, subsequent_indent=indent, break_on_hyphens=False)


def _parameter_text(each: dict[str, Any]) -> str:
    default = f" (default: {each['default']})" if each["default"] else ""
    text = f"{each['why']} Write {each['what']}{default}; for example {each['name']}={each['example']}"
    return _wrapped(f"  {each['name']:<12} ", text)
