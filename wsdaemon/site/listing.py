"""Folder listing: the files and folders that a client may fetch, with sizes and times."""

from __future__ import annotations

import datetime
import itertools
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from html import escape
from typing import NamedTuple, TypeVar
from urllib.parse import quote

from wsdaemon.site.pages import frame

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")

# A busy thread slows the loop down: Python runs one thread at a time, for 5 ms, and the loop has to wait for its turn
# after every system call. So the thread that makes a listing rests often.
_REST_EVERY = 50
_REST = 0.0001
_T = TypeVar("_T")


class Entry(NamedTuple):
    """A file or folder: its name in the file system, its size in bytes, its time in seconds since 1970."""

    name: str
    is_folder: bool
    size: int
    modified: float


def read_folder(path: str, is_served: Callable[[str], bool], most: int) -> tuple[list[Entry], int]:
    """Return a folder's entries, folders first, then by name: at most `most`, and how many more there are.

    Names that begin with a dot, devices and the like are left out, and so are symbolic links that `is_served` denies.
    Raises `OSError` if the folder cannot be read. It may take long: call it in a thread.
    """
    with os.scandir(path) as found:
        shown = _entries(each for each in _resting(found) if not each.is_symlink() or is_served(each.name))
        entries = list(itertools.islice(shown, most))
        more = sum(1 for _ in shown)
    return sorted(entries, key=lambda entry: (not entry.is_folder, entry.name.casefold(), entry.name)), more


def listing_page(url_path: str, entries: list[Entry], more: int = 0) -> bytes:
    """Return the page; `url_path` is the folder's path, unquoted, with a slash at its end."""
    rows = [] if url_path == "/" else ['<tr><td><a href="../">../</a><td><td class="time">']
    rows += [_row(entry) for entry in _resting(entries)]
    body = (
        '<table><thead><tr><th>Name<th class="number">Size<th class="number time">Changed (UTC)<tbody>'
        + "\n".join(rows)
        + "</table>"
    )
    rest = f"<p>{more:,} more are not shown.</p>" if more else ""
    return frame(f"Index of {url_path}", body + rest if rows else "<p>This folder is empty.</p>")


def _resting(items: Iterable[_T]) -> Iterator[_T]:
    """Yield the items, and let other threads run in between."""
    for number, item in enumerate(items, 1):
        yield item
        if number % _REST_EVERY == 0:
            time.sleep(_REST)


def _entries(found: Iterable[os.DirEntry[str]]) -> Iterator[Entry]:
    for each in found:
        if each.name.startswith("."):
            continue
        try:
            status = each.stat()
        except OSError:  # a dangling link, or gone since
            continue
        if stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode):
            yield Entry(each.name, stat.S_ISDIR(status.st_mode), status.st_size, status.st_mtime)


def _row(entry: Entry) -> str:
    slash = "/" if entry.is_folder else ""
    # "./" keeps a name with a colon from being read as a scheme.
    link = "./" + quote(os.fsencode(entry.name), safe="") + slash
    name = escape(os.fsencode(entry.name).decode("utf-8", "replace")) + slash
    size = "" if entry.is_folder else _size(entry.size)
    time = _time(entry.modified)
    return (
        f'<tr><td><a href="{escape(link)}"><bdi>{name}</bdi></a><td class="number">{size}<td class="number time">{time}'
    )


def _time(modified: float) -> str:
    try:
        return datetime.datetime.fromtimestamp(modified, datetime.UTC).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):  # the time of a file can be outside of the calendar
        return ""


def _size(size: float) -> str:
    for unit in _UNITS[:-1]:
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {_UNITS[-1]}"
