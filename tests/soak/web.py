"""HTTP clients of the docroot on a third-party library, each on one persistent connection."""

from __future__ import annotations

import random
from pathlib import Path

import aiohttp

from tests.soak.world import Unexpected, Visit

SIZES = {"empty.txt": 0, "small.txt": 300, "page.html": 20_000, "picture.png": 250_000, "large.bin": 4 << 20}
FOLDER = "folder"


def make_docroot(root: Path, seed: int) -> None:
    """Write the files to fetch."""
    source = random.Random(seed)
    (root / FOLDER).mkdir()
    for name, size in SIZES.items():
        (root / name).write_bytes(source.randbytes(size))
    for number in range(40):
        (root / FOLDER / f"{number}.txt").write_text(f"{number}")


async def web(visit: Visit) -> None:
    """Files are served whole, in part or as 304, and folders as listings."""
    tls = visit.rng.random() < 0.35
    base = f"http{'s' if tls else ''}://127.0.0.1:{visit.port(tls)}"
    # One connection: a request goes over the one before's.
    connector = aiohttp.TCPConnector(limit=1, local_addr=(visit.address, 0), ssl=visit.world.tls if tls else True)
    async with aiohttp.ClientSession(base, connector=connector) as session:
        while not visit.over:
            await visit.rng.choice([_whole, _whole, _part, _again, _listing, _missing])(visit, session)
            await visit.think(0.5)


async def _get(visit: Visit, session: aiohttp.ClientSession, path: str, status: int, **headers: str) -> bytes:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with session.get(path, headers=named, allow_redirects=False) as response:
        body = await response.read()
        if response.status != status:
            raise Unexpected(f"GET {path} {headers}: {response.status}, not {status}")
        visit.world.tally.note(1, len(body))
        return body


async def _whole(visit: Visit, session: aiohttp.ClientSession) -> None:
    name = visit.rng.choices(list(SIZES), weights=[2, 10, 10, 5, 1])[0]
    if await _get(visit, session, f"/{name}", 200) != (visit.world.docroot / name).read_bytes():
        raise Unexpected(f"GET {name}: other bytes")


async def _part(visit: Visit, session: aiohttp.ClientSession) -> None:
    name = visit.rng.choice(["small.txt", "page.html", "large.bin"])
    first = visit.rng.randrange(SIZES[name])
    last = min(SIZES[name] - 1, first + visit.rng.randrange(100_000))
    came = await _get(visit, session, f"/{name}", 206, Range=f"bytes={first}-{last}")
    if came != (visit.world.docroot / name).read_bytes()[first : last + 1]:
        raise Unexpected(f"GET {name} from {first} to {last}: other bytes")


async def _again(visit: Visit, session: aiohttp.ClientSession) -> None:
    async with session.head("/page.html") as response:
        tag = response.headers["ETag"]
    await _get(visit, session, "/page.html", 304, If_None_Match=tag)


async def _listing(visit: Visit, session: aiohttp.ClientSession) -> None:
    page = await _get(visit, session, f"/{FOLDER}/", 200)
    if page.count(b".txt</bdi>") != 40:
        raise Unexpected("the listing does not name what is in the folder")


async def _missing(visit: Visit, session: aiohttp.ClientSession) -> None:
    await _get(visit, session, f"/{FOLDER}/nothing", 404)
    await _get(visit, session, f"/{FOLDER}", 301)
