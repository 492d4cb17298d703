"""Text for `conf/ws.ini` and the tables of docs/*.md, made from the declared options and parameters."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field
from typing import Any

from wsdaemon.client.flags import Flag, Sections, flags_of
from wsdaemon.options import Kind, Location, options_of
from wsdaemon.routing.catalogue import sections
from wsdaemon.settings import SECTIONS, WebSocketSettings

_INI_HEAD = """\
# The configuration of wsdaemon. All options are optional. Each is shown with its default, or commented out if it has
# none. Paths are relative to this file. `wsdaemon check-config FILE` lists the problems of a file.
"""
_IN_USE = "docroot"  # has no default, but conf/ws.ini serves our own pages


def ini(subprotocols: Mapping[str, type[WebSocketSettings]]) -> str:
    """Return the text of `conf/ws.ini`: every section and option, with its documentation."""
    parts = [_INI_HEAD]
    for (first, *others), section, options in _sections(subprotocols):
        parts.append(f"{_comment(section.__doc__)}[{first}]\n")
        parts += [_comment(f"{_why(each)} ({_what(each)})") + _assignment(each) for each in options]
        parts += ["".join([f"[{name}]\n", *map(_assignment, options)]) for name in others]
    return "\n".join(parts)


def markdown(subprotocols: Mapping[str, type[WebSocketSettings]]) -> str:
    """Return the tables of `docs/configuration.md`."""
    parts = []
    for names, section, options in _sections(subprotocols):
        rows = [("option", "default", "what it is for", "what to write")]
        for each in options:
            default = each.metadata["kind"].show(each.default).strip()
            rows.append((f"`{each.name}`", _code(default), _why(each), _what(each)))
        title = ", ".join(f"[{name}]" for name in names)
        parts.append(f"## {title}\n\n{section.__doc__}\n\n{_table(rows)}")
    return "\n".join(parts)


def _sections(
    subprotocols: Mapping[str, type[WebSocketSettings]],
) -> Iterator[tuple[list[str], type[Any], list[Field[Any]]]]:
    """Yield the names, the class and the options of each section; of subprotocols, with the same class in one.

    A subprotocol's options are those that it adds, or for which it has another default.
    """
    for name, section in SECTIONS.items():
        yield [name], section, list(options_of(section).values())
    general = {(each.name, each.default) for each in options_of(WebSocketSettings).values()}
    for section in dict.fromkeys(subprotocols.values()):
        own = [each for each in options_of(section).values() if (each.name, each.default) not in general]
        if own:
            yield [f"subprotocol:{name}" for name, each in subprotocols.items() if each is section], section, own


def _assignment(option: Field[Any]) -> str:
    example: str = option.metadata["example"]
    off = "# " if example and option.name != _IN_USE else ""
    value = (example or option.metadata["kind"].show(option.default)).replace("\n", f"\n{off}")
    space = "" if value.startswith("\n") else " "
    return f"{off}{option.name} ={space}{value}\n"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]) + "\n"


def _code(text: str | None) -> str:
    return f"`{text}`" if text else "none"


def _why(option: Field[Any]) -> str:
    why: str = option.metadata["why"]
    return f"{why} A change needs a restart." if option.metadata["needs_restart"] else why


def _what(option: Field[Any]) -> str:
    kind: Kind = option.metadata["kind"]
    return f"{kind.what}, relative to this file" if isinstance(kind, Location) else kind.what


def _comment(text: str | None) -> str:
    return textwrap.fill(text or "", 116, initial_indent="# ", subsequent_indent="# ") + "\n"


def behaviours_markdown(document: dict[str, Any]) -> str:
    """Return the reference in `docs/behaviours.md`."""
    parts = []
    for section in sections(document):
        parts.append(f"## {section.family}: {section.summary}\n")
        for each in section.behaviours:
            names = ", ".join(f"`{name}`" for name in each["subprotocols"])
            parts.append(f"### `{each['path']}`\n\n{each['summary']} {each['description']}\n")
            parts.append(f"For example `{each['example']}`; as a subprotocol {names}; {each['rfc']}.\n")
            if each["parameters"]:
                parts.append(_parameter_table(each["parameters"]))
        if section.group:
            takers = ", ".join(f"`{path}`" for path in section.takers)
            parts.append(f"### Parameters of {section.family}\n\n{section.group['summary']} For {takers}.\n")
            parts.append(_parameter_table(section.group["parameters"]))
    return "\n".join(parts)


def flags_markdown(sections: Sections) -> str:
    """Return the tables of the page of a command."""
    parts = []
    for title, declared in sections.items():
        rows = [row for _, each in flags_of(*declared) for row in _flag_rows(each)]
        parts.append(f"## {title.capitalize()}\n\n{_table([('option', 'default', 'meaning'), *rows])}")
    return "\n".join(parts)


def _flag_rows(flag: Flag) -> Iterator[tuple[str, str, str]]:
    *others, last = flag.names
    value = flag.metavar and (f" {flag.metavar}" if flag.bare is None else f" [{flag.metavar}]")
    names = ", ".join(f"`{name}`" for name in (*others, last + value))
    yield names, flag.shown, f"{flag.text}. {flag.more}" if flag.more else flag.text
    if flag.off is not None:
        yield f"`{flag.off[0]}`", "", flag.off[1]


def _parameter_table(parameters: list[dict[str, Any]]) -> str:
    rows = [("parameter", "default", "what it does", "what to write", "example", "exercises")]
    for each in parameters:
        name, example = f"`{each['name']}`", f"`{each['example']}`"
        rows.append((name, _code(each["default"]), each["why"], each["what"], example, each["rfc"]))
    return _table(rows)
