"""picows on uvloop, written as its examples are. It has no permessage-deflate."""

from __future__ import annotations

import argparse
import asyncio
import struct

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from benchmarks.peers.common import BACKLOG, MAX_MESSAGE, arguments, tls_context

room: set[WSTransport] = set()


class Echo(WSListener):
    """Sends each frame back. The frame's memory is valid during the call only; `send` copies what it keeps."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Reply."""
        transport.send(frame.msg_type, frame.get_payload_as_memoryview(), frame.fin)
        if frame.msg_type is WSMsgType.CLOSE:
            transport.disconnect()


class Broadcast(WSListener):
    """Sends each message to all."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Enter the room."""
        room.add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Leave the room."""
        room.discard(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Reply."""
        if frame.msg_type is WSMsgType.CLOSE:
            transport.send_close()
            transport.disconnect()
            return
        prepared = frame_header(frame.msg_type, frame.payload_size) + frame.get_payload_as_bytes()
        for member in room:
            member.underlying_transport.write(prepared)


def frame_header(kind: WSMsgType, size: int) -> bytes:
    """Return the header of a whole message: framing it once is faster than `send` for each member."""
    if size < 126:
        return bytes([0x80 | kind.value, size])
    if size < 65536:
        return struct.pack("!BBH", 0x80 | kind.value, 126, size)
    return struct.pack("!BBQ", 0x80 | kind.value, 127, size)


def choose(request: WSUpgradeRequest) -> WSListener:
    """Choose the behaviour by the path."""
    return Broadcast() if request.path == b"/broadcast" else Echo()


async def main(options: argparse.Namespace) -> None:
    """Serve until the end."""
    await ws_create_server(choose, "127.0.0.1", options.port, max_frame_size=MAX_MESSAGE, backlog=BACKLOG)
    await ws_create_server(
        choose, "127.0.0.1", options.tls_port, max_frame_size=MAX_MESSAGE, backlog=BACKLOG, ssl=tls_context(options)
    )
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(main(arguments()))
