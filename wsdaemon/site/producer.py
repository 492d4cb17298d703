"""Producer of a file's bytes: exactly as many as were announced, even if the file changes meanwhile."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import IO, Any

from twisted.internet.interfaces import IPullProducer
from zope.interface import implementer

from wsdaemon.site.pages import note_failure, send_failure

_OF_THE_FILE = (b"etag", b"last-modified", b"accept-ranges", b"content-range")
_PIECE = 1 << 16

Part = tuple[bytes, int, int]
"""Bytes to send before a part of a file, its offset and its size."""


@implementer(IPullProducer)
class FileProducer:
    """Sends parts of an open file, then finishes the response and closes the file.

    If the file has shrunk the connection ends, as nothing else tells the client that its copy is incomplete; if nothing
    was sent yet, the response is an error instead.
    """

    def __init__(self, request: Any, file: IO[bytes], parts: Iterable[Part], path: str) -> None:
        self._request = request
        self._file = file
        self._parts = iter(parts)
        self._path = path
        self._before = b""  # to send before the next bytes of the file
        self._left = 0

    def resumeProducing(self) -> None:
        """Send the next piece."""
        try:
            self._go_on()
            if self._request is not None:
                data = self._file.read(min(_PIECE, self._left))
                if not data:
                    raise OSError(errno.EIO, "it has become shorter")
                self._left -= len(data)
                before, self._before = self._before, b""
                self._request.write(before + data)
                self._go_on()
        except OSError as error:
            self._give_up(error)

    def stopProducing(self) -> None:
        """Close the file."""
        self._file.close()
        self._request = None

    def _go_on(self) -> None:
        """Begin the next part if one is done; finish after the last."""
        while self._request is not None and not self._left:
            part = next(self._parts, None)
            if part is None:
                request = self._request
                if self._before:
                    request.write(self._before)
                request.unregisterProducer()
                self.stopProducing()
                request.finish()
                return
            before, offset, self._left = part
            self._before += before
            self._file.seek(offset)

    def _give_up(self, error: OSError) -> None:
        request = self._request
        request.unregisterProducer()
        self.stopProducing()
        if request.startedWriting:
            note_failure(request, error, self._path, "could not be sent to its end")
            request.channel.loseConnection()
            return
        for name in _OF_THE_FILE:
            request.responseHeaders.removeHeader(name)
        request.write(send_failure(request, error, self._path))
        request.finish()
