"""Sending a file, or parts of it: what was announced and not a byte more, also where the file changes meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any

from twisted.logger import Logger
from twisted.web.static import StaticProducer


class FileProducer(StaticProducer):
    """Sends parts of an open file, each given as the bytes to send before it, its offset and its size.

    Twisted's own producers send more than was announced of a file that grows, and never end with one that shrinks.
    Here the connection ends then: nothing else can tell the client that its copy is not whole.
    """

    log = Logger(namespace="wsdaemon")
    request: Any
    fileObject: IO[bytes]

    def __init__(self, request: Any, file: IO[bytes], parts: Iterable[tuple[bytes, int, int]]) -> None:
        super().__init__(request, file)
        self._parts = iter(parts)
        self._left = 0

    def start(self) -> None:
        """Begin, as fast as the peer reads."""
        self.request.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """Send one more piece."""
        self._go_on()
        if self.request is not None:
            data = self._read()
            self._left -= len(data)
            if data:
                self.request.write(data)
                self._go_on()
            else:
                self._give_up()

    def _go_on(self) -> None:
        """Begin the next part once one is sent; finish after the last."""
        while self.request is not None and not self._left:
            part = next(self._parts, None)
            if part is None:
                request = self.request
                request.unregisterProducer()
                self.stopProducing()
                request.finish()
                return
            before, offset, self._left = part
            self.fileObject.seek(offset)
            if before:
                self.request.write(before)

    def _read(self) -> bytes:
        try:
            return self.fileObject.read(min(self.bufferSize, self._left))
        except OSError as error:
            self.log.warn("{path}: {error}", path=self.request.path, error=error)
            return b""

    def _give_up(self) -> None:
        self.log.warn("{path}: could not be sent to its end; has it become shorter?", path=self.request.path)
        channel = self.request.channel
        self.request.unregisterProducer()
        self.stopProducing()
        channel.loseConnection()
