"""`wsdaemon completion`: shells complete commands, options and files, as the parsers have them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from wsdaemon.cli import _parser, main
from wsdaemon.client.options import ping_parser
from wsdaemon.completion import COMMANDS, SHELLS, completion_script

# What bash does for a Tab: it finds the function of the command, and gives it the words; the last is being typed.
_TAB = """
words=$(complete -p "$1")
words=${words#* -F }
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
"${words%% *}" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def bash_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "wsdaemon.bash"
    path.write_text(completion_script("bash", _parser()) + _TAB)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where completion looks for files."""
    for name in ("ws.ini", "ws-other.ini", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "www").mkdir()
    return tmp_path


def commands() -> dict[str, list[str]]:
    """Every command with the long options that it takes."""
    parsers = {"wsping": ping_parser("wsping"), "wsdaemon": _parser()}
    (subcommands,) = (action for action in parsers["wsdaemon"]._actions if action.dest == "==SUPPRESS==")
    assert subcommands.choices is not None
    parsers |= {f"wsdaemon {name}": each for name, each in dict(subcommands.choices).items()}
    parsers["wsdaemon ping"] = ping_parser("wsping")
    return {
        name: [option for action in each._actions for option in action.option_strings if option.startswith("--")]
        for name, each in parsers.items()
    }


class TestBash:
    def complete(self, script: Path, folder: Path, line: str) -> list[str]:
        """Return what a Tab at the end of the line offers."""
        words = line.split(" ")
        done = subprocess.run(["bash", script, *words], cwd=folder, check=True, capture_output=True, text=True)
        assert done.stderr == ""
        return sorted(filter(None, done.stdout.splitlines()))

    @pytest.mark.parametrize(
        ("line", "offered"),
        [
            ("wsdaemon ", ["behaviours", "check-config", "completion", "load", "ping", "serve"]),
            ("wsdaemon ch", ["check-config"]),
            ("wsdaemon serve --c", ["--config"]),
            ("wsdaemon serve --config ws", ["ws-other.ini", "ws.ini"]),
            ("wsdaemon serve -c n", ["notes.txt"]),
            ("wsdaemon serve --verbose --docroot ", ["www"]),
            ("wsdaemon check-config ws.", ["ws.ini"]),
            ("wsdaemon load ws://localhost/echo --report n", ["notes.txt"]),
            ("wsdaemon load --compare ws.", ["ws.ini"]),
            ("wsdaemon completion ", sorted(SHELLS)),
            ("wsdaemon completion zsh ", sorted(COMMANDS)),
            ("wsdaemon ping --ca ws.", ["ws.ini"]),
            ("wsping --no-", ["--no-broadcast", "--no-compress", "--no-proxy"]),
            ("wsping --key n", ["notes.txt"]),
        ],
    )
    def test_a_word_is_completed(self, bash_script: Path, folder: Path, line: str, offered: list[str]) -> None:
        assert self.complete(bash_script, folder, line) == offered

    @pytest.mark.parametrize(("command", "options"), commands().items())
    def test_every_option_is_offered(self, bash_script: Path, folder: Path, command: str, options: list[str]) -> None:
        assert self.complete(bash_script, folder, f"{command} --") == sorted(options)


@pytest.mark.parametrize("shell", SHELLS)
class TestEveryShell:
    def test_both_commands_or_one(self, shell: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["completion", shell]) == 0
        both = capsys.readouterr().out
        for command in COMMANDS:
            assert main(["completion", shell, command]) == 0
            alone = capsys.readouterr().out
            assert alone.strip() in both
            assert alone.strip() != both.strip()

    def test_the_shell_understands_it(self, shell: str, folder: Path) -> None:
        """It knows every option; and where the shell is installed, that reads it without a complaint."""
        script = completion_script(shell, _parser())
        for option in {each for options in commands().values() for each in options}:
            assert (f" -l {option.removeprefix('--')} " if shell == "fish" else option) in script, option
        if shutil.which(shell) is not None:
            done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
