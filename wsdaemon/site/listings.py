"""Responses with a folder listing, which may be long: made in one thread, sent as fast as the peer reads."""

from __future__ import annotations

import errno
import io
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from wsdaemon.site.listing import listing_page, read_folder
from wsdaemon.site.pages import send_failure, send_page
from wsdaemon.site.producer import FileProducer
from wsdaemon.websocket.turns import Turns


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
        self._page: tuple[str, str, bytes] | None = None  # the folder, as it was asked for, and the page

    def send(self, request: Any, path: str, url_path: str, is_served: Callable[[str], bool]) -> None:
        """Answer `request`, now or later, with the folder at `path`; see `read_folder` for `is_served`."""
        asked = _Asked(request, path, url_path, is_served, request.channel.site.hub.turns)
        self._waiting.append(asked)
        if not self._busy:
            self._busy = True
            self._serve()

    def _serve(self) -> None:
        """Begin to answer the request that has waited longest; `_done` is called at the end."""
        asked = self._waiting.popleft()
        if asked.request.channel is None:
            self._done(asked)
        elif self._page is not None and self._page[:2] == (asked.path, asked.url_path):
            self._answer(self._page[2], asked)
        else:
            self._page = None
            try:
                made = deferToThread(lambda: self._make(asked))
            except RuntimeError as error:  # no thread; Python does not say why, and this is the usual reason
                _forget_threads(asked.request.channel.site.reactor)
                self._failed(Failure(OSError(errno.EAGAIN, str(error), asked.path)), asked)
            else:
                made.addCallbacks(self._answer, self._failed, callbackArgs=(asked,), errbackArgs=(asked,))

    def _make(self, asked: _Asked) -> bytes:
        return listing_page(asked.url_path, *read_folder(asked.path, asked.is_served, self._most))

    def _answer(self, page: bytes, asked: _Asked) -> None:
        if self._waiting:
            self._page = (asked.path, asked.url_path, page)
        try:
            if asked.request.channel is not None:
                if send_page(asked.request, page):
                    producer = FileProducer(asked.request, io.BytesIO(page), [(b"", 0, len(page))], asked.path)
                    asked.request.registerProducer(producer, False)
                else:
                    asked.request.finish()
        except Exception:  # must not stop those that wait
            asked.request.processingFailed(Failure())
        self._done(asked)

    def _failed(self, reason: Failure, asked: _Asked) -> None:
        error = reason.value
        if asked.request.channel is not None:
            if isinstance(error, OSError):
                asked.request.write(send_failure(asked.request, error, asked.path))
                asked.request.finish()
            else:
                asked.request.processingFailed(reason)
        self._done(asked)

    def _done(self, asked: _Asked) -> None:
        """Go on with the next request in another turn of the loop: hundreds may wait, and each response takes time."""
        if self._waiting:
            asked.turns.add(self._serve, again=True)
        else:
            self._busy = False
            self._page = None


def _forget_threads(reactor: Any) -> None:
    """Make Twisted's pool forget threads that never started: it would keep them, and join them at the end."""
    threads = reactor.getThreadPool().threads
    threads[:] = [thread for thread in threads if thread.ident is not None]
