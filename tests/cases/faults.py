"""Faults of a server, and how each client reports them."""

from __future__ import annotations

from tests.cases.vocabulary import Fault

# -- frames -----------------------------------------------------------------------------------------------------------


def _frame(code: int, websockets: str, ws: str, chromium: str) -> Fault:
    """Return a fault of a frame, with its close code from RFC 6455 section 7.4.1."""
    return Fault(str(code), f"{code} {websockets}", f"Invalid WebSocket frame: {ws}", chromium)


def _reserved(one: int, two: int, three: int) -> Fault:
    """Return the fault of reserved bits that no extension defines."""
    ws = "RSV2 and RSV3 must be clear" if two or three else "RSV1 must be clear"
    bits = f"One or more reserved bits are on: reserved1 = {one}, reserved2 = {two}, reserved3 = {three}"
    return _frame(1002, "reserved bits must be 0", ws, bits)


def bad_opcode(opcode: int) -> Fault:
    return _frame(1002, "invalid opcode", f"invalid opcode {opcode}", f"Unrecognized frame opcode: {opcode}")


def bad_code(code: int) -> Fault:
    """Return the fault of a close code that no Close may have (RFC 6455 section 7.4)."""
    chromium = "Received a broken close frame containing a reserved status code."
    return _frame(1002, "invalid status code", f"invalid status code {code}", chromium)


def not_utf8(websockets: str) -> Fault:
    return _frame(1007, websockets, "invalid UTF-8 sequence", "Could not decode a text frame as UTF-8.")


MASKED = _frame(
    1002, "incorrect masking", "MASK must be clear",
    "A server must not mask any frames that it sends to the client.",
)  # fmt: skip
RSV1, RSV2, RSV3, RSV123 = _reserved(1, 0, 0), _reserved(0, 1, 0), _reserved(0, 0, 1), _reserved(1, 1, 1)
RSV1_CONTINUED = _frame(1002, "RSV1 bit set in continuation frame", "RSV1 must be clear", "Invalid frame header")
"""RSV1 in a frame that is not the first of a compressed message (RFC 7692 section 6)."""
NOT_SHORTEST = _frame(1002, "", "", "Invalid frame header")
"""A length in more bytes than needed (RFC 6455 section 5.2): websockets and ws do not look."""
CONTROL_LONG = _frame(1002, "control frame too long", "invalid payload length 126", "Invalid frame header")
CONTROL_FRAGMENT = _frame(1002, "fragmented control frame", "FIN must be set", "Invalid frame header")
CLOSE_SHORT = _frame(
    1002, "close frame too short", "invalid payload length 1",
    "Received a broken close frame with an invalid size of 1 byte.",
)  # fmt: skip
CLOSE_UTF8 = _frame(
    1007, "invalid start byte at position 0", "invalid UTF-8 sequence",
    "Received a broken close frame containing invalid UTF-8.",
)  # fmt: skip
LONE = _frame(
    1002, "unexpected continuation frame", "invalid opcode 0", "Received unexpected continuation frame."
)  # fmt: skip
INTERLEAVED = _frame(
    1002, "expected a continuation frame", "invalid opcode 1",
    "Received start of new message but previous message is unfinished.",
)  # fmt: skip
BEHIND_CLOSE = _frame(1002, "", "", "Data frame received after close")
"""To be ignored (RFC 6455 section 5.5.1); all clients but Chromium do."""

# -- sizes and compression --------------------------------------------------------------------------------------------


def over(size: int, limit: int = 1 << 20) -> Fault:
    """Return the fault of a frame that is longer than the client's limit."""
    words = f"1009 frame with {size} bytes exceeds limit of {limit} bytes"
    return Fault("1009", words, "Max payload size exceeded", "")


HUGE = Fault(
    "1009", "1009 frame with 4611686018427387904 bytes exceeds limit…",
    "Unsupported WebSocket frame: payload length > 2^53 - 1", "",
)  # fmt: skip
HIGH_BIT = Fault(
    # websockets reads all 64 bits as the length, which is then too big rather than wrong.
    "1002", "1009 frame with 9223372036854775812 bytes exceeds limit…",
    "Unsupported WebSocket frame: payload length > 2^53 - 1", "Invalid frame header",
)  # fmt: skip
TOO_MUCH_INFLATED = Fault("1009", "1009 frame exceeds limit of 1048576 bytes", "Max payload size exceeded", "")


def not_inflated(ws: str) -> Fault:
    return Fault("1007", "1002 decompression failed", ws, "Invalid frame header")


# -- the handshake ----------------------------------------------------------------------------------------------------


def _handshake(wsproto: str, websockets: str, ws: str, chromium: str) -> Fault:
    return Fault(wsproto, websockets, ws, f"Error during WebSocket handshake: {chromium}")


_BAD_ACCEPT = "Invalid Sec-WebSocket-Accept header"
ACCEPT_WRONG = _handshake(
    "Bad accept token", "InvalidHeaderValue: invalid Sec-WebSocket-Accept header: …", _BAD_ACCEPT,
    "Incorrect 'Sec-WebSocket-Accept' header value",
)  # fmt: skip
ACCEPT_MISSING = _handshake(
    "Bad accept token", "InvalidHeader: missing Sec-WebSocket-Accept header…", _BAD_ACCEPT,
    "'Sec-WebSocket-Accept' header is missing",
)  # fmt: skip
ACCEPT_DOUBLE = _handshake(
    "", "InvalidHeader: invalid Sec-WebSocket-Accept header: multiple values…", _BAD_ACCEPT,
    "'Sec-WebSocket-Accept' header must not appear more than once…",
)  # fmt: skip
ACCEPT_EMPTY = _handshake(
    "Bad accept token", "InvalidHeaderValue: empty Sec-WebSocket-Accept header…", _BAD_ACCEPT,
    "Incorrect 'Sec-WebSocket-Accept' header value",
)  # fmt: skip


def subprotocol_unasked(name: str) -> Fault:
    """Return the fault of a subprotocol when none was offered."""
    return _handshake(
        f"unrecognized subprotocol {name}", "NegotiationError: no subprotocols supported",
        "Server sent a subprotocol but none was requested",
        f"Response must not include 'Sec-WebSocket-Protocol' header if not present in request: {name}",
    )  # fmt: skip


def subprotocol_unknown(name: str) -> Fault:
    """Return the fault of a subprotocol that is none of those offered."""
    return _handshake(
        f"unrecognized subprotocol {name}", f"NegotiationError: unsupported subprotocol: {name}",
        "Server sent an invalid subprotocol",
        f"'Sec-WebSocket-Protocol' header value '{name}' in response does not match…",
    )  # fmt: skip


SUBPROTOCOL_MISSING = _handshake(
    "", "", "Server sent no subprotocol",
    "Sent non-empty 'Sec-WebSocket-Protocol' header but no response was received…",
)  # fmt: skip
"""None, though some were offered: wsproto and websockets go on without one, as RFC 6455 section 4.1 allows."""


def extension_unknown(name: str, *, asked: bool = False) -> Fault:
    """Return the fault of an extension that was not offered; `asked` says that another one was."""
    ws = "Server indicated an extension that was not requested" if asked else _NO_EXTENSION
    websockets = f"NegotiationError: Unsupported extension: name = {name}…" if asked else _WEBSOCKETS_NONE
    return _handshake(
        f"unrecognized extension {name}", websockets, ws,
        f"Found an unsupported extension '{name}'…",
    )  # fmt: skip


_WEBSOCKETS_NONE = "NegotiationError: no extensions supported"
_NO_EXTENSION = "Server sent a Sec-WebSocket-Extensions header but no extension was requested"
EXTENSION_PARAMETER = _handshake(
    "", f"NegotiationError: Unsupported extension: name = {'permessage-deflate'}…",
    "Invalid Sec-WebSocket-Extensions header",
    "Error in permessage-deflate: Received an unexpected permessage-deflate extension parameter…",
)  # fmt: skip
"""A parameter that was not offered, or does not exist."""
EXTENSION_SYNTAX = _handshake(
    "unrecognized extension ", "InvalidHeaderFormat: invalid Sec-WebSocket-Extensions header…",
    "Invalid Sec-WebSocket-Extensions header",
    "'Sec-WebSocket-Extensions' header value is rejected by the parser: ;;",
)  # fmt: skip
HEADER_LONG = _handshake(
    "", "InvalidMessage: did not receive a valid HTTP response", "Parse Error: Header overflow",
    "net::ERR_RESPONSE_HEADERS_TOO_BIG…",
)  # fmt: skip
WINDOW_8 = _handshake(
    "Window size must be between 9 and 15 inclusive", "NegotiationError: …", "", ""
)  # fmt: skip
GIVEN_UP = Fault("", "", "", "WebSocket is closed before the connection is established.")
