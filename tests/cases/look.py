"""/inspect, which shows a client its own handshake and messages, and /status, which shows who is connected."""

from __future__ import annotations

from tests.cases.vocabulary import DEFLATE, HERE, LONG, Case, having, like, replies, telling

_KEY = like("[0-9a-f]{8}")
_ONE_FRAME = {"opcode": 1, "fin": True, "rsv": 0, "length": len(HERE), "masking_key": _KEY}
_YOU = telling(peer="hidden", subprotocol="status")
_HANDSHAKE = telling(method="GET", http_version="HTTP/1.1", tls=None)
_HELLO = telling(
    message=1, type="text", size=len(HERE), text=HERE, compressed=False, frame_count=1, frames=[_ONE_FRAME]
)

CASES = [
    Case("/inspect?compression=decline", replies(_HANDSHAKE, _HELLO)),
    Case("/inspect?fragment=2", replies(
        telling(target="/inspect?fragment=2", subprotocol="a", extensions=DEFLATE, tls=None,
             headers=having([like("(?i)sec-websocket-protocol"), like("a, ?b")])),
        telling(message=1, type="text", text=HERE, compressed=True),
        telling(message=2, type="text", size=len(LONG), compressed=True)),
        offers=("a", "b"), deflate=True, sends=(HERE, LONG), wsproto=None),
    Case("/inspect", replies(telling(tls=telling(version="TLSv1.3", cipher=like("TLS_.*"), client_certificate=None))),
         sends=(), tls=True, wsproto=None, chromium=None),
    Case("/status", replies(telling(version="wsdaemon", conns=having(_YOU))), sends=()),
    Case("/", replies(telling(conns=having(_YOU)), subprotocol="lws-status"), sends=(), offers=("lws-status",)),
]  # fmt: skip
