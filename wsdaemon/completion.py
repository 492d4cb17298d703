"""Shell completion for `wsdaemon` and `wsping`: scripts generated from their parsers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from wsdaemon.client.options import add_ping_options, ping_parser

SHELLS = ("bash", "zsh", "fish")
COMMANDS = ("wsdaemon", "wsping")

_FILES = frozenset(("FILE", "OLD.json"))
_FOLDERS = frozenset(("DIR",))


def completion_script(shell: str, daemon_parser: argparse.ArgumentParser, command: str | None = None) -> str:
    """Return a shell's script that completes `command`, or both commands; `daemon_parser` is `wsdaemon`'s."""
    import shtab  # imported here, so that no other command waits for it

    scripts = []
    for name in COMMANDS if command is None else (command,):
        parser = ping_parser(name) if name == "wsping" else daemon_parser
        for each in _with_commands(parser):
            if each.prog == f"{daemon_parser.prog} ping":
                add_ping_options(each)  # `wsdaemon` passes the arguments of `ping` on, unparsed
            for action in each._actions:
                if action.metavar in _FILES | _FOLDERS:
                    where = shtab.FILE if action.metavar in _FILES else shtab.DIRECTORY
                    action.complete = where  # type: ignore[attr-defined]  # where shtab looks for it
        scripts.append(shtab.complete(parser, shell))
    return "\n".join(scripts) + "\n"


def _with_commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield a parser and the parsers of its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.values()
