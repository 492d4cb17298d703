"""What a client sees of each subprotocol and of each behaviour: one file for each family.

`vocabulary` has the words. wsproto runs all tables in memory; websockets, Node's ws and Chromium run them with a real
daemon. So other people's clients judge what we send.
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
