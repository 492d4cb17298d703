"""Release: the version into setup.cfg, the news fragments into NEWS.md, a commit, a tag, both distributions in dist/.

`make release VERSION=1.2.3` runs it; publishing what is in dist/ and pushing the tag is left to a person.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def run(*command: str) -> str:
    """Run a command; exits with its output if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}release: {' '.join(command)} failed")
    return done.stdout


def main(version: str) -> None:
    """Release `version`; changes nothing unless all can be done."""
    setup = Path("setup.cfg")
    if not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+((a|b|rc)[0-9]+)?", version):
        sys.exit(f"release: {version!r} is not a version; write VERSION=1.2.3")
    if run("git", "status", "--porcelain"):
        sys.exit("release: there are changes that are not committed")
    if run("git", "tag", "--list", f"v{version}"):
        sys.exit(f"release: the tag v{version} exists")
    text = re.sub(r"^version = .*$", f"version = {version}", setup.read_text(), count=1, flags=re.MULTILINE)
    setup.write_text(text)
    run(sys.executable, "-m", "towncrier", "build", "--yes", "--version", version)
    run("git", "add", "setup.cfg")
    run("git", "commit", "--quiet", "--message", f"Release {version}")
    run("git", "tag", "--annotate", f"v{version}", "--message", f"wsdaemon {version}")
    run(sys.executable, "-m", "build", "--no-isolation")
    run(sys.executable, "-m", "twine", "check", "--strict", *map(str, Path("dist").glob(f"wsdaemon-{version}*")))
    print(f"dist/ holds {version}; `git push --follow-tags` and `twine upload dist/wsdaemon-{version}*` publish it")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
