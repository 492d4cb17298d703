"""Where `wsping` prints: plain lines into a pipe; colours, and a progress line on long runs, on a terminal."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text


class Printer:
    """Prints lines. After the reader has gone away (`| head`), it prints nothing and `is_broken` is set."""

    def __init__(self, stream: TextIO) -> None:
        self.is_broken = False
        self.is_terminal = stream.isatty()
        self._stream = stream
        self._console = Console(file=stream, highlight=False, soft_wrap=False) if self.is_terminal else None
        self._live: Live | None = None

    def line(self, text: str, style: str = "") -> None:
        """Print a line; on a terminal in that style (rich's), and wrapped where it is too long."""
        try:
            if self._console is not None:
                self._console.print(Text(text, style=style), overflow="fold")
            else:
                self._stream.write(text + "\n")
                self._stream.flush()
        except OSError:
            self.is_broken = True

    def progress(self, text: str) -> None:
        """Show, or change, the progress line below all others; nothing happens in a pipe."""
        if self._console is None:
            return
        shown = Text(text, style="dim", no_wrap=True, overflow="ellipsis")
        if self._live is None:
            self._live = Live(shown, console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(shown, refresh=True)

    def end_progress(self) -> None:
        """Take the progress line away."""
        if self._live is not None:
            self._live.stop()
            self._live = None
