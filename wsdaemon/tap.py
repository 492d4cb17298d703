"""twistd's door: the options of `twistd wsdaemon`, and the service. The only import of the global reactor."""

from __future__ import annotations

import signal
import sys
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from twisted.application.service import IService
from twisted.logger import ILogObserver
from twisted.python.logfile import LogFile
from twisted.python.usage import Options as UsageOptions

from wsdaemon.config import ConfigError, Configuration, defaults, read_file
from wsdaemon.listening import StartupError, endpoint_problems
from wsdaemon.observe.log import make_observer
from wsdaemon.routing.registry import SubprotocolError, find_all, settings_classes
from wsdaemon.service import DaemonService, make_service


class Options(UsageOptions):
    """What `twistd wsdaemon` takes; -p, -d and -v are those of Jetty's TestServer and win over the file."""

    synopsis = "[--config FILE] [--port N] [--docroot DIR] [--verbose]"
    optParameters = [  # noqa: RUF012  # Twisted's name and type
        ["config", "c", None, "An INI file; see conf/ws.ini for every option."],
        ["port", "p", None, "The port for http and ws."],
        ["docroot", "d", None, "The folder of static files."],
    ]
    optFlags = [["verbose", "v", "Log every frame, message and close."]]  # noqa: RUF012

    configuration: Configuration

    def postOptions(self) -> None:
        """Read and check everything, so that what is wrong shows as plain lines and nothing is started."""
        try:
            self.configuration = load(self["config"], port=self["port"], docroot=self["docroot"])
            self.configuration.require()
        except (ConfigError, SubprotocolError) as error:
            raise SystemExit(str(error)) from None

    def make_observer(self) -> ILogObserver | None:
        """Return the log observer of our settings, writing to where twistd says; None to leave it all to twistd."""
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


def load(config: str | None, *, port: str | None = None, docroot: str | None = None) -> Configuration:
    """Read the configuration and look at the machine; every problem is in the result."""
    from twisted.internet import reactor

    known = settings_classes(find_all())
    configuration = defaults(known) if config is None else read_file(Path(config), known)
    given = {"port": (port, "--port"), "docroot": (docroot, "--docroot")}
    overrides = {name: (text, place) for name, (text, place) in given.items() if text is not None}
    return configuration.overridden(**overrides).check_machine(endpoint_problems(configuration, reactor))


def makeService(options: Options) -> IService:  # twistd's name
    """Return the daemon, ready to be started."""
    from twisted.internet import reactor

    sys.excepthook = _plain_startup_errors
    verbose = bool(options["verbose"]) or options.configuration.settings.log.level == "debug"
    try:
        read = partial(load, options["config"], port=options["port"], docroot=options["docroot"])
        service = make_service(options.configuration, find_all(), reactor, verbose=verbose, read=read)
    except StartupError as error:
        raise SystemExit(str(error)) from None
    service.observer = options.make_observer()
    reactor.callWhenRunning(_stop_on_signals, reactor, service)
    return service


def _stop_on_signals(reactor: Any, service: DaemonService) -> None:
    """Have SIGTERM and Ctrl-C end the daemon with exit code 0, where twistd would end it by the signal; SIGHUP reloads.

    The second signal does not wait for the peers any more.
    """

    def stop(*_: object) -> None:
        reactor.callFromThread(service.hurry if service.stopping else reactor.stop)

    def reload(*_: object) -> None:
        reactor.callFromThread(service.reload)

    signal.signal(signal.SIGHUP, reload)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def _plain_startup_errors(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> Any:
    """Show a `StartupError`, which twistd lets through, as the one line that it is."""
    if issubclass(kind, StartupError):
        # Into the log, where twistd has sent sys.stderr, and to the terminal, where someone waits to see it start.
        for stream in (sys.stderr, sys.__stderr__):
            print(error, file=stream)
    else:
        sys.__excepthook__(kind, error, trace)
