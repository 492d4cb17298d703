"""Messages that nobody asked for, and messages that are only counted: /ticker, /burst, /bytes and /sink."""

from __future__ import annotations

import hashlib

from tests.cases import faults
from tests.cases.vocabulary import HERE, LONG, Case, Such, closed, fails, replies, telling

_MIB = 1 << 20
_COUNTER = bytes(range(256)) * 4096
_PRINTABLE = ("".join(map(chr, range(32, 127))) * (_MIB // 95 + 1))[:_MIB]


def _digest(message: str | bytes, frames: int) -> Such:
    octets = message.encode() if isinstance(message, str) else message
    return telling(size=len(octets), frames=frames, sha256=hashlib.sha256(octets).hexdigest())


def _random(kind: str, frame: str, frames: int, sha256: str) -> Case:
    """Return a case of random bytes, which are the same in each run."""
    message = {"type": kind, "size": _MIB, "sha256": sha256}
    url = f"/bytes?size=1m&type={kind}&frame={frame}&pattern=random&seed=42"
    return Case(url, replies(message, telling(size=_MIB, frames=frames, sha256=sha256), HERE))


def _bytes(query: str, message: str | bytes, frames: int) -> Case:
    """Return a case of a message, its digest, and then an echo."""
    return Case(f"/bytes?size=1m&{query}", replies(message, _digest(message, frames), HERE))


_BURST = tuple(f"{number} ".ljust(100, ".") for number in range(2000))
_RANDOM = {
    "binary": "ba48c033547ece0b751c182b8a681cdaef29971e88c94aa029fad86233cdfb40",
    "text": "18499f654525615602a51693bef304e4d17d8bcc532e5997e06bbb9e874baf4e",
}
_FRAMES = (("64k", 16), ("0", 1), ("1000", 1049))
_ENDED = closed(1000, "counted up", *"01234")

CASES = [
    Case("/ticker?interval=30&count=5", _ENDED, sends=(), no_sooner=("closed", 140)),
    Case("/ticker?interval=60000", closed(1000), sends=("something else", "closeme\n")),
    Case("/", closed(1000, "counted up", "0", "1", subprotocol="ticker&interval~5&count~2"), sends=(),
         offers=("ticker&interval~5&count~2",)),
    Case("/", closed(1000, subprotocol="dumb-increment-protocol&interval~60000"), sends=("closeme\n",),
         offers=("dumb-increment-protocol&interval~60000",)),
    *(Case("/burst?count=2000&size=100", replies(*_BURST), sends=(), deflate=deflate) for deflate in (False, True)),
    Case("/burst?count=3&size=4", replies("0 ..", "1 ..", "2 .."), sends=()),
    Case("/burst?count=2&size=4&type=binary", replies(b"0 ..", b"1 .."), sends=()),
    Case("/burst", replies(*(f"{number} ".ljust(64, ".") for number in range(100))), sends=()),
    Case("/bytes", replies(_COUNTER, _digest(_COUNTER, 16), HERE)),
    *(_bytes(f"{kind}frame={frame}{pattern}", message, frames)
      for kind, pattern, message in (("", "", _COUNTER), ("type=text&", "", _PRINTABLE),
                                     ("type=binary&", "&pattern=zeros", bytes(_MIB)),
                                     ("type=text&", "&pattern=zeros", "0" * _MIB))
      for frame, frames in _FRAMES),
    *(_random(kind, frame, frames, sha256)
      for kind, sha256 in _RANDOM.items()
      for frame, frames in _FRAMES),
    # The same in each run with the same seed.
    *(Case(f"/bytes?size=8&pattern=random&{query}", replies(message, _digest(message, 1)), sends=())
      for query, message in (("seed=1", bytes.fromhex("f5b165224a58b791")), ("type=text&seed=1", "Wr&BjxxR"),
                             ("seed=2", bytes.fromhex("73a9bef499bbf4dc")))),
    # A page cannot set a limit.
    Case("/bytes?size=1048577&frame=0", fails(faults.over(1048577)), sends=(), max_size=_MIB, chromium=None),
    # Reports after some messages, at an interval, and before the server's Close; pages do not see the last one.
    Case("/sink?per=2&every=60000", replies(telling(messages=2, frames=2, bytes=3, last=False),
                                            telling(messages=4, frames=4, bytes=3 + 2 + len(LONG), last=False),
                                            behind=[telling(messages=4, last=True)]),
         sends=("1", b"\0\1", LONG, "34"), deflate=True),
    Case("/sink?every=1000", replies(telling(messages=2, bytes=len(LONG) + 1, last=False), behind=[telling(last=True)]),
         sends=(LONG, "1")),
]  # fmt: skip
