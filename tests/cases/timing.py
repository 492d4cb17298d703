"""Replies and control frames that are late, slow or missing, and replies in another order or corrupt."""

from __future__ import annotations

from typing import Any

from tests.cases.vocabulary import GREETING, HERE, AtLeast, Case, Ping, Zeros, in_vain, like, replies, unanswered

_MANY = Zeros(16 << 20)
"""More than the kernel buffers of a connection that nobody reads."""
_NOT_TOLD: dict[str, Any] = {"wsproto": None, "websockets": None}  # they do not tell how much they still hold
_PINGED = (Ping("p"), HERE)
_CORRUPT = (HERE, f"{GREETING}, hello", bytes(4), bytes(4))
_SEVEN = tuple("1234567")
_FIFTY = tuple(str(number) for number in range(50))

CASES = [
    # No sooner than the URL says; the exact time is tested in memory, on a Clock.
    Case("/echo?delay=150", replies(HERE), no_sooner=("enough", 140)),
    # The first random number of this seed is 0.134.
    Case("/echo?delay=100&jitter=1000&seed=1", replies(HERE), no_sooner=("enough", 230)),
    Case("/echo?delay=20&jitter=40", replies(*_FIFTY), sends=_FIFTY),
    Case("/echo?throttle=10k&compression=decline", replies("x" * 2000), sends=("x" * 2000,), no_sooner=("enough", 150)),
    Case("/echo?throttle=200&compression=decline", replies(HERE), no_sooner=("enough", 40)),
    Case("/echo?drip=10", replies(HERE), no_sooner=("enough", 130)),
    # Pongs; unsolicited pongs and a flood of pings do no harm.
    Case("/echo?pong=yes", replies(HERE, pongs=["p"]), sends=_PINGED),
    Case("/echo?pong=wrong", replies(HERE, pongs=[like("(?!p$).*")]), sends=_PINGED),
    Case("/echo?pong=never", replies(HERE, pongs=[]), sends=_PINGED),
    Case("/echo?pong_delay=60000", replies(HERE, pongs=[]), sends=_PINGED),
    Case("/echo?pong_delay=150", replies(HERE, pongs=["p"]), sends=_PINGED, no_sooner=("enough", 140),
         websockets=None, chromium=None),  # they do not tell of pongs
    Case("/echo?pongs=30", replies(pongs=AtLeast(["unasked"] * 5)), sends=(), no_sooner=("enough", 140),
         websockets=None, chromium=None),
    Case("/echo?ping_rate=1000&pongs=10&delay=100",
         replies(HERE, pings=AtLeast(["flood"] * 20), pongs=AtLeast(["unasked"] * 5))),
    # A client gets no sign of a stall; what the server does not read stays in the client's buffer.
    Case("/echo?stall=both", in_vain(code=1006)),
    Case("/echo?stall=write", in_vain(code=1006)),
    *(Case(f"/echo?stall={how}&stall_after=1", in_vain("1", code=1006), sends=("1", "2"))
      for how in ("read", "write", "both")),
    *(Case(f"/echo?stall={how}&stall_after=3", in_vain("1", "2", "3", code=1006), sends=tuple("1234"))
      for how in ("read", "write", "both")),
    Case("/ticker?interval=5&stall=read", unanswered("0", "1"), sends=()),
    Case("/ticker?interval=5&stall=write", in_vain(code=1006), sends=()),
    *(Case(f"/{url}", in_vain(code=1006, held_up=True), sends=(_MANY,), **_NOT_TOLD)
      for url in ("echo?stall=read&compression=decline", "sink?stall=read&extension=")),
    Case("/sink?stall=write", in_vain(code=1006, held_up=False), **_NOT_TOLD),
    # Order: every third reply, and no other.
    Case("/echo?drop=3", replies(*"12457"), sends=_SEVEN),
    Case("/echo?double=3", replies(*"123345667"), sends=_SEVEN),
    Case("/echo?swap=3", replies(*"1243576"), sends=_SEVEN),
    Case("/echo?drop=2&double=3", replies(*"13357"), sends=_SEVEN),
    # Corrupt in one place, the same in each run with the same seed; a text stays a text.
    Case("/echo?corrupt=2&seed=7", replies(HERE, "grüße 👊, hello", bytes(4), b"\0\x40\0\0"), sends=_CORRUPT),
    Case("/echo?corrupt=2&seed=8", replies(HERE, "grüße%👋, hello", bytes(4), b"\0\0\0\4"), sends=_CORRUPT),
]  # fmt: skip
