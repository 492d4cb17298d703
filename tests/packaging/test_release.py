"""`make release`: a release from a clean tree, and from no other."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.support.checkout import copy_checkout


def git(tree: Path, *arguments: str) -> str:
    """Run git in a tree; return its output."""
    return subprocess.run(["git", *arguments], cwd=tree, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with everything that goes into a release, and one more news fragment."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@example.org")
    copy_checkout(tmp_path)
    (tmp_path / "newsfragments" / "+test.feature").write_text("It can be released.\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "All of it")
    return tmp_path


def release(tree: Path, version: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/release.py", version]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True)


def test_a_release(tree: Path) -> None:
    """The version, the news, the tag and the distributions agree, and the fragments are used up."""
    done = release(tree, "9.8.7")
    assert (done.returncode, done.stderr) == (0, "")
    assert "version = 9.8.7\n" in (tree / "setup.cfg").read_text()
    news = (tree / "NEWS.md").read_text()
    assert "9.8.7" in news
    assert "It can be released." in news
    assert not list((tree / "newsfragments").glob("*.feature*"))
    assert git(tree, "describe", "--exact-match") == "v9.8.7\n"
    assert git(tree, "status", "--porcelain") == ""
    with tarfile.open(tree / "dist" / "wsdaemon-9.8.7.tar.gz") as archive:
        assert "wsdaemon-9.8.7/NEWS.md" in archive.getnames()
    assert (tree / "dist" / "wsdaemon-9.8.7-py3-none-any.whl").is_file()


@pytest.mark.parametrize(
    ("version", "change", "said"),
    [
        ("9.8.7", "touch new", "changes that are not committed"),
        ("9.8.7", "git tag v9.8.7", "the tag v9.8.7 exists"),
        ("9.8", "true", "'9.8' is not a version"),
        ("", "true", "'' is not a version"),
    ],
)
def test_what_cannot_be_released(tree: Path, version: str, change: str, said: str) -> None:
    """It says why, and leaves everything as it was."""
    subprocess.run(change, shell=True, cwd=tree, check=True)  # noqa: S602
    before = git(tree, "status", "--porcelain"), git(tree, "rev-parse", "HEAD"), git(tree, "tag")
    done = release(tree, version)
    assert done.returncode == 1
    assert said in done.stderr
    assert (git(tree, "status", "--porcelain"), git(tree, "rev-parse", "HEAD"), git(tree, "tag")) == before
