"""What systemd and a service say to each other (sd_listen_fds(3), sd_notify(3)): a few variables and a datagram."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping, MutableMapping
from pathlib import Path

_taken = False

FIRST = 3
"""The first descriptor that is passed (SD_LISTEN_FDS_START)."""


def inherited_sockets(environ: MutableMapping[str, str] | None = None) -> list[tuple[str, socket.socket]]:
    """Return the listening sockets that were passed to this process, each with its name or nothing.

    They can be asked for once. What is no stream socket that listens is left alone.
    """
    if environ is None:
        # Not as it is by now: Twisted takes these variables out of it when it looks through its plugins.
        environ = _first_environment()
    pid, count, names = (environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"))
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    named = names.split(":")
    found = []
    for number in range(min(int(count), 64)):
        with contextlib.suppress(OSError):
            each = socket.socket(fileno=FIRST + number)
            if each.type == socket.SOCK_STREAM and each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                each.setblocking(False)
                each.set_inheritable(False)
                found.append((named[number] if number < len(named) else "", each))
            else:
                each.detach()
    return found


def _first_environment() -> MutableMapping[str, str]:
    """Return the environment that this process was started with; once, as what it names can be had once."""
    global _taken
    if _taken:
        return {}
    _taken = True
    try:
        pairs = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return dict(os.environ)
    return dict(os.fsdecode(pair).partition("=")[::2] for pair in pairs if pair)


def notify(*states: str, environ: Mapping[str, str] | None = None) -> bool:
    """Tell systemd what is so, as `READY=1`; says whether there was someone to tell."""
    address = (os.environ if environ is None else environ).get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.connect("\0" + address[1:] if address.startswith("@") else address)
            sender.sendall("\n".join(states).encode())
        except OSError:
            return False
    return True


def watchdog_interval(environ: Mapping[str, str] | None = None) -> float:
    """Return how often the watchdog wants to hear of us, in seconds: half of what it waits; 0 for never."""
    environ = os.environ if environ is None else environ
    microseconds = environ.get("WATCHDOG_USEC", "")
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()) or not microseconds.isdigit():
        return 0.0
    return int(microseconds) / 2e6
