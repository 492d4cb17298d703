"""What the server sees of a client's handshake, and of each of its messages."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

from wsdaemon.behaviours.behaviour import Behaviour
from wsdaemon.behaviours.handshake import HandshakeParameters
from wsdaemon.behaviours.parameters import Family
from wsdaemon.websocket.codes import Opcode
from wsdaemon.websocket.handshake import Request
from wsdaemon.websocket.transport import tls_details

_MOST_FRAMES = 100


class Inspect(Behaviour):
    """What the server receives from a client. Of a message's frames, the first 100 are listed, and all are counted."""

    names = ("inspect",)
    family = Family(1, "look", "what the server sees of a client")
    summary = "Your handshake as JSON; then each message comes back as JSON with its frames, sizes and masking keys."
    example = "/inspect"
    rfc = "RFC 6455 sections 4 and 5"
    takes_whole_messages = False  # it has to see every frame
    _number = 0

    def accept(self, request: Request) -> None:
        """Note the handshake."""
        handshake, subprotocol = request.handshake, request.subprotocol
        named = self.given.of(HandshakeParameters).subprotocol
        self._seen: dict[str, Any] = {
            "method": "GET",
            "target": handshake.target,
            "http_version": "HTTP/1.1",
            "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in handshake.headers],
            "peer": self.peer,
            "tls": tls_details(self.transport),
            "subprotocol": (subprotocol if named is None else named) or None,
        }
        self._frames: list[dict[str, Any]] = []
        self._frame_count = self._wire_size = 0
        super().accept(request)

    def agree_on_extensions(self, header: str) -> str:
        """Note the extensions that were agreed on."""
        self._extensions = super().agree_on_extensions(header)
        return self._extensions

    def opened(self) -> None:
        """Send what the handshake was."""
        super().opened()
        seen, self._seen = self._seen, {}
        self._tell({**seen, "extensions": self._extensions or None, "time": datetime.now(UTC).isoformat()})

    def message_received(self, message: bytes, is_binary: bool) -> None:
        """Send what a message was."""
        self._number += 1
        frames, self._frames = self._frames, []
        content = {"base64": base64.b64encode(message).decode()} if is_binary else {"text": message.decode()}
        self._tell(
            {
                "message": self._number,
                "opcode": int(Opcode.BINARY if is_binary else Opcode.TEXT),
                "type": "binary" if is_binary else "text",
                "size": len(message),
                "compressed": bool(frames and frames[0]["rsv"] & 4),
                "frame_count": self._frame_count,
                "payload_size": self._wire_size,
                "frames": frames,
                **content,
            }
        )
        self._frame_count = self._wire_size = 0

    def onFrameBegin(self) -> None:
        """Note a frame's header."""
        frame = self.current_frame
        if frame.opcode < Opcode.CLOSE:
            if frame.opcode != Opcode.CONTINUATION:
                self._frames = []
                self._frame_count = self._wire_size = 0
            self._frame_count += 1
            self._wire_size += frame.length
            if len(self._frames) < _MOST_FRAMES:
                self._frames.append(
                    {
                        "opcode": frame.opcode, "fin": bool(frame.fin), "rsv": frame.rsv, "length": frame.length,
                        "masking_key": frame.mask.hex() if frame.mask else None,
                    }
                )  # fmt: skip
        super().onFrameBegin()

    def take_whole(self, data: bytes, at: int) -> int:
        """Take none: Autobahn's hooks see every frame."""
        return at

    def _tell(self, told: dict[str, Any]) -> None:
        self.reply(json.dumps(told, ensure_ascii=False).encode("utf-8", "replace"))
