"""`python -m tests.fuzz.run`: fuzz for FUZZ_SECONDS (300), and keep in the corpus what covers more than before.

Exits with 1 if an input breaks a promise, and says where that input is and how to replay it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.seeds import SEEDS

HERE = Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
FOUND = HERE / "found"
"""Where inputs that break a promise are kept; not under version control."""
MAX_LENGTH = 20_000
MAX_FILES, MAX_BYTES = 400, 300_000
"""The most that the corpus may hold."""
_ENTRY = (sys.executable, "-m", "tests.fuzz.fuzz_http")


def main() -> int:
    """Fuzz; returns the exit code."""
    FOUND.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work, merged = Path(folder) / "work", Path(folder) / "merged"
        work.mkdir()
        merged.mkdir()
        for name, seed in SEEDS.items():
            (merged / name).write_bytes(seed)
        shutil.copytree(CORPUS, merged, dirs_exist_ok=True)
        code = _fuzz(
            folder,
            f"-max_total_time={os.environ.get('FUZZ_SECONDS', '300')}", f"-dict={HERE / 'http.dict'}",
            f"-artifact_prefix={FOUND}/", "-timeout=20", "-rss_limit_mb=1024", "-print_final_stats=1",
            str(work), str(merged),
        )  # fmt: skip
        if code:
            newest = max(FOUND.iterdir(), key=lambda path: path.stat().st_mtime, default=FOUND)
            print(f"\nAn input broke a promise: {newest}\nTo replay it:")
            print(f"  {os.path.relpath(sys.executable)} -m tests.fuzz.fuzz_http {os.path.relpath(newest)}")
            print("Once it is mended, add it to tests/fuzz/seeds.py, or copy it to tests/fuzz/corpus.")
            return 1
        # What was kept stays, and with it the smallest inputs that cover what it does not.
        if _fuzz(folder, "-merge=1", "-use_counters=0", str(merged), str(work)):
            return 1
        return _keep(merged)


def _fuzz(folder: str, *options: str) -> int:
    """Run the fuzzer in `folder`, where it leaves its temporary files behind."""
    command = [*_ENTRY, f"-max_len={MAX_LENGTH}", *options]
    environment = {**os.environ, "TMPDIR": folder}
    return subprocess.run(command, cwd=HERE.parent.parent, env=environment, check=False).returncode


def _keep(merged: Path) -> int:
    """Add the files of the folder `merged` to the corpus, except the seeds, which are kept as code."""
    seeds = set(SEEDS.values())
    inputs = sorted({each.read_bytes() for each in merged.iterdir()} - seeds, key=len)
    if len(inputs) > MAX_FILES or sum(map(len, inputs)) > MAX_BYTES:
        print(f"{len(inputs)} inputs of {sum(map(len, inputs))} bytes are too many to keep; the corpus stays as it was")
        return 1
    names = {hashlib.sha256(data).hexdigest()[:16]: data for data in inputs}
    for name, data in names.items():
        (CORPUS / name).write_bytes(data)
    print(f"The corpus has {len(names)} inputs of {sum(map(len, inputs))} bytes in all.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
