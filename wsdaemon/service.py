"""Settings -> a service: the one place where the parts are put together."""

from __future__ import annotations

import errno
import gc
import os
import socket
from collections.abc import Callable, Generator, Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet import endpoints
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.ssl import CertificateOptions
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized
from twisted.python.failure import Failure

from wsdaemon.config import Configuration, Problem
from wsdaemon.observe.tally import Tally
from wsdaemon.site.accepting import guard_listening
from wsdaemon.site.behaviours import behaviour_pages
from wsdaemon.site.files import Docroot
from wsdaemon.site.site import Site
from wsdaemon.site.upgrade import Upgrade
from wsdaemon.subprotocols.registry import Registry
from wsdaemon.tls import AUTO_FILE, fingerprint, make_context
from wsdaemon.websocket.allocator import keep_blocks
from wsdaemon.websocket.codes import CloseCode
from wsdaemon.websocket.connection import Connection
from wsdaemon.websocket.eager import make_eager
from wsdaemon.websocket.hub import Hub
from wsdaemon.websocket.readers import Readers, can_read_together

PAGES_POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
"""The Content-Security-Policy of the pages that come with wsdaemon."""


class StartupError(Exception):
    """The daemon cannot start; the text is one line that names the option."""


class Listener:
    """A place to listen on: its endpoint, and the option that it comes from."""

    def __init__(self, endpoint: IStreamServerEndpoint, section: str, option: str, shown: str) -> None:
        self.endpoint = endpoint
        self.section = section
        self.option = option
        self.shown = shown


class DaemonService(MultiService):
    """The daemon. It listens on all its places or on none."""

    log = Logger(namespace="wsdaemon")

    def __init__(self, configuration: Configuration, listeners: Iterable[Listener], site: Site, hub: Hub) -> None:
        super().__init__()
        self._configuration = configuration
        self._listeners = tuple(listeners)
        self._site = site
        self._hub = hub
        reactor = getattr(site, "reactor", None)
        self._readers = Readers(reactor) if can_read_together(reactor) else None
        self.ports: list[IListeningPort] = []
        self.observer: ILogObserver | None = None
        self.stopping = False

    def setServiceParent(self, parent: Any) -> None:
        """Become part of twistd's application, which then logs by our observer."""
        super().setServiceParent(parent)
        if self.observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self.observer)

    def privilegedStartService(self) -> None:
        """Listen, while we may still be root; raises `StartupError` where one place cannot be had."""
        for listener in self._listeners:
            listening: Deferred[IListeningPort] = listener.endpoint.listen(self._site)
            failures: list[Failure] = []
            listening.addCallbacks(self._listens, failures.append, callbackArgs=(listener,))
            if failures:
                self._stop_listening()
                raise StartupError(self._explain(listener, failures[0].value))
        super().privilegedStartService()

    def startService(self) -> None:
        """Say that all is ready."""
        super().startService()
        keep_blocks()
        # What is there now stays: to look through it at every full collection would hold the loop for 30 to 60 ms.
        gc.collect()
        gc.freeze()
        self.log.info("ready", event="ready")

    @inlineCallbacks
    def stopService(self) -> Generator[Deferred[Any], Any, None]:
        """Stop accepting, send 1001 to every WebSocket; fires once all are gone, which their close timeout bounds."""
        self.stopping = True
        yield super().stopService()
        self._stop_listening()
        yield self._hub.drain(CloseCode.GOING_AWAY, "the server is shutting down")
        if self._hub.tally.counts:
            self.log.info("refused and cut: {summary}", summary=self._hub.tally.summary(), event="summary")

    def hurry(self) -> None:
        """While stopping, wait for no peer any more."""
        self._hub.abort()

    def _listens(self, port: IListeningPort, listener: Listener) -> None:
        self.ports.append(port)
        guard_listening(port, self._site.reactor, self._hub.tally)
        make_eager(port, self._readers)
        address = port.getHost()
        where = listener.shown.format(port=getattr(address, "port", 0))
        self.log.info("listening on {where}", where=where, event="listening")

    def _stop_listening(self) -> None:
        for port in self.ports:
            port.stopListening()
        self.ports.clear()

    def _explain(self, listener: Listener, error: BaseException | None) -> str:
        reason = error
        section, option = listener.section, listener.option
        if isinstance(error, CannotListenError):
            cause = error.socketError
            reason = OSError(getattr(cause, "strerror", None) or str(cause))
            if listener.option == "port" and _no_such_address(cause):
                section, option = "server", "interface"
        where = listener.shown.format(port=getattr(error, "port", "?"))
        place = self._configuration.place(section, option)
        if place.startswith("--"):
            section = option = ""
        return str(Problem(place, section, option, f"cannot listen on {where}: {str(reason).lower()}"))


def make_service(
    configuration: Configuration, found: Iterable[type[Connection]], reactor: Any, *, verbose: bool = False
) -> DaemonService:
    """Put the daemon together; raises `StartupError` where a part can't be made, `ConfigError` for bad settings."""
    settings = configuration.require()
    tally = Tally(reactor, settings.log.repeat_after)
    hub = Hub(reactor, settings.limits, tally, verbose=verbose)
    own_pages = settings.server.docroot in (None, pages_folder())
    registry = Registry(found, settings, hub)
    docroot = Docroot(
        settings.server.docroot or pages_folder(),
        settings.limits,
        listing=settings.server.listing,
        policy=settings.server.content_security_policy or (PAGES_POLICY if own_pages else ""),
        pages=behaviour_pages(registry.catalogue.document(), has_lab=own_pages),
    )
    site = Site(docroot, Upgrade(registry), settings, reactor, hub)
    return DaemonService(configuration, list(_listeners(configuration, reactor)), site, hub)


def endpoint_problems(configuration: Configuration, reactor: Any) -> Iterator[Problem]:
    """Find the descriptions in `endpoints` that mean nothing."""
    for description in configuration.settings.server.endpoints:
        message = _try(lambda: endpoints.serverFromString(reactor, description))  # noqa: B023  # called at once
        if message:
            place = configuration.place("server", "endpoints")
            yield Problem(place, "server", "endpoints", f"{description!r} is not a Twisted endpoint: {message}")


def pages_folder() -> Path:
    """Return the folder of the pages that come with wsdaemon: beside the code once installed, else in the checkout."""
    installed = Path(str(files("wsdaemon") / "static"))
    return installed if installed.is_dir() else Path(__file__).resolve().parent.parent / "static"


def _listeners(configuration: Configuration, reactor: Any) -> Iterator[Listener]:
    settings = configuration.settings
    interface = settings.server.interface
    host = (f"[{interface}]" if ":" in interface else interface).replace("{", "{{").replace("}", "}}")
    backlog = settings.limits.backlog
    plain = endpoints.TCP4ServerEndpoint(reactor, settings.server.port, backlog=backlog, interface=interface)
    yield Listener(plain, "server", "port", f"http://{host}:{{port}}/ and ws://{host}:{{port}}/")
    if settings.tls.enabled:
        context = _tls_context(configuration)
        secure = endpoints.SSL4ServerEndpoint(reactor, settings.tls.port, context, backlog=backlog, interface=interface)
        yield Listener(secure, "tls", "port", f"https://{host}:{{port}}/ and wss://{host}:{{port}}/")
    for description in settings.server.endpoints:
        shown = description.replace("{", "{{").replace("}", "}}")
        yield Listener(endpoints.serverFromString(reactor, description), "server", "endpoints", shown)


def _tls_context(configuration: Configuration) -> CertificateOptions:
    auto_file = _auto_file(configuration)
    made: list[CertificateOptions] = []
    message = _try(lambda: made.append(make_context(configuration.settings.tls, auto_file)))
    if message:
        place = configuration.place("tls", "certificate")
        raise StartupError(str(Problem(place, "tls", "certificate", message)))
    if configuration.settings.tls.certificate == "auto":
        DaemonService.log.info(
            "self-signed certificate in {file}, SHA-256 fingerprint {fingerprint}",
            file=str(auto_file), fingerprint=fingerprint(made[0]), event="certificate",
        )  # fmt: skip
    return made[0]


def _auto_file(configuration: Configuration) -> Path:
    """Return where `certificate = auto` keeps its certificate: the service's state folder, or beside the INI file."""
    state = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    folder = Path(state) if state else Path(configuration.file).resolve().parent
    return folder / AUTO_FILE


def _no_such_address(error: object) -> bool:
    return isinstance(error, socket.gaierror) or getattr(error, "errno", None) == errno.EADDRNOTAVAIL


def _try(action: Callable[[], object]) -> str | None:
    """Do something that reads files or text which people wrote; returns what is wrong with it, or None."""
    try:
        action()
    except Exception as error:  # plugins, OpenSSL and the system raise what they like
        return f"{error or type(error).__name__}"
    return None
