"""The lines that `wsping` prints during a run, in the style of `ping`."""

from __future__ import annotations

from wsdaemon.client.check import Reply, Sent
from wsdaemon.client.connection import ClientConnection
from wsdaemon.client.errors import ClientError
from wsdaemon.client.events import Frame
from wsdaemon.client.options import Display
from wsdaemon.client.output import error_lines, ms
from wsdaemon.client.plan import ConnectionEnd, PingPlan
from wsdaemon.client.terminal import Printer
from wsdaemon.observe.log import one_line
from wsdaemon.websocket.codes import Opcode
from wsdaemon.websocket.frames import frame_header

_NAMES = {int(opcode): opcode.name.lower() for opcode in Opcode}


class Reporter:
    """The printer of a run's events; clients and messages count from 1."""

    def __init__(self, plan: PingPlan, printer: Printer, display: Display) -> None:
        self.wants_frames = display.verbose
        self._plan = plan
        self._printer = printer
        self._is_quiet = display.quiet or display.as_json

    def connected(self, client: int, connection: ClientConnection) -> None:
        """Print the connection's subprotocol and extensions, if frames are shown."""
        if self.wants_frames:
            chosen = connection.subprotocol or "no subprotocol"
            extensions = f", {connection.extensions}" if connection.extensions else ""
            self._printer.error(f"connection {client} open: {chosen}{extensions}")

    def replied(self, client: int, reply: Reply, frames: int, opcode: int) -> None:
        """Print a reply as Jetty's client did, and its faults; or a message that answers nothing."""
        sent = reply.message
        if sent is None:
            ((fault, detail),) = reply.faults
            self._fault(f"{self._which(client)}{fault}: {detail} that answer nothing outstanding")
            return
        if not self._is_quiet:
            several = f" client={client}" + (f" from={sent.client}" if sent.client != client else "")
            self._printer.line(
                f"{reply.length} bytes from {self._plan.target.host}: frames={frames} req={sent.sequence} "
                f"time={ms(reply.elapsed)}ms opcode={opcode:#04x}{several if self._plan.clients > 1 else ''}"
            )
        for fault, detail in reply.faults:
            self._fault(f"{self._which(client, sent)}{fault}: {detail}")

    def lost(self, client: int, sent: Sent) -> None:
        """Print that a reply counts as lost."""
        self._fault(f"{self._which(client, sent)}lost: no reply")

    def frame(self, client: int, sent: bool, frame: Frame) -> None:
        """Print a frame that was sent or received: its fields, its header in hex, and its payload's first bytes."""
        header = frame_header(frame.opcode, frame.length, fin=frame.fin, rsv=frame.rsv, masking_key=frame.masking_key)
        words = [_NAMES.get(frame.opcode, f"opcode={frame.opcode:#x}"), "fin" if frame.fin else "more"]
        words += [f"rsv={frame.rsv}"] if frame.rsv else []
        words += [f"len={frame.length}"] + ([f"mask={frame.masking_key.hex()}"] if frame.masking_key else [])
        shown = frame.payload.hex() + ("…" if frame.length > len(frame.payload) else "")
        number = f"{client}" if self._plan.clients > 1 else ""
        self._printer.error(f"{'>' if sent else '<'}{number} {' '.join(words)} [{header.hex()}] {shown}".rstrip())

    def ended(self, end: ConnectionEnd) -> None:
        """Print how a connection ended, also if only the summary is shown."""
        code = "" if end.code is None else f" with {end.code}"
        reason = f": {one_line(end.reason)}" if end.reason else ""
        self._printer.error(f"{self._which(end.client)}connection closed{code}{reason}")

    def retrying(self, error: ClientError | None, seconds: float) -> None:
        """Print when a client reconnects; `error` is why the last attempt failed, if it did."""
        for line in error_lines(error, self._plan.target.url) if error is not None else ():
            self._printer.error(line)
        self._printer.error(f"connecting again in {seconds:g} s")

    def _fault(self, text: str) -> None:
        if not self._is_quiet:
            self._printer.line(text, "red")

    def _which(self, client: int, sent: Sent | None = None) -> str:
        """Return the start of a line: the client, if there are several, and the message."""
        words = ([f"client={client}"] if self._plan.clients > 1 else []) + ([f"req={sent.sequence}"] if sent else [])
        return f"{' '.join(words)}: " if words else ""
