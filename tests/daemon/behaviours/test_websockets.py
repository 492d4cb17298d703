"""What only `websockets` can be told to do: its keep-alive, fragmented messages, client certificates."""

from __future__ import annotations

import asyncio
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
from websockets.typing import Origin, Subprotocol

from tests.cases.vocabulary import HERE, LONG
from tests.support.certificates import Identity
from tests.support.clients.websockets import trusting
from tests.support.daemon import Daemon
from tests.support.loops import run

MANY = 32 << 20
"""More than the kernel buffers of a connection that nobody reads."""
GIVES_UP: dict[str, Any] = {"ping_interval": 0.2, "ping_timeout": 0.2, "close_timeout": 0.1}
NO_PONG = (1006, Close(1011, "keepalive ping timeout"))


def end_of(connection: ClientConnection) -> tuple[int | None, Close | None]:
    """Return the code of the Close that came, 1006 where none did, and the Close that the client sent."""
    return connection.close_code, connection.protocol.close_sent


async def until_end(connection: ClientConnection) -> list[str | bytes]:
    """Return all messages until the end."""
    return [message async for message in _messages(connection)]


async def _messages(connection: ClientConnection) -> Any:
    try:
        while True:
            yield await connection.recv()
    except ConnectionClosed:
        return


# -- its keep-alive ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["pong=never", "pong=wrong", "pong_delay=60000"])
def test_a_ping_without_its_pong_makes_it_give_up(server: Daemon, query: str) -> None:
    """Though messages do come back: that is what pings are for."""

    async def client() -> None:
        connection = await connect(f"{server.ws}/echo?{query}", compression=None, **GIVES_UP)
        await connection.send(HERE)
        assert await until_end(connection) == [HERE]
        assert end_of(connection) == NO_PONG

    run(client)


@pytest.mark.parametrize("stall", ["read", "write", "both"])
def test_a_stall_is_noticed_by_the_missing_pong(server: Daemon, stall: str) -> None:
    """With stall=read the ticker goes on; with the others nothing comes at all."""

    async def client() -> None:
        connection = await connect(f"{server.ws}/ticker?interval=20&stall={stall}", compression=None, **GIVES_UP)
        messages = await until_end(connection)
        assert messages[:2] == (["0", "1"] if stall == "read" else [])
        assert end_of(connection) == NO_PONG

    run(client)


def test_what_is_not_read_holds_the_sender_up(server: Daemon) -> None:
    """With stall=read the client cannot send all, and its own pings wait as well: nothing but a time limit tells it.

    With stall=write it can send all, and is told nothing.
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
    """`[behaviours] max_wait` bounds it: then the server cuts the connection, whatever the client's patience."""
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


def test_a_ticker_is_told_to_begin_anew_and_to_end(server: Daemon) -> None:
    """By path or by lws' name; other messages change nothing."""

    async def client(url: str, **options: Any) -> None:
        connection = await connect(url, **options)
        while await connection.recv() != "2":
            pass
        await connection.send("something else")
        await connection.send("reset\n")
        while await connection.recv() != "0":
            pass
        assert await connection.recv() == "1"
        await connection.send("closeme\n")
        await connection.wait_closed()
        assert connection.close_code == 1000

    run(lambda: client(f"{server.ws}/ticker?interval=10"))
    run(lambda: client(server.ws, subprotocols=[Subprotocol("dumb-increment-protocol")]))


def test_a_sink_counts_fragments(server: Daemon) -> None:
    async def client() -> None:
        connection = await connect(f"{server.ws}/sink?per=2&every=3600000", compression=None)
        for message in ("one", "four!", bytes(5000), ["a", "b", "cd"], "last"):
            await connection.send(message)
        reports = [json.loads(await connection.recv()) for _ in range(2)]
        assert [(each["messages"], each["frames"], each["bytes"]) for each in reports] == [(2, 2, 8), (4, 7, 5012)]
        closing = asyncio.create_task(connection.close())
        last = json.loads(await connection.recv())
        await closing
        assert [each["last"] for each in (*reports, last)] == [False, False, True]
        assert (last["messages"], last["bytes"]) == (5, 5016)
        assert last["seconds"] >= reports[1]["seconds"] >= reports[0]["seconds"]
        assert connection.close_code == 1000

    run(client)


# -- who sees what ----------------------------------------------------------------------------------------------------


def test_inspect_shows_the_handshake(server: Daemon) -> None:
    """The headers as they were sent, in order, and what was agreed on."""

    async def client() -> None:
        async with connect(
            f"{server.ws}/inspect?messages=9&double=2", subprotocols=[Subprotocol("x"), Subprotocol("y")],
            additional_headers=[("X-Twice", "1"), ("x-tWICE", "2")], origin=Origin("http://here.example"),
        ) as connection:  # fmt: skip
            told = json.loads(await connection.recv())
            request = connection.request
            assert request is not None
            assert told["headers"] == [[name, value] for name, value in request.headers.raw_items()]
            assert ["x-tWICE", "2"] in told["headers"]
            assert (told["method"], told["target"]) == ("GET", "/inspect?messages=9&double=2")
            host, port = connection.local_address
            assert told["peer"] == f"{host}:{port}"
            assert (told["tls"], told["subprotocol"]) == (None, "x")
            assert told["extensions"] == "permessage-deflate"

    run(client)


def test_inspect_shows_each_message_with_its_frames(server: Daemon) -> None:
    async def client() -> None:
        async with connect(f"{server.ws}/inspect", compression=None) as connection:
            await connection.recv()
            for message in ("héllo", b"\0\1", ["one", "two"], ""):
                await connection.send(message)
            first, second, third, fourth = [json.loads(await connection.recv()) for _ in range(4)]
            (frame,) = first["frames"]
            assert len(bytes.fromhex(frame.pop("masking_key"))) == 4
            assert frame == {"opcode": 1, "fin": True, "rsv": 0, "length": 6}
            assert (first["message"], first["type"], first["size"], first["text"]) == (1, "text", 6, "héllo")
            assert (second["type"], second["base64"], second["compressed"]) == ("binary", "AAE=", False)
            # The client says with an empty frame that there is no more.
            shown = [(each["opcode"], each["fin"], each["length"]) for each in third["frames"]]
            assert (third["frame_count"], shown) == (3, [(1, False, 3), (0, False, 3), (0, True, 0)])
            assert len({each["masking_key"] for each in third["frames"]}) == 3, "each frame has a key of its own"
            assert (third["text"], fourth["text"], fourth["message"]) == ("onetwo", "", 4)

    run(client)


def test_inspect_shows_what_is_compressed(server: Daemon) -> None:
    async def client() -> None:
        async with connect(f"{server.ws}/inspect", max_size=None) as connection:
            await connection.recv()
            await connection.send(LONG)
            told = json.loads(await connection.recv())
            assert (told["compressed"], told["size"], told["text"]) == (True, len(LONG), LONG)
            assert told["payload_size"] == sum(each["length"] for each in told["frames"]) < len(LONG) / 10
            assert told["frames"][0]["rsv"] == 4

    run(client)


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


def test_status_tells_who_comes_and_goes(server: Daemon) -> None:
    """At once, and on every change; addresses are nobody's business."""

    async def until(watcher: ClientConnection, wanted: Callable[[list[Any]], bool]) -> Any:
        while True:
            told = json.loads(await watcher.recv())
            assert told["version"] == "wsdaemon"
            assert told["count"] == len(told["conns"])
            assert {each["peer"] for each in told["conns"]} == {"hidden"}
            if wanted(told["conns"]):
                return told

    async def client() -> None:
        async with connect(f"{server.ws}/status") as watcher:
            told = await until(watcher, bool)
            assert [each["subprotocol"] for each in told["conns"] if each["number"] == told["you"]] == ["status"]
            other = await connect(f"{server.ws}/burst?count=1")
            await until(watcher, lambda conns: "burst" in [each["subprotocol"] for each in conns])
            await other.close()
            await until(watcher, lambda conns: "burst" not in [each["subprotocol"] for each in conns])
        # lws' name for it
        async with connect(server.ws, subprotocols=[Subprotocol("lws-status")]) as watcher:
            await until(watcher, bool)

    run(client)
