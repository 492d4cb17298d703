"""Environments other than `.venv`: each Python, the lowest versions, and each optional part left out.

`make nox` runs all of them; `.venv/bin/nox --session lowest -- tests/unit/test_config.py` runs one file in one.
An interpreter that is not installed is skipped, but for the oldest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True

nox.options.error_on_missing_interpreters = False
os.environ["UV_PYTHON_DOWNLOADS"] = "never"
if shutil.which("pyenv"):  # its shims run only what is chosen: choose all
    versions = subprocess.check_output(["pyenv", "versions", "--bare"], text=True).split()  # noqa: S607
    os.environ.setdefault("PYENV_VERSION", ":".join(versions))

OLDEST = "3.11"
PYTHONS = [OLDEST, "3.12", "3.13", "3.14"]
TESTS = ("tests/unit", "tests/memory")
NODE_TESTS = (
    "tests/daemon/test_clients.py",
    "tests/daemon/test_wsping_peers.py",
    "tests/daemon/behaviours/test_cases.py",
)


def install(session: nox.Session, *arguments: str) -> None:
    """Install this checkout; only this kind of editable install shows the twistd plugin."""
    session.install("--config-settings", "editable_mode=compat", "--editable", *arguments)


def run_tests(session: nox.Session, *tests: str) -> None:
    """Run tests that need neither a browser nor a daemon, or those given."""
    session.run("python", "-m", "pytest", "-q", *(session.posargs or tests))


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The pinned versions, on each Python."""
    install(session, ".[speed,test]", "--constraint", "constraints.txt")
    run_tests(session, *TESTS)


@nox.session(python=OLDEST)
def lowest(session: nox.Session) -> None:
    """The lowest versions that setup.cfg allows of what the product needs."""
    install(session, ".[speed]", "--resolution", "lowest-direct")
    install(session, ".[speed,test]")  # what is installed already stays
    session.run("uv", "pip", "list", external=True)
    run_tests(session, *TESTS)


@nox.session(python=OLDEST)
@nox.parametrize("part", ["isal", "speedups"])
def without(session: nox.Session, part: str) -> None:
    """Without compression by isal, or without websockets' masking in C."""
    extras = "test" if part == "isal" else "speed,test"
    install(session, f".[{extras}]", "--constraint", "constraints.txt")
    if part == "speedups":
        for compiled in Path(session.virtualenv.location).rglob("websockets/speedups*.so"):
            compiled.unlink()
    run_tests(session, *TESTS)


@nox.session(python=OLDEST)
def without_npm(session: nox.Session) -> None:
    """Where neither Node nor npm is installed, the tests with Node's clients are left out, and say so."""
    install(session, ".[speed,test]", "--constraint", "constraints.txt")
    programs = Path(session.create_tmp()) / "bin"
    programs.mkdir(exist_ok=True)
    for folder in os.environ["PATH"].split(os.pathsep):
        for program in Path(folder).glob("*"):
            link = programs / program.name
            if program.name not in ("node", "npm", "npx") and not link.is_symlink():
                link.symlink_to(program)
    session.env.update(PATH=f"{session.bin}{os.pathsep}{programs}", CI="")
    run_tests(session, *NODE_TESTS, "-k", "node", "-rs")


@nox.session(python=OLDEST)
def distributions(session: nox.Session) -> None:
    """Build both distributions, check their metadata, and install the source distribution in a clean environment."""
    out = Path(session.create_tmp()).resolve()
    session.install("build", "twine", "--constraint", "constraints.txt")
    session.run("python", "-m", "build", "--outdir", str(out))
    session.run("twine", "check", "--strict", *map(str, out.glob("wsdaemon-*")))
    session.run("uv", "venv", "--clear", "--quiet", str(out / "clean"), external=True)
    (sdist,) = out.glob("wsdaemon-*.tar.gz")
    clean = out / "clean" / "bin"
    session.run("uv", "pip", "install", "--quiet", "--python", str(clean / "python"), str(sdist), external=True)
    session.chdir(out)
    session.run(str(clean / "wsdaemon"), "behaviours", external=True, silent=True)
    session.run(str(clean / "wsping"), "--help", external=True, silent=True)
