"""Listening places of the daemon: its ports, the endpoints of the INI file, and sockets passed by systemd."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from twisted.internet import endpoints
from twisted.internet.defer import Deferred, execute
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IOpenSSLContextFactory, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from wsdaemon.config import Configuration, Problem
from wsdaemon.errors import StartupError
from wsdaemon.tls import AUTO_FILE, make_context

_TLS_NAMES = frozenset(("https", "wss", "tls"))


class Listener(NamedTuple):
    """A place to listen on: its endpoint, the option that it comes from, and its addresses, with {port} in them."""

    endpoint: IStreamServerEndpoint
    section: str
    option: str
    shown: str


@implementer(IOpenSSLContextFactory)
class CurrentContext:
    """The TLS context of new connections; a reload replaces it when the certificate changes."""

    def __init__(self, options: CertificateOptions) -> None:
        self.options = options

    def getContext(self) -> Any:
        """Return the OpenSSL context (called by Twisted for each connection)."""
        return self.options.getContext()


@implementer(IStreamServerEndpoint)
class PassedSocket:
    """A socket passed by systemd. It listens also while the daemon is down; clients then wait in its backlog."""

    def __init__(self, reactor: Any, passed: socket.socket, context: CurrentContext | None) -> None:
        self._reactor = reactor
        self._socket = passed
        self._context = context

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Accept connections from it."""
        return execute(self._listen, protocolFactory)

    def _listen(self, factory: Any) -> IListeningPort:
        if self._context is not None:
            factory = TLSMemoryBIOFactory(self._context, False, factory)
        with self._socket:  # the port listens on a copy
            port: IListeningPort = self._reactor.adoptStreamPort(self._socket.fileno(), self._socket.family, factory)
        return port


def listeners(
    configuration: Configuration,
    reactor: Any,
    context: CurrentContext | None,
    passed: Iterable[tuple[str, socket.socket]] = (),
) -> Iterator[Listener]:
    """Yield the places to listen on; a passed socket replaces the port that it is meant for."""
    settings = configuration.settings
    interface = settings.server.interface
    host = _escaped(_host(interface))
    backlog = settings.limits.backlog
    plain_given, tls_given = _sort(passed, settings.server.port, settings.tls.port, tls_enabled=context is not None)
    for each in plain_given:
        yield Listener(PassedSocket(reactor, each, None), "server", "port", _shown(each, "http", "ws"))
    if not plain_given:
        plain = endpoints.TCP4ServerEndpoint(reactor, settings.server.port, backlog=backlog, interface=interface)
        yield Listener(plain, "server", "port", f"http://{host}:{{port}}/ and ws://{host}:{{port}}/")
    for each in tls_given:
        if context is None:
            raise StartupError("systemd passed a socket for TLS, but [tls] enabled = no; write enabled = yes")
        yield Listener(PassedSocket(reactor, each, context), "tls", "port", _shown(each, "https", "wss"))
    if context is not None and not tls_given:
        secure = endpoints.SSL4ServerEndpoint(reactor, settings.tls.port, context, backlog=backlog, interface=interface)
        yield Listener(secure, "tls", "port", f"https://{host}:{{port}}/ and wss://{host}:{{port}}/")
    for description in settings.server.endpoints:
        endpoint = endpoints.serverFromString(reactor, description)
        yield Listener(endpoint, "server", "endpoints", _escaped(description))


def admin_listener(configuration: Configuration, reactor: Any) -> Listener:
    """Return the admin listener."""
    admin = configuration.settings.admin
    endpoint = endpoints.TCP4ServerEndpoint(reactor, admin.port, interface=admin.interface)
    return Listener(endpoint, "admin", "port", f"http://{_escaped(_host(admin.interface))}:{{port}}/, admin")


def endpoint_problems(configuration: Configuration, reactor: Any) -> Iterator[Problem]:
    """Yield a problem for each invalid description in `endpoints`."""
    for description in configuration.settings.server.endpoints:
        try:
            endpoints.serverFromString(reactor, description)
        except Exception as error:  # plugins raise anything
            message = f"{description!r} is not a Twisted endpoint: {error}"
            yield configuration.problem("server", "endpoints", message)


def tls_options(configuration: Configuration) -> CertificateOptions:
    """Return the TLS context factory; raises `StartupError` if it cannot be made."""
    try:
        return make_context(configuration.settings.tls, auto_file(configuration))
    except Exception as error:  # OpenSSL and the system raise anything
        raise StartupError(str(configuration.problem("tls", "certificate", str(error)))) from None


def auto_file(configuration: Configuration) -> Path:
    """Return where `certificate = auto` keeps its certificate: in systemd's state folder, else beside the INI file."""
    state = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    folder = Path(state) if state else Path(configuration.file).resolve().parent
    return folder / AUTO_FILE


def explain(configuration: Configuration, listener: Listener, error: BaseException | None) -> str:
    """Return the error line for a place that cannot be listened on, with the option that it comes from."""
    reason = error
    section, option = listener.section, listener.option
    if isinstance(error, CannotListenError):
        cause = error.socketError
        reason = OSError(getattr(cause, "strerror", None) or str(cause))
        no_such_address = isinstance(cause, socket.gaierror) or getattr(cause, "errno", None) == errno.EADDRNOTAVAIL
        if no_such_address and listener.option == "port":
            section, option = "admin" if section == "admin" else "server", "interface"
    where = listener.shown.format(port=getattr(error, "port", "?"))
    return str(configuration.problem(section, option, f"cannot listen on {where}: {str(reason).lower()}"))


def _sort(
    passed: Iterable[tuple[str, socket.socket]], port: int, tls_port: int, *, tls_enabled: bool
) -> tuple[list[socket.socket], list[socket.socket]]:
    """Sort passed sockets into plain and TLS: by name, else by port, else the second is for TLS if that is enabled."""
    plain: list[socket.socket] = []
    secure: list[socket.socket] = []
    for name, each in passed:
        address = each.getsockname()
        own_port = address[1] if isinstance(address, tuple) else None
        if name in _TLS_NAMES or (name not in ("http", "ws") and own_port == tls_port and own_port != port):
            secure.append(each)
        elif name in ("http", "ws") or own_port == port or not (plain and tls_enabled and not secure):
            plain.append(each)
        else:
            secure.append(each)
    return plain, secure


def _shown(passed: socket.socket, scheme: str, other: str) -> str:
    address = passed.getsockname()
    if not isinstance(address, tuple):
        return _escaped(f"{scheme} on {str(address)!r}, from systemd")
    place = f"{_host(address[0])}:{address[1]}"
    return f"{scheme}://{place}/ and {other}://{place}/, from systemd"


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
