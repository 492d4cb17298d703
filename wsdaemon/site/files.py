"""Static files below the docroot, which is a wall: nothing outside it, hidden in it, or not a plain file is served."""

from __future__ import annotations

import contextlib
import errno
import mimetypes
import os
import stat
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from twisted.web.static import File, MultipleRangeStaticProducer, SingleRangeStaticProducer

from wsdaemon.site.conditions import entity_tag, is_not_modified, usable_range
from wsdaemon.site.listing import listing_page, read_folder
from wsdaemon.site.pages import send_error, send_page
from wsdaemon.site.producer import FileProducer

INDEX = "index.html"
_MISSING = "Nothing is here under that name."
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
    """Return the Content-Type for a file's name; `application/octet-stream` for what is not known."""
    _TYPES.encodings_map.clear()  # a .tar.gz is sent as the file that it is, not as a tar that happens to be packed
    kind = _TYPES.guess_type(name)[0] or "application/octet-stream"
    text = kind.startswith("text/") or kind in ("application/json", "application/xml", "image/svg+xml")
    return f"{kind}; charset=utf-8" if text else kind


class Docroot(Resource):
    """Serves the files below a folder, by GET and HEAD."""

    isLeaf = True

    def __init__(self, root: Path, *, listing: bool = True, policy: str = "") -> None:
        super().__init__()
        self._root = os.path.realpath(root)
        self._listing = listing
        self._policy = policy.encode()

    def render(self, request: IRequest) -> bytes | int:
        """Answer a request for a file or folder."""
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader(b"allow", b"GET, HEAD")
            return send_error(request, 405, "Only GET and HEAD are answered here.")
        segments: list[bytes] = list(request.postpath)
        wants_folder = segments[-1:] == [b""]
        path = self.resolve(segments[:-1] if wants_folder else segments)
        if path is None or (wants_folder and not os.path.isdir(path)):
            return send_error(request, 404, _MISSING)
        if not os.path.isdir(path):
            return self._send_file(request, path)
        if not wants_folder:
            return _redirect_to_folder(request, segments)
        index = self.resolve([*segments[:-1], INDEX.encode()])
        if index is not None and os.path.isfile(index):
            return self._send_file(request, index)
        return self._send_listing(request, path, segments) if self._listing else send_error(request, 404, _MISSING)

    def resolve(self, segments: list[bytes]) -> str | None:
        """Return the real path of what the segments of a URL (unquoted) name below the docroot, or None.

        Links are followed as long as they stay inside. Names that begin with a dot, and whatever is neither file nor
        folder, are not there.
        """
        if any(not each or each.startswith(b".") or b"/" in each or b"\0" in each for each in segments):
            return None
        path = os.path.realpath(os.path.join(self._root, *map(os.fsdecode, segments)))
        inside = os.path.relpath(path, self._root)
        if path != self._root and any(part.startswith(".") for part in inside.split(os.sep)):
            return None  # ".." is outside, any other dot is hidden
        try:
            mode = os.stat(path).st_mode
        except (OSError, ValueError):
            return None
        return path if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else None

    def _send_file(self, request: IRequest, path: str) -> bytes | int:
        if self._policy:
            request.setHeader(b"content-security-policy", self._policy)
        return PlainFile(path).render_GET(request)  # type: ignore[no-any-return]  # Twisted leaves it untyped

    def _send_listing(self, request: Any, path: str, segments: list[bytes]) -> int:
        url_path = "/" + b"/".join(segments).decode("utf-8", "replace")

        def read() -> bytes:
            return listing_page(url_path, read_folder(path, is_served))

        def is_served(name: str) -> bool:
            return self.resolve([*segments[:-1], os.fsencode(name)]) is not None

        def send(page: bytes) -> None:
            request.write(send_page(request, page))

        def failed(reason: Failure) -> None:
            reason.trap(OSError)
            request.write(send_error(request, 404, _MISSING))

        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)
        listed = deferToThread(read)
        listed.addCallbacks(
            lambda page: None if gone else send(page), lambda reason: None if gone else failed(reason)
        ).addCallback(lambda _: None if gone else request.finish()).addErrback(request.processingFailed)
        return NOT_DONE_YET


class PlainFile(File):
    """One regular file, with what Twisted's File leaves out or gets wrong: ETag, If-Range, odd ranges, FIFOs, types."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.type, self.encoding = content_type(path), None

    def getModificationTime(self) -> float:
        """Return the time that the file system gives, or the nearest that an HTTP date can say."""
        return min(max(0.0, super().getModificationTime()), _LAST_DATE)

    def openForReading(self) -> IO[bytes]:
        """Open the file; never waits, and raises `OSError` where it is not a regular one (any more)."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EACCES, "not a regular file")
        return os.fdopen(descriptor, "rb")

    def makeProducer(self, request: IRequest, fileForReading: IO[bytes]) -> FileProducer:
        """Set the headers as Twisted does, and return what sends the body that they announce."""
        announced = super().makeProducer(request, fileForReading)
        if isinstance(announced, MultipleRangeStaticProducer):
            parts = announced.rangeInfo
        elif isinstance(announced, SingleRangeStaticProducer):
            parts = [(b"", announced.offset, announced.size)]
        else:
            parts = [(b"", 0, self.getsize())]
        return FileProducer(request, fileForReading, parts)

    def render_GET(self, request: IRequest) -> Any:
        """Answer with the file, a part of it, or that it has not changed."""
        with contextlib.suppress(OSError):
            self.restat()
        try:
            self.openForReading().close()
            size, modified = self.getsize(), self.getModificationTime()
        except OSError:
            return send_error(request, 404, _MISSING)
        tag = entity_tag(size, modified)
        headers = request.requestHeaders
        request.setHeader(b"etag", tag)
        if is_not_modified(headers, tag, modified):
            request.setLastModified(modified)
            request.setResponseCode(304)
            request.finish()  # not by returning no body, which would announce its length: that is not the file's
            return NOT_DONE_YET
        byte_range = usable_range(headers, tag, modified, size)
        headers.removeHeader(b"if-modified-since")  # has had its say
        headers.removeHeader(b"range")
        if byte_range is not None:
            headers.setRawHeaders(b"range", [byte_range])
        return super().render_GET(request)


def _redirect_to_folder(request: IRequest, segments: list[bytes]) -> bytes:
    """Add the slash that makes a folder's relative links work; the Location is a path, so it never leaves the site."""
    query = request.uri.partition(b"?")[1:]
    location = "/" + "/".join(quote(segment, safe="") for segment in segments) + "/"
    request.setHeader(b"location", location.encode() + b"".join(query))
    return send_error(request, 301, f"It is at {location}")
