"""What a client sees of each subprotocol, and of each behaviour that its URL chooses: a file for each family.

`vocabulary` has the words. All tables are run by wsproto in memory, by websockets and Node's ws with a real daemon, and
by Chromium: what nobody here wrote judges what we send.
"""

from __future__ import annotations

from tests.cases import close, compression, frames, handshake, look, streams, subprotocols, timing

ALL = [
    *frames.CASES,
    *close.CASES,
    *handshake.CASES,
    *timing.CASES,
    *compression.CASES,
    *streams.CASES,
    *look.CASES,
    *subprotocols.CASES,
]
