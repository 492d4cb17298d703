"""Python's `websockets` as a client of a daemon, several connections at a time."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, PerMessageDeflate
from websockets.typing import Origin, Subprotocol

from tests.cases.vocabulary import Case, Ping, Zeros, shown
from tests.support.daemon import Daemon
from tests.support.loops import run

AT_ONCE = 16


def visit_all(daemon: Daemon, cases: Sequence[Case]) -> dict[Case, dict[str, Any]]:
    """Return what was seen of each case."""

    async def client() -> list[dict[str, Any]]:
        places = asyncio.Semaphore(AT_ONCE)

        async def one(case: Case) -> dict[str, Any]:
            async with places:
                return await _visit(daemon, case)

        return await asyncio.gather(*map(one, cases))

    return dict(zip(cases, run(client), strict=True))


class Straight(connect):
    """A connection that follows no redirect."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Take a redirect for a refusal."""
        return exc


async def _visit(daemon: Daemon, case: Case) -> dict[str, Any]:
    outcome = case.outcome("websockets")
    assert outcome is not None
    patience = {name: milliseconds / 1000 for name, milliseconds in outcome.patience.items()}
    seen: dict[str, Any] = {"opened": False, "messages": [], "behind": [], "error": None, "gave_up": False, "at": {}}
    begun = time.monotonic()

    def mark(event: str) -> None:
        seen["at"][event] = (time.monotonic() - begun) * 1000

    options: dict[str, Any] = {
        "compression": None, "open_timeout": patience["connecting"], "close_timeout": patience["closing"],
        "max_size": case.max_size,
        "subprotocols": [Subprotocol(name) for name in case.offers] or None,
        "extensions": [_offer(case)] if case.deflate else None,
    }  # fmt: skip
    if case.origin:
        options["origin"] = Origin(case.origin)
    if case.tls:
        options["ssl"] = trusting()
    try:
        url = (daemon.wss if case.tls else daemon.ws) + case.url
        connection = await (connect if case.follows else Straight)(url, **options)
    except InvalidStatus as error:
        response = error.response
        body = (response.body or b"").decode()
        return {**seen, "status": response.status_code, "body": body, "location": response.headers.get("Location")}
    except InvalidHandshake as error:
        cause = _told(error.__cause__)
        return {**seen, "code": 1006, "error": _told(error), "cause": cause}
    except TimeoutError:
        return {**seen, "gave_up": True}
    mark("opened")
    protocol = connection.protocol
    seen |= {"opened": True, "subprotocol": connection.subprotocol}
    seen["extensions"] = ", ".join(_parameters(each) for each in protocol.extensions)
    until = case.until("websockets")["messages"] if outcome.linger is not None else None
    try:
        async with asyncio.timeout(patience["open"]):
            await _exchange(connection, case, seen["messages"], until)
        mark("enough")
        if outcome.linger:
            await _take(connection, seen["messages"], outcome.linger)
            seen["gave_up"] = True
    except TimeoutError:
        seen["gave_up"] = True
    except ConnectionClosed as closed:
        seen["cause"] = _told(closed.__cause__)
    closing = asyncio.ensure_future(connection.close(1000, "enough"))
    try:
        await _take(connection, seen["behind"], outcome.patience["closing"])
        seen["gave_up"] = True
    except ConnectionClosed:
        seen["gave_up"] |= connection.protocol.close_rcvd is None and until is not None
    await closing
    mark("closed")
    sent, received = protocol.close_sent, protocol.close_rcvd
    seen |= {
        "code": connection.close_code,
        "reason": connection.close_reason,
        "close": sent and (sent.code, sent.reason),
    }
    if received is None and sent is not None and sent.reason != "enough":
        seen["error"] = f"{sent.code} {sent.reason}"
    return seen


async def _exchange(connection: ClientConnection, case: Case, messages: list[Any], until: int | None) -> None:
    """Send what is to be sent, and take so many messages, or all until the end."""

    async def send() -> None:
        for message in case.sends:
            if isinstance(message, Ping):
                await connection.ping(message.payload)
            else:
                await connection.send(bytes(message.size) if isinstance(message, Zeros) else message)

    sending = asyncio.ensure_future(send())
    try:
        while until is None or len(messages) < until:
            messages.append(shown(await connection.recv()))
        await sending
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _take(connection: ClientConnection, messages: list[Any], milliseconds: int) -> None:
    """Take the messages of a time, which may be none."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(milliseconds / 1000):
            while True:
                messages.append(shown(await connection.recv()))


def _offer(case: Case) -> ClientPerMessageDeflateFactory:
    """Return the offer of permessage-deflate; what is None in it is left out."""
    given: Mapping[str, Any] = {"client_max_window_bits": True} if isinstance(case.deflate, bool) else case.deflate
    known: dict[str, Any] = {name: value or None for name, value in given.items()}
    return ClientPerMessageDeflateFactory(**known)


def _told(error: BaseException | None) -> str | None:
    return f"{type(error).__name__}: {error}" if error else None


def _parameters(extension: Any) -> str:
    """Return what the client holds to be agreed on, as a header has it."""
    assert isinstance(extension, PerMessageDeflate)
    found: list[str] = [extension.name]
    found += ["server_no_context_takeover"] if extension.remote_no_context_takeover else []
    found += ["client_no_context_takeover"] if extension.local_no_context_takeover else []
    for side, bits in (("server", extension.remote_max_window_bits), ("client", extension.local_max_window_bits)):
        found += [f"{side}_max_window_bits={bits}"] if bits != 15 else []
    return "; ".join(found)


def trusting() -> ssl.SSLContext:
    """Return a context that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
