"""The reference of the INI file, written from the code: `conf/ws.ini` and the table in `docs/configuration.md`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import Field
from typing import Any

from wsdaemon.options import Kind, Location, options_of
from wsdaemon.settings import SECTIONS, WebSocketSettings

_INI_HEAD = """\
# The configuration of wsdaemon. Every option is optional; each stands here with its default, and a # before those
# that have none. Paths are relative to this file. `wsdaemon check-config FILE` says what is wrong with a file.
"""

_IN_USE = {("server", "docroot")}  # conf/ws.ini serves our own pages


def ini(subprotocols: Mapping[str, type[WebSocketSettings]]) -> str:
    """Return the text of `conf/ws.ini`: every section and option, documented."""
    parts = [_INI_HEAD]
    for name, section in SECTIONS.items():
        parts.append(_comment(section.__doc__) + f"[{name}]\n")
        parts += [_ini_option(name, option, option.default) for option in options_of(section).values()]
    parts.append(
        _comment(
            "Any option of [websocket] can stand in a section [subprotocol:NAME] too, and then holds for that one. "
            "The options below are those that a subprotocol has of its own, or with a default of its own."
        )
    )
    for name, section in subprotocols.items():
        own = list(_own(section))
        if own:
            parts.append(_comment(section.__doc__) + f"[subprotocol:{name}]\n")
            parts += [_ini_option(name, option, option.default) for option in own]
    return "\n".join(parts)


def markdown(subprotocols: Mapping[str, type[WebSocketSettings]]) -> str:
    """Return the tables of `docs/configuration.md`."""
    parts = [_table(f"[{name}]", section, options_of(section).values()) for name, section in SECTIONS.items()]
    for name, section in subprotocols.items():
        own = list(_own(section))
        if own:
            parts.append(_table(f"[subprotocol:{name}]", section, own))
    return "\n".join(parts)


def _own(section: type[WebSocketSettings]) -> Iterator[Field[Any]]:
    """Yield the options that the subprotocol adds, or gives another default."""
    general = options_of(WebSocketSettings)
    for name, option in options_of(section).items():
        if name not in general or general[name].default != option.default:
            yield option


def _ini_option(section: str, option: Field[Any], default: Any) -> str:
    kind: Kind = option.metadata["kind"]
    example = option.metadata["example"]
    off = "# " if example and (section, option.name) not in _IN_USE else ""
    value = (example or kind.show(default)).replace("\n", f"\n{off}")
    separator = "=" if value.startswith("\n") else "= "
    comment = _comment(f"{_why(option)} ({_what(kind)})")
    return f"{comment}{off}{option.name} {separator}{value}\n"


def _table(title: str, section: type[Any], options: Iterable[Field[Any]]) -> str:
    rows = [f"## {title}", "", f"{section.__doc__}", "", "| option | default | what it is for | what to write |"]
    rows.append("|---|---|---|---|")
    for option in options:
        kind: Kind = option.metadata["kind"]
        shown = kind.show(option.default).strip()
        default = f"`{shown}`" if shown else "none"
        cells = (f"`{option.name}`", default, _why(option), _what(kind))
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def _why(option: Field[Any]) -> str:
    why: str = option.metadata["why"]
    return f"{why} A change needs a restart." if option.metadata["needs_restart"] else why


def _what(kind: Kind) -> str:
    return f"{kind.what}, relative to this file" if isinstance(kind, Location) else kind.what


def _comment(text: str | None) -> str:
    return textwrap.fill(text or "", 116, initial_indent="# ", subsequent_indent="# ") + "\n"


def behaviours_text(document: dict[str, Any], name: str = "") -> str:
    """Return the list of behaviours for a terminal; with `name` (a path or family), all about those.

    Raises `KeyError` where there is none of that name.
    """
    behaviours = [each for each in document["behaviours"] if each["enabled"]]
    chosen = [each for each in behaviours if name in (each["name"], each["path"])]
    if not name:
        lines = []
        for family, summary in document["families"].items():
            own = [each for each in behaviours if each["family"] == family]
            group = document["groups"].get(family)
            if own or group:
                lines += [f"{family}: {summary}"]
                lines += [_wrapped(f"  {each['path']:<12} ", each["summary"]) for each in own]
            if group:
                lines += [_wrapped("  parameters   ", _names(group))]
        return "\n".join([*lines, "", "`wsdaemon behaviours NAME` tells all about one or a family.", ""])
    group = document["groups"].get(name)
    chosen = chosen or [each for each in behaviours if each["family"] == name]
    if not chosen and group is None:
        raise KeyError(name)
    parts = []
    for each in chosen:
        parts.append(_wrapped(f"{each['path']}: ", f"{each['summary']} {each['description']}"))
        parts.append(
            f"  example: {each['example']}\n  subprotocols: {', '.join(each['subprotocols'])}\n  {each['rfc']}"
        )
        parts += map(_parameter_text, each["parameters"])
        groups = {other: document["groups"][other] for other in each["groups"]}
        parts += [
            f"  and of {other}: {', '.join(one['name'] for one in it['parameters'])}" for other, it in groups.items()
        ]
    if group is not None:
        parts.append(_wrapped(f"{name}: ", group["summary"]))
        parts += map(_parameter_text, group["parameters"])
    return "\n".join(parts) + "\n"


def behaviours_markdown(document: dict[str, Any]) -> str:
    """Return the reference in `docs/behaviours.md`."""
    parts = []
    for family, summary in document["families"].items():
        parts.append(f"## {family}: {summary}\n")
        for each in document["behaviours"]:
            if each["family"] == family:
                names = ", ".join(f"`{name}`" for name in each["subprotocols"])
                parts.append(f"### `{each['path']}`\n\n{each['summary']} {each['description']}\n")
                parts.append(f"For example `{each['example']}`; as a subprotocol {names}; {each['rfc']}.\n")
                if each["parameters"]:
                    parts.append(_parameter_table(each["parameters"]))
        group = document["groups"].get(family)
        if group:
            takers = ", ".join(f"`{each['path']}`" for each in document["behaviours"] if family in each["groups"])
            parts.append(f"### Parameters of {family}\n\n{group['summary']} For {takers}.\n")
            parts.append(_parameter_table(group["parameters"]))
    return "\n".join(parts)


def _names(group: dict[str, Any]) -> str:
    return ", ".join(each["name"] for each in group["parameters"])


def _wrapped(start: str, text: str) -> str:
    indent = " " * min(len(start), 15)
    return textwrap.fill(text, 100, initial_indent=start, subsequent_indent=indent, break_on_hyphens=False)


def _parameter_text(each: dict[str, Any]) -> str:
    default = f" (default: {each['default']})" if each["default"] else ""
    text = f"{each['why']} Write {each['what']}{default}; for example {each['name']}={each['example']}"
    return _wrapped(f"  {each['name']:<12} ", text)


def _parameter_table(parameters: list[dict[str, Any]]) -> str:
    rows = ["| parameter | default | what it does | what to write | example | exercises |", "|---|---|---|---|---|---|"]
    for each in parameters:
        default = f"`{each['default']}`" if each["default"] else "none"
        cells = (f"`{each['name']}`", default, each["why"], each["what"], f"`{each['example']}`", each["rfc"])
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"
