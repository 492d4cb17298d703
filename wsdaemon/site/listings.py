"""Answering with the listing of a folder, which may be long: made by one thread, sent as fast as the peer reads."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import DeferredLock
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from wsdaemon.site.listing import listing_page, read_folder
from wsdaemon.site.pages import send_failure, send_page
from wsdaemon.site.producer import FileProducer


class Listings:
    """Makes one listing at a time; who waits for the same folder meanwhile gets the same page."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = DeferredLock()
        self._page: tuple[str, str, bytes] | None = None  # the folder, as it was asked for, and the page

    def send(self, request: Any, path: str, url_path: str, is_served: Callable[[str], bool]) -> None:
        """Answer `request`, now or later, with what the folder at `path` holds; see `read_folder` for `is_served`."""
        gone: list[Failure] = []

        def make() -> Any:
            if gone:
                return b""  # nobody waits for it any more
            if self._page is not None and self._page[:2] == (path, url_path):
                return self._page[2]
            try:
                made = deferToThread(lambda: listing_page(url_path, *read_folder(path, is_served, self._most)))
            except RuntimeError as error:  # Python does not say why no thread can be had, but the system said this
                _forget_threads(request.channel.site.reactor)
                raise OSError(errno.EAGAIN, str(error), path) from error
            return made.addCallback(self._share, path, url_path)

        def send(page: bytes) -> None:
            if not self._lock.waiting:
                self._page = None
            if gone:
                return
            if send_page(request, page):
                FileProducer(request, io.BytesIO(page), [(b"", 0, len(page))], path).start()
            else:
                request.finish()

        def failed(reason: Failure) -> None:
            error = reason.value
            if not isinstance(error, OSError):
                request.processingFailed(reason)
            elif not gone:
                request.write(send_failure(request, error, path))
                request.finish()

        request.notifyFinish().addErrback(gone.append)
        self._lock.run(make).addCallback(send).addErrback(failed)

    def _share(self, page: bytes, path: str, url_path: str) -> bytes:
        if self._lock.waiting:
            self._page = (path, url_path, page)
        return page


def _forget_threads(reactor: Any) -> None:
    """Have Twisted's pool forget the threads that never began, or it would collect them, and join them at the end."""
    threads = reactor.getThreadPool().threads
    threads[:] = [thread for thread in threads if thread.ident is not None]
