"""Distributions that work outside the checkout, and a container image with all that it needs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.checkout import copy_checkout
from tests.support.daemon import ROOT
from tests.support.patience import PATIENCE

PIP: list[str | Path] = [sys.executable, "-m", "pip", "--disable-pip-version-check"]

SHIPPED = (
    "twisted/plugins/wsdaemon_plugin.py", "wsdaemon/py.typed", "wsdaemon/behaviours/kinds.py",
    *(f"wsdaemon/static/{name}" for name in ("index.html", "chat.js", "base.css", "chat.css", "favicon.svg")),
    *(f"wsdaemon/static/{name}" for name in ("lab.html", "lab.js", "lab-setup.js", "lab-plot.js", "lab.css")),
    *(f"wsdaemon/conf/{name}" for name in ("ws.ini", "wsdaemon.service", "wsdaemon.socket")),
)  # fmt: skip
"""Files that must be in the wheel."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All files that git knows, without tests and benchmarks."""
    return copy_checkout(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def sdist(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution."""
    folder = tmp_path_factory.mktemp("sdist")
    build: list[str | Path] = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    return next(folder.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(sdist: Path) -> Path:
    """The wheel, built from the source distribution: a file that is missing there is missing here too."""
    return next(sdist.parent.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Environment with only the wheel in it; it finds its dependencies in ours, but not this checkout."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    subprocess.run(
        [*PIP, "--python", folder / "bin" / "python", "install", "--quiet", "--no-deps", wheel], check=True
    )  # fmt: skip
    # This leaves editable installs out.
    (site_packages(folder) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    # Twisted's command, as pip writes it where it installs Twisted too.
    twistd = folder / "bin" / "twistd"
    twistd.write_text(f"#!{folder}/bin/python\nimport sys\nfrom twisted.scripts.twistd import run\nsys.exit(run())\n")
    twistd.chmod(0o755)
    return folder


def site_packages(environment: Path) -> Path:
    return next((environment / "lib").glob("python*/site-packages"))


@contextmanager
def served(arguments: Sequence[str | Path], cwd: Path, **environ: str) -> Iterator[str]:
    """Run a server and yield its HTTP address; it must exit with 0."""
    env = {**os.environ, **environ}
    with subprocess.Popen(arguments, cwd=cwd, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        address, said = None, ""
        for line in process.stdout:
            said += line
            found = re.search(r"listening on http://[0-9.]+:([0-9]+)/", line)
            address = f"http://127.0.0.1:{found[1]}" if found else address
            if " ready\n" in line:
                break
        try:
            assert address is not None, said
            yield address
        finally:
            process.terminate()
            process.communicate()
    assert process.returncode == 0


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=PATIENCE) as response:  # noqa: S310  # it is http
        data: bytes = response.read()
    return data


class TestDistributions:
    def expected(self, source: Path) -> dict[str, str]:
        """Return the files to install: installed name -> name in the source."""
        modules = [each.relative_to(source).as_posix() for each in (source / "wsdaemon").rglob("*") if each.is_file()]
        pages = [f"{name}/{each.name}" for name in ("static", "conf") for each in (source / name).glob("[!.]*")]
        return {name: name for name in modules} | {f"wsdaemon/{name}": name for name in pages}

    def test_the_wheel_holds_all_of_it_and_no_tests(self, source: Path, wheel: Path) -> None:
        names = set(zipfile.ZipFile(wheel).namelist())
        assert (set(self.expected(source)) | set(SHIPPED)) - names == set()
        assert not [name for name in names if name.startswith(("tests", "benchmarks")) or name == "twisted/__init__.py"]

    def test_the_source_distribution_holds_what_the_wheel_is_made_of(self, source: Path, sdist: Path) -> None:
        with tarfile.open(sdist) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}
        expected = self.expected(source)
        shipped = {expected.get(name, name) for name in SHIPPED}
        build = {"setup.cfg", "pyproject.toml", "README.md", "CONTRIBUTING.md", "LICENSE"}
        assert (shipped | set(expected.values()) | build) - names == set()

    def test_their_metadata_is_right(self, sdist: Path, wheel: Path) -> None:
        """An index would accept them and render the README."""
        check: list[str | Path] = [sys.executable, "-m", "twine", "--no-color", "check", "--strict", sdist, wheel]
        checked = subprocess.run(check, capture_output=True, text=True)
        assert (checked.returncode, checked.stdout.count("PASSED")) == (0, 2), checked.stdout


class TestInstalled:
    def test_its_ini_file_is_ok(self, environment: Path, tmp_path: Path) -> None:
        ini = site_packages(environment) / "wsdaemon" / "conf" / "ws.ini"
        command: list[str | Path] = [environment / "bin" / "wsdaemon", "check-config", ini]
        checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert (checked.stdout, checked.stderr) == ("OK\n", "")

    @pytest.mark.parametrize("command", [["wsdaemon", "serve"], ["twistd", "-n", "--pidfile=", "wsdaemon"]])
    def test_it_serves_its_pages(self, environment: Path, tmp_path: Path, command: list[str]) -> None:
        arguments: list[str | Path] = [environment / "bin" / command[0], *command[1:], "--port", "0"]
        with served(arguments, tmp_path) as address:
            assert get(f"{address}/") == (ROOT / "static" / "index.html").read_bytes()
            assert get(f"{address}/lab.html") == (ROOT / "static" / "lab.html").read_bytes()
            assert b"<html" in get(f"{address}/behaviours")

    def test_it_completes(self, environment: Path, tmp_path: Path) -> None:
        command: list[str | Path] = [environment / "bin" / "wsdaemon", "completion", "bash"]
        completed = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
        assert "check-config" in completed.stdout


def instructions(name: str) -> list[str]:
    """Return the arguments of an instruction in the Dockerfile, one line for each use."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [line.partition(" ")[2].strip() for line in lines if line.partition(" ")[0] == name]


def copied() -> list[tuple[list[str], str]]:
    """Return sources and destination of each COPY from the checkout."""
    return [(text.split()[:-1], text.split()[-1]) for text in instructions("COPY") if not text.startswith("--from")]


class TestImage:
    """The Dockerfile, as far as it can be tested without Docker: its commands run elsewhere."""

    def test_what_it_copies_is_there_and_nothing_else_is_looked_at(self) -> None:
        ignore = (ROOT / ".dockerignore").read_text().splitlines()
        sources = {name for names, _ in copied() for name in names}
        assert [name for name in sources if not (ROOT / name).exists()] == []
        assert "*" in ignore
        assert {line[1:] for line in ignore if line.startswith("!")} == sources

    def test_it_copies_all_that_the_wheel_is_made_of(self, source: Path, wheel: Path, tmp_path: Path) -> None:
        """The files that it copies build the same wheel."""
        for names, to in copied():
            for name in names:
                if (source / name).is_dir():
                    shutil.copytree(source / name, tmp_path / to)
                else:
                    shutil.copy(source / name, tmp_path / to)
        assert "/opt/wsdaemon/bin/pip install --no-cache-dir '.[speed]'" in instructions("RUN")[0]
        build = [*PIP, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", "out", ".[speed]"]
        subprocess.run(build, cwd=tmp_path, check=True)
        built = next((tmp_path / "out").glob("*.whl"))
        assert sorted(zipfile.ZipFile(built).namelist()) == sorted(zipfile.ZipFile(wheel).namelist())

    def test_what_it_starts_serves_is_healthy_and_ends(self, environment: Path, tmp_path: Path) -> None:
        """Its INI file is valid, its command serves with it, its health check agrees, and SIGTERM stops it."""
        etc = tmp_path / "etc"
        etc.mkdir()

        def here(text: str) -> str:
            return text.replace("/opt/wsdaemon", str(environment)).replace("/etc/wsdaemon", str(etc))

        _, write_ini, check, _ = instructions("RUN")
        subprocess.run(["sh", "-c", here(write_ini)], check=True)
        checked = subprocess.run(["sh", "-c", here(check)], capture_output=True, text=True)
        assert (checked.stdout, checked.stderr) == ("OK\n", "")
        ini = (etc / "ws.ini").read_text()
        assert "interface = 0.0.0.0\n" in ini
        # The image's ports may be taken here.
        (etc / "ws.ini").write_text(ini.replace("[tls]\n", "[tls]\nport = 0\n"))
        (entry,), (health,) = instructions("ENTRYPOINT"), instructions("HEALTHCHECK")
        state = instructions("ENV")[0].partition("=")
        assert state[::2] == ("STATE_DIRECTORY", "/var/lib/wsdaemon")
        command = [*json.loads(here(entry)), "--port", "0"]
        probe = json.loads(here(health.partition(" CMD ")[2]))
        with served(command, tmp_path, STATE_DIRECTORY=str(tmp_path)) as address:
            probe = [word.replace("8080", address.rpartition(":")[2]) for word in probe]
            subprocess.run(probe, check=True)
            assert (tmp_path / ".wsdaemon-auto.pem").is_file()
        assert subprocess.run(probe, capture_output=True).returncode == 1, "nothing answers any more"

    def test_it_runs_as_a_user_of_its_own(self) -> None:
        (user,) = instructions("USER")
        assert re.fullmatch(r"[1-9][0-9]+:0", user)
        last = (ROOT / "Dockerfile").read_text().partition("\nUSER ")[2]
        assert not re.search(r"^(RUN|COPY|ADD|USER) ", last, re.MULTILINE), "and nothing is done as root after that"
        assert instructions("EXPOSE") == ["8080 8443"]
