"""A daemon that is started as systemd starts it: with sockets that listen already, and someone to notify."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from tests.support.patience import PATIENCE

_START = """
import os, sys
count = int(sys.argv[1])
for number in range(count):
    os.dup2(int(sys.argv[2 + number]), 3 + number, inheritable=True)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = str(count)
os.execv(sys.argv[2 + count], sys.argv[2 + count:])
"""


def listening(count: int = 1) -> list[socket.socket]:
    """Return sockets that listen on free ports, as those of a socket unit."""
    return [socket.create_server(("127.0.0.1", 0), backlog=512) for _ in range(count)]


def port_of(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


class Manager:
    """What systemd is to a service: it holds the sockets, and hears what the service says."""

    def __init__(self, folder: Path, sockets: list[socket.socket], ini: str = "", names: str = "") -> None:
        self.folder, self.sockets, self.names = folder, sockets, names
        self.config = folder / "ws.ini"
        self.config.write_text(ini)
        self._hears = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._hears.bind(str(folder / "notify"))
        self._hears.settimeout(PATIENCE)
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Manager:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._hears.close()
        for each in self.sockets:
            each.close()

    def start(self, **environment: str) -> None:
        """Start the service, and wait until it says that it is ready."""
        # Out of the way of the numbers that it gets.
        descriptors = [os.dup2(each.fileno(), 200 + number) for number, each in enumerate(self.sockets)]
        twistd = Path(sys.executable).with_name("twistd")
        command = [sys.executable, "-c", _START, str(len(descriptors)), *map(str, descriptors), str(twistd)]
        command += ["--nodaemon", "--pidfile=", f"--logfile={self.log}", "wsdaemon", f"--config={self.config}"]
        more = {"NOTIFY_SOCKET": str(self.folder / "notify"), **environment}
        if self.names:
            more["LISTEN_FDNAMES"] = self.names
        self.process = subprocess.Popen(command, pass_fds=descriptors, env={**os.environ, **more})
        for each in descriptors:
            os.close(each)
        self.hear("READY=1")

    def hear(self, state: str) -> list[str]:
        """Wait until the service says so; returns all that it says with it."""
        while True:
            said = self._hears.recv(4096).decode().split("\n")
            if state in said:
                return said

    def stop(self) -> int:
        """End it as systemd does; returns its exit code."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        with contextlib.suppress(BlockingIOError):
            self.hear("STOPPING=1")
        return code

    def restart(self) -> int:
        """Stop it and start it again; returns the exit code of the one that was."""
        code = self.stop()
        self.start()
        return code
