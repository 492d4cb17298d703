"""The daemon that the clients of this folder visit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("behaviours")


@pytest.fixture(scope="package")
def server(folder: Path) -> Iterator[Daemon]:
    """The daemon as it comes, with TLS; in the end it does not wait long for those that stall."""
    config = folder / "ws.ini"
    config.write_text("[tls]\nenabled = yes\ncertificate = auto\nport = 0\n[websocket]\nclose_timeout = 1\n")
    daemon = Daemon([f"--config={config}", "--port=0"])
    yield daemon
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.output
