"""The output of `wsping`: plain lines into a pipe; on a terminal, colours and a progress line."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text


class Printer:
    """Prints lines; `is_broken` is set once the reader has gone away (`| head`)."""

    def __init__(self, stream: TextIO) -> None:
        self.is_broken = False
        self.is_terminal = stream.isatty()
        self._stream = stream
        self._console = Console(file=stream, highlight=False, soft_wrap=False) if self.is_terminal else None
        self._live: Live | None = None

    def line(self, text: str, style: str = "") -> None:
        """Print a line; on a terminal in a style of rich's, and wrapped."""
        try:
            if self._console is not None:
                self._console.print(Text(text, style=style), overflow="fold")
            else:
                self._stream.write(text + "\n")
                self._stream.flush()
        except OSError:
            self.is_broken = True

    def progress(self, text: str) -> None:
        """Show or update the progress line below all others, on a terminal."""
        if self._console is None:
            return
        shown = Text(text, style="dim", no_wrap=True, overflow="ellipsis")
        if self._live is None:
            self._live = Live(shown, console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(shown, refresh=True)

    def end_progress(self) -> None:
        """Remove the progress line."""
        if self._live is not None:
            self._live.stop()
            self._live = None
