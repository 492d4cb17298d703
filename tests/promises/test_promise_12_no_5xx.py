"""Promise 12: no request gives a 5xx or a traceback.

What an input of `tests.fuzz.target` is, and what is held of its answers (`tests.fuzz.answers`), is the same for the
requests made up here, for those that the fuzzer found (`tests/fuzz/corpus`), and for those that were known to be
trouble (`tests.fuzz.seeds`).
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.fuzz import strategies
from tests.fuzz.answers import check_answers
from tests.fuzz.docroot import Tree, make_docroot
from tests.fuzz.run import CORPUS
from tests.fuzz.seeds import SEEDS
from tests.fuzz.target import CUT, END, INI, MARK, Target
from tests.support.daemon import Daemon
from tests.support.http_client import request
from tests.support.raw import RawClient
from tests.support.wire import TEXT, Frame

examples = functools.partial(settings, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return make_docroot(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def target(tree: Tree) -> Iterator[Target]:
    with Target(tree) as target:
        yield target


def seeded(test: Callable[..., Any]) -> Callable[..., Any]:
    """Try all seeds first."""
    return functools.reduce(lambda seeded, seed: example(stream=seed)(seeded), SEEDS.values(), test)


@examples(max_examples=300)
@given(stream=strategies.connections())
@seeded
def test_promise_12_any_connection(target: Target, stream: bytes) -> None:
    """Requests, upgrades, frames and other bytes in any order, cut anywhere, and a client that stalls or hangs up."""
    target.one_input(stream)


@examples(max_examples=300)
@given(
    name=st.sampled_from(("text.txt", "empty", "one", "large.bin", "sub/", "nothing")),
    fields=st.lists(st.one_of(strategies.ranges.map(lambda value: b"Range: " + value), strategies.headers), max_size=3),
    method=st.sampled_from(("GET", "GET", "HEAD")),
)
def test_promise_12_ranges_and_conditions(target: Target, name: str, fields: list[bytes], method: str) -> None:
    """Any Range and any condition, for files of any size."""
    target.one_input(request("/" + name, *fields, method=method) + request("/one"))


@examples(max_examples=400)
@given(path=strategies.targets, method=st.sampled_from(("GET", "HEAD", "PUT")))
def test_promise_12_paths(target: Target, path: bytes, method: str) -> None:
    """Any target: escapes, dots, slashes, NUL, invalid UTF-8, absolute URLs."""
    target.one_input(request(path, method=method) + request("/one"))


@examples(max_examples=300)
@given(stream=strategies.websockets())
def test_promise_12_upgrades(target: Target, stream: bytes) -> None:
    """Any upgrade, with frames in the same segment."""
    target.one_input(stream)


@examples(max_examples=200)
@given(stream=st.binary(max_size=200))
def test_promise_12_any_bytes(target: Target, stream: bytes) -> None:
    """Bytes that are not HTTP, alone and in place of a header."""
    target.one_input(stream)
    target.one_input(b"GET / HTTP/1.1\r\nHost: x\r\n" + stream + b"\r\n\r\n")


def corpus() -> dict[str, bytes]:
    kept = {path.name: path.read_bytes() for path in sorted(CORPUS.iterdir())}
    assert len(kept) > 20, "where is the corpus?"
    return SEEDS | kept


def test_promise_12_corpus(target: Target) -> None:
    """Every input of the corpus, one after the other; none leaves a file open."""
    inputs = corpus()
    open_before = os.listdir("/proc/self/fd")
    for name, data in inputs.items():
        try:
            target.one_input(data)
        except Exception as error:
            raise AssertionError(f"input {name}: {error}") from error
    assert os.listdir("/proc/self/fd") == open_before


def test_promise_12_real_daemon(daemon: Callable[..., Daemon], tree: Tree, target: Target) -> None:
    """The same inputs over sockets: the daemon logs no error, leaves nothing open, and keeps serving."""
    started = daemon(ini=INI.replace("[server]", f"[server]\ndocroot = {tree.root}"))
    listening = open_sockets(started)
    for name, data in corpus().items():
        # Over a socket no time passes and the client reads all it gets, until it hangs up.
        stream = MARK.sub(CUT, data.partition(END)[0])
        target.one_input(stream)
        received = converse(started, stream)
        try:
            check_answers(received, target.asked, tree, whole=False, sent=stream)
        except Exception as error:
            raise AssertionError(f"input {name}: {error}") from error
    with RawClient(started) as client:
        # Each echo is a turn of the daemon's loop, and it may take some to see that the others have hung up.
        turns = (client.echo(Frame(TEXT, b"still here")) for _ in range(100))
        assert any(open_sockets(started) == listening + 1 for _ in turns), "a connection is left"
    with RawClient(started, path=None) as client:
        client.send(request("/text.txt", "Connection: close"))
        assert client.read_to_end().endswith(tree.contents[2000])
    assert started.stop() == 0
    assert re.findall(r"^\S+ (?:error|critical) .*|.*Traceback.*", started.output, re.MULTILINE) == []
    assert re.findall(r"^.* 5[0-9]{2} [0-9]+$", started.output, re.MULTILINE) == []


def converse(daemon: Daemon, stream: bytes) -> bytes:
    """Send a stream in its packets, hang up, and return what was received."""
    received = bytearray()
    with RawClient(daemon, path=None) as client:
        try:
            for packet in stream.split(CUT):
                client.send(packet)
            client.socket.shutdown(socket.SHUT_WR)
            while data := client.socket.recv(1 << 16):
                received += data
        except OSError as error:  # the daemon may end it first, and a reset may come between two calls
            if not isinstance(error, ConnectionError) and error.errno != errno.ENOTCONN:
                raise
    return bytes(received)


def open_sockets(daemon: Daemon) -> int:
    count = 0
    for each in Path(f"/proc/{daemon.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            count += os.readlink(each).startswith("socket:")
    return count
