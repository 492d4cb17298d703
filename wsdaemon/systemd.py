"""systemd's protocol for services (sd_listen_fds(3), sd_notify(3)): passed sockets, notifications, watchdog."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping, MutableMapping
from functools import cache
from pathlib import Path

FIRST = 3
"""The first passed descriptor (SD_LISTEN_FDS_START)."""


def inherited_sockets(environ: MutableMapping[str, str] | None = None) -> list[tuple[str, socket.socket]]:
    """Return the listening sockets passed to this process, each with its name or an empty text.

    They can be taken once. A descriptor that is not a listening stream socket is left alone.
    """
    if environ is None:
        # Twisted has removed these variables from os.environ while it loaded its plugins.
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


@cache
def _first_environment() -> MutableMapping[str, str]:
    """Return the environment that this process was started with, without what was taken from it."""
    try:
        pairs = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return dict(os.environ)
    return dict(os.fsdecode(pair).partition("=")[::2] for pair in pairs if pair)


def notify(*states: str, environ: Mapping[str, str] | None = None) -> bool:
    """Send states such as `READY=1` to systemd; returns whether they were sent."""
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
    """Return the seconds between watchdog notifications: half of its timeout; 0 without a watchdog."""
    environ = os.environ if environ is None else environ
    microseconds = environ.get("WATCHDOG_USEC", "")
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()) or not microseconds.isdigit():
        return 0.0
    return int(microseconds) / 2e6
