"""What only `websockets` can be told to do: keep-alive, a limit on its patience, a client certificate."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Close

from tests.cases.vocabulary import HERE
from tests.support.certificates import Identity
from tests.support.clients.websockets import trusting
from tests.support.daemon import Daemon
from tests.support.loops import run

MANY = 32 << 20
"""More than the kernel buffers of a connection that nobody reads."""
GIVES_UP: dict[str, Any] = {"ping_interval": 0.2, "ping_timeout": 0.2, "close_timeout": 0.1}
NO_PONG = (1006, Close(1011, "keepalive ping timeout"))


def end_of(connection: ClientConnection) -> tuple[int | None, Close | None]:
    """Return the code of the server's Close, or 1006 if there was none; and the Close that the client sent."""
    return connection.close_code, connection.protocol.close_sent


async def until_end(connection: ClientConnection) -> list[str | bytes]:
    """Return all messages until the end."""
    messages: list[str | bytes] = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            messages.append(await connection.recv())
    return messages


# -- its keep-alive ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["pong=never", "pong=wrong", "pong_delay=60000"])
def test_a_ping_without_its_pong_makes_it_give_up(server: Daemon, query: str) -> None:
    """Even though messages come back: only the ping tells."""

    async def client() -> None:
        connection = await connect(f"{server.ws}/echo?{query}", compression=None, **GIVES_UP)
        await connection.send(HERE)
        assert await until_end(connection) == [HERE]
        assert end_of(connection) == NO_PONG

    run(client)


@pytest.mark.parametrize("stall", ["read", "write", "both"])
def test_a_stall_is_noticed_by_the_missing_pong(server: Daemon, stall: str) -> None:
    """With stall=read the ticker goes on; with the others nothing arrives."""

    async def client() -> None:
        connection = await connect(f"{server.ws}/ticker?interval=20&stall={stall}", compression=None, **GIVES_UP)
        messages = await until_end(connection)
        assert messages[:2] == (["0", "1"] if stall == "read" else [])
        assert end_of(connection) == NO_PONG

    run(client)


def test_what_is_not_read_holds_the_sender_up(server: Daemon) -> None:
    """With stall=read the client cannot send everything, and its own pings wait too: only a time limit tells it.

    With stall=write it can send everything, and gets no sign.
    """

    async def send_all(connection: ClientConnection) -> None:
        for _ in range(MANY >> 20):
            await connection.send(bytes(1 << 20))

    async def client() -> None:
        held_up = await connect(f"{server.ws}/sink?stall=read&per=1", compression=None, **GIVES_UP)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(send_all(held_up), 1)
        assert held_up.close_code is None
        held_up.transport.abort()
        await held_up.wait_closed()

        untold = await connect(
            f"{server.ws}/sink?stall=write&per=1", compression=None, ping_interval=None, close_timeout=0.1
        )
        await send_all(untold)
        waiting = asyncio.ensure_future(until_end(untold))
        await untold.close()
        assert (await waiting, untold.close_code) == ([], 1006)

    run(client)


def test_what_is_never_answered_is_held_only_so_long(daemon: Callable[..., Daemon]) -> None:
    """After `[behaviours] max_wait` the server cuts the connection, however patient the client is."""
    own = daemon(ini="[behaviours]\nmax_wait = 0.3\n")

    async def client() -> None:
        for path in ("close?how=never", "echo?stall=both", "echo?stall=write"):
            connection = await connect(f"{own.ws}/{path}", close_timeout=50, ping_interval=None)
            await connection.close()
            assert end_of(connection) == (1006, Close(1000, "")), path
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"{own.ws}/echo?delay=301")
        assert "delay: 301 is out of range" in (caught.value.response.body or b"").decode()

    run(client)


# -- what it sends ----------------------------------------------------------------------------------------------------


def test_a_redirect_can_name_this_site_in_full(server: Daemon) -> None:
    async def client() -> None:
        location = quote(f"{server.ws}/inspect")
        async with connect(f"{server.ws}/handshake?location={location}") as connection:
            assert json.loads(await connection.recv())["target"] == "/inspect"

    run(client)


# -- who sees what ----------------------------------------------------------------------------------------------------


async def tls_told(url: str, context: ssl.SSLContext) -> tuple[dict[str, Any], Any]:
    """Return what /inspect says of TLS, and the client's end of it."""
    async with connect(f"{url}/inspect", ssl=context) as connection:
        told: dict[str, Any] = json.loads(await connection.recv())["tls"]
        return told, connection.transport.get_extra_info("ssl_object")


def test_inspect_shows_tls(server: Daemon) -> None:
    context = trusting()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context.minimum_version = context.maximum_version = version
        told, secure = run(lambda: tls_told(server.wss, context))
        assert told == {"version": secure.version(), "cipher": secure.cipher()[0], "client_certificate": None}


def test_inspect_shows_whose_certificate_the_client_has(tmp_path: Path, daemon: Callable[..., Daemon]) -> None:
    authority = Identity("clients", is_ca=True)
    authority.write(tmp_path, "clients")
    Identity("server").write(tmp_path, "server")
    Identity("ann", authority).write(tmp_path, "ann")
    own = daemon(
        ini="[tls]\nenabled = yes\nport = 0\ncertificate = server.pem\nprivate_key = server.key\n"
        "client_ca = clients.pem\n"
    )
    context = ssl.create_default_context(cafile=tmp_path / "server.pem")
    context.load_cert_chain(tmp_path / "ann.pem", tmp_path / "ann.key")
    told, _ = run(lambda: tls_told(own.wss, context))
    assert told["client_certificate"] == "CN=ann"
