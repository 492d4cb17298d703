"""The log: one line for each event, as text or as a JSON object. What peers send can never break a line."""

from __future__ import annotations

import datetime
import io
import json
import math
import os
import sys
from collections.abc import Callable
from functools import lru_cache
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


class _Silent:
    """A logger of nothing, for a library that says a lot about each message."""

    def _nothing(self, *_: Any, **__: Any) -> None:
        """Say nothing."""

    trace = debug = info = warn = error = critical = failure = _nothing


SILENT = _Silent()
_PRIORITIES = {"debug": 7, "info": 6, "warn": 4, "error": 3, "critical": 2}


def make_observer(level: str, style: str, stream: TextIO | None = None) -> ILogObserver:
    """Return an observer that writes events of at least `level` to `stream` (the standard output), one a line.

    `style` is `text` or `json`.
    """
    predicate = LogLevelFilterPredicate(LogLevel.levelWithName(level))
    plain: Callable[[LogEvent], str] = as_json if style == "json" else as_text
    stream = stream or sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")  # a terminal that isn't UTF-8 must not lose the event

    def with_priority(event: LogEvent) -> str:
        # sd-daemon(3): the journal takes the priority from the start of a line.
        return f"<{_PRIORITIES.get(_level(event), 6)}>{plain(event)}"

    observer = FileLogObserver(stream, with_priority if is_journal(stream) else plain)
    return FilteringLogObserver(observer, [predicate])


def is_journal(stream: TextIO) -> bool:
    """Say whether a stream leads to systemd's journal (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        found = os.fstat(stream.fileno())
    except (AttributeError, OSError, ValueError):  # a file of twistd's, a stream in memory, or one that is closed
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def as_text(event: LogEvent) -> str:
    """Return the event as `TIME LEVEL TEXT`; a traceback follows on one line."""
    return f"{_time(event)} {_level(event):<8} {one_line(_text(event))}\n"


def as_json(event: LogEvent) -> str:
    """Return the event as a JSON object: time, level, logger, text, and the event's own fields that JSON can hold."""
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
    whole = {name: _json_value(value) for name, value in (fields | shown).items()}
    return json.dumps(shown | whole) + "\n"


def one_line(text: str) -> str:
    """Return `text` with everything escaped that could end a line, hide, or move the cursor."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def shorten(text: str, most: int = 200) -> str:
    """Return `text`, cut where it is long: what peers send must not fill the log."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def _json_value(value: Any) -> Any:
    """Return `value` as every JSON parser takes it: surrogates (from odd file names) escaped, no infinite number."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _text(event: LogEvent) -> str:
    text = event.get("log_format")
    if isinstance(text, str) and "(" not in text and "log_failure" not in event:
        try:
            # As Twisted does, but ten times as fast; what it can do beyond that begins with a parenthesis.
            return text.format_map(event).rstrip("\n")
        except Exception:  # noqa: S110  # Twisted shows what is wrong with it
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
