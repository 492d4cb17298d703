"""Autobahn's internals: the only module that names them, apart from the hooks that `input` and the client override.

`tests/library_facts` holds each of them, so that a release of Autobahn that changes one fails there first.
"""

from __future__ import annotations

from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.protocol import FrameHeader, WebSocketProtocol

from wsdaemon.websocket.codes import CloseCode

CONNECTING, OPEN = WebSocketProtocol.STATE_CONNECTING, WebSocketProtocol.STATE_OPEN
CLOSING, CLOSED = WebSocketProtocol.STATE_CLOSING, WebSocketProtocol.STATE_CLOSED
KNOWN_CLOSE_CODES = frozenset(WebSocketProtocol.CLOSE_STATUS_CODES_ALLOWED)
"""The codes below 3000 that a peer may send (RFC 6455 section 7.4)."""

SERVER_OPTIONS = {
    "versions": [13],
    "webStatus": False,
    "failByDrop": False,
    "echoCloseCodeReason": True,
    "allowNullOrigin": True,
    "applyMask": False,  # `Input` unmasks
    # The deadlines are ours: they run on the hub's clock, hold in every state, and end what Autobahn's do not.
    "openHandshakeTimeout": 0,
    "closeHandshakeTimeout": 0,
}


@cache
def starting_state() -> dict[str, Any]:
    """Return what Autobahn sets on every new server connection, as attributes of a class.

    Autobahn sets some 60 of them one by one on each connection, and formats half of them for a log that nobody reads:
    much of the work of a handshake, and of a connection's memory. Here all connections begin with the same values,
    made once per process, and a connection stores only what differs. These values must never be mutated in place: the
    few that Autobahn mutates are created per connection; the statistics, which nobody reads, are common to all.
    """
    connection = WebSocketServerProtocol()
    connection.factory = WebSocketServerFactory(server="")
    connection.factory.setProtocolOptions(**SERVER_OPTIONS)
    connection._connectionMade()
    own = {"is_open", "is_closed", "send_queue", "utf8validator", "factory", "state"}
    state = {name: value for name, value in vars(connection).items() if name not in own and not name.startswith("_")}
    return {**state, "websocket_version": 13, "_perMessageCompress": None, "_isMessageCompressed": False}


def _set_deflate(connection: Any, deflate: Any) -> None:
    connection._perMessageCompress = deflate


# Properties of C functions: they take no Python frame.
deflate: Any = property(attrgetter("_perMessageCompress"), _set_deflate, doc="The compression agreed on, or None.")
is_compressed: Any = property(attrgetter("_isMessageCompressed"), doc="Whether the arriving message is compressed.")


_Class = TypeVar("_Class", bound=type)


def ends_by_closing(cls: _Class) -> _Class:
    """Decorate a connection's class: all that Autobahn says of the connection's end goes to its `closing`.

    Autobahn reads the state that `closing` has. What it calls a violation is explained by the class's `violation` and
    `invalid`, formats for Autobahn's reason.
    """

    def set_state(self: Any, state: int) -> None:
        if state == OPEN:  # a client's handshake is right
            self.closing.opened()

    def close_received(self: Any, code: int | None, reason: bytes | None) -> None:
        self.closing.close_received(code, reason or b"")

    def send_close(self: Any, code: int | None = None, reason: bytes | None = None, is_reply: bool = False) -> None:
        self.closing.close(code, reason or b"")

    def fail(self: Any, code: int = CloseCode.GOING_AWAY, reason: str = "going away") -> None:
        self.closing.fail(code, reason)

    def violation(self: Any, reason: str) -> bool:
        self.closing.fail(CloseCode.PROTOCOL_ERROR, self.violation.format(reason))
        return True  # nothing that follows means anything

    def invalid(self: Any, reason: str) -> bool:
        self.closing.fail(CloseCode.INVALID_PAYLOAD, self.invalid.format(reason))
        return True

    hooks = {
        "state": property(attrgetter("closing.state"), set_state), "onCloseFrame": close_received,
        "sendCloseFrame": send_close, "_fail_connection": fail, "_protocol_violation": violation,
        "_invalid_payload": invalid, "_max_message_size_exceeded": lambda self, *_: self.too_big(),
        # Autobahn's Deferreds, which tell of an open connection, have nobody who waits for them.
        "_onOpen": lambda self: None,
    }  # fmt: skip
    for name, hook in hooks.items():
        setattr(cls, name, hook)
    return cls


def begin_client(connection: Any) -> None:
    """Set the starting state of a client's connection."""
    connection._connectionMade()


def parse(connection: Any, data: bytes) -> None:
    """Have Autobahn parse bytes, which calls the connection's hooks."""
    connection.data += data
    connection.consumeData()


def frame_lacks(connection: Any) -> int:
    """Return how many bytes of payload the frame that is arriving lacks."""
    lacks: int = connection.current_frame.length - connection.current_frame_masker.pointer()
    return lacks


def take_frame(connection: Any, opcode: int, payload: bytes) -> None:
    """Call the hooks for a whole compressed message of one frame, in the order in which the parser does."""
    connection.current_frame = FrameHeader(opcode, True, 4, len(payload), "")
    connection.onFrameBegin()
    if connection.state != CLOSED and connection.onFrameData(payload) is not False:
        connection.onFrameEnd()


def is_right_so_far(connection: Any, piece: bytes) -> bool:
    """Check a piece of the message that is arriving, if it is a text; False where it is not UTF-8."""
    if connection.utf8validateIncomingCurrentMessage:
        connection.utf8validateLast = connection.utf8validator.validate(piece)
        return bool(connection.utf8validateLast[0])
    return True


def look_away(connection: Any) -> None:
    """Neither inflate nor check the rest of the message that is arriving."""
    connection._isMessageCompressed = connection.utf8validateIncomingCurrentMessage = False
