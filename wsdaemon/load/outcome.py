"""What a run ended with."""

from __future__ import annotations

from dataclasses import dataclass

from wsdaemon.load.health import ClientLoad
from wsdaemon.load.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of a run; all that was measured is in `record`."""

    record: Record
    client: ClientLoad
    load_seconds: float
    """How long messages were sent, or handshakes begun: what rates are counted over."""
    received_under_load: int
    """How many right replies, or handshakes, came within that time."""
    bytes_under_load: int
    """Their payload, in bytes."""
    opened: int
    failed: int
    closed_early: int
    """How many connections were opened, could not be opened, and were closed by the other side before the end."""
    still_in_flight: int
    """Messages that were on their way when the run was interrupted: neither right nor lost."""
    interrupted: bool
    failures: tuple[str, ...] = ()
    """A few examples of why connections failed, in words."""
