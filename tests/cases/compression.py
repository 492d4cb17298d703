"""permessage-deflate as the URL says: what is agreed on, how replies are compressed, and /bomb."""

from __future__ import annotations

from tests.cases import faults
from tests.cases.vocabulary import (
    DEFLATE,
    HERE,
    LONG,
    Case,
    Outcome,
    closed,
    fails,
    not_taken,
    refused,
    replies,
)

_TEXTS = (LONG, LONG, HERE, bytes(5000), LONG[::-1])
_SHORT = ("hello hello hello hello", "hello again", LONG)


def _agreed(query: str, parameters: str = "", **own: object) -> Case:
    """Return a case that agrees on these parameters and gets all messages back."""
    sees = replies(*_TEXTS, extensions=DEFLATE + parameters)
    return Case(f"/echo?{query}", sees, sends=_TEXTS, deflate=True, **own)  # type: ignore[arg-type]


CASES = [
    Case("/echo?compression=decline", replies(*_TEXTS, extensions=""), sends=_TEXTS, deflate=True),
    _agreed("compression=agree"),
    _agreed("compression=force"),
    _agreed("stream=stored"),
    _agreed("server_no_context_takeover=yes", "; server_no_context_takeover"),
    _agreed("client_no_context_takeover=yes", "; client_no_context_takeover"),
    _agreed("server_no_context_takeover=no"),
    _agreed("client_no_context_takeover=no"),
    _agreed("server_max_window_bits=9", "; server_max_window_bits=9"),
    _agreed("client_max_window_bits=9", "; client_max_window_bits=9"),
    # zlib has no such window: wsproto refuses the number, and websockets refuses it for its own side.
    _agreed("server_max_window_bits=8", "; server_max_window_bits=8", wsproto=not_taken(faults.WINDOW_8)),
    _agreed("client_max_window_bits=8", "; client_max_window_bits=8", wsproto=not_taken(faults.WINDOW_8),
            websockets=not_taken(faults.WINDOW_8)),
    # What was not offered, or not in this way.
    Case("/echo?compression=force", not_taken(faults.extension_unknown(DEFLATE)), chromium=None),
    Case("/echo?client_max_window_bits=9", not_taken(faults.EXTENSION_PARAMETER), chromium=None,
         deflate={"client_max_window_bits": False}, wsproto=replies(HERE)),
    # The client asks for no context takeover (RFC 7692 section 7.1.1.1) or a small window (section 7.1.2.1). It must
    # not accept a response that does not grant it; ws and wsproto do.
    Case("/echo?server_no_context_takeover=no", not_taken(faults.EXTENSION_PARAMETER), chromium=None,
         deflate={"server_no_context_takeover": True}, wsproto=replies(HERE), ws=replies(HERE)),
    Case("/echo?server_max_window_bits=15", not_taken(faults.EXTENSION_PARAMETER), chromium=None,
         deflate={"server_max_window_bits": 9}, wsproto=replies(HERE), ws=replies(HERE)),
    # A hint that the server may ignore.
    Case("/echo?client_no_context_takeover=no", replies(LONG, LONG), sends=(LONG, LONG), chromium=None,
         deflate={"client_no_context_takeover": True}),
    # Streams that are wrong.
    Case("/echo?stream=bad", fails(faults.not_inflated("invalid block type")), deflate=True),
    Case("/echo?stream=flagged", fails(faults.not_inflated("invalid stored block lengths")), deflate=True),
    # All but wsproto take the half for a message: they do not check that the block ends. The next message is wrong.
    Case("/echo?stream=cut", replies("hellh"), sends=_SHORT[:1], deflate=True,
         wsproto=fails(faults.not_inflated(""))),
    # Chromium may fail before the page gets the first.
    Case("/echo?stream=cut", fails(faults.not_inflated("invalid stored block lengths"), "hellh"), sends=_SHORT[:1] * 2,
         deflate=True, wsproto=fails(faults.not_inflated("")),
         chromium=Outcome({"opened": True, "code": 1006}, faults.not_inflated(""))),
    # A final block (RFC 7692 section 7.2.3.4) is right. A defect of websockets: its zlib object is at its end then, and
    # each message after it is empty.
    Case("/echo?stream=bfinal", replies(*_SHORT), sends=_SHORT, deflate=True, websockets=replies(_SHORT[0], "", "")),
    Case("/echo?stream=bfinal&server_no_context_takeover=yes", replies(*_SHORT), sends=_SHORT, deflate=True),
    # The client's limit stops a bomb; a page cannot set one.
    *(Case(f"/bomb{query}", fails(faults.TOO_MUCH_INFLATED), deflate=True, max_size=1 << 20, chromium=None)
      for query in ("", "?size=64m")),
    *(Case(f"/bomb?size={size}", replies(bytes(octets), HERE), deflate=True)
      for size, octets in (("0", 0), ("1m", 1 << 20), ("20m", 20 << 20))),
    Case("/bomb?size=3m", replies(bytes(3 << 20), HERE), deflate=True, max_size=3 << 20),
    Case("/bomb?size=1k", closed(1008, "needs permessage-deflate, which was not offered"), chromium=None),
    Case("/echo?compression=always", refused(400, "compression: …")),
]  # fmt: skip
