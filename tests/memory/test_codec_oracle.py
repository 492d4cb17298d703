"""Promise 16: equal bytes make equal events, with us and with `wsproto`, however the stream is cut and whatever it is.

A machine plays the other end: whole and fragmented messages, batches for the fast path, control frames, compression,
and all that is wrong. The same bytes go to a connection of ours and to the oracle, and after each piece both have told
the same; where the connection ends, by the same code.
"""

from __future__ import annotations

import zlib
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.support.codec_pair import BAD_CODES, LOOKALIKE, ClientSide, Pair, ServerSide, Split, cut, octets
from tests.support.oracle import Oracle
from tests.support.wire import BINARY, CLOSE, CONTINUATION, MASK, PING, PONG, TEXT
from wsdaemon.websocket import frames

# -- bytes ------------------------------------------------------------------------------------------------------------


def text_of(length: int, seed: int) -> bytes:
    """Return UTF-8 of so many bytes, of characters of all widths."""
    random = Random(seed)
    words = ["a", "é", "€", "𝄞", "\x00", "\U0010ffff", "\ud7ff", "\ue000", "plain ascii, "]
    text = "".join(random.choice(words) for _ in range(min(length, 500))).encode()
    return (text * (length // max(1, len(text)) + 1))[:length].decode("utf-8", "ignore").encode().ljust(length, b".")


LENGTHS = st.one_of(
    st.integers(0, 40), st.integers(0, 300), st.sampled_from([0, 1, 2, 125, 126, 127, 128, 0x8180, 65535, 65536])
)
SEEDS = st.integers(0, 1 << 16)
TEXTS = st.builds(text_of, LENGTHS, SEEDS)
BINARIES = st.builds(lambda length, seed: Random(seed).randbytes(length), LENGTHS, SEEDS)
LOOKALIKES = st.builds(
    # A payload of frames: who loses the place in the stream takes them for what they look like.
    lambda skipped, count, key: (octets(TEXT, b"", key) * count + octets(BINARY, b"!", key) * count)[skipped:],
    st.integers(0, 3),
    st.integers(1, 9),
    st.sampled_from([None, bytes(4), MASK]),
)
MESSAGES = st.tuples(st.just(TEXT), TEXTS) | st.tuples(st.just(BINARY), BINARIES | LOOKALIKES)
SMALL = st.tuples(st.just(TEXT), st.text(max_size=5).map(str.encode)) | st.tuples(
    st.just(BINARY), st.binary(max_size=140) | LOOKALIKES
)
CONTROLS = st.tuples(
    st.sampled_from([PING, PONG]),
    st.binary(max_size=125) | st.just(bytes(125)) | LOOKALIKES.map(lambda each: each[:125]),
)
PLACES: st.SearchStrategy[list[float]] = st.just([]) | st.lists(st.floats(0, 1), max_size=4)
"""Where something is cut, as parts of its length."""

BROKEN_TEXTS = st.builds(
    lambda before, wrong, after: before + wrong + after,
    st.integers(0, 70).flatmap(lambda length: st.builds(text_of, st.just(length), SEEDS)),
    st.sampled_from(
        [
            bytes.fromhex(each)
            for each in [
                "80",
                "c080",
                "eda080",
                "edbfbf",
                "f4908080",
                "f5",
                "fe",
                "ff",
                "c3",
                "e282",
                "f09d84",
                "e08080",
                "f0808080",
            ]
        ]
    ),
    st.binary(max_size=3) | st.just(b"a" * 40),
)


SPLITS = st.builds(
    Split, PLACES, st.sampled_from([False, False, True]), st.sampled_from([0, 0, 0, 1, 2, 5, 9]), st.booleans()
)


# -- the other end ----------------------------------------------------------------------------------------------------

GOOD_CODES = [None, 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999]


class Codec(RuleBasedStateMachine):
    """Sends to both; a subclass says which side of ours it is."""

    side: type[ServerSide | ClientSide]

    # How a connection begins, and how bytes get there.

    @initialize(
        limit=st.sampled_from([300, 1 << 16, 70_000]),
        offer=st.integers(0, 2),
        early=st.lists(SMALL, max_size=2),
        turns=st.booleans(),
        batch_size=st.sampled_from([1, 2, 256]),
        calm=st.integers(0, 6),
        seed=SEEDS,
    )
    def begin(
        self,
        limit: int,
        offer: int,
        early: list[tuple[int, bytes]],
        turns: bool,
        batch_size: int,
        calm: int,
        seed: int,
    ) -> None:
        # What is compressed may inflate a thousandfold, and which fault of a message over the limit is seen first
        # nothing prescribes: so with compression the limit is out of the reach of what is spoilt.
        self.limit = max(limit, 1 << 16) if offer else limit
        self.calm = calm  # how many steps nothing is wrong
        self.random = Random(seed)
        data = b"".join(self.frame(*each) for each in early)
        self.pair = Pair(self.side, limit=self.limit, offer=offer, early=data, turns=turns, batch_size=batch_size)
        self.compressor = zlib.compressobj(wbits=-15)
        self.left: list[bytes] = []  # the frames that the open message still needs

    def frame(self, opcode: int, payload: bytes, **form: Any) -> bytes:
        """Return a frame as the other end sends it."""
        return octets(opcode, payload, None if self.side.is_client else self.key(), **form)

    def key(self) -> bytes:
        return self.random.choice([MASK, bytes(4), bytes(4), LOOKALIKE, self.random.randbytes(4)])

    def deliver(self, data: bytes, split: Split) -> None:
        """Deliver to both, and compare after each piece."""
        self.calm -= 1
        self.pair.deliver(data, split)

    def teardown(self) -> None:
        """Come to a point where both must agree."""
        self.pair.finish()

    # What is right.

    def frames_of(self, opcode: int, pieces: list[bytes], *, rsv: int = 0) -> list[bytes]:
        """Return a message's frames, a piece in each."""
        last = len(pieces) - 1
        return [
            self.frame(CONTINUATION if index else opcode, piece, fin=index == last, rsv=0 if index else rsv)
            for index, piece in enumerate(pieces)
        ]

    def compressed(self, payload: bytes, how: str, places: list[float]) -> bytes:
        """Return the payload compressed, in a way that a sender may choose."""
        if how != "context":
            self.compressor = zlib.compressobj({"stored": 0, "fast": 1}.get(how, 9), wbits=-15)
        parts = [self.compressor.compress(part) + self.flushed(how) for part in cut(payload, places)]
        if how == "final":  # RFC 7692 section 7.2.3.4
            parts.append(self.compressor.flush() + b"\0")
            self.compressor = zlib.compressobj(wbits=-15)
            return b"".join(parts)
        return b"".join([*parts, self.compressor.flush(zlib.Z_SYNC_FLUSH)])[:-4] or b"\0"

    def flushed(self, how: str) -> bytes:
        return self.compressor.flush(zlib.Z_FULL_FLUSH if how == "full" else zlib.Z_NO_FLUSH)

    HOW = st.sampled_from(["", "context", "context", "fast", "stored", "full", "final", "final"])
    INSERTED = st.lists(st.tuples(st.floats(0, 1), CONTROLS), max_size=2)

    def message(
        self,
        message: tuple[int, bytes],
        how: str,
        places: list[float],
        inserted: list[tuple[float, tuple[int, bytes]]],
        left: int,
        split: Split,
    ) -> None:
        """Send a message in frames, with control frames between them, but for the last `left` frames."""
        opcode, payload = message
        if how and self.pair.ours.extensions:
            sent = self.frames_of(opcode, cut(self.compressed(payload, how, places[:1]), places), rsv=4)
        else:
            sent = self.frames_of(opcode, cut(payload, places))
        for place, control in inserted:
            sent.insert(int(place * len(sent)), self.frame(*control))
        left = min(left, len(sent) - 1)
        self.left = sent[len(sent) - left :]
        self.deliver(b"".join(sent[: len(sent) - left]), split)

    @precondition(lambda self: not self.left)
    @rule(
        message=MESSAGES, how=HOW, places=PLACES, inserted=INSERTED, left=st.sampled_from([0, 0, 0, 1, 2]), split=SPLITS
    )
    def whole_or_not(
        self,
        message: tuple[int, bytes],
        how: str,
        places: list[float],
        inserted: list[tuple[float, tuple[int, bytes]]],
        left: int,
        split: Split,
    ) -> None:
        opcode, payload = message
        payload = payload[: self.limit]
        if opcode == TEXT:
            payload = payload.decode("utf-8", "ignore").encode()
        self.message((opcode, payload), how, places, inserted, left, split)

    @precondition(lambda self: not self.left)
    @rule(
        over=st.sampled_from([-1, 0, 1]), opcode=st.sampled_from([TEXT, BINARY]), how=HOW, places=PLACES, split=SPLITS
    )
    def around_the_limit(self, over: int, opcode: int, how: str, places: list[float], split: Split) -> None:
        over = min(over, 0) if self.calm >= 0 else over
        self.message((opcode, text_of(self.limit + over, over)), how, places, [], 0, split)

    @precondition(lambda self: self.left)
    @rule(split=SPLITS)
    def finish(self, split: Split) -> None:
        """Send what the open message still needs."""
        sent, self.left = b"".join(self.left), []
        self.deliver(sent, split)

    @precondition(lambda self: not self.left or self.calm < 0)
    @rule(several=st.lists(SMALL | SMALL | SMALL | CONTROLS, min_size=2, max_size=40), split=SPLITS)
    def many_small_ones(self, several: list[tuple[int, bytes]], split: Split) -> None:
        """For the fast path, and for where it hands over to Autobahn and goes on behind; in a message, a fault."""
        self.deliver(b"".join(self.frame(*each) for each in several), split)

    @rule(control=CONTROLS, split=SPLITS)
    def control(self, control: tuple[int, bytes], split: Split) -> None:
        self.deliver(self.frame(*control), split)

    # What is wrong, or ends the connection. Rules go on behind it: what follows means nothing.

    @precondition(lambda self: self.calm < 0)
    @rule(code=st.sampled_from(GOOD_CODES), reason=st.text(max_size=30), split=SPLITS)
    def close(self, code: int | None, reason: str, split: Split) -> None:
        self.deliver(self.frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason.encode()), split)

    @precondition(lambda self: self.calm < 0 and not self.pair.closing)
    @rule(code=st.sampled_from([1000, 1001, 4000]))
    def close_ourselves(self, code: int) -> None:
        """Our side begins to close; the other end goes on until its own Close."""
        self.pair.close(code)

    @precondition(lambda self: self.calm < 0 and not self.left)
    @rule(text=BROKEN_TEXTS, how=HOW, places=PLACES, inserted=INSERTED, left=st.integers(0, 1), split=SPLITS)
    def broken_text(
        self,
        text: bytes,
        how: str,
        places: list[float],
        inserted: list[tuple[float, tuple[int, bytes]]],
        left: int,
        split: Split,
    ) -> None:
        self.message((TEXT, text), how, places, inserted, left, split)

    @precondition(lambda self: self.calm < 0 and self.pair.ours.extensions and not self.left)
    @rule(text=st.binary(max_size=30), at=st.floats(0, 1), wrong=st.binary(max_size=4), places=PLACES, split=SPLITS)
    def broken_deflate(self, text: bytes, at: float, wrong: bytes, places: list[float], split: Split) -> None:
        """Compressed data with something cut off or overwritten."""
        data = self.compressed(text, "context", [])
        start = int(at * len(data))
        data = data[:start] + (wrong + data[start + len(wrong) :] if wrong else b"")
        self.deliver(b"".join(self.frames_of(BINARY, cut(data, places), rsv=4)), split)

    @precondition(lambda self: self.calm < 0)
    @rule(
        opcode=st.integers(0, 15), fin=st.booleans(), rsv=st.sampled_from([0, 0, 4, 2, 1, 6]),
        form=st.sampled_from([0, 0, 0, 2, 8]), payload=st.binary(max_size=126), split=SPLITS,
    )  # fmt: skip
    def any_frame(self, opcode: int, fin: bool, rsv: int, form: int, payload: bytes, split: Split) -> None:
        """Reserved opcodes and bits, fragmented and over-long control frames, what is out of turn, lengths too long."""
        self.deliver(self.frame(opcode, payload, fin=fin, rsv=rsv, form=form) + self.frame(BINARY, b"after"), split)

    @precondition(lambda self: self.calm < 0)
    @rule(
        opcode=st.sampled_from([TEXT, BINARY, PING, CLOSE]), length=st.sampled_from([0, 5, 200, 70_000]), split=SPLITS
    )
    def wrong_masking(self, opcode: int, length: int, split: Split) -> None:
        wrong = octets(opcode, bytes(length), MASK if self.side.is_client else None)
        self.deliver(wrong + self.frame(BINARY, b"after"), split)

    @precondition(lambda self: self.calm < 0)
    @rule(first=st.sampled_from([0x81, 0x82, 0x02]), length=st.sampled_from([0, 125, 65535, 1 << 62, 1 << 63]))
    def a_header_with_64_bits(self, first: int, length: int) -> None:
        """Not the shortest form, far over the limit, negative."""
        mask_bit, key = (0, b"") if self.side.is_client else (0x80, MASK)
        header = bytes((first, mask_bit | 127)) + length.to_bytes(8, "big") + key
        self.deliver(header + bytes(20), Split([], True, 0, True))

    @precondition(lambda self: self.calm < 0)
    @rule(
        payload=st.one_of(
            st.binary(min_size=1, max_size=1),
            st.sampled_from(BAD_CODES).map(lambda code: code.to_bytes(2, "big")),
            BROKEN_TEXTS.map(lambda text: b"\x03\xe8" + text[-123:]),
        ),
        split=SPLITS,
    )
    def broken_close(self, payload: bytes, split: Split) -> None:
        self.deliver(self.frame(CLOSE, payload), split)

    @precondition(lambda self: self.calm < 0)
    @rule(data=st.binary(max_size=40), split=SPLITS)
    def any_bytes(self, data: bytes, split: Split) -> None:
        self.deliver(data, split)


class ServerCodec(Codec):
    """Our server's side: a client sends."""

    side = ServerSide


class ClientCodec(Codec):
    """Our client's side: a server sends."""

    side = ClientSide


SETTINGS = settings(
    max_examples=90, stateful_step_count=14, print_blob=True, report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)  # fmt: skip

ServerCodec.TestCase.settings = SETTINGS
ClientCodec.TestCase.settings = SETTINGS
TestServer = ServerCodec.TestCase
TestClient = ClientCodec.TestCase


# -- the fast ways alone ----------------------------------------------------------------------------------------------


@given(messages=st.lists(MESSAGES | SMALL, max_size=12), keys=st.randoms(use_true_random=False), data=st.data())
def test_the_fast_way_takes_what_wsproto_sees(
    messages: list[tuple[int, bytes]], keys: Random, data: st.DataObject
) -> None:
    """From any frame's border on, and up to any byte: the whole frames that are there, and no other."""
    sent = [octets(opcode, payload, keys.randbytes(4)) for opcode, payload in messages]
    first = data.draw(st.integers(0, len(sent)))
    stream, start = b"".join(sent), sum(len(each) for each in sent[:first])
    end = data.draw(st.integers(start, len(stream)) | st.just(len(stream)))
    oracle = Oracle()
    oracle.feed(stream[start:end])
    expected = [(TEXT if kind == "text" else BINARY, payload) for kind, payload in oracle.events]
    taken, at = frames.take_whole_frames(stream[:end], start, masked=True, limit=0)
    assert taken == expected
    assert at == start + sum(len(each) for each in sent[first : first + len(taken)])


@given(messages=st.lists(MESSAGES | SMALL, max_size=12), data=st.data())
def test_the_clients_fast_way_takes_what_wsproto_sees(messages: list[tuple[int, bytes]], data: st.DataObject) -> None:
    """The same for frames that are not masked."""
    sent = [octets(opcode, payload, None) for opcode, payload in messages]
    stream = b"".join(sent)
    end = data.draw(st.integers(0, len(stream)) | st.just(len(stream)))
    oracle = Oracle(client=True)
    oracle.feed(stream[:end])
    expected = [(TEXT if kind == "text" else BINARY, payload) for kind, payload in oracle.events]
    taken, at = frames.take_whole_frames(stream[:end], masked=False, limit=0)
    assert taken == expected
    assert at == sum(len(each) for each in sent[: len(taken)])
