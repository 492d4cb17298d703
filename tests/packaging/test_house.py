"""The house's own rules, each with the exceptions that are left: take one out when it is mended, and add none."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import wsdaemon
from tests.support.daemon import ROOT
from tests.support.memory import all_subprotocols
from wsdaemon.behaviours.behaving import Behaving
from wsdaemon.subprotocols.echo import Echo

FOLDERS = ("benchmarks", "docs", "static", "tests", "tools", "twisted", "wsdaemon")
SOURCES = {".py", ".js", ".mjs", ".css", ".html"}
MAX_LINES = 400
LONG = {
    "tests/browser/test_admin.py",
    "tests/browser/test_behaviours.py",
    "tests/daemon/behaviours/test_clients.py",
    "tests/memory/behaviours/test_close.py",
    "tests/memory/behaviours/test_frames.py",
    "tests/memory/behaviours/test_handshake.py",
    "tests/memory/behaviours/test_stream.py",
    "tests/memory/behaviours/test_time.py",
    "tests/memory/test_connection.py",
    "tests/memory/test_eager_tls.py",
    "tests/memory/test_upgrade.py",
    "tests/unit/websocket/test_eager.py",
    "wsdaemon/admin/admin.js",
}

MAX_ECHO, MAX_BEHAVIOUR = 4, 6
DEEP = {"Echo": 7, "EchoAssemble": 7, "EchoBroadcast": 7, "EchoBroadcastPing": 8, "EchoFragment": 7, "Logging": 7}
DEEPER = 13  # what the behaviours may have until their tower is gone

PRIVATE = {
    "behaviours.opening": {"_parseExtensionsHeader", "_perMessageCompress"},
    "client.connection": {
        "_connectionMade",
        "_dataReceived",
        "_fail_connection",
        "_invalid_payload",
        "_isMessageCompressed",
        "_max_message_size_exceeded",
        "_onOpen",
        "_perMessageCompress",
        "_protocol_violation",
    },
    "completion": {"_SubParsersAction", "_actions"},
    "site.channel": {"_buffer", "_respondToBadRequestAndDisconnect"},
    "subprotocols.echo": {"_isMessageCompressed"},
    "websocket.compression": {"_compressor"},
    "websocket.connection": {"_fail_connection", "_isMessageCompressed"},
    "websocket.eager_tls": {
        "_aggregator",
        "_appSendBuffer",
        "_flushReceiveBIO",
        "_from_ssl",
        "_handshakeDone",
        "_into_ssl",
        "_lostTLSConnection",
        "_ssl",
    },
    "websocket.engine": {
        "_connectionLost",
        "_dataReceived",
        "_fail_connection",
        "_invalid_payload",
        "_parseExtensionsHeader",
        "_perMessageCompress",
        "_protocol_violation",
    },
    "websocket.factory": {"_connectionMade"},
    "websocket.incoming": {
        "_fail_connection",
        "_invalid_payload",
        "_isMessageCompressed",
        "_perMessageCompress",
        "_transport_details",
    },
    "websocket.intake": {"_isMessageCompressed", "_perMessageCompress"},
}

PUBLIC = {"_replace", "_asdict", "_fields", "_make", "_value_", "_current_frames"}
"""Names with an underscore that Python documents: of named tuples, enums and `sys`."""
PRIVATE_NAME = re.compile(r"(?:self|cls)\.(_[a-z]\w*)|def (_[a-z]\w*)\(|^    (_[a-z]\w*) *[:=]", re.MULTILINE)


def sources() -> list[Path]:
    found = [file for folder in FOLDERS for file in (ROOT / folder).rglob("*") if file.suffix in SOURCES]
    return [file for file in found if not {"node_modules", "build", "__pycache__"} & set(file.parts)]


def test_no_file_is_too_long() -> None:
    """Every source file fits in the head."""
    assert len(sources()) > 300
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in sources()}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES and name not in LONG} == {}


@pytest.mark.parametrize("subprotocol", all_subprotocols(), ids=lambda each: each.names[-1])
def test_a_connection_is_no_tower(subprotocol: type) -> None:
    """The classes of this project that one connection is made of can be read one after the other."""
    own = [each for each in subprotocol.__mro__ if each.__module__.startswith("wsdaemon.")]
    bound = MAX_ECHO if subprotocol is Echo else MAX_BEHAVIOUR
    bound = max(bound, DEEP.get(subprotocol.__name__, 0), DEEPER if issubclass(subprotocol, Behaving) else 0)
    assert len(own) <= bound, " < ".join(each.__name__ for each in own)


def test_private_names_of_libraries_are_named_where_they_are_listed() -> None:
    """So that who upgrades a library knows where to look."""
    found = defaultdict(set)
    for module in modules():
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Attribute) and is_private(node.attr) and not is_our_own(node, module):
                found[module.__name__.removeprefix("wsdaemon.")].add(node.attr)
    for cls in classes():
        for name in filter(is_private, private_names(cls) & of_libraries(cls)):
            found[cls.__module__.removeprefix("wsdaemon.")].add(name)
    assert {name: left for name, names in found.items() if (left := names - PRIVATE.get(name, set()))} == {}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in PUBLIC


def is_our_own(node: ast.Attribute, module: ModuleType) -> bool:
    """Whether a private attribute is this project's; those of self are looked at class by class."""
    if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
        return True
    if isinstance(node.value, ast.Name) and inspect.ismodule(vars(module).get(node.value.id)):
        return bool(vars(module)[node.value.id].__name__.startswith("wsdaemon"))
    return node.attr in our_names()


@cache
def modules() -> list[ModuleType]:
    names = [each.name for each in pkgutil.walk_packages(wsdaemon.__path__, "wsdaemon.")]
    return [importlib.import_module(name) for name in names if not name.endswith("__main__")]


@cache
def classes() -> list[type]:
    return [
        each
        for module in modules()
        for each in vars(module).values()
        if inspect.isclass(each) and each.__module__ == module.__name__
    ]


@cache
def our_names() -> set[str]:
    """Return the private names that a class of this project has and no library gave it."""
    return {name for cls in classes() for name in private_names(cls) - of_libraries(cls)}


@cache
def private_names(cls: type) -> set[str]:
    """Return the private names in a class's source that it defines, sets or uses on itself."""
    try:
        source = inspect.getsource(cls)
    except (OSError, TypeError):
        return set()
    return {name for groups in PRIVATE_NAME.findall(source) for name in groups if name}


@cache
def of_libraries(cls: type) -> set[str]:
    """Return the private names of those classes of libraries that a class, or one that is made of it, inherits from."""
    made = [each for other in classes() if cls in other.__mro__ for each in other.__mro__]
    theirs = {each for each in made if each.__module__.partition(".")[0] not in ("wsdaemon", "builtins")}
    return {name for each in theirs for name in private_names(each)}
