"""The `wsdaemon` command: serve, ping, load, behaviours, check-config, completion."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib.metadata import version

from wsdaemon import completion
from wsdaemon.config import Configuration
from wsdaemon.errors import StartupError
from wsdaemon.load.command import add_load_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["ping"]:  # its -h is the host, as in Jetty's client
        from wsdaemon.client.cli import main_ping

        return main_ping(arguments[1:], "wsdaemon ping")
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except StartupError as error:
        print(error, file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wsdaemon", description="A WebSocket test server.")
    parser.add_argument("--version", action="version", version=f"wsdaemon {version('wsdaemon')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the server in the foreground")
    serve.add_argument("--config", "-c", metavar="FILE", help="an INI file (default: the built-in defaults)")
    serve.add_argument("--port", "-p", metavar="N", help="the port for http and ws (default: 8080)")
    serve.add_argument("--docroot", "-d", metavar="DIR", help="the folder of static files (default: our own pages)")
    serve.add_argument("--verbose", "-v", action="store_true", help="log every frame, message and close")
    serve.set_defaults(run=_serve)
    commands.add_parser("ping", help="measure a WebSocket endpoint; the same as wsping", add_help=False)
    add_load_parser(commands)
    behaviours = commands.add_parser("behaviours", help="list the behaviours, which URLs choose, and their parameters")
    behaviours.add_argument(
        "name", nargs="?", default="", metavar="NAME", help="describe a behaviour or family in full"
    )
    behaviours.add_argument("--json", action="store_true", help="the whole catalogue as JSON, as the server sends it")
    behaviours.add_argument("--config", "-c", metavar="FILE", help="an INI file with a [behaviours] section")
    behaviours.set_defaults(run=_behaviours)
    check = commands.add_parser("check-config", help="check an INI file: prints its problems, or OK")
    check.add_argument("file", metavar="FILE")
    check.set_defaults(run=_check_config)
    complete = commands.add_parser("completion", help="print a script that makes a shell complete these commands")
    complete.add_argument("shell", choices=completion.SHELLS)
    complete.add_argument(
        "command", nargs="?", choices=completion.COMMANDS, help="complete only this command (default: both)"
    )
    complete.set_defaults(run=_completion)
    return parser


def _serve(options: argparse.Namespace) -> int:
    from twisted.scripts import twistd

    sys.argv = ["twistd", "--nodaemon", "--pidfile=", "wsdaemon"]
    for name in ("config", "port", "docroot"):
        value = getattr(options, name)
        if value is not None:
            sys.argv.append(f"--{name}={value}")
    if options.verbose:
        sys.argv.append("--verbose")
    twistd.run()
    return 0


def _behaviours(options: argparse.Namespace) -> int:
    from wsdaemon.reference import behaviours_text
    from wsdaemon.routing.catalogue import Catalogue
    from wsdaemon.routing.registry import find_all

    settings = _load(options.config).require()
    document = Catalogue(find_all(), settings.behaviours).document()
    try:
        print(json.dumps(document, indent=1) if options.json else behaviours_text(document, options.name).rstrip())
    except KeyError:
        print(f"{options.name!r} is not a behaviour or family; `wsdaemon behaviours` lists them", file=sys.stderr)
        return 1
    return 0


def _check_config(options: argparse.Namespace) -> int:
    _load(options.file).require()
    print("OK")
    return 0


def _load(file: str | None) -> Configuration:
    from twisted.internet import reactor

    from wsdaemon.loading import load

    return load(file, reactor)


def _completion(options: argparse.Namespace) -> int:
    print(completion.completion_script(options.shell, _parser(), options.command), end="")
    return 0
