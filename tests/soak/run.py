"""One soak from the daemon's start to its end, with all measurements."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterable
from configparser import ConfigParser
from pathlib import Path

from websockets.asyncio.client import connect

from tests.soak.population import Population, warm_up
from tests.soak.verdict import Census, Run
from tests.soak.watched import Sample, WatchedDaemon
from tests.soak.web import make_docroot
from tests.soak.world import SLACK, World
from tests.support.patience import PATIENCE
from tests.support.serving import descriptors

DRAIN = 120.0
"""Seconds for the last clients to leave: longer than every deadline of the daemon."""

SHORTEST = {
    "server": {"idle_timeout": 3, "stall_timeout": 3},
    "websocket": {
        "ping_interval": 2,
        "ping_timeout": 4,
        "handshake_timeout": 4,
        "close_timeout": 3,
        "stall_timeout": 3,
        "message_timeout": 3,
    },
}
"""The daemon's deadlines in seconds, so short that they expire again and again."""

INI = """
[server]
max_per_address = 100
[tls]
enabled = yes
port = 0
certificate = auto
[subprotocol:echo-broadcast]
# A member that does not read has only one way out: what waits for it.
queue_limit = 64k
stall_timeout = 90
ping_interval = 0
[subprotocol:echo-broadcast-ping]
queue_limit = 64k
every = 1
[log]
format = json
"""


def make_ini(deadlines: float, overrides: Iterable[str] = ()) -> ConfigParser:
    """Return the daemon's configuration; `deadlines` times the shortest, an override is SECTION.OPTION=VALUE."""
    ini = ConfigParser(interpolation=None)
    ini.read_string(INI)
    for section, options in SHORTEST.items():
        ini.read_dict({section: {option: seconds * deadlines for option, seconds in options.items()}})
    for override in overrides:
        place, _, value = override.partition("=")
        section, _, option = place.rpartition(".")
        ini.read_dict({section: {option: value}})
    return ini


async def soak(folder: Path, ini: ConfigParser, *, seed: int, connections: int, seconds: float, life: float) -> Run:
    """Run a daemon in `folder` under load for `seconds`, then drain and stop it."""
    docroot = folder / "docroot"
    docroot.mkdir()
    make_docroot(docroot, seed)
    ini.read_dict({"server": {"docroot": str(docroot)}})
    config = folder / "ws.ini"
    with config.open("w") as file:
        ini.write(file)
    daemon = WatchedDaemon(config)
    try:
        world = World(daemon, ini, docroot, seed, life)
        before = daemon.sample(0)
        await warm_up(world)
        await _settle(world, before.descriptors)
        census_before = await _census(world)
        load, lag = await _load(world, connections, seconds)
        await _settle(world, before.descriptors)
        after = daemon.sample(seconds)
        census_after = await _census(world)
        world.cut.close()
    finally:
        exit_code = daemon.stop()
    return Run(connections, world.tally, daemon, before, load, after, census_before, census_after, exit_code, lag)


async def _load(world: World, connections: int, seconds: float) -> tuple[list[Sample], float]:
    """Keep the population up for `seconds`, then drain it; returns a sample for each second, and the longest lag."""
    begun = time.monotonic()
    population = Population(world, connections)
    samples: list[Sample] = []
    lag = 0.0
    while (at := time.monotonic() - begun) < seconds:
        samples.append(world.daemon.sample(at))
        _show(world, samples)
        due = begun + len(samples)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        lag = max(lag, time.monotonic() - due)
    await population.drain(DRAIN)
    world.daemon.sample(seconds)  # it must be there still
    return samples, lag


async def _settle(world: World, most: int) -> None:
    """Wait until the daemon has at most `most` descriptors open, or the deadlines have passed."""
    until = time.monotonic() + world.seconds("close_timeout") + SLACK
    while descriptors(world.daemon) > most and time.monotonic() < until:
        await asyncio.sleep(0.1)


async def _census(world: World) -> Census:
    async with connect(f"{world.daemon.ws}/census", proxy=None, max_size=None, open_timeout=PATIENCE) as socket:
        await socket.send("count")
        answer = json.loads(await socket.recv())
    return Census(answer["blocks"], answer["objects"])


def _show(world: World, samples: list[Sample]) -> None:
    """Show the progress on a terminal."""
    if not sys.stdout.isatty():
        return
    now, last = samples[-1], samples[-2] if len(samples) > 1 else samples[-1]
    tally = world.tally
    busy = 100 * (now.cpu - last.cpu) / ((now.at - last.at) or 1)
    print(
        f"\r{now.at:4.0f} s  {tally.alive} clients  {tally.connections.total()} so far  {tally.messages} messages  "
        f"daemon: {now.memory / 1e6:.1f} MB  {now.descriptors} descriptors  {busy:.0f} % CPU  "
        f"{tally.errors.total()} errors ",
        end="", flush=True,
    )  # fmt: skip
