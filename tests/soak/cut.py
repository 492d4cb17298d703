"""Notices the end of a connection without reading from it."""

from __future__ import annotations

import asyncio
import select


class CutWatch:
    """Waits for the end of connections that are not read, where an event loop would only see unread data."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._waiting: dict[int, asyncio.Future[None]] = {}
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._look)

    async def __call__(self, descriptor: int, *, reset: bool = False) -> None:
        """Return when the peer has ended the stream, or with `reset` aborted the connection.

        The caller keeps the descriptor open and gives it a bound.
        """
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[descriptor] = waiting
        self._epoll.register(descriptor, 0 if reset else select.EPOLLRDHUP)  # a reset always shows
        try:
            await waiting
        finally:
            self._epoll.unregister(descriptor)
            del self._waiting[descriptor]

    def close(self) -> None:
        """Stop watching."""
        asyncio.get_running_loop().remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _look(self) -> None:
        for descriptor, _ in self._epoll.poll(0):
            waiting = self._waiting[descriptor]
            if not waiting.done():
                waiting.set_result(None)
