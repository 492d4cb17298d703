"""System calls of the daemon that fail on demand, without a change to the daemon's code.

A copy of this module, as `sitecustomize`, is imported by the daemon's Python before anything else. It puts itself
before the calls below, which then fail as the control file says; that is read anew whenever it changes. So the tests
arm and clear faults while the daemon runs, and count how often they struck.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CONTROL = "WSDAEMON_TEST_FAULTS"
CALLS = (
    "open", "stat", "lstat", "fstat", "read", "scandir", "next entry", "io.open", "accept", "send", "recv", "thread"
)  # fmt: skip
ALWAYS = 1 << 30


class Faults:
    """The tests' side: a folder for the daemon's PYTHONPATH, and which calls fail."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        shutil.copy(__file__, folder / "sitecustomize.py")
        self.folder = folder
        self._control = folder / "control.json"
        self._struck = folder / "struck"
        self._armed: list[dict[str, Any]] = []
        self.clear()
        path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
        self.environment = {CONTROL: str(self._control), "PYTHONPATH": path}

    def arm(self, call: str, code: int, match: str = "", *, skip: int = 0, times: int = ALWAYS) -> None:
        """Make `call` fail with an errno if its path (or the peer's port) ends with `match`, after `skip` calls."""
        assert call in CALLS
        self._armed.append({"call": call, "errno": code, "match": match, "skip": skip, "times": times})
        self._write()

    def clear(self) -> None:
        """Let all calls succeed."""
        self._armed = []
        self._write()

    def struck(self, call: str) -> int:
        """Return how often `call` has failed."""
        return self._struck.read_text().split("\n").count(call) if self._struck.exists() else 0

    def wait(self, call: str, times: int = 1) -> None:
        """Wait until `call` has failed so often."""
        # Not atop: the daemon loads this module too, where there are no tests.
        from tests.support.patience import wait_until

        wait_until(lambda: self.struck(call) >= times, f"{call} is not called")

    def _write(self) -> None:
        partial = self._control.with_suffix(".new")
        partial.write_text(json.dumps(self._armed))
        partial.replace(self._control)


class _Injector:
    """The daemon's side."""

    def __init__(self, control: str) -> None:
        self._control = control
        self._stat, self._read_text = os.stat, Path.read_text
        self._version: tuple[int, int] | None = None
        self._plan: list[dict[str, Any]] = []
        self._struck = os.open(os.path.join(os.path.dirname(control), "struck"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def install(self) -> None:
        """Replace the calls."""
        for name in ("open", "stat", "lstat", "scandir"):
            setattr(os, name, self._with_path(name, getattr(os, name)))
        scandir = os.scandir
        os.scandir = lambda path=".": _FaultyEntries(self, scandir(path), str(path))  # type: ignore[assignment]
        fstat, fdopen, io_open = os.fstat, os.fdopen, io.open

        def faulty_fstat(descriptor: int) -> os.stat_result:
            self.check("fstat", lambda: _path_of(descriptor))
            return fstat(descriptor)

        def faulty_fdopen(descriptor: int, *arguments: Any, **options: Any) -> Any:
            return _FaultyFile(self, fdopen(descriptor, *arguments, **options), _path_of(descriptor))

        def faulty_io_open(file: Any, *arguments: Any, **options: Any) -> Any:
            self.check("io.open", lambda: str(file), str(file))
            return io_open(file, *arguments, **options)

        os.fstat, os.fdopen, io.open = faulty_fstat, faulty_fdopen, faulty_io_open  # type: ignore[assignment]
        for name in ("accept", "send", "recv"):
            setattr(socket.socket, name, self._of_socket(name, getattr(socket.socket, name)))
        start = threading.Thread.start

        def faulty_start(thread: threading.Thread) -> None:
            try:
                self.check("thread", str)
            except OSError:
                raise RuntimeError("can't start new thread") from None
            start(thread)

        setattr(threading.Thread, "start", faulty_start)  # noqa: B010

    def check(self, call: str, detail: Callable[[], str], filename: str | None = None) -> None:
        """Raise if this call is to fail."""
        status = self._stat(self._control)
        version = (status.st_mtime_ns, status.st_ino)
        if version != self._version:
            with _real_open(self._control) as file:
                self._plan = json.load(file)
            self._version = version
        for fault in self._plan:
            if fault["call"] != call or not fault["times"] or not detail().endswith(fault["match"]):
                continue
            if fault["skip"]:
                fault["skip"] -= 1
                continue
            fault["times"] -= 1
            os.write(self._struck, f"{call}\n".encode())
            code = fault["errno"]
            raise OSError(code, os.strerror(code), *(() if filename is None else (filename,)))

    def _with_path(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def faulty(path: Any = ".", *arguments: Any, **options: Any) -> Any:
            shown = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else str(path)
            self.check(name, lambda: shown, shown)
            return real(path, *arguments, **options)

        return faulty

    def _of_socket(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def faulty(sock: socket.socket, *arguments: Any) -> Any:
            self.check(name, lambda: "" if name == "accept" else str(sock.getpeername()[1]))
            return real(sock, *arguments)

        return faulty


class _FaultyFile:
    """An open file whose reading may fail."""

    def __init__(self, injector: _Injector, file: Any, path: str) -> None:
        self._injector, self._file, self._path = injector, file, path

    def __enter__(self) -> _FaultyFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int = -1) -> Any:
        self._injector.check("read", lambda: self._path)
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _FaultyEntries:
    """A folder whose entries may end with an error."""

    def __init__(self, injector: _Injector, entries: Any, path: str) -> None:
        self._injector, self._entries, self._path = injector, entries, path

    def __enter__(self) -> _FaultyEntries:
        return self

    def __exit__(self, *_: object) -> None:
        self._entries.close()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        entry = next(self._entries)
        self._injector.check("next entry", lambda: self._path)
        return entry

    def close(self) -> None:
        self._entries.close()


_real_open = io.open


def _path_of(descriptor: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""


if __name__ == "sitecustomize" and CONTROL in os.environ and Path(sys.argv[0]).name == "twistd":
    _Injector(os.environ[CONTROL]).install()
