"""INI text -> frozen Settings, or every error at once, each with file, line, section, option, value and remedy.

Nothing here starts anything; `check_machine` only looks whether the files and folders that are named can be read.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from iniconfig import IniConfig, ParseError

from wsdaemon.options import Kind, options_of
from wsdaemon.settings import SECTIONS, ServerSettings, Settings, TlsSettings, WebSocketSettings
from wsdaemon.tls import load_problems

SUBPROTOCOL = "subprotocol:"
MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the configuration; `str` is the line to show."""

    place: str  # "conf/ws.ini:12", or "--port"
    section: str
    option: str
    message: str

    def __str__(self) -> str:
        where = f"[{self.section}] " if self.section else ""
        return f"{self.place}: {where}{self.option + ': ' if self.option else ''}{self.message}"


class ConfigError(Exception):
    """The configuration has problems; `problems` holds them all, `str` is the report, a line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Settings, where each was given, and what was wrong with those that could not be used."""

    settings: Settings
    places: Mapping[tuple[str, str], str] = field(default_factory=lambda: MappingProxyType({}))
    problems: tuple[Problem, ...] = ()
    file: str = "the built-in defaults"

    def place(self, section: str, name: str) -> str:
        """Return where an option was given, or the file as a whole where it was not."""
        return self.places.get((section, name)) or self.places.get((section, "")) or self.file

    def overridden(self, **server: tuple[str, str]) -> Configuration:
        """Return the configuration with options of [server] replaced: each a value as text and where it was given.

        Paths are relative to the current folder. A problem that the file had with the option no longer counts.
        """
        values, places = {}, dict(self.places)
        problems = [each for each in self.problems if not (each.section == "server" and each.option in server)]
        for name, (text, place) in server.items():
            places["server", name] = place
            try:
                values[name] = options_of(ServerSettings)[name].metadata["kind"].parse(text, Path.cwd())
            except ValueError as error:
                problems.append(Problem(place, "", "", str(error)))
        settings = replace(self.settings, server=replace(self.settings.server, **values))
        return replace(self, settings=settings, places=places, problems=tuple(problems))

    def check_machine(self, more: Iterable[Problem] = ()) -> Configuration:
        """Return the configuration with what this machine lacks added to its problems: files, folders, TLS, `more`."""
        found = [*_missing_files(self), *more]
        if self.settings.tls.enabled and not any(each.section == "tls" for each in (*self.problems, *found)):
            for name, message in load_problems(self.settings.tls):
                found.append(Problem(self.place("tls", name), "tls", name, message))
        return replace(self, problems=(*self.problems, *found))

    def require(self) -> Settings:
        """Return the settings; raises `ConfigError` where there is any problem."""
        if self.problems:
            raise ConfigError(sorted(self.problems, key=_line))
        return self.settings


def read_file(path: Path, subprotocols: Mapping[str, type[WebSocketSettings]]) -> Configuration:
    """Read an INI file. A file that can't be read is a problem of the result, not an exception."""
    try:
        data = path.read_bytes()[: MAX_BYTES + 1]
        text = data.decode("utf-8-sig")
    except OSError as error:
        return _failed(path, f"cannot be read: {(error.strerror or 'error').lower()}", subprotocols)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return _failed(f"{path}:{line}", "holds bytes that are not UTF-8; save it as UTF-8", subprotocols)
    if len(data) > MAX_BYTES:
        return _failed(path, f"is larger than {MAX_BYTES} bytes, so it is not an INI file", subprotocols)
    return parse(text, subprotocols, file=str(path), base=path.resolve().parent)


def parse(text: str, subprotocols: Mapping[str, type[WebSocketSettings]], *, file: str, base: Path) -> Configuration:
    """Parse INI text.

    `subprotocols` maps each known subprotocol's short name to the class of its settings; `base` is the folder that
    relative paths start from. For a subprotocol, what [subprotocol:NAME] says comes first, then what its class sets,
    then [websocket], then the default.
    """
    problems: list[Problem] = []
    ini = _tolerant_ini(text, file, problems)
    values: dict[str, dict[str, Any]] = {}
    places: dict[tuple[str, str], str] = {}
    for section, given in ini.sections.items():
        places[section, ""] = f"{file}:{ini.lineof(section)}"
        known = _known_section(section, subprotocols)
        if known is None:
            names = [*SECTIONS, *(SUBPROTOCOL + name for name in subprotocols)]
            problems.append(Problem(places[section, ""], section, "", f"unknown section{_nearest(section, names)}"))
            continue
        values[section] = {}
        for name, value in given.items():
            places[section, name] = place = f"{file}:{ini.lineof(section, name)}"
            option = options_of(known).get(name)
            if option is None:
                message = f"unknown option{_nearest(name, options_of(known))}"
                problems.append(Problem(place, section, name, message))
                continue
            kind: Kind = option.metadata["kind"]
            try:
                values[section][name] = kind.parse(value.strip(), base)
            except ValueError as error:
                problems.append(Problem(place, section, name, str(error)))
    settings = _assemble(values, subprotocols)
    given_values = {(section, name): value for section, them in values.items() for name, value in them.items()}
    configuration = Configuration(settings=settings, places=MappingProxyType(places), file=file)
    problems += _contradictions(configuration, subprotocols, given_values)
    return replace(configuration, problems=tuple(problems))


def defaults(subprotocols: Mapping[str, type[WebSocketSettings]]) -> Configuration:
    """Return the configuration that holds without a file."""
    return Configuration(settings=_assemble({}, subprotocols))


def _failed(place: object, message: str, subprotocols: Mapping[str, type[WebSocketSettings]]) -> Configuration:
    return replace(defaults(subprotocols), problems=(Problem(str(place), "", "", message),), file=str(place))


def _tolerant_ini(text: str, file: str, problems: list[Problem]) -> IniConfig:
    """Parse `text`, noting each line that is not INI as a problem and going on without it, so that all are found."""
    lines = text.splitlines()
    while True:
        try:
            return IniConfig(file, data="\n".join(lines), encoding="utf-8")
        except ParseError as error:
            problems.append(Problem(f"{file}:{error.lineno + 1}", "", "", _explain(error.msg)))
            lines[error.lineno] = ""


def _explain(message: str) -> str:
    remedies = {
        "no section header": "stands before any [section]; write a section's name in brackets above it",
        "unexpected line": "is neither [section], option = value, nor a comment that begins with #",
        "unexpected value continuation": "is indented, but continues no value; begin it at the line's start",
        "duplicate name": f"{message.partition('name ')[2]} is given twice in this section; keep one",
        "duplicate section": f"{message.partition('section ')[2]} stands twice; join the two",
    }
    return next((remedy for start, remedy in remedies.items() if message.startswith(start)), message)


def _known_section(name: str, subprotocols: Mapping[str, type[WebSocketSettings]]) -> type[Any] | None:
    if name.startswith(SUBPROTOCOL):
        return subprotocols.get(name.removeprefix(SUBPROTOCOL))
    return SECTIONS.get(name)


def _nearest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"


def _assemble(values: Mapping[str, Mapping[str, Any]], subprotocols: Mapping[str, type[WebSocketSettings]]) -> Settings:
    general = values.get("websocket", {})
    each = {}
    for name, settings in subprotocols.items():
        own_default = {
            key
            for key, option in options_of(settings).items()
            if key not in options_of(WebSocketSettings) or option.default != options_of(WebSocketSettings)[key].default
        }
        inherited = {key: value for key, value in general.items() if key not in own_default}
        each[name] = settings(**{**inherited, **values.get(SUBPROTOCOL + name, {})})
    sections = {name: section(**values.get(name, {})) for name, section in SECTIONS.items()}
    return Settings(**sections, subprotocols=MappingProxyType(each))


def _contradictions(
    configuration: Configuration,
    subprotocols: Mapping[str, type[WebSocketSettings]],
    given: Mapping[tuple[str, str], Any],
) -> Iterator[Problem]:
    """Find what is wrong between options that are each right in themselves."""
    settings, tls = configuration.settings, configuration.settings.tls

    def problem(section: str, name: str, message: str) -> Problem:
        return Problem(configuration.place(section, name), section, name, message)

    name = settings.server.default_subprotocol
    if name not in subprotocols:
        yield problem(
            "server", "default_subprotocol", f"no subprotocol is called {name!r}{_nearest(name, subprotocols)}"
        )
    if tls.enabled and tls.port == settings.server.port != 0:
        yield problem("tls", "port", f"{tls.port} is the port of [server] too; write another")
    for name, message in _half_configured(tls, ("tls", "enabled") in given):
        if ("tls", name) not in configuration.places or ("tls", name) in given:
            yield problem("tls", name, message)


def _half_configured(tls: TlsSettings, decided: bool) -> Iterator[tuple[str, str]]:
    files = {"certificate": tls.certificate, "private_key": tls.private_key, "client_ca": tls.client_ca}
    if not tls.enabled:
        given = next((name for name, value in files.items() if value is not None), None)
        if given and not decided:
            yield given, "is given, but nothing says whether TLS is on; write enabled = yes, or enabled = no"
        return
    if tls.certificate is None:
        yield "certificate", "is missing, but enabled = yes; write the path of a PEM file, or auto"
    elif tls.certificate == "auto":
        if tls.private_key is not None:
            yield "private_key", "goes with a certificate of your own; remove it, or write that certificate's path"
    elif tls.private_key is None:
        yield "private_key", "is missing, but certificate is given; write the path of its key in PEM"


def _missing_files(configuration: Configuration) -> Iterator[Problem]:
    settings = configuration.settings
    for section, values in (("server", settings.server), ("tls", settings.tls)):
        if section == "tls" and not settings.tls.enabled:
            continue
        for name, option in options_of(type(values)).items():
            message = option.metadata["kind"].check(getattr(values, name))
            if message:
                place = configuration.place(section, name)
                command_line = place.startswith("--")
                yield Problem(place, "" if command_line else section, "" if command_line else name, message)


def _line(problem: Problem) -> tuple[str, int]:
    file, _, line = problem.place.rpartition(":")
    return (file, int(line)) if line.isdigit() else (problem.place, 0)
