"""The output of `wsping`: plain lines into a pipe; on a terminal, colours and a progress line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text


class Printer:
    """Prints lines; once nobody reads them (`| head`), `is_broken` is set and `when_broken` called."""

    def __init__(self, stream: TextIO, when_broken: Callable[[], None], *, with_progress: bool) -> None:
        self.is_broken = False
        self.is_terminal = stream.isatty()
        self.has_progress = self.is_terminal and with_progress
        self._when_broken = when_broken
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
            self._broken()

    def error(self, text: str) -> None:
        """Print a line on standard error, above the progress line if there is one."""
        stream = sys.stderr or self._stream  # where standard error is closed, Python has none
        if self.has_progress and stream.isatty():
            self.line(text, "yellow")
            return
        try:
            stream.write(text + "\n")
            stream.flush()
        except OSError:
            self._broken()

    def _broken(self) -> None:
        self.is_broken = True
        self._when_broken()

    def progress(self, text: str) -> None:
        """Draw the progress line below all others, on a terminal."""
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
