"""Private names of libraries: which the product uses, in which modules, and that the libraries still have them.

A name that is not in `ALLOWED` fails here, and so does one that is no longer used: take it out.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import pytest
from autobahn.websocket.compress_deflate import PerMessageDeflate
from OpenSSL import SSL
from twisted.web.http import HTTPChannel

import wsdaemon
from tests.support.memory import MemorySite
from wsdaemon.websocket import eager_tls

DOCUMENTED = {"_current_frames", "_replace"}  # of sys and of named tuples


class Allowed(NamedTuple):
    """Names that may be used: where (no module: anywhere), and on what they have to be found."""

    names: set[str]
    modules: set[str]
    owner: Callable[[], Any]


def connection() -> Any:
    """Return an open WebSocket connection."""
    return MemorySite().open("/echo").transport.protocol


ALLOWED = [
    Allowed({"_buffer", "_respondToBadRequestAndDisconnect"}, {"site.channel"}, HTTPChannel),
    Allowed(set(eager_tls.USED_OF_TRANSPORT), {"websocket.eager_tls"}, eager_tls.unconnected_transport),
    Allowed(
        set(eager_tls.USED_OF_CONNECTION),
        {"websocket.eager_tls"},
        lambda: eager_tls.unconnected_transport().getHandle(),
    ),
    Allowed({"_lib", "_ffi"}, {"websocket.eager_tls"}, lambda: SSL),
    Allowed({"_actions"}, {"completion"}, argparse.ArgumentParser),
    Allowed({"_SubParsersAction"}, {"completion"}, lambda: argparse),
    # Autobahn's
    Allowed(
        {"_connectionMade", "_isMessageCompressed", "_perMessageCompress", "_fail_connection", "_invalid_payload"}
        | {"_protocol_violation", "_max_message_size_exceeded", "_onOpen"},
        {"websocket.autobahn_facts"},
        connection,
    ),
    Allowed({"_compressor"}, {"websocket.compression"}, lambda: PerMessageDeflate(True, False, False, 0, 0, 0)),
]


def is_private(name: object) -> bool:
    return isinstance(name, str) and name.isidentifier() and name[0] == "_" != name[1:2]


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(sys.modules[module]))


def code_of(cls: Any) -> ast.AST:
    """Return the code of a class; nothing where it is made at run time."""
    found = (each for each in tree_of(cls.__module__).body if isinstance(each, ast.ClassDef))
    return next((each for each in found if each.name == cls.__name__), ast.Module([], []))


def used_in(code: ast.AST) -> set[str]:
    """Return the private names that stand in some code as that of an attribute or a method, or in a string."""
    found: set[Any] = set()
    for node in ast.walk(code):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Constant):  # as `getattr` takes it
            found.add(node.value)
    return set(filter(is_private, found))


def set_in(code: ast.AST) -> set[str]:
    """Return the private names that some code defines: methods, functions, variables, attributes of `self`."""
    found: set[str] = set()
    for node in ast.walk(code):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found |= {node.attr} if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls") else set()
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return set(filter(is_private, found))


@cache
def names_of(cls: Any) -> set[str]:
    return set_in(code_of(cls))


def used() -> set[tuple[str, str]]:
    """Return the libraries' private names that the product uses, each with the module that does.

    Those are the names that no module of ours defines, and in a class that has a base in a library those of that base.
    """
    names = [info.name for info in pkgutil.walk_packages(wsdaemon.__path__, "wsdaemon.")]
    modules = {name.removeprefix("wsdaemon."): importlib.import_module(name) for name in names}
    ours = {name for module in modules.values() for name in set_in(tree_of(module.__name__))}
    found = {(name, short) for short, module in modules.items() for name in used_in(tree_of(module.__name__)) - ours}
    for short, module in modules.items():
        for value in vars(module).values():
            if inspect.isclass(value) and value.__module__ == module.__name__:
                bases = [each for each in value.__mro__[1:] if each.__module__.startswith(("twisted.", "autobahn."))]
                theirs = {name for base in bases for name in names_of(base)}
                found |= {(name, short) for name in theirs & used_in(code_of(value))}
    return {each for each in found if each[0] not in DOCUMENTED}


def test_only_those_that_are_allowed_are_used() -> None:
    """Each private name of a library is used in the modules that may name it, and in no other."""
    found = used()
    assert {name for name, _ in found} == {name for each in ALLOWED for name in each.names}
    for each in ALLOWED:
        assert not each.modules or {module for name, module in found if name in each.names} == each.modules


@pytest.mark.parametrize(("name", "owner"), [(name, each.owner) for each in ALLOWED for name in each.names])
def test_the_libraries_have_them(name: str, owner: Callable[[], Any]) -> None:
    """Each is there, on an object as the product meets it."""
    assert hasattr(owner(), name)
