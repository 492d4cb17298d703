"""Listening places of the daemon: its ports, the endpoints of the INI file, and sockets passed by systemd."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from twisted.internet import endpoints
from twisted.internet.defer import Deferred
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
class OverTls:
    """An endpoint whose connections speak TLS."""

    def __init__(self, endpoint: IStreamServerEndpoint, context: CurrentContext) -> None:
        self._endpoint = endpoint
        self._context = context

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen at the endpoint."""
        return self._endpoint.listen(TLSMemoryBIOFactory(self._context, False, protocolFactory))


def listeners(
    configuration: Configuration,
    reactor: Any,
    context: CurrentContext | None,
    passed: Iterable[tuple[str, socket.socket]] = (),
) -> Iterator[Listener]:
    """Yield the places to listen on; a passed socket replaces the port that it is meant for."""
    settings = configuration.settings
    server, tls = settings.server, settings.tls
    plain, secure = _sort(passed, server.port, tls.port, tls_enabled=context is not None)
    if secure and context is None:
        raise StartupError("systemd passed a socket for TLS, but [tls] enabled = no; write enabled = yes")

    def places(section: str, port: int, given: Iterable[socket.socket], *schemes: str) -> Iterator[Listener]:
        for each in given:
            shown = _shown(each, schemes)
            adopted = endpoints.AdoptedStreamServerEndpoint(reactor, each.detach(), each.family)
            yield Listener(adopted, section, "port", shown)
        if not given:
            own = endpoints.TCP4ServerEndpoint(reactor, port, settings.limits.backlog, server.interface)
            yield Listener(own, section, "port", _urls(server.interface, "{port}", schemes))

    yield from places("server", server.port, plain, "http", "ws")
    if context is not None:
        for each in places("tls", tls.port, secure, "https", "wss"):
            yield each._replace(endpoint=OverTls(each.endpoint, context))
    for description in server.endpoints:
        yield Listener(endpoints.serverFromString(reactor, description), "server", "endpoints", _escaped(description))


def admin_listener(configuration: Configuration, reactor: Any) -> Listener:
    """Return the admin listener."""
    admin = configuration.settings.admin
    endpoint = endpoints.TCP4ServerEndpoint(reactor, admin.port, interface=admin.interface)
    return Listener(endpoint, "admin", "port", _urls(admin.interface, "{port}", ["http"]) + ", admin")


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


def _shown(passed: socket.socket, schemes: Sequence[str]) -> str:
    address = passed.getsockname()
    if not isinstance(address, tuple):
        return _escaped(f"{schemes[0]} on {str(address)!r}, from systemd")
    return _urls(address[0], address[1], schemes) + ", from systemd"


def _urls(address: str, port: object, schemes: Sequence[str]) -> str:
    host = _escaped(f"[{address}]" if ":" in address else address)
    return " and ".join(f"{scheme}://{host}:{port}/" for scheme in schemes)


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
