"""Who is connected: lws' lws-status."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nlargest
from typing import ClassVar

from wsdaemon.behaviours.behaviour import Behaviour, MessageSettings
from wsdaemon.behaviours.parameters import Family
from wsdaemon.options import Origins, option
from wsdaemon.websocket.hub import Member

SOON, EACH = 0.1, 0.004
"""How long changes are gathered before they are sent, in seconds; and how much longer for each other watcher."""
MOST_LISTED = 200


@dataclass(frozen=True, kw_only=True)
class StatusSettings(MessageSettings):
    """Only our own pages may see who is connected, by default."""

    allowed_origins: tuple[str, ...] = option(
        Origins(), ("same",), "Which pages may connect: * all, same only those of this server, or a list of origins."
    )


class Status(Behaviour):
    """Number of connections, and a list of the newest 200.

    Messages from the client are ignored. Addresses are shown only with `[behaviours] show_addresses`.
    """

    names = ("lws-status", "status")
    family = Family(9, "status", "who is connected")
    settings_class = StatusSettings
    summary = "Who is connected, as JSON, at once and again after every change."
    example = "/status"
    rfc = "RFC 6455 section 5.6"
    told: ClassVar[tuple[int, str]] = (0, "")
    """The change that was told last, and the text; all connections share it, since a daemon has a class of its own."""

    def opened(self) -> None:
        """Tell now, and again when a connection opens or ends."""
        super().opened()
        self.hub.watchers.add(self.changed)
        self._tell()

    def closed(self) -> None:
        """Tell no more."""
        self.hub.watchers.discard(self.changed)
        super().closed()

    def changed(self) -> None:
        """Tell soon: a connection opened or ended (called by the hub)."""
        if self.can_send and not self.deadlines.running("status"):
            # The more watchers there are, the less often each is told: it is as much work for each of them.
            self.deadlines.set("status", SOON + (len(self.hub.watchers) - 1) * EACH, self._tell)

    def message_received(self, message: bytes, is_binary: bool) -> None:
        """Ignore it."""

    def _tell(self) -> None:
        if not self.can_send:
            return
        if self.outbox.is_held_up:  # it is told later, what is so by then
            self.deadlines.set("status", SOON, self._tell)
            return
        # The text is the same for all watchers but for `you`: it is made once for each change.
        shared = type(self)
        if shared.told[0] != self.hub.changes:
            shared.told = (self.hub.changes, self._everyone())
        told = shared.told[1]
        self.reply(f'{{"you": {self.number}, {told[1:]}'.encode())

    def _everyone(self) -> str:
        connections = self.hub.connections
        newest = nlargest(MOST_LISTED, connections, key=lambda each: each.number)
        return json.dumps(
            {"version": "wsdaemon", "count": len(connections), "conns": [self._show(each) for each in newest]}
        )

    def _show(self, connection: Member) -> dict[str, object]:
        age = self.hub.clock.seconds() - connection.opened_at
        since = datetime.now(UTC).timestamp() - age
        return {
            "number": connection.number,
            "peer": connection.peer if self.bounds.show_addresses else "hidden",
            "time": round(since),
            "subprotocol": connection.subprotocol,
        }
