"""twistd's door: the options of `twistd wsdaemon`, its signals and its log."""

from __future__ import annotations

import signal
import sys
from types import TracebackType
from typing import Any

from twisted.application.service import IService
from twisted.logger import ILogObserver
from twisted.python.logfile import LogFile
from twisted.python.usage import Options as UsageOptions

from wsdaemon.config import Configuration
from wsdaemon.errors import StartupError
from wsdaemon.loading import load
from wsdaemon.observe.log import make_observer
from wsdaemon.routing.registry import find_all
from wsdaemon.service import DaemonService, make_service


class Options(UsageOptions):
    """Options of `twistd wsdaemon`; -p, -d and -v are those of Jetty's TestServer and win over the file."""

    synopsis = "[--config FILE] [--port N] [--docroot DIR] [--verbose]"
    optParameters = [  # noqa: RUF012  # Twisted's name and type
        ["config", "c", None, "An INI file; see conf/ws.ini for every option."],
        ["port", "p", None, "The port for http and ws."],
        ["docroot", "d", None, "The folder of static files."],
    ]
    optFlags = [["verbose", "v", "Log every frame, message and close."]]  # noqa: RUF012

    configuration: Configuration

    def postOptions(self) -> None:
        """Read and check the configuration; exits with all its problems, a line for each."""
        try:
            self.configuration = self.load()
            self.configuration.require()
        except StartupError as error:
            raise SystemExit(str(error)) from None

    def load(self) -> Configuration:
        """Return the configuration, read anew."""
        from twisted.internet import reactor

        return load(self["config"], reactor, port=self["port"], docroot=self["docroot"])

    def make_observer(self) -> ILogObserver | None:
        """Return the log observer of our settings, writing where twistd logs; None if twistd has one of its own."""
        twistd: UsageOptions | None = self.parent
        if twistd is None or twistd.get("logger") or twistd.get("syslog"):
            return None
        log = self.configuration.settings.log
        name = twistd.get("logfile") or ("-" if twistd.get("nodaemon") else "twistd.log")
        try:
            stream = sys.stdout if name == "-" else LogFile.fromFullPath(name)
        except OSError as error:
            raise SystemExit(f"--logfile: cannot write {name}: {(error.strerror or 'error').lower()}") from None
        return make_observer("debug" if self["verbose"] else log.level, log.format, stream)


def makeService(options: Options) -> IService:  # twistd's name
    """Return the daemon, not yet started."""
    from twisted.internet import reactor

    sys.excepthook = _plain_startup_errors
    verbose = bool(options["verbose"]) or options.configuration.settings.log.level == "debug"
    try:
        observer = options.make_observer()
        service = make_service(
            options.configuration, find_all(), reactor, verbose=verbose, read=options.load, observer=observer
        )
    except StartupError as error:
        raise SystemExit(str(error)) from None
    reactor.callWhenRunning(_stop_on_signals, reactor, service)
    return service


def _stop_on_signals(reactor: Any, service: DaemonService) -> None:
    """Stop on SIGTERM and Ctrl-C, with exit code 0, while twistd would die of the signal; reload on SIGHUP.

    A second signal stops without waiting for the peers.
    """

    def stop(*_: object) -> None:
        reactor.callFromThread(service.hurry if service.stopping else reactor.stop)

    def reload(*_: object) -> None:
        reactor.callFromThread(service.reload)

    signal.signal(signal.SIGHUP, reload)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def _plain_startup_errors(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> Any:
    """Print a `StartupError`, which twistd does not catch, without a traceback."""
    if issubclass(kind, StartupError):
        # To the log, where twistd has redirected sys.stderr, and to the terminal.
        for stream in (sys.stderr, sys.__stderr__):
            print(error, file=stream)
    else:
        sys.__excepthook__(kind, error, trace)
