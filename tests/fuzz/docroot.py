"""A docroot of files that are hard to serve, beside files that must never be served."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SECRET = b"nobody outside may read this"

LARGE = 150_001
"""The size of the largest file: it takes several turns to send."""


@dataclass(frozen=True)
class Tree:
    """The docroot, the contents of its files by size, which all differ, and the names that a listing may show."""

    root: Path
    contents: dict[int, bytes]
    names: frozenset[bytes]


_FILES = {
    b"empty": 0,
    b"one": 1,
    b"text.txt": 2000,
    b"large.bin": LARGE,
    b"page.html": 301,
    b'<b>"it\'s" & 100%.txt': 302,
    b"with space.js": 303,
    b"caf\xe9.txt": 304,
    "café.txt".encode(): 305,
    b"n" * 255: 306,
    b"with-index/index.html": 307,
    b"sub/file.css": 308,
    b"sub/deep/" + b"d/" * 30 + b"file.svg": 309,
    b"a:b.txt": 310,
    b"back\\slash": 311,
    b"new\nline": 312,
    b"before-1970": 313,
    b"after-9999": 314,
    b"%2e%2e": 315,
    b"page.html.gz": 316,
}
_FOLDERS = (b"empty-folder", b"evil.example", b"\\evil", b"echo", b"with-index-out", b"folder <&\"'%> name")
_INSIDE = {b"link-inside": b"sub/file.css", b"folder-inside": b"sub", b"link-to-root": b"."}
_HIDDEN = (b".env", b".hidden/secret.txt", b"sub/.htpasswd")
_NOT_SERVED = {
    b"link-out": b"../outside/secret.txt",
    b"folder-out": b"../outside",
    b"link-to-hidden": b".env",
    b"folder-to-hidden": b".hidden",
    b"link-to-device": b"/dev/zero",
    b"link-to-fifo": b"fifo",
    b"dangling": b"nowhere",
    b"loop": b"loop",
    b"loop-a": b"loop-b",
    b"loop-b": b"loop-a",
    b"with-index-out/index.html": b"../../outside/secret.txt",
}


def make_docroot(base: Path) -> Tree:
    """Make the docroot below the empty folder `base`, with files beside it that must not be served."""
    root = base / "docroot"
    numbers = random.Random(1)
    contents = {}
    for name, size in _FILES.items():
        content = numbers.randbytes(size)
        contents[size] = content
        _write(root, name, content)
    for name in _FOLDERS:
        (root / os.fsdecode(name)).mkdir()
    for name in (*_HIDDEN, b"../outside/secret.txt", b"../secret.txt"):
        _write(root, name, SECRET)
    for name, goal in (_INSIDE | _NOT_SERVED).items():
        (root / os.fsdecode(name)).symlink_to(os.fsdecode(goal))
    os.mkfifo(root / "fifo")
    os.mknod(root / "socket", stat.S_IFSOCK | 0o600)
    os.utime(root / "before-1970", (-100, -100))
    os.utime(root / "after-9999", (1 << 38, 1 << 38))
    return Tree(root, contents, frozenset(_served_names()))


def _served_names() -> Iterator[bytes]:
    for path in (*_FILES, *_FOLDERS, *_INSIDE):
        yield from path.split(b"/")


def _write(root: Path, name: bytes, content: bytes) -> None:
    path = root / os.fsdecode(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
