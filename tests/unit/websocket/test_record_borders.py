"""The borders of TLS records, wherever a stream is cut."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.tls_link import RECORD, plain_count
from wsdaemon.websocket.eager_tls import RecordBorders

RECORDS = st.lists(
    st.builds(
        lambda kind, size: bytes((kind, 3, 3)) + size.to_bytes(2, "big") + bytes(size),
        st.integers(20, 24),
        st.one_of(st.integers(0, 6), st.integers(0, 300), st.integers(0, RECORD + 256)),
    ),
    max_size=8,
)


@given(RECORDS, st.lists(st.integers(0, 1 << 30), max_size=20), st.integers(0, 300))
@settings(max_examples=300)
def test_borders(records: list[bytes], cuts: list[int], missing: int) -> None:
    """However a stream is cut, the count is that of its complete records."""
    stream = b"".join(records)
    stream = stream[: max(0, len(stream) - missing)]
    borders, ended, start = RecordBorders(), 0, 0
    for end in [*sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]:
        if end > start:
            ended += borders.ended(stream[start:end])
        start = end
        assert ended == plain_count(stream[:end])


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 12))
def test_borders_of_tiny_records(sizes: list[int], step: int) -> None:
    """Cuts within headers and empty records count correctly."""
    stream = b"".join(b"\x17\x03\x03" + size.to_bytes(2, "big") + bytes(size) for size in sizes)
    borders, ended = RecordBorders(), 0
    for start in range(0, len(stream), step):
        ended += borders.ended(stream[start : start + step])
        assert ended == plain_count(stream[: start + step])


@given(st.binary(max_size=200), st.integers(1, 20))
def test_borders_of_anything(stream: bytes, step: int) -> None:
    """Any bytes give the same count in pieces as at once."""
    borders, ended = RecordBorders(), 0
    for start in range(0, len(stream), step):
        ended += borders.ended(stream[start : start + step])
    assert ended == plain_count(stream) == RecordBorders().ended(stream)
