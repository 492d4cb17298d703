"""The words of the tables beside this file: what a client sends to a URL, and what it must see.

A `Case` says what every client must see by RFC 6455 and RFC 7692. If a client sees something else, or cannot do what
the case asks, the case says so under the client's name, as a fact about that client.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

from tests.support.patience import PATIENCE

HERE = "are you there"
LONG = "a rather long text that is worth compressing " * 200
GREETING = "grüße 👋"
DEFLATE = "permessage-deflate"
PATIENT, IMPATIENT = round(PATIENCE / 3 * 1000), 1_000
"""How many milliseconds a client waits for what must come, however busy the machine, and for what never comes."""


class Fault(NamedTuple):
    """What is wrong, in the words of each client; an ellipsis at the end stands for any more words.

    For `wsproto` and `websockets` it is the Close that they send, its code first; for the others, the error.
    """

    wsproto: str
    websockets: str
    ws: str
    chromium: str


class Ping(NamedTuple):
    """A ping that the client sends; a browser's page cannot."""

    payload: str


class Zeros(NamedTuple):
    """A binary message of `size` zeros."""

    size: int


# -- what is seen -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What a client sees of one connection."""

    seen: dict[str, Any]
    """By name; a client is only asked for what it can see (see `CANNOT_SEE`)."""
    fault: Fault | None = None
    linger: int | None = None
    """How many milliseconds after the last of these messages, pings and pongs the client closes, with 1000 and
    "enough"; None if the server closes, or nobody.
    """

    @property
    def patience(self) -> dict[str, int]:
        """How many milliseconds a client waits to be connected, for messages, and for the answer to its Close."""
        is_answered = self.seen.get("code") == 1000
        return {
            "connecting": PATIENT if self.seen["opened"] or not self.seen.get("gave_up") else IMPATIENT,
            "open": PATIENT,
            "closing": PATIENT if is_answered else IMPATIENT,
        }


def replies(*messages: Any, **more: Any) -> Outcome:
    """Everything is right: these messages come, and the client's Close is answered, after the messages `behind`."""
    return Outcome({**_opened(messages, 1000), "reason": "enough", **more}, linger=0)


def closed(code: int, reason: str = "", *messages: Any, **more: Any) -> Outcome:
    """The server closes after these messages."""
    return Outcome({**_opened(messages, code), "reason": reason, **more})


def lost(*messages: Any, **more: Any) -> Outcome:
    """The stream ends without a Close, and the client reports nothing else."""
    return Outcome({**_opened(messages, 1006), **more})


def fails(fault: Fault, *messages: Any) -> Outcome:
    """The client fails the connection after these messages."""
    return Outcome(_opened(messages, 1006), fault)


def unanswered(*messages: Any, **more: Any) -> Outcome:
    """These messages come, and the client's Close is never answered."""
    return Outcome({**_opened(messages, 1006), "gave_up": True, **more}, linger=0)


def in_vain(*messages: Any, code: int = 1000, **more: Any) -> Outcome:
    """Only these messages come; then the client closes, and is answered if `code` says so."""
    return Outcome({**_opened(messages, code), "gave_up": True, **more}, linger=IMPATIENT)


def refused(status: int, body: str | None = None, **more: Any) -> Outcome:
    """The handshake is refused."""
    body_seen = {} if body is None else {"body": body}
    return Outcome({"opened": False, "messages": [], "status": status, **body_seen, **more})


def not_taken(fault: Fault, **more: Any) -> Outcome:
    """The client rejects the response to its handshake."""
    return Outcome({"opened": False, "messages": [], "code": 1006, **more}, fault)


def never_opens(fault: Fault | None = None) -> Outcome:
    """The handshake gets no response in time; some clients report that as a fault."""
    return Outcome({"opened": False, "messages": [], "gave_up": True}, fault)


def _opened(messages: tuple[Any, ...], code: int) -> dict[str, Any]:
    return {"opened": True, "messages": list(messages), "code": code, "gave_up": False}


# -- the case ---------------------------------------------------------------------------------------------------------

AS_ALL: Any = object()
"""The outcome of a client that sees what all see."""


@dataclass(frozen=True, eq=False)
class Case:
    """A connection: its URL, what the client sends, and what it sees."""

    url: str
    sees: Outcome
    sends: tuple[Any, ...] = (HERE,)
    offers: tuple[str, ...] = ()
    """Subprotocols."""
    deflate: bool | Mapping[str, Any] = False
    """Whether permessage-deflate is offered, or with which parameters; Chromium always offers it."""
    max_size: int | None = None
    """The largest message that the client takes; a page cannot limit it."""
    origin: str = ""
    tls: bool = False
    follows: bool = False
    """Whether a redirect is followed, by clients that can."""
    no_sooner: tuple[str, int] = ("opened", 0)
    """After how many milliseconds, at least, the connection is "opened", has seen "enough" or is "closed"."""
    wsproto: Outcome | None = field(default=AS_ALL, kw_only=True)
    websockets: Outcome | None = field(default=AS_ALL, kw_only=True)
    ws: Outcome | None = field(default=AS_ALL, kw_only=True)
    chromium: Outcome | None = field(default=AS_ALL, kw_only=True)
    """What this client sees instead; None if it cannot do what the case asks."""

    def __str__(self) -> str:
        given = [self.url[:70], *self.offers, self.origin, "tls" * self.tls, "follows" * self.follows]
        deflate = self.deflate if isinstance(self.deflate, bool) else dict(self.deflate)
        return " ".join([*filter(None, given), *([f"deflate={deflate}"] if deflate else [])])

    def outcome(self, client: str) -> Outcome | None:
        """Return what this client sees."""
        own: Outcome | None = getattr(self, client)
        return self.sees if own is AS_ALL else own

    def until(self, client: str) -> dict[str, int]:
        """Return how many messages, pings and pongs a client must see before it closes."""
        outcome = self.outcome(client)
        assert outcome is not None
        counts = {what: len(outcome.seen.get(what, ())) for what in ("messages", "pings", "pongs")}
        return {what: n for what, n in counts.items() if what not in CANNOT_SEE[client]}


CANNOT_SEE = {
    "wsproto": {"cause", "held_up"},
    "websockets": {"held_up", "pings", "pongs"},
    "ws": {"cause"},
    "chromium": {"behind", "body", "cause", "location", "pings", "pongs", "status"},
}


def cases_for(client: str, cases: list[Case]) -> list[Case]:
    """Return those that a client can do."""
    return [case for case in cases if case.outcome(client) is not None]


def selected(request: pytest.FixtureRequest, test: Callable[..., None]) -> list[Case]:
    """Return the cases of a test that this run selects: all are visited before the first is checked."""
    items: list[Any] = [item for item in request.session.items if isinstance(item, pytest.Function)]
    return [item.callspec.params["case"] for item in items if item.originalname == test.__name__]


def check(case: Case, client: str, seen: dict[str, Any]) -> None:
    """Check what a client saw of a case."""
    outcome = case.outcome(client)
    assert outcome is not None
    expected = {name: value for name, value in outcome.seen.items() if name not in CANNOT_SEE[client]}
    expected["error"] = text(getattr(outcome.fault, client)) if outcome.fault else None
    if client == "chromium":
        expected |= _as_chromium(outcome)
    if client == "websockets" and outcome.linger is None and "reason" in outcome.seen:
        expected["close"] = (outcome.seen["code"], outcome.seen["reason"])  # it sends the Close back
    if client == "ws" and "extensions" in expected:
        expected["extensions"] = expected["extensions"].partition(";")[0]  # it tells only the names
    if "messages" in expected:
        expected["messages"] = [shown(each) for each in expected["messages"]]
    if "body" in expected:
        expected["body"] = text(expected["body"])
    assert {name: seen.get(name) for name in expected} == expected, seen
    event, milliseconds = case.no_sooner
    assert not milliseconds or seen["at"][event] >= milliseconds, seen["at"]


def _as_chromium(outcome: Outcome) -> dict[str, Any]:
    """Return what Chromium tells: of a refusal, the status on the console, and the page only the event."""
    status = outcome.seen.get("status")
    said = "HTTP Authentication failed…" if status == 401 else f"Unexpected response code: {status}"
    told = {"error": text(f"Error during WebSocket handshake: {said}" if status != 401 else said)} if status else {}
    is_failed = outcome.fault is not None or not outcome.seen["opened"]
    code = outcome.seen.get("code", 1006)
    return {**told, "code": code, "failed": is_failed, "clean": code != 1006}


# -- how it is compared -----------------------------------------------------------------------------------------------


class Such:
    """Equal to all values that pass a check."""

    def __init__(self, words: str, check: Callable[[Any], Any]) -> None:
        self._words = words
        self._check = check

    def __eq__(self, other: object) -> bool:
        return bool(self._check(other))

    def __repr__(self) -> str:
        return self._words

    __hash__ = None  # type: ignore[assignment]


class AtLeast(list[str]):
    """Equal to any list that begins with these."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and other[: len(self)] == list(self)

    __hash__ = None


def text(words: str) -> Any:
    """Return a text to compare with; one that ends in an ellipsis is the beginning of any text."""
    return like(re.escape(words[:-1]) + ".*") if words.endswith("…") else words


def like(pattern: str) -> Such:
    """Return any text that matches a regular expression."""
    return Such(pattern, lambda other: isinstance(other, str) and re.fullmatch(pattern, other, re.DOTALL))


def having(item: Any) -> Such:
    """Return any list that has this item."""
    return Such(f"[… {item!r} …]", lambda other: item in other)


def telling(**members: Any) -> Such:
    """Return any JSON message, or object in one, that has these members."""

    def check(other: Any) -> bool:
        try:
            told = json.loads(other) if isinstance(other, str) else other
        except ValueError:
            return False
        return isinstance(told, dict) and {name: told.get(name) for name in members} == members

    return Such(repr(members), check)


def shown(message: Any) -> Any:
    """Return a message as it is compared: bytes in hex, long ones by their digest."""
    if not isinstance(message, str | bytes):
        return message
    octets = message.encode() if isinstance(message, str) else message
    if len(octets) > 10_000:
        kind = "text" if isinstance(message, str) else "binary"
        return {"type": kind, "size": len(octets), "sha256": hashlib.sha256(octets).hexdigest()}
    return message if isinstance(message, str) else {"binary": octets.hex()}


def asked(case: Case, client: str, address: str) -> dict[str, Any]:
    """Return a case as it is given to JavaScript."""
    outcome = case.outcome(client)
    assert outcome is not None
    sends: list[Any] = []
    for message in case.sends:
        if isinstance(message, bytes):
            sends.append({"binary": message.hex()})
        elif isinstance(message, Ping | Zeros):
            sends.append(message._asdict())
        else:
            sends.append(message)
    return {
        "url": address + case.url, "offers": case.offers, "deflate": case.deflate, "origin": case.origin,
        "follows": case.follows, "maxSize": case.max_size, "sends": sends, "until": case.until(client),
        "linger": outcome.linger, "patience": outcome.patience,
    }  # fmt: skip
