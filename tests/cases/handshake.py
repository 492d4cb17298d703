"""/handshake, and the responses that its parameters make: refused, late, or wrong."""

from __future__ import annotations

from urllib.parse import quote

from tests.cases import faults
from tests.cases.faults import extension_unknown, subprotocol_unasked, subprotocol_unknown
from tests.cases.vocabulary import HERE, Case, closed, fails, like, never_opens, not_taken, refused, replies

_OFFERED = ("a", "b")
_ELSEWHERE = "location: leaves this site…"


def _redirected(query: str, there: str, code: int, status: int = 302) -> list[Case]:
    """Return a redirect to /close, not followed and followed; wsproto and browsers follow none."""
    url, response = f"/handshake?{query}location={quote(there)}", refused(status, "", location=there)
    return [Case(url, response), Case(url, closed(code), follows=True, wsproto=response, chromium=response)]


CASES = [
    *(Case(f"/handshake?status={status}&body=come+back+later%21", refused(status, "come back later!"))
      for status in (200, 301, 400, 401, 403, 404, 418, 429, 500, 503, 599)),
    Case("/handshake?status=204&body=never+seen", refused(204, "")),
    # Redirects within this site, and to others.
    *_redirected("", "/close?code=4321", 4321),
    *_redirected("status=307&", "/close?code=4321", 4321, 307),
    *_redirected("", "/handshake?location=/close%3Fcode%3D4001", 4001),
    *(Case(f"/handshake?location={quote(location, safe='')}", refused(400, _ELSEWHERE))
      for location in ("ws://elsewhere.example/", "//elsewhere.example/", "\\\\elsewhere.example/")),
    # The Sec-WebSocket-Accept header.
    Case("/handshake?accept=wrong", not_taken(faults.ACCEPT_WRONG)),
    Case("/handshake?accept=missing", not_taken(faults.ACCEPT_MISSING)),
    Case("/handshake?accept=double", not_taken(faults.ACCEPT_DOUBLE), wsproto=replies(HERE)),  # it takes the last
    Case("/handshake?accept=empty", not_taken(faults.ACCEPT_EMPTY)),
    # The subprotocol: on a behaviour's path, the first offered, whatever its name.
    Case("/handshake", replies(HERE, subprotocol="a"), offers=_OFFERED),
    Case("/handshake?subprotocol=b", replies(HERE, subprotocol="b"), offers=_OFFERED),
    Case("/handshake?subprotocol=x", not_taken(subprotocol_unasked("x"))),
    Case("/handshake?subprotocol=y", not_taken(subprotocol_unknown("y")), offers=_OFFERED),
    Case("/handshake?subprotocol=", replies(HERE, subprotocol=None), offers=_OFFERED,
         ws=not_taken(faults.SUBPROTOCOL_MISSING), chromium=not_taken(faults.SUBPROTOCOL_MISSING)),
    # The extension.
    Case("/handshake?extension=x-nobody", not_taken(extension_unknown("x-nobody"))),
    Case("/handshake?extension=x-nobody", not_taken(extension_unknown("x-nobody", asked=True)), deflate=True),
    Case("/handshake?extension=permessage-deflate;+bogus=1", not_taken(faults.EXTENSION_PARAMETER), deflate=True,
         wsproto=closed(1002, "RSV = 4 and no extension negotiated")),  # it ignores the parameter and compresses
    Case("/handshake?extension=%3B%3B", not_taken(faults.EXTENSION_SYNTAX), deflate=True),
    Case("/handshake?extension=", replies(HERE, extensions=""), deflate=True),
    # Late, byte by byte, and with a long header, for which each client has its own limit.
    Case("/handshake?wait=150", replies(HERE), no_sooner=("opened", 140)),
    Case("/handshake?wait=60000", never_opens(), chromium=never_opens(faults.GIVEN_UP)),
    Case("/handshake?dribble=1", replies(HERE), no_sooner=("opened", 110)),  # over 120 bytes
    Case("/handshake?pad=4k", replies(HERE)),
    Case("/handshake?pad=8k", replies(HERE), websockets=not_taken(
        faults.HEADER_LONG, cause=like(".*read 8205 bytes, expected no more than 8192 bytes.*"))),
    Case("/handshake?pad=64k", replies(HERE), websockets=not_taken(faults.HEADER_LONG),
         ws=not_taken(faults.HEADER_LONG)),
    Case("/handshake?pad=300k", replies(HERE), websockets=not_taken(faults.HEADER_LONG),
         ws=not_taken(faults.HEADER_LONG), chromium=not_taken(faults.HEADER_LONG)),
    # Frames in the segment of the response.
    Case("/handshake?extra=8102:6869", replies("hi", HERE)),
    Case("/handshake?extra=8102+6869", replies("hi", HERE)),
    Case("/handshake?extra=8182+00000000+6869", fails(faults.MASKED)),
    # URLs that are refused.
    *(Case(f"/{url}", refused(400, f"{body}…"))
      for url, body in (("echo?dealy=1", "dealy: unknown parameter; did you mean delay?"),
                        ("echo?delay=soon", "delay: 'soon' is not a whole number"),
                        ("echo?delay=1&delay=2", "delay: is given twice"),
                        ("handshake?status=100", "status: 100 is out of range"),
                        ("handshake?nonsense=1", "nonsense: unknown parameter"),
                        ("bytes?fragment=2", "fragment: unknown parameter"),
                        ("frames?wrong=evrything", "wrong: 'evrything' is not one of them"))),
]  # fmt: skip
