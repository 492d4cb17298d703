"""What the code relies on or works around in permessage-deflate as Autobahn has it, in zlib and in websockets."""

from __future__ import annotations

import zlib

import pytest
from autobahn.websocket.compress import PerMessageDeflate, PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from twisted.internet.task import Clock
from websockets.speedups import apply_mask
from websockets.utils import apply_mask as slow_mask

from tests.support.wire import MASK
from wsdaemon.settings import WebSocketSettings
from wsdaemon.websocket.compression import Compressors, agree


def test_every_client_accepts_no_context_takeover() -> None:
    """A server may ask any client to drop its context (RFC 7692 section 7.1.1.2)."""
    assert PerMessageDeflateOffer.parse({}).accept_no_context_takeover


def test_wrong_offers_raise() -> None:
    """An offer with a wrong parameter raises a bare Exception, so that it can be declined."""
    with pytest.raises(Exception, match="nonsense") as caught:
        PerMessageDeflateOffer.parse({"nonsense": [True]})
    assert caught.type is Exception
    settings, compressors = WebSocketSettings(), Compressors(Clock(), 1, 1.0)
    wrong = [("permessage-deflate", {"nonsense": [True]}), ("x-other", {})]
    assert agree(wrong, settings, compressors) == (None, "")
    deflate, header = agree([*wrong, ("permessage-deflate", {"server_max_window_bits": ["12"]})], settings, compressors)
    assert deflate is not None
    assert header == "permessage-deflate; server_max_window_bits=12"


def deflate() -> PerMessageDeflate:
    """Return what a server makes of a client's plainest offer."""
    made: PerMessageDeflate = PerMessageDeflate.create_from_offer_accept(
        True, PerMessageDeflateOfferAccept(PerMessageDeflateOffer())
    )
    return made


def test_nothing_comes_after_a_final_block() -> None:
    """A message that ends with BFINAL makes all that follow empty, where the context is kept: so inflating is ours."""
    inflating, got = deflate(), []
    for final in (zlib.Z_SYNC_FLUSH, zlib.Z_FINISH, zlib.Z_SYNC_FLUSH):
        compressor = zlib.compressobj(wbits=-15)
        inflating.start_decompress_message()
        got.append(inflating.decompress_message_data(compressor.compress(b"hello") + compressor.flush(final)))
    assert got == [b"hello", b"hello", b""]


def test_no_bound_within_a_chunk() -> None:
    """A chunk of input is inflated at once, whatever it becomes."""
    inflating = deflate()
    inflating.start_decompress_message()
    assert len(inflating.decompress_message_data(zlib.compress(bytes(10 << 20), wbits=-15))) == 10 << 20


def test_zlib_output_in_pieces() -> None:
    """`max_length` bounds the output; the rest of the input is in unconsumed_tail, of the output in a next call."""
    data = zlib.compress(bytes(1 << 20), wbits=-15)
    inflating = zlib.decompressobj(-15)
    piece, rounds = inflating.decompress(data, 1000), 0
    assert len(piece) == 1000
    total = 1000
    while not inflating.eof:
        piece = inflating.decompress(inflating.unconsumed_tail, 1000)
        total, rounds = total + len(piece), rounds + 1
        assert len(piece) <= 1000
    assert (total, inflating.unused_data) == (1 << 20, b"")


def test_zlib_reads_all_and_still_has_output() -> None:
    """All input may be taken while output is left: it comes with no more input."""
    compressor = zlib.compressobj(wbits=-15)
    data = compressor.compress(b"x" * 258) + compressor.flush(zlib.Z_SYNC_FLUSH)
    inflating = zlib.decompressobj(-15)
    first = inflating.decompress(data[:-4], 100)
    rest = b""
    while piece := inflating.decompress(inflating.unconsumed_tail, 100):
        rest += piece
    assert first + rest == b"x" * 258


def test_zlib_streams_end() -> None:
    """Behind a final block the decompressor says eof, and hands back what follows."""
    inflating = zlib.decompressobj(-15)
    assert inflating.decompress(zlib.compress(b"hello", wbits=-15) + b"more") == b"hello"
    assert (inflating.eof, inflating.unused_data) == (True, b"more")


def test_zlib_second_flush_is_empty() -> None:
    """A sync flush gives the tail of RFC 7692, and nothing where nothing came since the last."""
    compressor = zlib.compressobj(wbits=-15)
    assert compressor.compress(b"x") + compressor.flush(zlib.Z_SYNC_FLUSH)[-4:] == b"\x00\x00\xff\xff"
    assert compressor.flush(zlib.Z_SYNC_FLUSH) == b""


def test_masking() -> None:
    """`apply_mask` takes any length; the compiled one and the other are one."""
    for length in (0, 1, 3, 4, 5, 8, 1000):
        data = bytes(range(256)) * 4
        expected = bytes(byte ^ MASK[at % 4] for at, byte in enumerate(data[:length]))
        assert apply_mask(data[:length], MASK) == slow_mask(data[:length], MASK) == expected
