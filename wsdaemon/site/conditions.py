"""Conditional requests and byte ranges (RFC 9110 sections 13 and 14): pure decisions on headers."""

from __future__ import annotations

import itertools
import re
from email.utils import parsedate_to_datetime
from math import ceil

from twisted.web.http_headers import Headers

_TAG = re.compile(rb'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_RANGE = re.compile(rb"([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18})")


def entity_tag(size: int, modified: float) -> bytes:
    """Return a strong ETag for a file of that size and time."""
    return b'"%x-%x"' % (int(modified * 1e6), size)


def is_not_modified(headers: Headers, tag: bytes, modified: float) -> bool:
    """Say whether a 304 answers a GET or HEAD; If-None-Match counts before If-Modified-Since."""
    tags = headers.getRawHeaders(b"if-none-match")
    if tags is not None:
        given = b",".join(tags)
        return given.strip() == b"*" or tag in (each.removeprefix(b"W/") for each in _TAG.findall(given))
    dates = headers.getRawHeaders(b"if-modified-since")
    since = _timestamp(dates[-1]) if dates else None
    return since is not None and ceil(modified) <= since


def chosen_ranges(headers: Headers, tag: bytes, modified: float, size: int, most: int) -> list[range] | None:
    """Return the byte positions to send: none if no range is in the file (a 416); None for the whole file.

    A Range is ignored if it has more than `most` ranges, ranges that overlap or a wrong syntax, or if an If-Range does
    not match.
    """
    given = headers.getRawHeaders(b"range", [])
    if len(given) != 1 or not _if_range_holds(headers, tag, modified):
        return None
    unit, _, rest = given[0].partition(b"=")
    specs = rest.split(b",")
    if unit.strip().lower() != b"bytes" or len(specs) > most:
        return None
    try:
        spans = [span for spec in specs if (span := _span(spec.strip(), size))]
    except ValueError:
        return None
    ordered = sorted(spans, key=lambda span: span.start)
    if any(later.start < earlier.stop for earlier, later in itertools.pairwise(ordered)):
        return None
    return spans


def _span(spec: bytes, size: int) -> range:
    """Return the positions that one range of a Range header selects, perhaps none; raises `ValueError`."""
    match = _RANGE.fullmatch(spec)
    if match is None:
        raise ValueError("no byte range")
    first, last, suffix = match.groups()
    if suffix:
        return range(max(0, size - int(suffix)), size)
    if last and int(last) < int(first):
        raise ValueError("it ends before it begins")
    return range(int(first), min(int(last) + 1, size) if last else size)


def _if_range_holds(headers: Headers, tag: bytes, modified: float) -> bool:
    given = headers.getRawHeaders(b"if-range")
    if given is None:
        return True
    return len(given) == 1 and (given[0].strip() == tag or _timestamp(given[0]) == ceil(modified))


def _timestamp(date: bytes) -> float | None:
    try:
        return parsedate_to_datetime(date.decode("ascii")).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
