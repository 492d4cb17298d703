"""The daemon's service: its life cycle, and the one place where the parts are put together."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Generator, Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, gatherResults, inlineCallbacks
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.internet.task import LoopingCall
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized
from twisted.python.failure import Failure

from wsdaemon import systemd
from wsdaemon.admin.snapshot import Watched
from wsdaemon.config import Configuration
from wsdaemon.errors import StartupError
from wsdaemon.listening import (
    CurrentContext,
    Listener,
    admin_listener,
    auto_file,
    explain,
    listeners,
    tls_options,
)
from wsdaemon.loading import needing_a_restart
from wsdaemon.observe.lag import LoopLag
from wsdaemon.observe.tally import Tally
from wsdaemon.routing.registry import Registry
from wsdaemon.settings import PAGES_POLICY, Settings
from wsdaemon.site.accepting import guard_listening
from wsdaemon.site.behaviours import behaviour_pages
from wsdaemon.site.channel import Choose
from wsdaemon.site.files import Docroot
from wsdaemon.site.site import Site
from wsdaemon.tls import fingerprint
from wsdaemon.websocket.allocator import keep_blocks
from wsdaemon.websocket.codes import CloseCode
from wsdaemon.websocket.connection import Connection
from wsdaemon.websocket.eager import make_eager
from wsdaemon.websocket.hub import Hub
from wsdaemon.websocket.readers import Readers, can_read_together


class DaemonService(MultiService):
    """The daemon: listens on all its places or on none, reloads, and shuts down within a deadline."""

    log = Logger(namespace="wsdaemon")

    def __init__(
        self,
        configuration: Configuration,
        listeners: Iterable[Listener],
        site: Site,
        hub: Hub,
        reactor: Any,
        *,
        context: CurrentContext | None = None,
        found: Iterable[type[Connection]] = (),
        read: Callable[[], Configuration] | None = None,
        observer: ILogObserver | None = None,
    ) -> None:
        super().__init__()
        self._configuration = configuration
        self._listeners = tuple(listeners)
        self._site = site
        self._hub = hub
        self._context = context
        self._found = tuple(found)
        self._reactor = reactor
        self._read = read
        self._observer = observer
        self._readers = Readers(reactor) if can_read_together(reactor) else None
        self.admin: tuple[Listener, Site] | None = None
        """The admin listener and its site."""
        self.lag = LoopLag(hub.clock, configuration.settings.log.lag_threshold)
        self._watchdog = LoopingCall(systemd.notify, "WATCHDOG=1")
        self.ports: list[IListeningPort] = []
        self.is_ready = self.stopping = False

    def setServiceParent(self, parent: Any) -> None:
        """Set our log observer on twistd's application."""
        super().setServiceParent(parent)
        if self._observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._observer)

    def privilegedStartService(self) -> None:
        """Listen, while the process may still be root; raises `StartupError` if it cannot."""
        for listener, site in (*((each, self._site) for each in self._listeners), *filter(None, (self.admin,))):
            listening: Deferred[IListeningPort] = listener.endpoint.listen(site)
            failures: list[Failure] = []
            listening.addCallbacks(self._listens, failures.append, callbackArgs=(listener,))
            if failures:
                self._stop_listening()
                raise StartupError(explain(self._configuration, listener, failures[0].value))
        super().privilegedStartService()

    def startService(self) -> None:
        """Start serving."""
        super().startService()
        self.lag.start()
        keep_blocks()
        # What exists now stays; to traverse it in every full collection would block the loop for 30 to 60 ms.
        gc.collect()
        gc.freeze()
        # The signal handlers are installed once the reactor runs.
        self._reactor.callWhenRunning(self._tell_ready)

    def _tell_ready(self) -> None:
        self.lag.watch()
        self.is_ready = True
        self.log.info("ready", event="ready")
        systemd.notify("READY=1", "STATUS=serving")
        interval = systemd.watchdog_interval()
        if interval:
            self._watchdog.clock = self._reactor
            self._watchdog.start(interval)

    @inlineCallbacks
    def stopService(self) -> Generator[Deferred[Any], Any, None]:
        """Stop accepting, close every WebSocket with 1001 and finish HTTP responses.

        Fires when no connection is left, at the latest after `shutdown_timeout`.
        """
        self.stopping, self.is_ready = True, False
        systemd.notify("STOPPING=1", "STATUS=closing connections")
        yield super().stopService()
        self._stop_listening()
        patience: IDelayedCall = self._reactor.callLater(
            self._configuration.settings.server.shutdown_timeout * 0.9, self.hurry
        )
        yield gatherResults([self._site.drain(), self._hub.drain(CloseCode.GOING_AWAY, "the server is shutting down")])
        yield self._hub.drain(CloseCode.GOING_AWAY, self._hub.farewell)  # the connections whose upgrade was under way
        if patience.active():
            patience.cancel()
        if self._watchdog.running:
            self._watchdog.stop()
        self.lag.stop()
        if self.admin is not None:
            self.admin[1].hub.abort()
            self.admin[1].abort()
        if self._hub.tally.counts:
            self.log.info("refused and cut: {summary}", summary=self._hub.tally.summary(), event="summary")

    def hurry(self) -> None:
        """While stopping, abort what is left instead of waiting for it."""
        self._hub.abort()
        self._site.abort()

    def reload(self) -> None:
        """Read the configuration and certificates again and use them for new connections.

        If there is any problem with them, nothing changes.
        """
        if self._read is None or self.stopping:
            return
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        systemd.notify("RELOADING=1", f"MONOTONIC_USEC={now}")
        try:
            self._apply(self._read())
            self.log.info("reloaded {file}", file=self._configuration.file, event="reloaded")
        except StartupError as error:
            for line in str(error).splitlines():
                self.log.error("not reloaded: {problem}", problem=line, event="not-reloaded")
        except Exception:  # nothing in a file may stop the daemon
            self.log.failure("not reloaded", event="not-reloaded")
        systemd.notify("READY=1", "STATUS=serving")

    def _apply(self, configuration: Configuration) -> None:
        settings = configuration.require()
        context = self._context if settings.tls.enabled else None
        options = context and tls_options(configuration)
        docroot, choose = _parts(self._found, settings, self._hub)
        # Nothing below can fail.
        for place, name in needing_a_restart(self._configuration, configuration):
            self.log.warn("{place}: {name} needs a restart", place=place, name=name, event="needs-restart")
        if context and options:
            before, after = fingerprint(context.options), fingerprint(options)
            context.options = options
            if after != before:
                message = "new certificate, SHA-256 fingerprint {fingerprint}"
                self.log.info(message, fingerprint=after, event="certificate")
        self._hub.use_limits(settings.limits)
        self._hub.tally.log_every = settings.log.repeat_after
        self.lag.threshold = settings.log.lag_threshold
        self._site.use(docroot, choose, settings)
        self._configuration = configuration

    def _listens(self, port: IListeningPort, listener: Listener) -> None:
        self.ports.append(port)
        guard_listening(port, self._reactor, self._hub.tally)
        if self.admin is None or listener is not self.admin[0]:
            make_eager(port, self._readers)
        where = listener.shown.format(port=getattr(port.getHost(), "port", 0))
        self.log.info("listening on {where}", where=where, event="listening")

    def _stop_listening(self) -> None:
        for port in self.ports:
            port.stopListening()
        self.ports.clear()


def make_service(
    configuration: Configuration,
    found: Iterable[type[Connection]],
    reactor: Any,
    *,
    verbose: bool = False,
    read: Callable[[], Configuration] | None = None,
    observer: ILogObserver | None = None,
) -> DaemonService:
    """Put the daemon together; raises `StartupError` if a part cannot be made or the configuration has problems.

    `read` reads the configuration again, for a reload; without it there is none. `observer` is twistd's log observer.
    """
    settings = configuration.require()
    found = tuple(found)
    hub = Hub(reactor, settings.limits, Tally(reactor, settings.log.repeat_after), verbose=verbose)
    docroot, choose = _parts(found, settings, hub)
    site = Site(docroot, choose, settings, reactor, hub)
    context = CurrentContext(tls_options(configuration)) if settings.tls.enabled else None
    if context is not None and settings.tls.certificate == "auto":
        message = "self-signed certificate in {file}, SHA-256 fingerprint {fingerprint}"
        shown = fingerprint(context.options)
        DaemonService.log.info(message, file=str(auto_file(configuration)), fingerprint=shown, event="certificate")
    places = list(listeners(configuration, reactor, context, systemd.inherited_sockets()))
    service = DaemonService(
        configuration, places, site, hub, reactor, context=context, found=found, read=read, observer=observer
    )
    if settings.admin.enabled:
        from wsdaemon.admin.listener import make_admin_site  # Prometheus' library takes 30 ms to import

        admin = make_admin_site(
            Watched(hub, site, service.lag), settings.admin, reactor, lambda: service.is_ready, pages_folder()
        )
        service.admin = (admin_listener(configuration, reactor), admin)
    return service


def pages_folder() -> Path:
    """Return the folder of the pages that come with wsdaemon: in the package if installed, else in the checkout."""
    installed = Path(str(files("wsdaemon") / "static"))
    return installed if installed.is_dir() else Path(__file__).resolve().parent.parent / "static"


def _parts(found: Iterable[type[Connection]], settings: Settings, hub: Hub) -> tuple[Docroot, Choose]:
    """Return the resource for files, and the choice of connections."""
    own_pages = settings.server.docroot in (None, pages_folder())
    registry = Registry(found, settings, hub)
    docroot = Docroot(
        settings.server.docroot or pages_folder(),
        settings.limits,
        listing=settings.server.listing,
        policy=settings.server.content_security_policy or (PAGES_POLICY if own_pages else ""),
        pages=behaviour_pages(registry.catalogue.document(), has_lab=own_pages),
    )
    return docroot, registry.choose
