"""Folder listings: the files and folders that a client may fetch, made in a thread and sent as the peer reads."""

from __future__ import annotations

import datetime
import errno
import io
import itertools
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from html import escape
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from wsdaemon.site.pages import frame, send_failure, send_page
from wsdaemon.site.producer import FileProducer
from wsdaemon.websocket.turns import Turns

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")

# A busy thread slows the loop down: Python runs one thread at a time, for 5 ms, and the loop has to wait for its turn
# after every system call. So the thread that makes a listing rests often.
_REST_EVERY = 50
_REST = 0.0001
_T = TypeVar("_T")


class _Asked(NamedTuple):
    """A request for a listing: the folder's path, its path in the URL, and which of its names are served."""

    request: Any
    path: str
    url_path: str
    is_served: Callable[[str], bool]
    turns: Turns


class Listings:
    """Makes one listing at a time. Requests for the same folder that wait meanwhile get the same page, one per turn."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: deque[_Asked] = deque()
        self._busy = False
        self._pages: dict[tuple[str, str], bytes] = {}
        """The last page, by its folder's path and path in the URL, as long as requests wait."""

    def send(self, request: Any, path: str, url_path: str, is_served: Callable[[str], bool]) -> None:
        """Answer `request`, now or later, with the folder at `path`; see `read_folder` for `is_served`."""
        self._waiting.append(_Asked(request, path, url_path, is_served, request.channel.site.hub.turns))
        if not self._busy:
            self._busy = True
            self._serve()

    @inlineCallbacks
    def _serve(self) -> Generator[Deferred[bytes], bytes, None]:
        """Answer the request that has waited longest, and in another turn the next: each response takes time."""
        asked = self._waiting.popleft()
        request, folder = asked.request, (asked.path, asked.url_path)
        try:
            if request.channel is not None and folder not in self._pages:
                self._pages.clear()
                self._pages[folder] = yield self._make(asked)
            if request.channel is not None:
                _send(request, self._pages[folder], asked.path)
        except OSError as error:
            if request.channel is not None:
                request.write(send_failure(request, error, asked.path))
                request.finish()
        except Exception:  # must not stop those that wait
            request.processingFailed(Failure())
        self._busy = bool(self._waiting)
        if self._busy:
            asked.turns.add(self._serve, again=True)
        else:
            self._pages.clear()

    def _make(self, asked: _Asked) -> Deferred[bytes]:
        def make() -> bytes:
            return listing_page(asked.url_path, *read_folder(asked.path, asked.is_served, self._most))

        try:
            return deferToThread(make)
        except RuntimeError as error:  # no thread; Python does not say why, and this is the usual reason
            _forget_threads(asked.request.channel.site.reactor)
            raise OSError(errno.EAGAIN, str(error), asked.path) from error


def _send(request: Any, page: bytes, path: str) -> None:
    if send_page(request, page):
        request.registerProducer(FileProducer(request, io.BytesIO(page), [(b"", 0, len(page))], path), False)
    else:
        request.finish()


def _forget_threads(reactor: Any) -> None:
    """Make Twisted's pool forget threads that never started: it would keep them, and join them at the end."""
    threads = reactor.getThreadPool().threads
    threads[:] = [thread for thread in threads if thread.ident is not None]


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
