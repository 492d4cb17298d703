"""A run of `wsping`: its plan and its result."""

from __future__ import annotations

from dataclasses import dataclass, field

from wsdaemon.client.check import Counts, Fault
from wsdaemon.client.errors import ClientError
from wsdaemon.client.flags import Number, check, flag
from wsdaemon.client.statistics import Times
from wsdaemon.client.target import Target

PING_LIMIT = 125
"""The longest payload of a PING, in bytes (RFC 6455 section 5.5)."""


@dataclass(frozen=True, kw_only=True)
class PingPlan:
    """One run of `wsping`; raises `ValueError` for a number out of range or a ping that is too long."""

    target: Target
    count: int = flag(
        10, "-c", "--count", metavar="N", read=Number(int, 0), text="messages per client; 0: until Ctrl-C",
    )  # fmt: skip
    size: int = flag(
        64, "-s", "--size", metavar="N", read=Number(int, 0, 1 << 30), text="bytes of payload per message",
    )  # fmt: skip
    fragment: int = flag(
        4000, "-f", "--fragment", metavar="N", read=Number(int, 0),
        text="bytes of payload per frame, at most; 0: one frame per message",
    )  # fmt: skip
    is_binary: bool = flag(
        False, "-b", "--binary", text="send binary messages of random bytes instead of text of random letters"
    )
    clients: int = flag(
        1, "-C", "--clients", metavar="N", read=Number(int, 1, 10000), text="connections",
        more="Each sends all messages, once all are open.",
    )  # fmt: skip
    delay: float = flag(
        1.0, "-d", "--delay", metavar="MS", read=Number(float, 0, per=1000), shown="1000",
        text="milliseconds between messages; 0: as fast as possible",
        more="The schedule does not wait for replies; as fast as possible means at most 1000 unanswered messages per "
        "client.",
    )  # fmt: skip
    wait: float = flag(
        10.0, "-W", "--wait", metavar="S", read=Number(float, 0.001), text="seconds to wait for a reply",
        more="After that it counts as lost, or as late if it arrives after all.",
    )  # fmt: skip
    use_pings: bool = flag(False, "--ping", text="send PING frames and time the PONGs", more="At most 125 bytes each.")
    broadcast: bool | None = flag(
        None, "--broadcast", shown="by the name of the subprotocol, else of the path",
        text="expect each message at every client", off=("--no-broadcast", "expect it at its sender only", False),
    )  # fmt: skip
    reconnect: bool = flag(
        False, "--reconnect", text="reconnect when the connection is lost, with exponential back-off",
        more="Also if it cannot be made; first after 0.5 s, then after twice as long each time, up to 30 s.",
    )  # fmt: skip

    def __post_init__(self) -> None:
        check(self)
        if self.use_pings and self.size > PING_LIMIT:
            raise ValueError(f"a ping holds at most {PING_LIMIT} bytes; give -s {PING_LIMIT} or less")


@dataclass(frozen=True)
class ConnectionEnd:
    """The early or unclean end of a connection; `client` counts from 1.

    `code` is that of the server's Close frame, None without one.
    """

    client: int
    code: int | None
    reason: str


@dataclass
class PingResult:
    """The result of a run. Times are in seconds; `duration` is from the first message to the last reply."""

    plan: PingPlan
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
    closed_early: list[ConnectionEnd] = field(default_factory=list)
    error: ClientError | None = None

    @property
    def all_right(self) -> bool:
        """Whether every reply arrived, once, in time and unchanged, and no connection was lost."""
        wrong = +self.counts.faults
        if self.is_broadcast or self.plan.use_pings:
            del wrong[Fault.UNASKED]
        return not wrong and not self.closed_early
