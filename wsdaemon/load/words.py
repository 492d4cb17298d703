"""Numbers and names in words, for the summary, the comparison and the report."""

from __future__ import annotations

from typing import Any

_ERRORS = {
    "lost": "lost: no reply arrived",
    "unsent": "due, but could not be sent",
    "wrong_bytes": "replies with other bytes than were sent",
    "wrong_opcode": "replies of the wrong type (text or binary)",
    "doubled": "replies that arrived twice",
    "unexpected": "replies to nothing",
    "out_of_order": "replies out of order",
    "cut_off": "connections cut without a Close frame",
    "handshake_timeout": "handshakes that took too long",
    "cannot_connect_resolve": "host names without an address",
    "cannot_connect_tcp": "TCP connections that failed",
    "cannot_connect_proxy": "proxy tunnels that failed",
    "cannot_connect_tls": "TLS handshakes that failed",
    "cannot_connect_upgrade": "responses that are no WebSocket handshake",
}


def error(kind: str) -> str:
    """Return an error's name in words."""
    if kind.startswith("closed_"):
        return f"connections closed by the server: code {kind.removeprefix('closed_')}"
    if kind.startswith("refused_"):
        return f"handshakes refused: HTTP status {kind.removeprefix('refused_')}"
    return _ERRORS.get(kind, kind.replace("_", " "))


def milliseconds(value: float | None) -> str:
    """Return a time with a fitting unit and three digits: 85 µs, 1.23 ms, 2.05 s."""
    if value is None:
        return "-"
    if value < 1:
        return f"{value * 1000:.0f} µs"
    if value < 1000:
        return f"{value:.{digits(value)}f} ms"
    return f"{value / 1000:.{digits(value / 1000)}f} s"


def digits(value: float) -> int:
    """Return how many decimals show three significant digits."""
    return 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0


def count(value: float | None) -> str:
    """Return a number with thousands separated: 12,345; below 100 with decimals, if it has any."""
    if value is None:
        return "-"
    if value < 100 and value != int(value):
        return f"{value:.{digits(value)}f}"
    return f"{value:,.0f}"


def size(value: float) -> str:
    """Return bytes with a fitting unit: 512 B, 1.50 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} B" if unit == "B" else f"{value:.{digits(value)}f} {unit}"


def seconds(value: float) -> str:
    """Return a duration: 10 s, 2.5 s."""
    return f"{value:.1f}".removesuffix(".0") + " s"


def value(setting: object) -> str:
    """Return a value of the configuration, with control characters replaced."""
    if setting is None or setting == []:
        return "none"
    if isinstance(setting, bool):
        return "yes" if setting else "no"
    if isinstance(setting, list):
        return ", ".join(map(value, setting))
    text = f"{setting:.10g}" if isinstance(setting, float) else str(setting)
    return printable(text)


def printable(text: str) -> str:
    """Return a text with its control characters replaced."""
    return "".join(each if each.isprintable() else "�" for each in text)


def column(name: str) -> str:
    """Return what a statistic is called in a table: p99.9 for p99_9."""
    return name.replace("_", ".")


def clients(number: int) -> str:
    """Return a number of clients: 1 client, 1,000 clients."""
    return f"{number:,} client{'' if number == 1 else 's'}"


def plan(configuration: dict[str, Any]) -> str:
    """Return a run's plan in one line."""
    number, duration = configuration["clients"], seconds(configuration["duration_seconds"])
    if configuration["mode"] == "connects":
        return f"handshakes, {number:,} at a time, for {duration}"
    least, greatest = configuration["size_min_bytes"], configuration["size_max_bytes"]
    what = f"{least:,}" if least == greatest else f"{least:,}-{greatest:,}"
    if configuration["rate_messages_per_second"] is not None:
        how = f"{count(configuration['rate_messages_per_second'])} messages/s in total"
    else:
        how = f"{configuration['in_flight_messages']:,} in flight each"
    ramp = f", ramp {seconds(configuration['ramp_seconds'])}" if configuration["ramp_seconds"] else ""
    return f"{clients(number)}, {how}, {what} B {configuration['opcode']}, {duration}{ramp}"


def counted_from(document: dict[str, Any]) -> str:
    """Return the start of a latency, in words."""
    return {
        "due": "counted from when each message was due",
        "sent": "counted from when each message was sent",
        "connecting": "from the first TCP packet to the 101",
    }.get(document["latency_counted_from"], "")
