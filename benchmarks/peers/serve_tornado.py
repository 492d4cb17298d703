"""Tornado on its default loop."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from benchmarks.peers.common import BACKLOG, MAX_MESSAGE, arguments, tls_context

room: set[WebSocketHandler] = set()


class Echo(WebSocketHandler):
    """Sends each message back."""

    def get_compression_options(self) -> dict[str, Any]:
        """Accept permessage-deflate with Tornado's defaults."""
        return {}

    async def on_message(self, message: str | bytes) -> None:
        """Reply; awaiting the write is Tornado's back-pressure."""
        await self.write_message(message, binary=isinstance(message, bytes))


class Broadcast(Echo):
    """Sends each message to all."""

    def open(self, *_: str, **__: str) -> None:
        """Enter the room."""
        room.add(self)

    def on_close(self) -> None:
        """Leave the room."""
        room.discard(self)

    async def on_message(self, message: str | bytes) -> None:
        """Send to all without awaiting each, as Tornado's chat demo does."""
        binary = isinstance(message, bytes)
        for member in room:
            member.write_message(message, binary=binary)


async def main(options: argparse.Namespace) -> None:
    """Serve until the end."""
    application = Application(
        [("/", Echo), ("/broadcast", Broadcast)],
        websocket_max_message_size=MAX_MESSAGE,
        log_function=lambda _: None,
    )
    HTTPServer(application).listen(options.port, "127.0.0.1", backlog=BACKLOG)
    HTTPServer(application, ssl_options=tls_context(options)).listen(options.tls_port, "127.0.0.1", backlog=BACKLOG)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(arguments()))
