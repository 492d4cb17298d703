"""WebSocket frames by hand: built and parsed, masked as a client's and unmasked as a server's."""

from __future__ import annotations

from dataclasses import dataclass

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
MASK = bytes((0x37, 0xFA, 0x21, 0x3D))


@dataclass(frozen=True)
class Frame:
    """One frame."""

    opcode: int
    payload: bytes = b""
    fin: bool = True
    rsv: int = 0

    def masked(self) -> bytes:
        """Return the frame as a client sends it."""
        length = len(self.payload)
        key = (MASK * (length // 4 + 1))[:length]
        mixed = int.from_bytes(self.payload, "big") ^ int.from_bytes(key, "big")
        return self._header(0x80) + MASK + mixed.to_bytes(length, "big")

    def unmasked(self) -> bytes:
        """Return the frame as a server sends it."""
        return self._header(0) + self.payload

    def _header(self, mask: int) -> bytes:
        length, first = len(self.payload), (0x80 if self.fin else 0) | self.rsv << 4 | self.opcode
        if length < 126:
            return bytes((first, mask | length))
        if length < 65536:
            return bytes((first, mask | 126)) + length.to_bytes(2, "big")
        return bytes((first, mask | 127)) + length.to_bytes(8, "big")


def close(code: int, reason: str = "") -> Frame:
    """Return a Close frame."""
    return Frame(CLOSE, code.to_bytes(2, "big") + reason.encode())


def close_code(frame: Frame) -> int:
    """Return the code of a Close frame, or 1005 if it has none (RFC 6455 section 7.1.5)."""
    assert frame.opcode == CLOSE, frame
    return int.from_bytes(frame.payload[:2], "big") if frame.payload else 1005


def take_frames(data: bytes, *, masked: bool = False) -> tuple[list[Frame], bytes]:
    """Return the complete frames of a server, or of a client, which are `masked`; and the rest.

    The wrong masking, or a length that is not in its shortest form, fails.
    """
    frames, at = [], 0
    while len(data) >= at + 2:
        length, start = data[at + 1] & 127, at + 2
        assert bool(data[at + 1] & 128) == masked, "a client must mask, a server must not"
        if length > 125:
            start = at + (4 if length == 126 else 10)
            length = int.from_bytes(data[at + 2 : start], "big")
            assert len(data) < start or length > (125 if start == at + 4 else 65535), "not the shortest length"
        key = data[start : start + 4] if masked else b""
        start += len(key)
        if len(data) < start + length:
            break
        first, payload = data[at], data[start : start + length]
        if masked:
            payload = bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))
        frames.append(Frame(first & 15, payload, bool(first & 128), first >> 4 & 7))
        at = start + length
    return frames, data[at:]


def request(path: str = "/", *, subprotocols: str = "", extensions: str = "", more: str = "") -> bytes:
    """Return a handshake request."""
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Sec-WebSocket-Key: {KEY.decode()}", "Sec-WebSocket-Version: 13"]
    if subprotocols:
        lines.append(f"Sec-WebSocket-Protocol: {subprotocols}")
    if extensions:
        lines.append(f"Sec-WebSocket-Extensions: {extensions}")
    return ("\r\n".join(lines) + "\r\n" + more + "\r\n").encode()
