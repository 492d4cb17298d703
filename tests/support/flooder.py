"""A client in a process of its own that sends the same bytes as fast as they are taken, and drops all answers.

`python -m tests.support.flooder PORT PATH` takes from its standard input, in hex, a line to begin with and one to
repeat; it writes a line once the flood has begun, and goes on until it is ended.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

from tests.support.wire import request


@contextlib.contextmanager
def flood(port: int, path: str, first: bytes, repeated: bytes) -> Iterator[None]:
    """Have a flood in the meantime."""
    command = [sys.executable, "-m", "tests.support.flooder", str(port), path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{first.hex()}\n{repeated.hex()}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "begun\n"
        yield
        assert process.poll() is None, "the flooder was thrown out"
        process.kill()


def _drain(client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while client.recv(1 << 20):
            pass


def main(port: str, path: str) -> None:
    """Send for ever."""
    with socket.create_connection(("127.0.0.1", int(port))) as client:
        client.sendall(request(path))
        threading.Thread(target=_drain, args=(client,), daemon=True).start()
        client.sendall(bytes.fromhex(sys.stdin.readline()))
        repeated = bytes.fromhex(sys.stdin.readline())
        client.sendall(repeated)
        print("begun", flush=True)
        while True:
            client.sendall(repeated)


if __name__ == "__main__":
    main(*sys.argv[1:])
