"""The response to the opening handshake: a refusal, a redirect, late, wrong, too long, or byte by byte."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import urlsplit

from wsdaemon.behaviours.behaviour import Behaviour, Part
from wsdaemon.behaviours.kinds import Hex, Milliseconds, ShortText, Status
from wsdaemon.behaviours.parameters import Family, ParameterError, parameter
from wsdaemon.observe.tally import Cause
from wsdaemon.options import Choice, Size
from wsdaemon.settings import BehaviourSettings
from wsdaemon.websocket.handshake import Handshake, Request, accept_token, switching_response
from wsdaemon.websocket.transport import abort_connection, finish_sending

_TOO_LONG = 256
MOST_DRIBBLED = 4096


@dataclass(frozen=True, kw_only=True)
class HandshakeParameters:
    """The response to the opening handshake: its status, when it comes, and what is wrong with it."""

    family: ClassVar = Family(3, "handshake", "how the opening handshake is answered")

    status: int = parameter(
        Status(), 101, "The status of the response; any but 101 refuses the handshake.", example="503", rfc="4.2.2"
    )
    body: str = parameter(
        ShortText(4096), "", "The body of a refusal, as text/plain.", example="come back later", rfc="4.2.2"
    )
    location: str = parameter(
        ShortText(1024, printable=True), "",
        "The Location header; status is then 302 unless given. It must name this site, unless configured otherwise.",
        example="/echo", rfc="4.1",
    )  # fmt: skip
    wait: int = parameter(
        Milliseconds(0, 86_400_000), 0, "How long the response waits.", example="2000", cap="max_wait", rfc="4.1"
    )
    accept: str = parameter(
        Choice(("right", "wrong", "missing", "double", "empty")), "right", "The Sec-WebSocket-Accept header.",
        example="wrong", rfc="4.1",
    )  # fmt: skip
    subprotocol: str | None = parameter(
        ShortText(_TOO_LONG, printable=True), None,
        "The subprotocol that the response names, offered or not; empty: none. If not given, the first offered.",
        example="nobody.offered.this", rfc="4.1",
    )  # fmt: skip
    extension: str | None = parameter(
        ShortText(_TOO_LONG, printable=True), None,
        "The value of Sec-WebSocket-Extensions, offered or not; empty: none. Nothing is compressed.",
        example="x-nobody-offered-this", rfc="9.1",
    )  # fmt: skip
    pad: int = parameter(
        Size(0, 1 << 20), 0, "The size of a useless header in the response.", example="64k", rfc="RFC 9110 section 5.4"
    )
    dribble: int = parameter(
        Milliseconds(0, 10_000), 0,
        "The response is sent one byte at a time, with this time between two bytes. 0: at once.", example="20",
        rfc="4.1",
    )  # fmt: skip
    extra: bytes = parameter(
        Hex(1024), b"", "Bytes directly after the response, as a first frame in the same segment.", example="8102 6869",
        rfc="4.2.2",
    )  # fmt: skip

    def check(self) -> None:
        """Raise `ParameterError` if much would be kept for long."""
        if self.dribble and self.pad > MOST_DRIBBLED:
            raise ParameterError("pad", f"is {self.pad} bytes; with dribble write at most {MOST_DRIBBLED}")

    def check_request(self, handshake: Handshake, settings: BehaviourSettings) -> None:
        """Raise `ParameterError` for a redirect to another site, unless the server allows it."""
        if not self.location or settings.redirect == "anywhere":
            return
        # A browser reads a backslash as a slash. It also drops tabs, which a printable text does not have.
        plain = self.location.replace("\\", "/")
        try:
            to = urlsplit(plain)
            here = to.scheme in ("ws", "wss", "http", "https") and to.netloc.lower() == handshake.host.lower()
            stays = here or not (to.netloc or to.scheme)
        except ValueError:
            stays = False
        if not stays or plain.startswith("//") or "@" in plain.partition("?")[0]:
            raise ParameterError(
                "location",
                "leaves this site; write a path, or have the server allow it ([behaviours] redirect = anywhere)",
            )

    @property
    def is_refusal(self) -> bool:
        """Whether the handshake is refused."""
        return self.final_status != HTTPStatus.SWITCHING_PROTOCOLS

    @property
    def final_status(self) -> int:
        """The status of the response."""
        moved = self.location and self.status == HTTPStatus.SWITCHING_PROTOCOLS
        return HTTPStatus.FOUND if moved else self.status


class HandshakeAnswer(Part):
    """The response to the opening handshake: what it says, and when."""

    parameters = HandshakeParameters
    shapes_replies = False
    wanted: HandshakeParameters

    def accept(self, request: Request) -> bool:
        """Answer the handshake; after a 101 the connection opens."""
        self.connection.hub.answering.add(self.connection)
        answer = partial(self._answer, request)
        if self.wanted.wait:
            self.connection.deadlines.set("handshake", self.wanted.wait / 1000, answer)
        else:
            answer()
        return True

    def agree(self, header: str) -> str | None:
        """Return the extensions that the URL gives, but agree on none."""
        return self.wanted.extension

    def lost(self) -> None:
        """Forget the handshake: its client is gone."""
        self.connection.hub.answering.discard(self.connection)

    def _answer(self, request: Request) -> None:
        wanted, connection, closing = self.wanted, self.connection, self.connection.closing
        if connection.hub.draining:
            closing.end(abort_connection)
        elif wanted.is_refusal:
            connection.hub.handshake_answered(wanted.final_status, Cause.HANDSHAKE_ASKED)
            cause = f"refused with {wanted.final_status}, as asked for"
            self._write(_refusal(wanted), partial(closing.end, finish_sending, cause))
        else:
            handshake = request.handshake
            name = request.subprotocol if wanted.subprotocol is None else wanted.subprotocol
            extensions = connection.agree_on_extensions(handshake.extensions)
            response = switching_response(_accepts(wanted, handshake.key), name, extensions, _padding(wanted))
            self._write(response + wanted.extra, partial(self._accepted, request.early))

    def _write(self, response: bytes, done: Callable[[], None]) -> None:
        """Write the response, whole or byte by byte, and then call `done`."""
        connection, every = self.connection, self.wanted.dribble / 1000
        if not every:
            connection.outbox.write_now(response)
            done()
            return

        def drop(at: int) -> None:
            connection.outbox.write_now(response[at : at + 1])
            if at + 1 < len(response):
                connection.deadlines.set("handshake", every, partial(drop, at + 1))
            else:
                done()

        connection.hold()
        drop(0)

    def _accepted(self, early: bytes) -> None:
        self.connection.deadlines.cancel("hold")
        self.connection.hub.answering.discard(self.connection)
        self.connection.be_open(early)


def _refusal(wanted: HandshakeParameters) -> bytes:
    """Return a response that refuses the handshake."""
    status = wanted.final_status
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Refused"
    body = wanted.body.encode()
    headers = [f"HTTP/1.1 {status} {phrase}"]
    if wanted.location:
        headers.append(f"Location: {wanted.location}")
    headers += ["Content-Type: text/plain; charset=utf-8", "X-Content-Type-Options: nosniff", *_padding(wanted)]
    has_body = status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
    if has_body:
        headers.append(f"Content-Length: {len(body)}")
    headers += ["Connection: close", "", ""]
    return "\r\n".join(headers).encode() + (body if has_body else b"") + wanted.extra


def _accepts(wanted: HandshakeParameters, key: str) -> list[str]:
    """Return the values of the Sec-WebSocket-Accept headers, right or wrong."""
    right = accept_token(key)
    return {
        "right": [right],
        "wrong": [base64.b64encode(hashlib.sha1(b"wrong", usedforsecurity=False).digest()).decode()],
        "missing": [],
        "double": [right, right],
        "empty": [""],
    }[wanted.accept]


def _padding(wanted: HandshakeParameters) -> list[str]:
    return [f"X-Padding: {'x' * wanted.pad}"] if wanted.pad else []


class AwkwardHandshake(Behaviour):
    """Echo, if the client accepts the response to its handshake."""

    names = ("handshake",)
    family = HandshakeParameters.family
    summary = "The opening handshake is refused, redirected, or answered late, byte by byte or wrongly; then echo."
    example = "/handshake?status=503&body=come+back+later"
    rfc = "RFC 6455 section 4"
