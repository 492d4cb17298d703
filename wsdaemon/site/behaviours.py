"""List of behaviours, as JSON and as an HTML page, made from the catalogue's document."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any
from urllib.parse import quote

from wsdaemon.routing.catalogue import sections
from wsdaemon.site.pages import frame, send_body, send_page

Page = Callable[[Any], bytes | int]
"""Answers a GET or HEAD request; returns what `render` has to return."""

PATH = "behaviours"
_LAB = "/lab.html"


def behaviour_pages(document: dict[str, Any], *, has_lab: bool) -> Mapping[bytes, Page]:
    """Return the pages on a server's behaviours by their names in the root of the site."""
    as_json = json.dumps(document, ensure_ascii=False, indent=1).encode()
    page = frame("WebSocket behaviours", _body(document, has_lab=has_lab))
    return {
        f"{PATH}.json".encode(): lambda request: send_body(request, "application/json", as_json),
        PATH.encode(): lambda request: send_page(request, page),
    }


def _body(document: dict[str, Any], *, has_lab: bool) -> str:
    parts = [
        "<p>Each behaviour is the URL of a WebSocket on this server. Its parameters go into the query and can be "
        "combined: <code>/echo?delay=200&amp;fragment=3</code>. A wrong parameter gets a 400 that says what is wrong. "
        f'The list is also <a href="/{PATH}.json">JSON</a>'
        + (f', and <a href="{_LAB}">the lab</a> is the place to try it' if has_lab else "")
        + ".</p>"
    ]
    for section in sections(document):
        parts.append(f'<h2 id="{section.family}">{escape(section.family)}: {escape(section.summary)}</h2>')
        parts += [_behaviour(each, document["groups"], has_lab=has_lab) for each in section.behaviours]
        if section.group:
            parts.append(f"<p>{_inline(section.group['summary'])} For {escape(', '.join(section.takers))}.</p>")
            parts.append(_table(section.group["parameters"]))
    return "\n".join(parts)


def _behaviour(each: dict[str, Any], groups: dict[str, Any], *, has_lab: bool) -> str:
    example = f"<code>{escape(each['example'])}</code>"
    if has_lab:
        example = f'<a href="{escape(_LAB + "#" + quote(each["example"], safe="/?=&+,:"))}">{example}</a>'
    names = ", ".join(f"<code>{escape(name)}</code>" for name in each["subprotocols"])
    takes = ", ".join(f'<a href="#{name}">{name}</a>' for name in each["groups"] if name in groups)
    parts = [f'<h3 id="{escape(each["name"])}">{escape(each["path"])}</h3>', f"<p>{_inline(each['summary'])}</p>"]
    parts.append(f"<p>For example {example}. As a subprotocol: {names}. Exercises {escape(each['rfc'])}.</p>")
    if each["parameters"]:
        parts.append(_table(each["parameters"]))
    if takes:
        parts.append(f"<p>It also takes the parameters of {takes}.</p>")
    return "\n".join(parts)


def _table(parameters: list[dict[str, Any]]) -> str:
    rows = ["<tr><th>Parameter<th>Default<th>What it does<th>What to write</tr>"]
    for each in parameters:
        default = "–" if each["default"] in (None, "") else f"<code>{escape(each['default'])}</code>"
        rfc = f" ({escape(each['rfc'])})" if each["rfc"] else ""
        rows.append(
            f"<tr><td><code>{escape(each['name'])}</code><td>{default}<td>{_inline(each['why'])}{rfc}"
            f"<td>{escape(each['what'])}; <code>{escape(each['example'])}</code></tr>"
        )
    return f'<div class="wide"><table>{"".join(rows)}</table></div>'


def _inline(text: str) -> str:
    """Return a text as HTML, with code between backticks."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(text))
