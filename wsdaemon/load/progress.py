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
"""Time between two updates on a terminal; each update delays replies."""
PIPE_SECONDS = 5.0
"""Time between two lines elsewhere."""
_SAMPLE = 4000


class Progress:
    """Progress of one run on `stream`: a bar and a line of figures in place, or plain lines; nothing if `quiet`."""

    def __init__(self, plan: LoadPlan, stream: TextIO, *, quiet: bool) -> None:
        self._plan, self._stream = plan, stream
        self._live: Live | None = None
        self._every = float("inf") if quiet else PIPE_SECONDS
        if stream.isatty() and not quiet:
            self._live = Live(console=Console(file=stream), auto_refresh=False, transient=True)
            self._every = TERMINAL_SECONDS
        self._received = 0
        self._at = 0.0

    def start(self) -> None:
        """Show on a terminal that clients are connecting, and hide the cursor."""
        if self._live is not None:
            self._live.start()
            if self._plan.mode is Mode.ECHO:
                self._live.update(Text(f"connecting {words.clients(self._plan.clients)}"), refresh=True)

    def beat(self, record: Record, elapsed: float) -> None:
        """Show the progress if it is time; called often."""
        if elapsed - self._at < self._every - 0.05:
            return
        figures = self._figures(record, elapsed)
        duration = self._plan.duration
        waits = elapsed > duration
        place = "waiting for the last replies" if waits else f"{elapsed:.0f} s of {words.seconds(duration)}"
        if self._live is None:
            self._stream.write(f"{place}: {figures}\n")
            self._stream.flush()
        else:
            line = Table.grid(padding=(0, 2))
            line.add_row(ProgressBar(total=duration, completed=min(elapsed, duration), width=40), Text(place))
            self._live.update(Group(line, Text(figures, no_wrap=True, overflow="ellipsis")), refresh=True)

    def finish(self) -> None:
        """Clear the terminal's two lines, and show the cursor."""
        if self._live is not None:
            self._live.stop()

    def _figures(self, record: Record, elapsed: float) -> str:
        """Return rate, latencies and errors since the last reading, as one line of at most 80 columns."""
        unit = "messages/s" if self._plan.mode is Mode.ECHO else "handshakes/s"
        slices = [*record.slices, record.current]
        received = sum(each.received for each in slices)
        errors = sum(each.errors.total() for each in slices)
        rate = (received - self._received) / (elapsed - self._at)
        self._received, self._at = received, elapsed
        sample = sorted(record.pending[-_SAMPLE:])
        times = [words.milliseconds(1000 * sample[len(sample) * part // 100]) if sample else "-" for part in (50, 99)]
        return f"{words.count(round(rate))} {unit}   p50 {times[0]}   p99 {times[1]}   errors {errors:,}"
