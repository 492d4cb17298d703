"""Summary of a run as text, at most 80 columns wide."""

from __future__ import annotations

import textwrap

from wsdaemon.load import words
from wsdaemon.load.document import Document

WIDTH = 80
_COLUMNS = ("min", "mean", "p50", "p90", "p99", "p99_9", "max")


def summary(document: Document) -> str:
    """Return the summary, without a newline at its end."""
    configuration = document["configuration"]
    lines = [_cut(str(configuration["url"])), _cut(words.plan(configuration))]
    if document["interrupted"]:
        lines.append(f"Interrupted after {words.seconds(document['load_seconds'])}.")
    lines += ["", *_counts(document)]
    times = _times(document)
    lines += ["", *times] if times else []
    if document["errors"]:
        lines += ["", "Errors", *(f"{number:>10,}  {words.error(kind)}" for kind, number in document["errors"].items())]
        lines += [line for why in document["connections"]["failures"] for line in _wrapped(f"For example: {why}")]
    if document["messages"] is not None and document["messages"]["sent"] and not document["messages"]["right"]:
        lines += ["", "No message came back unchanged. Does this endpoint echo?"]
    if document["client"]["limited"]:
        why = "; ".join(document["client"]["reasons"])
        lines += ["", *_wrapped(f"THE CLIENT ITSELF MAY HAVE BEEN THE LIMIT: {why}. The server may well do better.")]
    return "\n".join(lines)


def _counts(document: Document) -> list[str]:
    connections, messages, rates = document["connections"], document["messages"], document["rates"]
    opened = f"{connections['opened']:,} opened"
    opened += "".join(
        f", {connections[name]:,} {text}"
        for name, text in (("failed", "failed"), ("closed_early", "closed early"))
        if connections[name]
    )
    if messages is None:
        return [f"Handshakes   {words.count(rates['handshakes_per_second'])}/s; {opened}"]
    asked = document["configuration"]["rate_messages_per_second"]
    of = f" of {words.count(asked)}/s" if asked else ""
    rate = f"{words.count(rates['messages_per_second'])} messages/s{of}"
    right = f"{messages['right']:,} right of {messages['sent']:,} sent"
    if messages["in_flight_when_interrupted"]:
        right += f", {messages['in_flight_when_interrupted']:,} still in flight"
    return [
        f"Connections  {opened}",
        f"Messages     {right}",
        f"Throughput   {rate}, {words.size(rates['received_bytes_per_second'])}/s each way",
    ]


def _times(document: Document) -> list[str]:
    rows = {"latency": document["latency_ms"]} if document["latency_counted_from"] != "connecting" else {}
    rows |= {
        part if part != "total" else "handshake": document["handshake_ms"][part]
        for part in ("total", "tcp", "tls", "upgrade")
    }
    rows = {name: times for name, times in rows.items() if times["count"]}
    if not rows:
        return []
    lines = [" " * 10 + "".join(f"{words.column(name):>10}" for name in _COLUMNS)]
    for name, times in rows.items():
        lines.append(f"{name:<10}" + "".join(f"{words.milliseconds(times[each]):>10}" for each in _COLUMNS))
    if "latency" in rows:
        lines.append(f"The latency is {words.counted_from(document)}.")
    return lines


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ")


def _cut(text: str) -> str:
    """Return a line cut to the width, with control characters replaced."""
    shown = words.printable(text)
    return shown if len(shown) <= WIDTH else shown[: WIDTH - 1] + "…"
