"""Progress of a run: two changing lines on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from wsdaemon.load import words
from wsdaemon.load.plan import LoadPlan, Mode
from wsdaemon.load.record import Record

TERMINAL_SECONDS = 1.0
"""Between two updates; each delays replies."""
PIPE_SECONDS = 5.0
_SAMPLE = 4000


class Progress:
    """Progress that is not shown; base of the others."""

    def __init__(self, plan: LoadPlan, record: Record) -> None:
        self._plan, self._record = plan, record
        self._shown = 0.0
        self._received = 0
        self._at = 0.0

    every = float("inf")

    def start(self) -> None:
        """Show that clients are connecting."""

    def beat(self, elapsed: float) -> None:
        """Show the progress, if it is time; called often."""
        if elapsed - self._shown >= self.every - 0.05:
            self._shown = elapsed
            self.show(elapsed)

    def show(self, elapsed: float) -> None:
        """Show the progress."""

    def finish(self) -> None:
        """Clean up the screen."""

    def _figures(self, elapsed: float) -> str:
        """Return rate, latencies and errors since the last reading, as one line of at most 80 columns."""
        record, unit = self._record, "messages/s" if self._plan.mode is Mode.ECHO else "handshakes/s"
        received = record.received + sum(each.received for each in record.slices)
        errors = record.errors.total() + sum(each.errors.total() for each in record.slices)
        rate = (received - self._received) / (elapsed - self._at) if elapsed > self._at else 0.0
        self._received, self._at = received, elapsed
        sample = sorted(record.pending[-_SAMPLE:])
        times = [words.milliseconds(1000 * sample[len(sample) * part // 100]) if sample else "-" for part in (50, 99)]
        return f"{words.count(round(rate))} {unit}   p50 {times[0]}   p99 {times[1]}   errors {errors:,}"

    def _place(self, elapsed: float) -> str:
        if elapsed > self._plan.duration:
            return "waiting for the last replies"
        return f"{elapsed:.0f} s of {words.seconds(self._plan.duration)}"


class PipeProgress(Progress):
    """A plain line every few seconds."""

    every = PIPE_SECONDS

    def __init__(self, plan: LoadPlan, record: Record, stream: TextIO) -> None:
        super().__init__(plan, record)
        self._stream = stream

    def show(self, elapsed: float) -> None:
        """Write a line."""
        self._stream.write(f"{self._place(elapsed)}: {self._figures(elapsed)}\n")
        self._stream.flush()


class TerminalProgress(Progress):
    """A bar and a line of figures, in place; gone at the end."""

    every = TERMINAL_SECONDS

    def __init__(self, plan: LoadPlan, record: Record, stream: TextIO) -> None:
        super().__init__(plan, record)
        self._live = Live(console=Console(file=stream), auto_refresh=False, transient=True)

    def start(self) -> None:
        """Show that clients are connecting, and hide the cursor."""
        self._live.start()
        if self._plan.mode is Mode.ECHO:
            clients = "1 client" if self._plan.clients == 1 else f"{self._plan.clients:,} clients"
            self._live.update(Text(f"connecting {clients}"), refresh=True)

    def show(self, elapsed: float) -> None:
        """Draw the two lines."""
        bar = ProgressBar(total=self._plan.duration, completed=min(elapsed, self._plan.duration), width=40)
        line = Table.grid(padding=(0, 2))
        line.add_row(bar, Text(self._place(elapsed)))
        self._live.update(Group(line, Text(self._figures(elapsed), no_wrap=True, overflow="ellipsis")), refresh=True)

    def finish(self) -> None:
        """Clear the two lines, and show the cursor."""
        self._live.stop()


def progress(plan: LoadPlan, record: Record, stream: TextIO, *, quiet: bool) -> Progress:
    """Return the progress that fits the stream: none, a terminal's, or plain lines."""
    if quiet:
        return Progress(plan, record)
    return TerminalProgress(plan, record, stream) if stream.isatty() else PipeProgress(plan, record, stream)
