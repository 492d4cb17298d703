"""Facts about Twisted's ports, TCP transports and threads that the code relies on or works around."""

from __future__ import annotations

import errno
import inspect
import os
import socket
from typing import Any

import pytest
from twisted.application.internet import StreamServerEndpointService
from twisted.internet import defer, tcp
from twisted.internet.abstract import FileDescriptor
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IPushProducer
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from wsdaemon.observe.log import SILENT


class Descriptor(FileDescriptor):
    """A descriptor whose peer takes as much as `takes`."""

    connected = 1

    def __init__(self) -> None:
        self.loop: Any = MemoryReactor()
        super().__init__(self.loop)
        self.taken = b""
        self.takes = 1 << 30
        self.half_closed = False

    def writeSomeData(self, data: bytes) -> int:
        count = min(self.takes, len(data))
        self.taken += bytes(data[:count])
        return count

    def _closeWriteConnection(self) -> None:
        self.half_closed = True


@implementer(IPushProducer)
class Producer:
    """Records what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


def test_a_producer_is_paused_at_each_write_and_resumed_once() -> None:
    """Over 64 KiB every write pauses the producer again; once all is sent it is resumed."""
    descriptor, producer = Descriptor(), Producer()
    descriptor.registerProducer(producer, True)
    descriptor.write(bytes(1 << 16))
    assert producer.told == []
    descriptor.write(b"x")
    descriptor.write(b"x")
    assert producer.told == ["pause", "pause"]
    descriptor.takes = 1 << 16
    descriptor.doWrite()
    assert producer.told == ["pause", "pause"]
    descriptor.doWrite()
    assert producer.told == ["pause", "pause", "resume"]


def test_what_is_written_waits_for_the_loop() -> None:
    """A write buffers, and says to the reactor that there is something; nothing is sent before the loop says so."""
    descriptor = Descriptor()
    descriptor.write(b"hello")
    assert (descriptor.taken, descriptor.loop.writers) == (b"", {descriptor})
    descriptor.doWrite()
    assert (descriptor.taken, descriptor.loop.writers) == (b"hello", set())


def test_a_paused_producer_keeps_a_closing_connection() -> None:
    """A connection that ends while its producer is paused resumes it instead: so we unregister it first."""
    for unregister in (False, True):
        descriptor, producer = Descriptor(), Producer()
        descriptor.registerProducer(producer, True)
        descriptor.write(bytes(1 << 17))
        if unregister:
            descriptor.unregisterProducer()
        descriptor.loseConnection()
        assert (descriptor.doWrite() is CONNECTION_DONE) == unregister


def test_a_half_close_comes_behind_what_is_written() -> None:
    """A half-close waits until all is sent, and reading goes on; the end of the connection stops reading."""
    descriptor = Descriptor()
    descriptor.startReading()
    descriptor.write(b"hello")
    descriptor.loseWriteConnection()
    assert (descriptor.taken, descriptor.half_closed) == (b"", False)
    descriptor.doWrite()
    assert (descriptor.taken, descriptor.half_closed, descriptor.loop.readers) == (b"hello", True, {descriptor})
    descriptor.loseConnection()
    assert descriptor.loop.readers == set()


def test_a_transport_without_a_producer_can_be_told_so() -> None:
    """On TCP unregisterProducer may be called without a producer."""
    Descriptor().unregisterProducer()


class Reserve:
    """File descriptors for accept: `left` of them, and one in reserve."""

    def __init__(self) -> None:
        self.left = 0
        self.closed = 0

    def accept(self) -> tuple[Reserve, tuple[str, int]]:
        if self.left == 0:
            raise OSError(errno.EMFILE, "too many open files")
        if self.closed == 3:
            raise OSError(errno.EAGAIN, "nobody else")
        return self, ("192.0.2.1", 1)

    def open(self) -> Any:
        reserve = self

        class File:
            def close(self) -> None:
                reserve.left += 1

        return File()

    def close(self) -> None:
        self.closed += 1


def test_without_descriptors_who_waits_is_let_go() -> None:
    """A port without descriptors uses one in reserve to accept and close all waiting connections."""
    assert isinstance(tcp._reservedFD, tcp._FileDescriptorReservation)
    reserve = Reserve()
    reservation = tcp._FileDescriptorReservation(reserve.open)
    reservation.reserve()
    accepted = list(tcp._accept(SILENT, range(10), reserve, reservation))
    assert (accepted, reserve.closed, reservation.available()) == ([], 3, True)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ECONNABORTED])
def test_without_a_reserve_accepting_waits(number: int) -> None:
    """Without one in reserve, accept gives up without an error until the next turn of the loop."""

    class Listener:
        def accept(self) -> None:
            raise OSError(number, "none")

    logger = SILENT
    assert list(tcp._accept(logger, range(10), Listener(), tcp._NullFileDescriptorReservation())) == []


def test_backlog() -> None:
    """Twisted's own backlog is 50, so ours is passed."""
    for endpoint in (TCP4ServerEndpoint, SSL4ServerEndpoint):
        assert inspect.signature(endpoint.__init__).parameters["backlog"].default == 50


def test_a_service_on_a_busy_port_stays() -> None:
    """StreamServerEndpointService starts without listening if its port is taken: so ours listens itself."""

    class Busy:
        def listen(self, factory: object) -> defer.Deferred[Any]:
            return defer.fail(CannotListenError("", 1, OSError(errno.EADDRINUSE, "busy")))

    service = StreamServerEndpointService(Busy(), Factory())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("twisted.python.log.err", lambda *_: None)
        service.privilegedStartService()
        service.startService()
    assert service.running


def test_acknowledged_bytes_stand_where_we_look() -> None:
    """On Linux, byte 120 of struct tcp_info holds the bytes acknowledged, and one more for a SYN or FIN."""
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()) as near:
        far, _ = listening.accept()
        with far:
            near.sendall(bytes(1000))
            far.recv(1000, socket.MSG_WAITALL)
            far.sendall(b"x")
            near.recv(1)
            info = near.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 128)
    assert int.from_bytes(info[120:128], "little") in (1000, 1001)


def test_threads_that_cannot_begin_stay_in_the_pool() -> None:
    """A pool keeps a thread that could not be started, and would join it at the end: so we make it forget it."""
    pool = ThreadPool(0, 1)
    pool.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("threading.Thread.start", _cannot_start)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            pool.callInThread(os.getpid)
    assert [thread.ident for thread in pool.threads] == [None]
    pool.threads.clear()
    pool.stop()


def _cannot_start(_: object) -> None:
    raise RuntimeError("can't start new thread")
