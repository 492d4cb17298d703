"""Static files: only regular files below the docroot are served, and no names that begin with a dot."""

from __future__ import annotations

import errno
import mimetypes
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, NamedTuple
from urllib.parse import quote

from twisted.web.iweb import IRequest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from twisted.web.static import File, MultipleRangeStaticProducer, SingleRangeStaticProducer

from wsdaemon.settings import LimitSettings
from wsdaemon.site.behaviours import Page
from wsdaemon.site.conditions import entity_tag, is_not_modified, usable_range
from wsdaemon.site.listings import Listings
from wsdaemon.site.pages import MISSING, is_not_there, send_error, send_failure
from wsdaemon.site.producer import FileProducer

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
        self._only = only  # the endings of the files that are served; none: all
        self._pages = pages  # of our own, by name, where the docroot's root has no such file

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
            if is_not_there(error):
                return None
            raise
        if stat.S_ISDIR(mode):
            return Found(path, is_folder=True)
        return Found(path, is_folder=False) if stat.S_ISREG(mode) and path.endswith(self._only or "") else None

    def _send_file(self, request: IRequest, path: str) -> bytes | int:
        file, status = open_file(path)
        try:
            page = PlainFile(path, file, status, self._limits.max_ranges)
            if self._policy:
                request.setHeader(b"content-security-policy", self._policy)
            return page.render_GET(request)  # type: ignore[no-any-return]  # Twisted leaves it untyped
        except BaseException:
            file.close()
            raise

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


class PlainFile(File):
    """A regular file as a response, with what Twisted's File lacks: ETag, If-Range, odd ranges, FIFOs, types.

    The file is opened once, and everything in the response is about that open file, whatever has its name meanwhile.
    """

    def __init__(self, path: str, file: IO[bytes], status: os.stat_result, max_ranges: int) -> None:
        super().__init__(path)
        self.type, self.encoding = content_type(path), None
        self._max_ranges = max_ranges
        self._file = file
        self._status = status

    def restat(self, reraise: bool = True) -> None:
        """Do nothing: the status was read when the file was opened."""

    def exists(self) -> bool:
        """Return True: it is open."""
        return True

    def isdir(self) -> bool:
        """Return False: it is a regular file."""
        return False

    def getsize(self) -> int:
        """Return the size in bytes."""
        return self._status.st_size

    def getModificationTime(self) -> float:
        """Return the file system's time, or the nearest that an HTTP date can express."""
        return min(max(0.0, self._status.st_mtime), _LAST_DATE)

    def openForReading(self) -> IO[bytes]:
        """Return the file."""
        return self._file

    def makeProducer(self, request: IRequest, fileForReading: IO[bytes]) -> FileProducer:
        """Set the headers as Twisted does, and return a producer of the body that they announce."""
        announced = super().makeProducer(request, fileForReading)
        if isinstance(announced, MultipleRangeStaticProducer):
            parts = announced.rangeInfo
        elif isinstance(announced, SingleRangeStaticProducer):
            parts = [(b"", announced.offset, announced.size)]
        else:
            parts = [(b"", 0, self.getsize())]
        return FileProducer(request, fileForReading, parts, self.path)

    def render_GET(self, request: IRequest) -> Any:
        """Answer with the file, parts of it, or a 304."""
        size, modified = self.getsize(), self.getModificationTime()
        tag = entity_tag(size, modified)
        headers = request.requestHeaders
        request.setHeader(b"etag", tag)
        not_modified = is_not_modified(headers, tag, modified)
        headers.removeHeader(b"if-modified-since")  # done with; Twisted would parse it again, and fails at some
        if not_modified:
            self._file.close()
            request.setLastModified(modified)
            request.setResponseCode(304)
            request.finish()  # returning b"" would announce a length of 0, which is not the file's
            return NOT_DONE_YET
        byte_range = usable_range(headers, tag, modified, size, self._max_ranges)
        headers.removeHeader(b"range")
        if byte_range is not None:
            headers.setRawHeaders(b"range", [byte_range])
        return super().render_GET(request)


def _redirect_to_folder(request: IRequest, segments: list[bytes]) -> bytes:
    """Redirect to the folder's URL with a slash, for its relative links. Location is a path: it stays on the site."""
    query = quote(b"".join(request.uri.partition(b"?")[1:]), safe=_VISIBLE)
    location = "/" + "/".join(quote(segment, safe="") for segment in segments) + "/"
    request.setHeader(b"location", (location + query).encode())
    return send_error(request, 301, f"The folder is at {location}")
