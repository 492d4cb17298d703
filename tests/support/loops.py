"""Clients on asyncio in tests that are not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tests.support.patience import PATIENCE

Result = TypeVar("Result")


def run(client: Callable[[], Awaitable[Result]]) -> Result:
    """Run a client to its end and return what it does.

    Also the way to speak TLS: the client of two threads that websockets has as well uses one TLS connection in both at
    once, which Python's ssl module does not guard here. Now and then it hangs, whatever the server.
    """

    async def within_time() -> Result:
        async with asyncio.timeout(PATIENCE):
            return await client()

    # In a thread of its own: Playwright, once started, keeps a loop running in this one.
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, within_time()).result()
