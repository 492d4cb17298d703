"""Behaviours that send much: as fast as the peer reads it, in constant memory, in turns with all others."""

from __future__ import annotations

from time import perf_counter

from wsdaemon.behaviours.behaviour import Behaviour
from wsdaemon.behaviours.parameters import Family

STREAM = Family(5, "stream", "messages that nobody asked for, and messages that are only counted")


class Producing(Behaviour):
    """Calls `produce` again and again, a little at a time, while the peer keeps up."""

    is_done = False
    """Whether all is sent."""
    _waits = False

    def produce(self) -> bool:
        """Send the next piece; returns whether there is more."""
        raise NotImplementedError

    def opened(self) -> None:
        """Begin to send."""
        super().opened()
        self.may_go_on()

    def writable(self) -> None:
        """Go on: everything that was queued for the peer is sent."""
        self.may_go_on()

    def may_go_on(self) -> None:
        """Go on in the next turn of the loop."""
        if not self._waits and not self.is_done and self.can_send:
            self._waits = True
            self.in_turn(self._go)

    def _go(self, share: float) -> None:
        self._waits = False
        begun = perf_counter()
        while self.can_send and not self.outbox.is_held_up and not self.is_done:
            self.is_done = not self.produce()
            if perf_counter() - begun > share:
                self.may_go_on()
                return
