"""What is looked at: /inspect shows the client its own handshake and messages, /status who is connected."""

from __future__ import annotations

from tests.cases.vocabulary import DEFLATE, HERE, LONG, Case, Having, Json, Like, replies

_KEY = Like("[0-9a-f]{8}")
_ONE_FRAME = {"opcode": 1, "fin": True, "rsv": 0, "length": len(HERE), "masking_key": _KEY}
_YOU = Json(peer="hidden", subprotocol="status")
_HANDSHAKE = Json(method="GET", http_version="HTTP/1.1", tls=None)
_HELLO = Json(message=1, type="text", size=len(HERE), text=HERE, compressed=False, frame_count=1, frames=[_ONE_FRAME])

CASES = [
    Case("/inspect?compression=decline", replies(_HANDSHAKE, _HELLO)),
    Case("/inspect?fragment=2", replies(
        Json(target="/inspect?fragment=2", subprotocol="a", extensions=DEFLATE, tls=None,
             headers=Having([Like("(?i)sec-websocket-protocol"), Like("a, ?b")])),
        Json(message=1, type="text", text=HERE, compressed=True),
        Json(message=2, type="text", size=len(LONG), compressed=True)),
        offers=("a", "b"), deflate=True, sends=(HERE, LONG), wsproto=None),
    Case("/inspect", replies(Json(tls=Json(version="TLSv1.3", cipher=Like("TLS_.*"), client_certificate=None))),
         sends=(), tls=True, wsproto=None, chromium=None),
    Case("/status", replies(Json(version="wsdaemon", conns=Having(_YOU))), sends=()),
]  # fmt: skip
