"""HTML pages that wsdaemon makes itself: errors, folder listings and the list of behaviours."""

from __future__ import annotations

import errno
from html import escape
from typing import Any

from twisted.web.http import RESPONSES
from twisted.web.iweb import IRequest

from wsdaemon.observe.tally import Cause

MISSING = "There is nothing here under that name."
INTERNAL_ERROR = "The server failed to answer; its log says why."
RETRY_AFTER = 1  # seconds
NOT_THERE = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP))
_FORBIDDEN = frozenset((errno.EACCES, errno.EPERM))
_BUSY = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN))

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

_FRAME = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }}
h1 {{ font-size: 1.4rem; overflow-wrap: anywhere }}
h2 {{ font-size: 1.2rem; margin-top: 2.5rem }}
h3 {{ font-size: 1rem; margin-bottom: 0 }}
h3 + p {{ margin-top: 0 }}
code {{ overflow-wrap: anywhere }}
.wide {{ overflow-x: auto }}
table {{ border-collapse: collapse; width: 100% }}
th {{ text-align: left; font-weight: 600 }}
th, td {{ padding: .3rem .75rem .3rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent) }}
td:first-child {{ overflow-wrap: anywhere }}
.number {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }}
a {{ color: light-dark(#0b57d0, #8ab4f8); text-decoration: none }}
a:hover {{ text-decoration: underline }}
@media (max-width: 30rem) {{ .time {{ display: none }} }}
</style>
<h1>{title}</h1>
{body}
</html>
"""


def frame(title: str, body: str) -> bytes:
    """Return a page; `title` is text, `body` is HTML."""
    return _FRAME.format(title=escape(title), body=body).encode("utf-8", "replace")


def send_body(request: IRequest, kind: str, body: bytes) -> bytes:
    """Set the headers that describe a body; returns what `render` has to return: the body, or nothing for HEAD."""
    request.setHeader(b"content-type", kind.encode())
    request.setHeader(b"content-length", b"%d" % len(body))
    return b"" if request.method == b"HEAD" else body


def send_page(request: IRequest, page: bytes) -> bytes:
    """Set the headers of a page made by `frame`; returns what `render` has to return."""
    request.setHeader(b"content-security-policy", POLICY.encode())
    return send_body(request, "text/html; charset=utf-8", page)


def send_error(request: IRequest, status: int, text: str) -> bytes:
    """Set the response to an error page; `text` tells the reader what is wrong and what to do."""
    request.setResponseCode(status)
    title = f"{status} {RESPONSES.get(status, b'Error').decode()}"
    return send_page(request, frame(title, f"<p>{escape(text)}</p>"))


def send_failure(request: Any, error: OSError, path: str) -> bytes:
    """Set the response to an error of the file system. The peer learns nothing of its text; the log has it all.

    A missing file is a 404 and not logged. A file that may not be read is a 404 too, so that its existence stays
    hidden. A lack of descriptors, memory or threads is a 503, anything else a 500.
    """
    if error.errno in NOT_THERE:
        return send_error(request, 404, MISSING)
    note_failure(request, error, path)
    if error.errno in _FORBIDDEN:
        return send_error(request, 404, MISSING)
    if error.errno in _BUSY:
        request.setHeader(b"retry-after", b"%d" % RETRY_AFTER)
        return send_error(request, 503, "The server is too busy; try again in a moment.")
    return send_error(request, 500, INTERNAL_ERROR)


def note_failure(request: Any, error: OSError, path: str, what: str = "cannot be read") -> None:
    """Count and log an error of the file system, once per cause and not once per request."""
    name, reason = errno.errorcode.get(error.errno or 0, "error"), (error.strerror or str(error)).lower()
    path = error.filename or path
    request.channel.site.hub.tally.note(
        Cause.FILE, "{path} {what}: {reason}", path=path, what=what, errno=name, reason=reason
    )
