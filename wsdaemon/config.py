"""INI parser: text to frozen settings, or all problems at once, each with its file, line, option and remedy.

Only `check_machine` looks beyond the text: whether the files and folders can be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from iniconfig import IniConfig, ParseError

from wsdaemon.errors import StartupError
from wsdaemon.options import nearest, options_of
from wsdaemon.settings import SECTIONS, ServerSettings, Settings, TlsSettings, WebSocketSettings
from wsdaemon.tls import load_problems

SUBPROTOCOL = "subprotocol:"
MAX_BYTES = 1 << 20
MAX_BAD_LINES = 100

# Characters at which `str.splitlines` ends a line and an editor does not; without them our line numbers are the
# editor's. NUL is free for our own use: it marks a header that replaces a wrong one.
_HEADER = re.compile(r"\[(?:[0-9]+\0)?([^]#;]*)")
_NO_LINE_ENDS = dict.fromkeys(map(ord, "\0\v\f\x1c\x1d\x1e\x85\u2028\u2029"), " ")


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of the configuration; `str` is the line to show."""

    place: str  # "conf/ws.ini:12", or "--port"
    section: str
    option: str
    message: str

    def __str__(self) -> str:
        where = f"[{self.section}] " if self.section else ""
        return f"{self.place}: {where}{self.option + ': ' if self.option else ''}{self.message}"


class ConfigError(StartupError):
    """All problems of a configuration, in `problems`; `str` is the report, a line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Settings, the places where they were given, and the problems found."""

    settings: Settings
    places: Mapping[tuple[str, str], str] = field(default_factory=lambda: MappingProxyType({}))
    problems: tuple[Problem, ...] = ()
    file: str = "the built-in defaults"

    def place(self, section: str, name: str) -> str:
        """Return where an option was given, else where its section begins, else the file."""
        return self.places.get((section, name)) or self.places.get((section, "")) or self.file

    def problem(self, section: str, name: str, message: str) -> Problem:
        """Return a problem of an option. The place of one from the command line is its name, and names it enough."""
        place = self.place(section, name)
        return Problem(place, "", "", message) if place.startswith("--") else Problem(place, section, name, message)

    def overridden(self, **server: str | None) -> Configuration:
        """Return the configuration with options of [server] replaced by those of the command line, unless None.

        Paths are relative to the current folder. Problems that the file had with these options are dropped.
        """
        values, places = {}, dict(self.places)
        given = {name: text for name, text in server.items() if text is not None}
        problems = [each for each in self.problems if not (each.section == "server" and each.option in given)]
        for name, text in given.items():
            places["server", name] = f"--{name}"
            try:
                values[name] = options_of(ServerSettings)[name].metadata["kind"].parse(text, Path.cwd())
            except ValueError as error:
                problems.append(Problem(f"--{name}", "", "", str(error)))
        settings = replace(self.settings, server=replace(self.settings.server, **values))
        return replace(self, settings=settings, places=places, problems=tuple(problems))

    def check_machine(self, more: Iterable[Problem] = ()) -> Configuration:
        """Return the configuration with the problems that it has on this machine added: ports, files, TLS, `more`."""
        found = [*_same_port(self), *_missing_files(self), *more]
        if self.settings.tls.enabled:
            reported = {each.option for each in (*self.problems, *found) if each.section == "tls"}
            found += [
                self.problem("tls", name, message)
                for name, message in load_problems(self.settings.tls)
                if name not in reported
            ]
        return replace(self, problems=(*self.problems, *found))

    def require(self) -> Settings:
        """Return the settings; raises `ConfigError` if there is any problem."""
        if self.problems:
            raise ConfigError(sorted(self.problems, key=_line))
        return self.settings


def read_file(path: Path, subprotocols: Mapping[str, type[WebSocketSettings]]) -> Configuration:
    """Read an INI file. If it cannot be read, that is a problem of the result, not an exception."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            return _failed(path, f"is larger than {MAX_BYTES} bytes, so it is not an INI file", subprotocols)
        text = data.decode("utf-8-sig")
    except OSError as error:
        return _failed(path, f"cannot be read: {(error.strerror or 'error').lower()}", subprotocols)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return _failed(f"{path}:{line}", "contains bytes that are not UTF-8; save it as UTF-8", subprotocols)
    return parse(text, subprotocols, file=str(path), base=path.resolve().parent)


def parse(text: str, subprotocols: Mapping[str, type[WebSocketSettings]], *, file: str, base: Path) -> Configuration:
    """Parse INI text.

    `subprotocols` maps the short name of each known subprotocol to the class of its settings; `base` is the folder that
    paths are relative to. An option of a subprotocol is taken from [subprotocol:NAME], else from its class if that has
    another default than `WebSocketSettings`, else from [websocket], else it has the general default.
    """
    sections = {**SECTIONS, **{SUBPROTOCOL + name: settings for name, settings in subprotocols.items()}}
    problems: list[Problem] = []
    ini = _tolerant_ini(text, file, problems)
    values: dict[str, dict[str, Any]] = {}
    places: dict[tuple[str, str], str] = {}
    for header, given in ini.sections.items():
        section = header.rpartition("\0")[2]
        place = places.setdefault((section, ""), f"{file}:{ini.lineof(header)}")
        if section not in sections:
            if section:  # one without a name has been reported already
                problems.append(Problem(place, section, "", f"unknown section{nearest(section, sections)}"))
            continue
        for name, value in given.items():
            places[section, name] = place = f"{file}:{ini.lineof(header, name)}"
            try:
                values.setdefault(section, {})[name] = _value(sections[section], name, value, base)
            except ValueError as error:
                problems.append(Problem(place, section, name, str(error)))
    settings = _assemble(values, subprotocols)
    configuration = Configuration(settings=settings, places=MappingProxyType(places), file=file)
    problems += _contradictions(configuration, values.get("tls", {}))
    return replace(configuration, problems=tuple(problems))


def defaults(subprotocols: Mapping[str, type[WebSocketSettings]]) -> Configuration:
    """Return the configuration without a file."""
    return Configuration(settings=_assemble({}, subprotocols))


def _failed(place: object, message: str, subprotocols: Mapping[str, type[WebSocketSettings]]) -> Configuration:
    return replace(defaults(subprotocols), problems=(Problem(str(place), "", "", message),), file=str(place))


def _tolerant_ini(text: str, file: str, problems: list[Problem]) -> IniConfig:
    """Parse `text` without the lines that are not INI; each of them becomes a problem.

    A wrong header is replaced by one of our own, `NUMBER NUL NAME`, so that the options below it are still checked.
    """
    lines = text.translate(_NO_LINE_ENDS).splitlines()
    for _ in range(MAX_BAD_LINES):
        try:
            return IniConfig(file, data="\n".join(lines), encoding="utf-8")
        except ParseError as error:
            number, line = error.lineno, lines[error.lineno]
            twice = error.msg.startswith("duplicate name")
            section = next(filter(None, map(_HEADER.match, reversed(lines[:number]))))[1] if twice else ""
            option = re.split("[=:]", line)[0].strip() if twice else ""
            problems.append(Problem(f"{file}:{number + 1}", section, option, _explain(error.msg, line)))
            header = _HEADER.match(line)
            lines[number] = f"[{number}\0{header[1].strip()}]" if header else ""
    problems.append(Problem(file, "", "", f"has {MAX_BAD_LINES} wrong lines or more; is it an INI file?"))
    return IniConfig(file, data="")


def _explain(message: str, line: str) -> str:
    if line.startswith("[") and message.startswith("unexpected value"):
        return "is a section name without its closing ]"
    remedies = {
        "empty section": "has no section name; write one between the brackets",
        "no section header": "is not in a section; write a section name in brackets above it",
        "unexpected line": "is neither [section], option = value, nor a comment that begins with #",
        "unexpected value continuation": "is indented but does not continue a value; remove the indentation",
        "duplicate name": "is given twice in this section; keep one",
        "duplicate section": f"{message.partition('section ')[2]} is given twice; merge the two sections",
    }
    return next((remedy for start, remedy in remedies.items() if message.startswith(start)), message)


def _value(section: type[Any], name: str, text: str, base: Path) -> Any:
    """Return the value of an option; raises `ValueError` for one that is unknown or wrong."""
    known = options_of(section)
    if name in known:
        return known[name].metadata["kind"].parse(text.strip(), base)
    if issubclass(section, WebSocketSettings) and (withdrawn := options_of(WebSocketSettings).get(name)) is not None:
        if text.strip() == withdrawn.metadata["kind"].show(getattr(section, name)):
            return getattr(section, name)  # as conf/ws.ini said it before the option was withdrawn
        raise ValueError("does not apply to this subprotocol; remove it")
    raise ValueError(f"unknown option{nearest(name, known)}")


def _assemble(values: Mapping[str, Mapping[str, Any]], subprotocols: Mapping[str, type[WebSocketSettings]]) -> Settings:
    general = values.get("websocket", {})
    each = {}
    for name, settings in subprotocols.items():
        same = options_of(WebSocketSettings).items() & options_of(settings).items()
        inherited = {key: general[key] for key, _ in same if key in general}
        own = {key: value for key, value in values.get(SUBPROTOCOL + name, {}).items() if key in options_of(settings)}
        each[name] = settings(**{**inherited, **own})
    sections = {name: section(**values.get(name, {})) for name, section in SECTIONS.items()}
    return Settings(**sections, subprotocols=MappingProxyType(each))


def _contradictions(configuration: Configuration, given: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the problems between options that are valid by themselves; `given` has the valid ones of [tls]."""
    settings = configuration.settings
    default = settings.server.default_subprotocol
    if default not in settings.subprotocols:
        message = f"{default!r} is not a subprotocol{nearest(default, settings.subprotocols)}"
        yield configuration.problem("server", "default_subprotocol", message)
    for name, message in _half_configured(settings.tls, ("tls", "enabled") in configuration.places):
        if ("tls", name) not in configuration.places or name in given:
            yield configuration.problem("tls", name, message)


def _half_configured(tls: TlsSettings, decided: bool) -> Iterator[tuple[str, str]]:
    files = {"certificate": tls.certificate, "private_key": tls.private_key, "client_ca": tls.client_ca}
    if not tls.enabled:
        given = next((name for name, value in files.items() if value is not None), None)
        if given and not decided:
            yield given, "is given, but enabled is not; write enabled = yes or enabled = no"
        return
    if tls.certificate is None:
        yield "certificate", "is missing, but TLS is enabled; write the path of a PEM file, or auto"
    elif tls.certificate == "auto":
        if tls.private_key is not None:
            yield "private_key", "does not go with certificate = auto; remove it, or write the path of its certificate"
    elif tls.private_key is None:
        yield "private_key", "is missing; write the path of the certificate's key in PEM"


def _same_port(configuration: Configuration) -> Iterator[Problem]:
    server, tls = configuration.settings.server, configuration.settings.tls
    wrong = {each.place for each in configuration.problems}
    places = [configuration.places.get((section, "port")) for section in ("server", "tls")]
    if tls.enabled and tls.port == server.port != 0 and wrong.isdisjoint(filter(None, places)):
        other = places[0] if places[0] == "--port" else "[server]"
        message = f"{tls.port} is also the port of {other}; write another"
        yield configuration.problem("tls", "port", message)


def _missing_files(configuration: Configuration) -> Iterator[Problem]:
    for section in SECTIONS:
        values = getattr(configuration.settings, section)
        for name, option in options_of(type(values)).items():
            message = option.metadata["kind"].check(getattr(values, name))
            if message and getattr(values, "enabled", True):
                yield configuration.problem(section, name, message)


def _line(problem: Problem) -> tuple[str, int]:
    file, _, line = problem.place.rpartition(":")
    return (file, int(line)) if line.isdigit() else (problem.place, 0)
