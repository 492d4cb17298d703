"""Behaviours that send much: as fast as the peer takes it, in constant memory, in turns with all others."""

from __future__ import annotations

from time import perf_counter

from wsdaemon.behaviours.behaviour import Behaviour
from wsdaemon.behaviours.parameters import Family

STREAM = Family(5, "stream", "what comes without being asked for, and what only goes in")


class Producing(Behaviour):
    """Sends what `produce` gives, a little at a time, while the peer keeps up."""

    _waits = False
    _is_done = False

    def produce(self) -> bool:
        """Send the next piece; says whether there is more."""
        raise NotImplementedError

    @property
    def is_done(self) -> bool:
        """Whether all is sent."""
        return self._is_done

    def opened(self) -> None:
        """Begin to send."""
        super().opened()
        self.may_go_on()

    def writable(self) -> None:
        """Go on: everything queued for the peer was sent."""
        self.may_go_on()

    def may_go_on(self) -> None:
        """Send on, in the next turn of the loop."""
        if not self._waits and not self._is_done and self.can_send:
            self._waits = True
            self.in_turn(self._go)

    def _go(self, share: float) -> None:
        self._waits = False
        begun = perf_counter()
        while self.can_send and not self.outbox.is_held_up and not self._is_done:
            self._is_done = not self.produce()
            if perf_counter() - begun > share:
                self.may_go_on()
                return
