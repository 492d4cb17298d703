"""One input of the fuzzer: the bytes of a whole connection, run through the daemon's site in memory.

An input is what the client sends, as it is. The byte C0, which no UTF-8 has, followed by one of these letters stands
for something else:

    |  what follows comes in a packet of its own      w  seven seconds pass
    f  from here on the client reads nothing          r  the client has read everything, and goes on reading
    e  the client ends the connection

Every input is run twice: then the client hangs up, or does nothing more while 100 seconds pass. Either way nothing of
the connection may be left.

Files and listings are sent by the Clock here, not by the reactor and its threads as in the daemon: that is as fast as
fuzzing needs it, and an input always does the same. The test with a real daemon makes up for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType, TracebackType
from typing import Any

from twisted.internet import _producer_helpers
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Cooperator
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from zope.interface import implementer

from tests.fuzz.answers import SITE_POLICY, Asked, check_answers
from tests.fuzz.docroot import Tree
from tests.support.http_client import Peer, Server, failures
from wsdaemon.observe.log import as_json, as_text
from wsdaemon.site import listing
from wsdaemon.site.channel import Channel
from wsdaemon.site.site import Request

CUT, FILL, READ, WAIT, END = b"\xc0|", b"\xc0f", b"\xc0r", b"\xc0w", b"\xc0e"
INI = f"""[server]
content_security_policy = {SITE_POLICY}
[websocket]
message_limit = 512
[limits]
read_ahead = 1K
read_ahead_all = 4K
frame_hold = 125
fill_limit = 256
inflate_limit = 1K
inflate_ratio = 50
turn_budget = 0.0001
[subprotocol:echo-broadcast]
queue_limit = 1K
"""
"""The site's configuration; the limits are small because inputs are."""

MARK = re.compile(rb"(\xc0[|frwe])")
_MOST_CALLS = 200_000
"""How many times an input may make the server put work off."""


class Target:
    """A site in memory that takes inputs; a context manager."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.asked: list[Asked] = []  # what the server took for requests, in the last input
        self._log = _Log()
        self._stack = ExitStack()

    def __enter__(self) -> Target:
        self._make_server()
        open_websocket = Channel.open_websocket

        def recorded(channel: Channel, target: bytes, version: bytes, headers: Any, early: bytes = b"") -> None:
            open_websocket(channel, target, version, headers, early)
            if not self.asked or not channel.requests:  # it did not come by way of a `Request`
                by_name: dict[bytes, list[bytes]] = {}
                for name, value in headers:
                    by_name.setdefault(name.lower(), []).append(value)
                self.asked.append(Asked(b"GET", target, by_name))

        self._stack.enter_context(_replaced(Channel, "open_websocket", recorded))
        cooperator = Cooperator(lambda: lambda: True, lambda work: self._server.clock.callLater(0, work))
        self._stack.enter_context(_replaced(_producer_helpers, "cooperate", cooperator.cooperate))
        self._stack.enter_context(_replaced(listing, "deferToThread", self._later))
        globalLogPublisher.addObserver(self._log)
        self._stack.callback(globalLogPublisher.removeObserver, self._log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def one_input(self, data: bytes) -> None:
        """Run an input; raises what the server raised, or `AssertionError` if a promise is broken."""
        try:
            for hangs_up in (True, False):
                self._run(data, hangs_up)
        except BaseException:
            self._make_server()  # the next input shall not meet what this one left
            raise

    def _make_server(self) -> None:
        self._server = Server(self._tree.root, INI)
        self._server.site.requestFactory = self._request
        self._schedule = self._server.clock.callLater
        self._server.clock.callLater = self._call_later  # type: ignore[method-assign]

    def _run(self, data: bytes, hangs_up: bool) -> None:
        self.asked.clear()
        self._calls = 0
        self._log.wrong.clear()
        client = _Client(self._server)
        for step in filter(None, MARK.split(data)):
            client.do(step)
        client.hang_up() if hangs_up else client.pass_time(100)
        assert client.transport.gone, "it is still there after 100 seconds"
        self._assert_nothing_left()
        whole = FILL not in data
        check_answers(client.transport.value(), self.asked, self._tree, whole=whole, sent=data)

    def _assert_nothing_left(self) -> None:
        server = self._server
        assert server.clock.getDelayedCalls() == [], "a deadline outlives its connection"
        failed, wrong = failures(), self._log.wrong  # outside of pytest, an assertion says nothing by itself
        assert not failed, failed
        assert not wrong, wrong
        assert server.site.admission.total == 0, "its place is still taken"
        assert not server.hub.connections, "its WebSocket is still counted"
        assert server.hub.queued == 0, "bytes wait for nobody"

    def _call_later(self, *arguments: Any, **options: Any) -> Any:
        self._calls += 1
        if self._calls > _MOST_CALLS:
            self._server.clock.calls.clear()  # the Clock would go on for ever
            raise AssertionError("the server does not come to rest")
        return self._schedule(*arguments, **options)

    def _request(self, *arguments: Any, **options: Any) -> Request:
        return _Recorded(self.asked, *arguments, **options)

    def _later(self, work: Callable[[], object]) -> Deferred[object]:
        """Do a thread's work in the next turn of the loop."""
        later: Deferred[object] = Deferred()
        self._server.clock.callLater(0, lambda: maybeDeferred(work).chainDeferred(later))
        return later


@implementer(ILogObserver)
class _Log:
    """Records what is wrong with the log: errors, and lines that are not printable."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    def __call__(self, event: LogEvent) -> None:
        for line in (as_text(event), as_json(event)):
            if not line.endswith("\n") or not line[:-1].isprintable():
                self.wrong.append(f"not one line: {line!r}")
        if event.get("log_level", LogLevel.info) >= LogLevel.error:
            self.wrong.append(as_text(event))


class _Recorded(Request):
    """A request that records what is asked."""

    def __init__(self, asked: list[Asked], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._all_asked = asked

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        headers = {name.lower(): list(values) for name, values in self.requestHeaders.getAllRawHeaders()}
        self._all_asked.append(Asked(command, path, headers))
        super().requestReceived(command, path, version)


class _Client(Peer):
    """The client's end of a connection."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self._unread = bytearray()  # what the server has not read yet, because it did not want to
        self._actions: dict[bytes, Callable[[], None]] = {
            CUT: lambda: None,
            FILL: self.transport.fill,
            READ: self.transport.drain,
            WAIT: lambda: self.pass_time(7),
            END: self.hang_up,
        }

    def do(self, step: bytes) -> None:
        """Send bytes, or do what a mark stands for, unless the connection is gone."""
        if self.transport.gone:
            return
        if step in self._actions:
            self._actions[step]()
        else:
            self._unread += step
        self._settle()

    def hang_up(self) -> None:
        """End the connection."""
        self.transport.lose()
        self._settle()

    def pass_time(self, seconds: int) -> None:
        """Let time pass, second by second, until the connection is gone."""
        for _ in range(seconds):
            if not self.transport.gone:
                self._clock.advance(1)
                self._settle()

    def _settle(self) -> None:
        """Deliver bytes while the server reads, and run what it put off to the next turn of its loop."""
        while True:
            if any(call.getTime() <= self._clock.seconds() for call in self._clock.getDelayedCalls()):
                self._clock.advance(0)
            elif self._unread and self.transport.producerState == "producing" and not self.transport.gone:
                data = bytes(self._unread)
                self._unread.clear()
                self.transport.protocol.dataReceived(data)
            else:
                return


@contextmanager
def _replaced(module: ModuleType | type, name: str, value: object) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)
