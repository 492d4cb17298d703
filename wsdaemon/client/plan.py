"""What a run of `wsping` is to do, what it did, and what hears of it meanwhile: values without behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field

from wsdaemon.client.check import Counts, Sent, Verdict
from wsdaemon.client.connection import ClientConnection, Frame
from wsdaemon.client.errors import ClientError
from wsdaemon.client.statistics import Times
from wsdaemon.client.target import Target


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do: `count` messages (0: without end) of `size` bytes for each of `clients`, every `delay` seconds."""

    target: Target
    clients: int = 1
    count: int = 10
    size: int = 64
    fragment: int = 4000
    is_binary: bool = False
    delay: float = 1.0
    wait: float = 10.0
    """How long a reply may take, in seconds."""
    use_pings: bool = False
    broadcast: bool | None = None
    """Whether each message comes back to every client; None: as the subprotocol or the path's name says."""
    reconnect: bool = False


@dataclass(frozen=True)
class Ending:
    """How a connection ended that did not end as it should; `client` is from 1.

    `code` is the server's, None where it sent no Close frame. `is_early`: before the run was at its end.
    """

    client: int
    code: int | None
    reason: str
    is_early: bool = True


@dataclass
class Summary:
    """What a run did. Times are in seconds; `duration` is from the first message until the last reply."""

    plan: Plan
    counts: Counts = field(default_factory=Counts)
    rtt: Times = field(default_factory=Times)
    tcp: Times = field(default_factory=Times)
    tls: Times = field(default_factory=Times)
    upgrade: Times = field(default_factory=Times)
    subprotocol: str | None = None
    extensions: str = ""
    is_broadcast: bool = False
    frames_sent: int = 0
    frames_received: int = 0
    messages_sent: int = 0
    messages_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    pending: int = 0
    duration: float = 0.0
    interrupted: bool = False
    endings: list[Ending] = field(default_factory=list)
    error: ClientError | None = None

    @property
    def all_right(self) -> bool:
        """Whether every reply came, once, in time and unchanged, and no connection was lost."""
        counts = self.counts
        wrong = counts.lost + counts.doubled + counts.differing + counts.wrong_opcode + counts.late
        foreign = 0 if self.is_broadcast or self.plan.use_pings else counts.foreign
        return not wrong and not foreign and not any(ending.is_early for ending in self.endings)


class Reporter:
    """Hears what happens while it happens; override what is to be shown. Clients and messages count from 1."""

    wants_frames = False

    def connected(self, client: int, connection: ClientConnection) -> None:
        """A client's connection is open."""

    def replied(self, client: int, sent: Sent, verdict: Verdict, frames: int, opcode: int, elapsed: float) -> None:
        """A reply came in; `verdict` says what is wrong with it, if anything. `elapsed` is in seconds."""

    def unasked(self, client: int, verdict: Verdict) -> None:
        """A message came in that answers none, or one that was answered already."""

    def lost(self, client: int, sent: Sent) -> None:
        """The reply to a message was given up."""

    def frame(self, client: int, sent: bool, frame: Frame) -> None:
        """A frame went out or came in."""

    def ended(self, ending: Ending) -> None:
        """A connection ended that should not have."""

    def retrying(self, client: int, error: ClientError | None, seconds: float) -> None:
        """A client connects again in that time, after `error` if it did not connect."""
