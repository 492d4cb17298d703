"""What pip installs works outside the checkout."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import urllib.request
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from what git knows."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.splitlines():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source], check=True)
    return next(folder.glob("*.whl"))


def test_contents(wheel: Path) -> None:
    """The plugin, the pages and the documented INI file are in the wheel; the tests are not."""
    names = zipfile.ZipFile(wheel).namelist()
    for name in (
        "twisted/plugins/wsdaemon_plugin.py", "wsdaemon/static/index.html", "wsdaemon/static/chat.js",
        "wsdaemon/conf/ws.ini", "wsdaemon/py.typed",
    ):  # fmt: skip
        assert name in names
    assert not [name for name in names if name.startswith("tests") or name == "twisted/__init__.py"]


def test_installed(wheel: Path, tmp_path: Path) -> None:
    """Installed in an empty environment, `wsdaemon serve` serves the chat, and its conf/ws.ini is OK."""
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", wheel], check=True)
    site_packages = next((environment / "lib").glob("python*/site-packages"))
    (site_packages / "dependencies.pth").write_text(
        sysconfig.get_path("purelib")
    )  # without what is installed as editable
    wsdaemon = environment / "bin" / "wsdaemon"
    ini = site_packages / "wsdaemon" / "conf" / "ws.ini"
    checked = subprocess.run([wsdaemon, "check-config", ini], cwd=tmp_path, capture_output=True, text=True)
    assert (checked.stdout, checked.stderr) == ("OK\n", "")
    with subprocess.Popen(
        [wsdaemon, "serve", "--port", "0"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as process:  # fmt: skip
        assert process.stdout is not None
        port = None
        for line in process.stdout:
            found = re.search(r"http://127\.0\.0\.1:([0-9]+)/", line)
            port = found[1] if found else port
            if "ready" in line:
                break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as response:
                assert response.read() == (ROOT / "static" / "index.html").read_bytes()
        finally:
            process.terminate()
    assert process.returncode == 0
