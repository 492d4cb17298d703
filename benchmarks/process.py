"""Server processes: starting one on its core, waiting until it listens, reading its memory, stopping it."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import HERE, Places, Server

PORTS = range(20000, 32000)
# Each run starts at another port, and each server gets fresh ones.
_ports = itertools.islice(itertools.cycle(PORTS), os.getpid() % len(PORTS), None)
START_SECONDS = 30
STOP_SECONDS = 15


class BenchmarkError(Exception):
    """Failed measurement; the text says why."""


@dataclass(frozen=True)
class Started:
    """Running server that accepts connections."""

    server: Server
    places: Places
    pid: int


def cores() -> tuple[int, int]:
    """Return the server's core and the generator's: the first two usable ones, or the same one twice."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[min(1, len(usable) - 1)]


def pinned(core: int) -> Callable[[], None]:
    """Return a `preexec_fn` that binds the child process to a core."""
    return lambda: os.sched_setaffinity(0, {core})


def environment() -> dict[str, str]:
    """Return our environment without the variables that start coverage in child processes."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nothing listens on at the moment.

    None is in the ephemeral range: a client that waits for such a port could connect to itself.
    """
    found: list[int] = []
    for port in itertools.islice(_ports, len(PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise BenchmarkError("no free ports")


@contextlib.contextmanager
def running(server: Server, folder: Path, certificate: tuple[Path, Path], files: Path) -> Iterator[Started]:
    """Run the server on its core, with its log in `folder/NAME.log`; raises `BenchmarkError` if it does not listen."""
    port, tls_port, files_port = free_ports(3)
    places = Places(folder, port, tls_port, files_port, *certificate, files)
    log = folder / f"{server.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            server.command(places), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            cwd=HERE.parent, env=environment(), preexec_fn=pinned(cores()[0]),
        )  # fmt: skip
    try:
        wanted = [places.port]
        if "tls" in server.features:
            wanted.append(places.tls_port)
        if server.has_files_port:
            wanted.append(places.files_port)
        for port in wanted:
            _wait_for(port, process, log)
        try:
            yield Started(server, places, process.pid)
        except BenchmarkError as error:
            if process.poll() is not None:
                raise BenchmarkError(f"{error}; the server {_state(process, log)}") from error
            raise
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)  # nothing announces that a port is open: poll
    raise BenchmarkError(f"the server {_state(process, log)}")


def _state(process: subprocess.Popen[bytes], log: Path) -> str:
    state = "does not listen" if process.poll() is None else f"ended with {process.returncode}"
    return f"{state}; its log ends with: {log.read_text(errors='replace')[-500:].strip() or '(nothing)'}"


def memory(pid: int) -> int:
    """Return the process's anonymous memory in bytes, resident or swapped out.

    File pages (programs, libraries) do not count: the kernel can reclaim them.
    """
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = dict(re.findall(r"^(Anonymous|Swap): +([0-9]+) kB", rollup, re.MULTILINE))
    return 1024 * sum(map(int, found.values()))


def settled_memory(pid: int, *, still: float = 0.6, most: float = 15.0) -> int:
    """Return the process's memory once it has been stable, within 64 KiB, for `still` seconds.

    After `most` seconds, return the last value.
    """
    end = time.monotonic() + most
    last, since = memory(pid), time.monotonic()
    while (moment := time.monotonic()) < end and moment - since < still:
        time.sleep(0.05)  # poll here as well
        current = memory(pid)
        if abs(current - last) > 65536:
            last, since = current, time.monotonic()
    return memory(pid)
