"""Client that sends messages and checks each reply: its bytes, its opcode, its order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from wsdaemon.load.measurement import LoadClient
from wsdaemon.load.record import Record

_LOOK_BACK = 64


class EchoClient(LoadClient):
    """Client that sends `messages` over and over, and expects them back in the same order.

    Every message goes through `send` and `message_received`, which are written for speed.

    Args:
        messages: the payloads to send, at least two.
        binary: whether they go out as binary messages, not as text.
        record: where right replies and errors are counted.
        now: the time in seconds.
        on_closed: as for `LoadClient`.

    """

    def __init__(
        self, messages: Sequence[bytes], binary: bool, record: Record, now: Callable[[], float],
        on_closed: Callable[[EchoClient, int | None], None],
    ) -> None:  # fmt: skip
        super().__init__(on_closed)
        self._messages, self._binary, self._record, self._now = messages, binary, record, now
        self._latency = record.pending.append
        self._refill = False
        self._next_sent = 0
        self._next_reply = 0
        self._waiting: deque[float] = deque()
        self._backlog: deque[float] = deque()
        self._given_up: deque[bytes] = deque(maxlen=_LOOK_BACK)

    @property
    def outstanding(self) -> int:
        """How many messages are unanswered."""
        return len(self._waiting)

    @property
    def unsent(self) -> int:
        """How many messages are due but not sent."""
        return len(self._backlog)

    # -- sending ----------------------------------------------------------------------------------------------------

    def keep_in_flight(self, count: int) -> None:
        """Keep `count` messages in flight: each reply is followed by the next message."""
        self._refill = True
        now = self._now()
        for _ in range(count):
            self.send(now)

    def send_due(self, due: float) -> None:
        """Send a message that was due at `due`, now or when the connection accepts it."""
        if self._backlog or self.connection is None or self.connection.write_paused:
            self._backlog.append(due)
        else:
            self.send(due)

    def writable(self) -> None:
        """Send messages that are due, as long as the connection accepts them."""
        connection = self.connection
        while self._backlog and connection is not None and not connection.write_paused:
            self.send(self._backlog.popleft())

    def stop(self) -> None:
        """Send no further message in a closed loop; replies are still checked."""
        self._refill = False

    def send(self, since: float) -> None:
        """Send the next message; its latency counts from `since`."""
        index = self._next_sent
        payload = self._messages[index]
        index += 1
        self._next_sent = index if index < len(self._messages) else 0
        self._waiting.append(since)
        current = self._record.current
        current.sent += 1
        current.bytes_sent += len(payload)
        if self.connection is not None:
            self.connection.send_message(payload, self._binary)

    # -- receiving -------------------------------------------------------------------------------------------------

    def message_received(self, payload: bytes, is_binary: bool, frames: int) -> None:
        """Check a reply, record its latency, and in a closed loop send the next message."""
        now = self._now()
        index = self._next_reply
        if payload != self._messages[index] or is_binary is not self._binary or not self._waiting:
            if not self._explained(payload, is_binary):
                return
            index = self._next_reply
        index += 1
        self._next_reply = index if index < len(self._messages) else 0
        self._latency(now - self._waiting.popleft())
        current = self._record.current
        current.received += 1
        current.bytes_received += len(payload)
        if self._refill:
            self.send(now)

    def closed(self, code: int | None, reason: str, clean: bool) -> None:
        """Count outstanding replies as lost, unless this side has closed the connection."""
        if not self.closing:
            self.give_up()
        super().closed(code, reason, clean)

    def give_up(self) -> None:
        """Count unanswered messages as lost, and unsent ones as unsent."""
        self._record.error("lost", len(self._waiting))
        self._record.error("unsent", len(self._backlog))
        self._waiting.clear()
        self._backlog.clear()

    def _explained(self, payload: bytes, is_binary: bool) -> bool:
        """Count the fault of a reply. Returns whether the reply is right once lost ones are skipped."""
        record, messages, expected = self._record, self._messages, self._next_reply
        if is_binary is self._binary:
            if payload in self._given_up:
                self._given_up.remove(payload)
                record.error("lost", -1)
                record.error("out_of_order")
                return False
            for ahead in range(1, min(len(self._waiting), len(messages))):
                if payload == messages[(expected + ahead) % len(messages)]:
                    self._skip(ahead)
                    return True
            if payload == messages[expected - 1] or not self._waiting:
                record.error("doubled" if payload == messages[expected - 1] else "unexpected")
                return False
        elif not self._waiting:
            record.error("unexpected")
            return False
        record.error("wrong_bytes" if payload != messages[expected] else "wrong_opcode")
        self._skip(1, lost=False)
        if self._refill:
            self.send(self._now())
        return False

    def _skip(self, count: int, *, lost: bool = True) -> None:
        """Skip the next `count` expected replies."""
        for _ in range(count):
            self._waiting.popleft()
            if lost:
                self._given_up.append(self._messages[self._next_reply])
                if self._refill:
                    self.send(self._now())
            self._next_reply = (self._next_reply + 1) % len(self._messages)
        if lost:
            self._record.error("lost", count)
