"""The place that a connection holds among all, from accept until it is gone, as HTTP and then as a WebSocket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Lease:
    """A place that a connection holds; `release` may be called more than once."""

    _release: Callable[[], None] | None

    def release(self) -> None:
        """Give the place back."""
        release, self._release = self._release, None
        if release is not None:
            release()
