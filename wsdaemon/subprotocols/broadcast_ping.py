"""Broadcast with pings: broadcast, in the same room, with a ping every ten seconds."""

from __future__ import annotations

from dataclasses import dataclass

from wsdaemon.options import Seconds, option
from wsdaemon.subprotocols.broadcast import BroadcastSettings, EchoBroadcast

PAYLOAD = b"\x01\x02\x03"


@dataclass(frozen=True, kw_only=True)
class BroadcastPingSettings(BroadcastSettings):
    """Jetty's pings, besides the keep-alive's."""

    every: float = option(Seconds(0.01, 86400), 10.0, "How often a ping with the payload 01 02 03 is sent.")


class EchoBroadcastPing(EchoBroadcast):
    """Jetty's echo-broadcast-ping; the pong is logged."""

    names = ("echo-broadcast-ping",)
    settings_class = BroadcastPingSettings
    settings: BroadcastPingSettings
    _asked = False

    def opened(self) -> None:
        """Join the room and begin to ping."""
        super().opened()
        self._wait()

    def pong_received(self, payload: bytes) -> None:
        """Log the pong, one for each ping: unsolicited pongs must not fill the log."""
        if payload != PAYLOAD or not self._asked:
            return
        self._asked = False
        self.events.info(
            "connection {number} from {peer}: pong {payload}",
            number=self.number, peer=self.peer, payload=payload.hex(" "), event="pong",
        )  # fmt: skip

    def _wait(self) -> None:
        self.deadlines.set("jetty-ping", self.settings.every, self._ping)

    def _ping(self) -> None:
        self._asked = True
        self.send_ping(PAYLOAD)
        self._wait()
