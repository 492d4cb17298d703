"""Status: who is connected; lws' lws-status."""

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
"""How long changes are gathered before they are told, in seconds: at least, and more for each other who watches."""
MOST_LISTED = 200


@dataclass(frozen=True, kw_only=True)
class StatusSettings(MessageSettings):
    """Only our own pages may see who is connected, by default."""

    allowed_origins: tuple[str, ...] = option(
        Origins(), ("same",), "Which pages may connect: * all, same only those of this server, or a list of origins."
    )


class Status(Behaviour):
    """Tells at once and on every change how many are connected, and of the newest 200 who they are.

    What the client sends is ignored. Addresses are shown only where `[behaviours] show_addresses` says so.
    """

    names = ("lws-status", "status")
    family = Family(9, "status", "who is connected")
    settings_class = StatusSettings
    summary = "Who is connected, as JSON, at once and again on every change."
    example = "/status"
    rfc = "RFC 6455 section 5.6"
    told: ClassVar[tuple[int, str]] = (0, "")
    """What was told last, and of which change; for all connections of a daemon, whose class is its own."""

    def opened(self) -> None:
        """Tell, and again when someone comes or goes."""
        super().opened()
        self.hub.watchers.add(self.changed)
        self._tell()

    def closed(self) -> None:
        """Tell no more."""
        self.hub.watchers.discard(self.changed)
        super().closed()

    def changed(self) -> None:
        """Someone came or went (called by the hub)."""
        if self.can_send and not self.deadlines.running("status"):
            # Many who watch are told less often: it is as much work for each.
            self.deadlines.set("status", SOON + (len(self.hub.watchers) - 1) * EACH, self._tell)

    def message_received(self, message: bytes, is_binary: bool) -> None:
        """Ignore it."""

    def _tell(self) -> None:
        if not self.can_send:
            return
        if self.outbox.is_held_up:  # it is told what is so by then
            self.deadlines.set("status", SOON, self._tell)
            return
        # The same for all who watch, but for whom it is told to: made once for each change.
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
