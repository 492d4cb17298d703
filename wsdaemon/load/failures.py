"""Why connections failed: a short name to count by, and a few examples in words."""

from __future__ import annotations

from twisted.python.failure import Failure

from wsdaemon.client.errors import CannotConnect, HandshakeRefused, HandshakeTimeout

_EXAMPLES = 3


class Failures:
    """Names failures, and keeps a few different ones."""

    def __init__(self) -> None:
        self._examples: list[str] = []

    def kind(self, failure: Failure) -> str:
        """Return the name to count a failure by; raises what is no failure to connect but a bug."""
        error = failure.value
        if len(self._examples) < _EXAMPLES and str(error) not in self._examples:
            self._examples.append(str(error))
        if isinstance(error, HandshakeRefused):
            return f"refused_{error.status}"
        if isinstance(error, HandshakeTimeout):
            return "handshake_timeout"
        if isinstance(error, CannotConnect):
            return f"cannot_connect_{error.step}"
        failure.raiseException()
        raise AssertionError  # never: the line above raises

    def examples(self) -> tuple[str, ...]:
        """Return the first few different failures, in words."""
        return tuple(self._examples)
