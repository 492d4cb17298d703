"""/close, and how a connection ends that has its parameters: with which Close, or without one."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tests.cases import faults
from tests.cases.faults import bad_code
from tests.cases.vocabulary import GREETING, HERE, Case, closed, fails, lost, telling, text, unanswered

_RIGHT = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 4999)
_RESERVED = (1005, 1006, 1015)
_NOBODYS = (0, 999, 1004, 1016, 2999, 5000, 65535)
_MIDFRAME = "EOFError: stream ends after 14 bytes, expected 100 bytes"
_ON_TLS: dict[str, Any] = {"wsproto": None, "chromium": None}  # no TLS in memory, and none for a page over HTTP
_EOF = "EOFError: unexpected end of stream"
_RESET = text("ConnectionResetError: …")

CASES = [
    *(Case(f"/close?code={code}&reason={quote(GREETING)}", closed(code, GREETING)) for code in _RIGHT),
    Case("/close?code=1014&reason=so", closed(1014, "so"), wsproto=fails(bad_code(1014))),  # newer than RFC 6455
    *(Case(f"/close?code={code}", fails(bad_code(code))) for code in _RESERVED),
    # These must not be sent either (RFC 6455 section 7.4.2), but Chromium passes them to the page.
    *(Case(f"/close?code={code}", fails(bad_code(code)), chromium=closed(code)) for code in _NOBODYS),
    Case("/close?code=none", closed(1005)),
    *(Case(f"/close?{query}", fails(faults.CLOSE_SHORT)) for query in ("half_code=yes", "half_code=yes&code=none")),
    Case(f"/close?reason={'x' * 123}", closed(1000, "x" * 123)),
    Case(f"/close?reason={'x' * 124}", fails(faults.CONTROL_LONG)),
    # After some replies or a time, and an echo until then; with any path.
    *(Case(f"/close?messages=2&code=4000{more}", closed(4000, "", "1", "2"), sends=("1", "2", "3"))
      for more in ("", "&after=60000")),
    *(Case(f"/{path}?after=150", closed(1000), sends=(), no_sooner=("closed", 140)) for path in ("close", "echo")),
    Case("/inspect?after=150", closed(1000, "", telling(method="GET")), sends=(), no_sooner=("closed", 140)),
    Case("/close?after=3000", closed(1000, "", HERE)),
    # Without a Close, but after a reply: so the connection was open.
    *(Case(f"/close?how={how}&messages=1", lost(HERE, cause=cause), tls=tls, **_ON_TLS if tls else {})
      for how, cause in (("fin", _EOF), ("rst", _RESET), ("half", _EOF), ("midframe", _MIDFRAME))
      for tls in (False, True)),
    Case("/close?how=never", unanswered(HERE)),
    Case("/close?how=never&code=4000", unanswered("1", "2"), sends=("1", "2")),
    Case("/echo?how=close&half_code=no", closed(1000)),
    # Parameters of all families together.
    Case("/echo?delay=50&drop=2&double=3&fragment=3&pings=yes&drip=1&messages=4&code=4001&reason=enough&wait=50",
         closed(4001, "enough", "1", "3", "3", "5"), sends=tuple("12345"), no_sooner=("closed", 100)),
]  # fmt: skip
