"""The coverage-guided fuzzer: `python -m tests.fuzz.fuzz_http [FOLDER or FILE…] [-libFuzzer=options]`.

The command line is libFuzzer's: a FILE is run once, which replays what `tests.fuzz.run` has found.
"""

from __future__ import annotations

import importlib
import inspect
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from tests.fuzz.docroot import make_docroot
from tests.fuzz.target import Target

PACKAGES = ("wsdaemon.site", "wsdaemon.websocket", "wsdaemon.subprotocols", "wsdaemon.origins")
MODULES = (
    "twisted.web.http", "twisted.web.http_headers", "twisted.web.server", "twisted.web.static",
    "twisted.protocols.basic", "autobahn.websocket.protocol", "autobahn.websocket.compress_deflate",
)  # fmt: skip
"""The modules to instrument: every module of some packages, and some modules of libraries."""


def functions(module: ModuleType) -> Iterator[Callable[..., Any]]:
    """Yield all functions and methods that a module defines."""
    for value in list(vars(module).values()):
        if getattr(value, "__module__", None) == module.__name__:
            members = vars(value).values() if inspect.isclass(value) else (value,)
            for member in members:
                found = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
                if isinstance(found, FunctionType):
                    yield found


def main() -> None:
    """Fuzz until libFuzzer is done, which ends the process."""
    atheris: Any = importlib.import_module("atheris")  # not everyone who runs the tests has it
    for name, module in list(sys.modules.items()):
        # Atheris' own import hook knows only whole top-level packages: all of Twisted would be slow to no end.
        if name in MODULES or name.startswith(PACKAGES):
            for function in functions(module):
                atheris.instrument_func(function)
    with tempfile.TemporaryDirectory() as folder, Target(make_docroot(Path(folder))) as target:
        # For a merge libFuzzer starts itself anew, by the shell.
        atheris.Setup([f"{shlex.quote(sys.executable)} -m tests.fuzz.fuzz_http", *sys.argv[1:]], target.one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
