"""Static files: only regular files below the docroot are served, and no names that begin with a dot."""

from __future__ import annotations

import errno
import mimetypes
import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import ExitStack
from math import ceil
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, NamedTuple
from urllib.parse import quote

from twisted.web.http import datetimeToString
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from wsdaemon.settings import LimitSettings
from wsdaemon.site.behaviours import Page
from wsdaemon.site.conditions import chosen_ranges, entity_tag, is_not_modified
from wsdaemon.site.listing import Listings
from wsdaemon.site.pages import MISSING, NOT_THERE, send_error, send_failure
from wsdaemon.site.producer import FileProducer, Part

INDEX = "index.html"
_VISIBLE = "".join(map(chr, range(0x21, 0x7F)))  # ASCII that needs no quoting in a header
_LAST_DATE = 253402300799.0  # the year 9999 ends

# Not the machine's table: a file has the same type everywhere.
_TYPES = mimetypes.MimeTypes(filenames=())
for _ending, _type in {
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
    ".gz": "application/gzip",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".webp": "image/webp",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".md": "text/markdown",
}.items():
    _TYPES.add_type(_type, _ending)


def content_type(name: str) -> str:
    """Return the Content-Type for a file's name; `application/octet-stream` if it is not known."""
    _TYPES.encodings_map.clear()  # a .tar.gz is a gzip file, not a tar file in a content coding
    kind = _TYPES.guess_type(name)[0] or "application/octet-stream"
    text = kind.startswith("text/") or kind in ("application/json", "application/xml", "image/svg+xml")
    return f"{kind}; charset=utf-8" if text else kind


class Found(NamedTuple):
    """A file or folder below the docroot: its real path."""

    path: str
    is_folder: bool


class Docroot(Resource):
    """Serves the files below a folder, by GET and HEAD."""

    isLeaf = True

    def __init__(
        self,
        root: Path,
        limits: LimitSettings | None = None,
        *,
        listing: bool = True,
        policy: str = "",
        pages: Mapping[bytes, Page] = MappingProxyType({}),
        only: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self._root = os.path.realpath(root)
        self._limits = limits or LimitSettings()
        self._listings = Listings(self._limits.max_listed) if listing else None
        self._policy = policy.encode()
        self._only = only  # the endings of the files to serve; if empty, all are served
        self._pages = pages  # our own, by name; a file in the docroot's root comes before them

    def render(self, request: IRequest) -> bytes | int:
        """Answer a request for a file or folder."""
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader(b"allow", b"GET, HEAD")
            return send_error(request, 405, "Only GET and HEAD are allowed here.")
        segments: list[bytes] = list(request.postpath)
        try:
            return self._answer(request, segments)
        except OSError as error:
            return send_failure(request, error, os.path.join(self._root, *map(os.fsdecode, segments)))

    def _answer(self, request: IRequest, segments: list[bytes]) -> bytes | int:
        wants_folder = segments[-1:] == [b""]
        found = self.resolve(segments[:-1] if wants_folder else segments)
        if found is None and len(segments) == 1 and segments[0] in self._pages:
            return self._pages[segments[0]](request)
        if found is None or (wants_folder and not found.is_folder):
            return send_error(request, 404, MISSING)
        if not found.is_folder:
            return self._send_file(request, found.path)
        if not wants_folder:
            return _redirect_to_folder(request, segments)
        index = self.resolve([*segments[:-1], INDEX.encode()])
        if index is not None and not index.is_folder:
            return self._send_file(request, index.path)
        if self._listings is None:
            return send_error(request, 404, MISSING)
        return self._send_listing(self._listings, request, found.path, segments)

    def resolve(self, segments: list[bytes]) -> Found | None:
        """Return the file or folder that the segments of a URL (unquoted) name below the docroot, or None.

        Links are followed as long as they stay inside. Names that begin with a dot do not exist, nor does anything that
        is neither a regular file nor a folder. Raises `OSError` if the file system fails.
        """
        if any(not each or each.startswith(b".") or b"/" in each or b"\0" in each for each in segments):
            return None
        try:
            # Strict: otherwise a link that cannot be read would count as a plain name, and open() could follow it out.
            path = os.path.realpath(os.path.join(self._root, *map(os.fsdecode, segments)), strict=True)
            inside = os.path.relpath(path, self._root)
            if path != self._root and any(part.startswith(".") for part in inside.split(os.sep)):
                return None  # ".." is outside, any other dot is hidden
            mode = os.stat(path).st_mode
        except OSError as error:
            if error.errno in NOT_THERE:
                return None
            raise
        if stat.S_ISDIR(mode):
            return Found(path, is_folder=True)
        return Found(path, is_folder=False) if stat.S_ISREG(mode) and path.endswith(self._only or "") else None

    def _send_file(self, request: Any, path: str) -> int:
        with ExitStack() as stack:
            file, status = open_file(path)
            stack.enter_context(file)
            if self._policy:
                request.setHeader(b"content-security-policy", self._policy)
            parts = announce(request, path, status, self._limits.max_ranges)
            if parts:
                request.registerProducer(FileProducer(request, file, parts, path), False)
                stack.pop_all()  # the producer closes the file
            else:
                request.finish()  # returning b"" would announce a length of 0, which is not the file's
        return NOT_DONE_YET

    def _send_listing(self, listings: Listings, request: Any, path: str, segments: list[bytes]) -> int:
        url_path = "/" + b"/".join(segments).decode("utf-8", "replace")

        def is_served(name: str) -> bool:
            try:
                return self.resolve([*segments[:-1], os.fsencode(name)]) is not None
            except OSError:
                return False

        listings.send(request, path, url_path, is_served)
        return NOT_DONE_YET


def open_file(path: str) -> tuple[IO[bytes], os.stat_result]:
    """Open a file; never blocks, and raises `OSError` if it is not, or no longer, a regular file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(errno.ENOENT, "not a regular file", path)
        return os.fdopen(descriptor, "rb"), status
    except BaseException:
        os.close(descriptor)
        raise


def announce(request: Any, path: str, status: os.stat_result, max_ranges: int) -> list[Part]:
    """Set the status and the headers of a response with an open file; returns the parts of its body, if it has one.

    All of it describes the open file, even if its name has another by now.
    """
    size, modified = status.st_size, min(max(0.0, status.st_mtime), _LAST_DATE)
    tag = entity_tag(size, modified)
    request.setHeader(b"etag", tag)
    request.setHeader(b"last-modified", datetimeToString(ceil(modified)))
    if is_not_modified(request.requestHeaders, tag, modified):
        request.setResponseCode(304)
        return []
    kind = content_type(path).encode()
    parts: list[Part] = [(b"", 0, size)]
    is_head = request.method == b"HEAD"  # for which a Range means nothing (RFC 9110 section 14.2)
    ranges = None if is_head else chosen_ranges(request.requestHeaders, tag, modified, size, max_ranges)
    if ranges is not None:
        request.setResponseCode(206 if ranges else 416)
        content_ranges = [b"bytes %d-%d/%d" % (each.start, each.stop - 1, size) for each in ranges]
        if len(ranges) > 1:
            border = b"\r\n--" + secrets.token_hex(16).encode()
            head = border + b"\r\ncontent-type: " + kind + b"\r\ncontent-range: %b\r\n\r\n"
            parts = [(head % told, each.start, len(each)) for told, each in zip(content_ranges, ranges, strict=True)]
            parts.append((border + b"--\r\n", 0, 0))
            kind = b'multipart/byteranges; boundary="%b"' % border[4:]
        else:
            parts = [(b"", each.start, len(each)) for each in ranges] or [(b"", 0, 0)]
            request.setHeader(b"content-range", content_ranges[0] if ranges else b"bytes */%d" % size)
    request.setHeader(b"accept-ranges", b"bytes")
    request.setHeader(b"content-type", kind)
    request.setHeader(b"content-length", b"%d" % sum(len(head) + length for head, _, length in parts))
    return [] if is_head else parts


def _redirect_to_folder(request: IRequest, segments: list[bytes]) -> bytes:
    """Redirect to the folder's URL with a slash, for its relative links. Location is a path: it stays on the site."""
    query = quote(b"".join(request.uri.partition(b"?")[1:]), safe=_VISIBLE)
    location = "/" + "/".join(quote(segment, safe="") for segment in segments) + "/"
    request.setHeader(b"location", (location + query).encode())
    return send_error(request, 301, f"The folder is at {location}")
