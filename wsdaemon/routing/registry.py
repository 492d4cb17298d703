"""Registry of subprotocols, and the choice for each handshake: a behaviour that the URL asks for, else the first known
name that the client offers, else what the path names, else the default."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple

from wsdaemon import behaviours, subprotocols
from wsdaemon.behaviours.behaviour import Asked, Behaviour
from wsdaemon.errors import StartupError
from wsdaemon.routing.catalogue import Catalogue, classes_in
from wsdaemon.settings import Settings, WebSocketSettings
from wsdaemon.websocket.connection import Connection
from wsdaemon.websocket.factory import ConnectionFactory
from wsdaemon.websocket.handshake import Handshake, HandshakeRefused
from wsdaemon.websocket.hub import Hub

ENTRY_POINTS = "wsdaemon.subprotocols"


class SubprotocolError(StartupError):
    """A subprotocol cannot be used; the text names it and says why."""


def find_all() -> tuple[type[Connection], ...]:
    """Return all subprotocols: those of `wsdaemon.subprotocols`, then those of installed packages.

    Raises `SubprotocolError` if one cannot be loaded or has a name that another has.
    """
    found = [*_own(), *(_load(each) for each in sorted(entry_points(group=ENTRY_POINTS)))]
    taken: dict[str, type[Connection]] = {}
    for subprotocol in found:
        for name in subprotocol.names:
            other = taken.setdefault(name, subprotocol)
            if other is not subprotocol:
                raise SubprotocolError(
                    f"subprotocol {_place(subprotocol)}: the name {name!r} belongs to {_place(other)} already"
                )
    return tuple(found)


def short_name(subprotocol: type[Connection]) -> str:
    """Return the name that the INI file and the path use."""
    return subprotocol.names[-1]


def settings_classes(found: Iterable[type[Connection]]) -> dict[str, type[WebSocketSettings]]:
    """Return the class of each subprotocol's settings, by short name."""
    return {short_name(each): each.settings_class for each in found}


class Route(NamedTuple):
    """Where a handshake leads."""

    factory: ConnectionFactory
    subprotocol: str | None
    """The name to answer with: one that the client offered, or none."""
    asked: Asked | None = None
    """What the URL asks of a behaviour."""

    def make(self) -> Connection:
        """Return a new connection."""
        return self.factory.make() if self.asked is None else self.factory.make(self.asked)


class Registry:
    """Chooses the factory for a handshake."""

    def __init__(self, found: Iterable[type[Connection]], settings: Settings, hub: Hub) -> None:
        found = tuple(found)
        self.catalogue = Catalogue(found, settings.behaviours)
        self._by_name: dict[str, ConnectionFactory] = {}
        self._of: dict[type[Connection], ConnectionFactory] = {}
        self._plain: dict[ConnectionFactory, Asked] = {}  # of behaviours: what a URL without parameters asks for
        for subprotocol in found:
            if not self.catalogue.is_there(subprotocol):
                continue
            factory = ConnectionFactory(subprotocol, settings.subprotocols[short_name(subprotocol)], hub)
            self._of[subprotocol] = factory
            if issubclass(subprotocol, Behaviour):
                self._plain[factory] = self.catalogue.nothing(subprotocol)
            self._by_name.update(dict.fromkeys(subprotocol.names, factory))
        self._default = self._by_name[settings.server.default_subprotocol]
        self._refuse_unknown = settings.server.unknown_subprotocol == "refuse"

    def choose(self, handshake: Handshake) -> Route:
        """Return the factory, and the name to answer with.

        A behaviour's path counts more than the names offered; the first of these is answered with. Otherwise the first
        known name counts, which may be a behaviour's, with parameters. A client that offers no name gets what the
        path's first segment names, else the default. One that offers only unknown names is refused with 400 (raises
        `HandshakeRefused`), or gets the default, as configured.
        """
        offered, path = handshake.subprotocols, handshake.first_segment
        whole_path, _, query = handshake.target.partition("?")
        behaviour = self.catalogue.by_path.get(path)
        # /echo without a query, and anything below it, is Jetty's: there the names offered count first.
        if behaviour is not None and (path in behaviour.names or (query and whole_path == f"/{path}")):
            first = offered[0] if offered else None
            return Route(self._of[behaviour], first, self.catalogue.read(behaviour, query, handshake))
        if path in self.catalogue.absent and path not in self._by_name:
            raise HandshakeRefused(403, f"/{path} is not enabled on this server.")
        for name in offered:
            if name in self._by_name:
                return self._plainly(self._by_name[name], name)
            by_name = self.catalogue.read_name(name, handshake)
            if by_name is not None:
                return Route(self._of[by_name[0]], name, by_name[1])
        if not offered:
            return self._plainly(self._by_name.get(path, self._default), None)
        if self._refuse_unknown:
            raise HandshakeRefused(400, f"None of the subprotocols is known. Known are: {', '.join(self._by_name)}.")
        return self._plainly(self._default, None)

    def _plainly(self, factory: ConnectionFactory, name: str | None) -> Route:
        return Route(factory, name, self._plain.get(factory))


def _own() -> list[type[Connection]]:
    return [each for each in classes_in(subprotocols, behaviours) if issubclass(each, Connection) and each.names]


def _load(entry_point: EntryPoint) -> type[Connection]:
    place = f"subprotocol {entry_point.value} (entry point {entry_point.name})"
    try:
        loaded = entry_point.load()
    except Exception as error:  # whatever another package's code raises when it is imported
        raise SubprotocolError(f"{place}: cannot be loaded: {error!r}") from error
    if not (isinstance(loaded, type) and issubclass(loaded, Connection)):
        raise SubprotocolError(f"{place}: is not a subclass of {_place(Connection)}")
    if not loaded.names:
        raise SubprotocolError(f"{place}: has no names; give it at least one")
    return loaded


def _place(subprotocol: type[Connection]) -> str:
    return f"{subprotocol.__module__}:{subprotocol.__qualname__}"
