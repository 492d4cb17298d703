"""Configuration of a daemon: loading it with all subprotocols, and what a reload cannot change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from wsdaemon.config import Configuration, Problem, defaults, read_file
from wsdaemon.listening import endpoint_problems
from wsdaemon.options import nearest, options_of
from wsdaemon.routing.catalogue import Catalogue
from wsdaemon.routing.registry import find_all, settings_classes, short_name
from wsdaemon.settings import SECTIONS
from wsdaemon.websocket.connection import Connection


def load(config: str | None, reactor: Any, *, port: str | None = None, docroot: str | None = None) -> Configuration:
    """Read the INI file `config` and check it against this machine; every problem is in the result.

    `port` and `docroot` come from the command line and win over the file. Raises `SubprotocolError`.
    """
    found = find_all()
    known = settings_classes(found)
    configuration = defaults(known) if config is None else read_file(Path(config), known)
    more = [*endpoint_problems(configuration, reactor), *_behaviour_problems(configuration, found)]
    return configuration.overridden(port=port, docroot=docroot).check_machine(more)


def needing_a_restart(old: Configuration, new: Configuration) -> Iterator[tuple[str, str]]:
    """Yield the changed options that take effect only at a restart: where each is given, and its name."""
    for section, settings_class in SECTIONS.items():
        for name, option in options_of(settings_class).items():
            before, after = (getattr(getattr(each.settings, section), name) for each in (old, new))
            if option.metadata["needs_restart"] and before != after:
                yield new.place(section, name), f"[{section}] {name}"


def _behaviour_problems(configuration: Configuration, found: Iterable[type[Connection]]) -> Iterator[Problem]:
    settings = configuration.settings
    catalogue = Catalogue(found, settings.behaviours)
    default = settings.server.default_subprotocol
    if any(default == short_name(each) and not catalogue.is_there(each) for each in found):
        message = f"{default!r} is not enabled in [behaviours]; write another"
        yield configuration.problem("server", "default_subprotocol", message)
    known = ("all", "none", *(each.name for each in catalogue.families), *settings.subprotocols)
    for word in settings.behaviours.enabled:
        if word not in known:
            message = f"{word!r} is not a family or behaviour{nearest(word, known)}"
            yield configuration.problem("behaviours", "enabled", message)
