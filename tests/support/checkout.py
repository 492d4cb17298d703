"""Copies of the checkout, as git knows it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.support.daemon import ROOT


def copy_checkout(folder: Path) -> Path:
    """Copy all files that git does not ignore into a folder, without tests and benchmarks; return the folder."""
    listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True)
    for name in listed.splitlines():
        if not name.startswith(("tests/", "benchmarks/")) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder
