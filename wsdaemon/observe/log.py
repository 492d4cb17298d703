"""Log: one line for each event, as text or as a JSON object, whatever characters peers send."""

from __future__ import annotations

import datetime
import io
import json
import math
import os
import sys
from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, TextIO

from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
)

_LEVELS = "trace", "debug", "info", "warn", "error", "critical", "failure"
SILENT: Any = SimpleNamespace(**dict.fromkeys(_LEVELS, lambda *_, **__: None))
"""Logger that writes nothing, for a library that logs much for each message."""
_PRIORITIES = {"debug": 7, "info": 6, "warn": 4, "error": 3, "critical": 2}


def make_observer(level: str, style: str, stream: TextIO | None = None) -> ILogObserver:
    """Return an observer that writes events of `level` and above, as `text` or `json`, by default to stdout."""
    predicate = LogLevelFilterPredicate(LogLevel.levelWithName(level))
    plain: Callable[[LogEvent], str] = as_json if style == "json" else as_text
    stream = stream or sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")  # for a terminal that isn't UTF-8

    def with_priority(event: LogEvent) -> str:
        # sd-daemon(3): the journal takes the priority from the start of a line.
        return f"<{_PRIORITIES.get(_level(event), 6)}>{plain(event)}"

    observer = FileLogObserver(stream, with_priority if is_journal(stream) else plain)
    return FilteringLogObserver(observer, [predicate])


def is_journal(stream: TextIO) -> bool:
    """Return whether `stream` is connected to systemd's journal (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        found = os.fstat(stream.fileno())
    except (AttributeError, OSError, ValueError):  # twistd's log file, a stream in memory, or a closed one
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def as_text(event: LogEvent) -> str:
    """Return the event as `TIME LEVEL TEXT`; a traceback follows on the same line."""
    return f"{_time(event)} {_level(event):<8} {one_line(_text(event))}\n"


def as_json(event: LogEvent) -> str:
    """Return the event as a JSON object: time, level, logger, text, and those of its fields that are plain values."""
    fields = {
        name: value
        for name, value in event.items()
        if not name.startswith("log_") and isinstance(value, str | int | float | bool | None)
    }
    shown = {
        "time": _time(event),
        "level": _level(event),
        "logger": event.get("log_namespace", ""),
        "text": _text(event),
    }
    return json.dumps({name: _json_value(value) for name, value in (shown | fields | shown).items()}) + "\n"


def one_line(text: str) -> str:
    """Return `text` with every character escaped that could end the line, be invisible, or move the cursor."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def shorten(text: str, most: int = 200) -> str:
    """Return `text`, cut at `most` characters: peers must not fill the log."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def _json_value(value: Any) -> Any:
    """Return `value` in strict JSON: surrogates (from file names) escaped, infinity and NaN as strings."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _text(event: LogEvent) -> str:
    text = event.get("log_format")
    if isinstance(text, str) and "(" not in text and "log_failure" not in event:
        try:
            # The same as Twisted's, but ten times as fast. Twisted alone can call fields: `{name()}`.
            return text.format_map(event).rstrip("\n")
        except Exception:  # noqa: S110  # Twisted describes the error in the line
            pass
    return eventAsText(event, includeTimestamp=False, includeSystem=False).rstrip("\n")


def _time(event: LogEvent) -> str:
    seconds, rest = divmod(event.get("log_time", 0.0), 1)
    return f"{_second(int(seconds))}.{int(rest * 1000):03d}Z"


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _level(event: LogEvent) -> str:
    level = event.get("log_level")
    return level.name if level is not None else "info"
