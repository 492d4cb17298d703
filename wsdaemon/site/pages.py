"""The pages that wsdaemon makes itself: errors and folder listings, in one plain frame."""

from __future__ import annotations

import errno
from html import escape
from typing import Any

from twisted.web.http import RESPONSES
from twisted.web.iweb import IRequest

from wsdaemon.observe.tally import Cause

MISSING = "Nothing is here under that name."
RETRY_AFTER = 1  # seconds
_NOT_THERE = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP))
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


def send_page(request: IRequest, page: bytes) -> bytes:
    """Set the headers of a page of ours; returns it, or nothing for HEAD, so that `render` can return that."""
    request.setHeader(b"content-type", b"text/html; charset=utf-8")
    request.setHeader(b"content-security-policy", POLICY.encode())
    request.setHeader(b"content-length", b"%d" % len(page))
    return b"" if request.method == b"HEAD" else page


def send_error(request: IRequest, status: int, text: str) -> bytes:
    """Set the response to an error; `text` tells the person who asked what is wrong and what to do."""
    request.setResponseCode(status)
    title = f"{status} {RESPONSES.get(status, b'Error').decode()}"
    return send_page(request, frame(title, f"<p>{escape(text)}</p>"))


def is_not_there(error: OSError) -> bool:
    """Say whether the system means that nothing is under the name, which is for the peer to know and no trouble."""
    return error.errno in _NOT_THERE


def send_failure(request: Any, error: OSError, path: str) -> bytes:
    """Set the response to what the system says of a file: nothing of it reaches the peer, all of it the log.

    What is not there is a 404 that is not worth a line; what may not be read is one too, so that nobody learns that it
    is there. Without descriptors, memory or threads it is a 503, for anything else a 500.
    """
    if error.errno in _NOT_THERE:
        return send_error(request, 404, MISSING)
    note_failure(request, error, path)
    if error.errno in _FORBIDDEN:
        return send_error(request, 404, MISSING)
    if error.errno in _BUSY:
        request.setHeader(b"retry-after", b"%d" % RETRY_AFTER)
        return send_error(request, 503, "Too much is going on here; try again in a moment.")
    return send_error(request, 500, "Something went wrong here; it is in the log.")


def note_failure(request: Any, error: OSError, path: str, what: str = "cannot be read") -> None:
    """Count and log what the system says of a file, once for each reason and not once for each request."""
    name, reason = errno.errorcode.get(error.errno or 0, "error"), (error.strerror or str(error)).lower()
    path = error.filename or path
    request.channel.site.hub.tally.note(
        Cause.FILE, "{path} {what}: {reason}", path=path, what=what, errno=name, reason=reason
    )
