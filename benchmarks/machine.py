"""Description of the machine and the software that a run was measured with."""

from __future__ import annotations

import json
import os
import platform
import re
import ssl
import subprocess
import zlib
from importlib import metadata
from pathlib import Path

from benchmarks.servers import HERE

PACKAGES = (
    "wsdaemon", "Twisted", "autobahn", "pyOpenSSL", "cryptography", "websockets", "uvloop", "picows", "aiofastnet",
    "aiohttp", "isal", "tornado",
)  # fmt: skip


def machine() -> dict[str, str]:
    """Return the processor's name, the number of usable cores, and the operating system."""
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "processor": found[1] if found else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "system": f"{platform.system()} {platform.release()}",
    }


def versions() -> dict[str, str]:
    """Return the version of everything that is measured and installed."""
    found = {"Python": platform.python_version(), "OpenSSL": ssl.OPENSSL_VERSION, "zlib": zlib.ZLIB_RUNTIME_VERSION}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    found["commit"] = _output("git", "rev-parse", "--short", "HEAD")
    found["Node"] = _output("node", "--version").removeprefix("v")
    for package in ("ws", "bufferutil"):
        file = HERE / "node" / "node_modules" / package / "package.json"
        if file.exists():
            found[f"{package} (Node)"] = json.loads(file.read_text())["version"]
    return {name: version for name, version in found.items() if version}


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=HERE).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
