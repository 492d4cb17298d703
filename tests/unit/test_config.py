"""INI file: defaults, precedence, and one report of all errors, each with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import MemoryReactor

from wsdaemon.config import MAX_BYTES, ConfigError, Configuration, Problem, defaults, parse, read_file
from wsdaemon.listening import endpoint_problems
from wsdaemon.options import Number, Size, option
from wsdaemon.routing.registry import find_all, settings_classes
from wsdaemon.settings import ServerSettings, Settings, TlsSettings, WebSocketSettings

KNOWN = settings_classes(find_all())
ROOT = Path(__file__).resolve().parent.parent.parent
BASE = Path("/etc/wsdaemon")


@dataclass(frozen=True, kw_only=True)
class OwnSettings(WebSocketSettings):
    """A subprotocol with an option of its own and two defaults of its own, one the same as the general one."""

    message_limit: int = option(Size(0, 1 << 32), 1 << 20, "Own.")
    compression_level: int = option(Number(1, 9), WebSocketSettings().compression_level, "Own, and the same.")
    size: int = option(Number(1, 9), 3, "Own.")


def read(text: str, known: Mapping[str, type[WebSocketSettings]] = KNOWN) -> Configuration:
    return parse(text, known, file="ws.ini", base=BASE)


def report(configuration: Configuration) -> list[str]:
    """Return the lines that the operator sees."""
    try:
        configuration.require()
    except ConfigError as error:
        return str(error).split("\n")
    return []


# -- what may be left out, and what wins --------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "[server]\n[tls]\n[websocket]\n[log]\n[subprotocol:echo]"])
def test_every_option_may_be_left_out(text: str) -> None:
    assert read(text).require() == defaults(KNOWN).require()


def test_the_defaults_are_those_of_the_settings() -> None:
    each = {name: settings() for name, settings in KNOWN.items()}
    assert defaults(KNOWN).require() == Settings(subprotocols=each)
    assert (ServerSettings().port, ServerSettings().interface, TlsSettings().port) == (8080, "127.0.0.1", 8443)
    assert (ServerSettings().default_subprotocol, ServerSettings().unknown_subprotocol) == ("log", "refuse")


def test_options_are_read_from_each_section() -> None:
    text = (
        "[server]\nport = 81 \nlisting: off\nendpoints =\n    tcp:1\n    tcp:2\n[websocket]\nping_interval=.5\n"
        "message_limit = 1m\n[log]\nformat = json\n[tls]\nenabled = no\nclient_ca = ca.pem\n"
    )
    settings = read(text).require()
    assert (settings.server.port, settings.server.listing, settings.server.endpoints) == (81, False, ("tcp:1", "tcp:2"))
    assert (settings.websocket.ping_interval, settings.websocket.message_limit) == (0.5, 1 << 20)
    assert (settings.log.format, settings.log.level) == ("json", "info")
    assert (settings.tls.enabled, settings.tls.client_ca) == (False, BASE / "ca.pem")


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/ws.ini").write_text("[server]\ndocroot = ../pages\n[tls]\nenabled=no\ncertificate = c.pem\n")
    monkeypatch.chdir(tmp_path)
    settings = read_file(Path("conf/ws.ini"), KNOWN).require()
    assert settings.server.docroot == tmp_path / "pages"
    assert settings.tls.certificate == tmp_path / "conf/c.pem"


@pytest.mark.parametrize(
    ("text", "limit", "level", "interval"),
    [
        ("", 1 << 20, 1, 30.0),
        ("[websocket]\nmessage_limit=2k\ncompression_level=6\nping_interval=9", 1 << 20, 1, 9.0),
        ("[subprotocol:own]\nmessage_limit=3k\ncompression_level=2\nping_interval=8", 3 << 10, 2, 8.0),
        (
            "[subprotocol:own]\nmessage_limit=3k\nping_interval=8\n[websocket]\nmessage_limit=2k\nping_interval=9",
            3 << 10, 1, 8.0,
        ),
    ],
)  # fmt: skip
def test_a_subprotocols_section_wins_over_its_own_default_over_websocket_over_the_default(
    text: str, limit: int, level: int, interval: float
) -> None:
    settings = read(text, {"own": OwnSettings, "log": WebSocketSettings}).require().subprotocols["own"]
    assert isinstance(settings, OwnSettings)
    assert (settings.message_limit, settings.compression_level, settings.ping_interval) == (limit, level, interval)
    assert settings.size == 3


def test_a_withdrawn_option_may_keep_its_value() -> None:
    """conf/ws.ini had `message_limit = 0` for the subprotocols that stream; a copy of it still starts the daemon."""
    settings = read("[subprotocol:echo]\nmessage_limit = 0\n[websocket]\nmessage_limit = 1k\n").require()
    assert settings.subprotocols["echo"].message_limit == 0


def test_a_subprotocols_section_says_nothing_about_the_others() -> None:
    settings = read("[websocket]\nmessage_limit=1k\n[subprotocol:echo-assemble]\nmessage_limit=2k").require()
    limits = {name: each.message_limit for name, each in settings.subprotocols.items()}
    assert limits["echo-assemble"] == 2048
    assert limits["echo-fragment"] == limits["echo-broadcast"] == settings.websocket.message_limit == 1024
    assert limits["echo"] == limits["log"] == 0


def test_the_command_line_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    configuration = read("[server]\nport=81\ndocroot=pages\nlisting=no")
    changed = configuration.overridden(port="82", docroot="here")
    assert (changed.require().server.port, changed.settings.server.docroot) == (82, tmp_path / "here")
    assert changed.settings.server.listing is False
    assert configuration.settings.server.port == 81


def test_an_overridden_value_of_the_file_is_no_error() -> None:
    text = "[server]\nport=x\ndocroot=\ninterface=\n[tls]\nport=y"
    lines = report(read(text).overridden(port="82", docroot="/"))
    assert [line.partition(": ")[0] for line in lines] == ["ws.ini:4", "ws.ini:6"]
    again = read("[server]\nport=8443\n[tls]\nenabled=yes\ncertificate=auto").overridden(port="82")
    assert report(again.check_machine()) == []


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("port", "x", "--port: 'x' is not a whole number; write a whole number from 0 to 65535"),
        ("port", "65536", "--port: 65536 is out of range; write a whole number from 0 to 65535"),
        ("docroot", "", "--docroot: is not a path; write the path of a folder"),
        ("docroot", "/no/such", "--docroot: there is no /no/such"),
    ],
)
def test_a_bad_value_of_the_command_line_is_named_by_its_option(name: str, text: str, line: str) -> None:
    configuration = read("[server]\nport=1").overridden(**{name: text})
    assert report(configuration.check_machine()) == [line]


def test_an_option_is_found_where_it_was_given() -> None:
    configuration = read("[server]\n\nport=1\n").overridden(docroot="/")
    assert configuration.place("server", "port") == "ws.ini:3"
    assert configuration.place("server", "listing") == "ws.ini:1"
    assert configuration.place("server", "docroot") == "--docroot"
    assert configuration.place("tls", "port") == "ws.ini"
    assert defaults(KNOWN).place("server", "port") == "the built-in defaults"


# -- files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"[server]\nport = 81\n# \xff\n", "{path}:3: contains bytes that are not UTF-8; save it as UTF-8"),
        ("[server]\n".encode("utf-16"), "{path}:1: contains bytes that are not UTF-8; save it as UTF-8"),
        (b"#" * (MAX_BYTES + 1), f"{{path}}: is larger than {MAX_BYTES} bytes, so it is not an INI file"),
        # Cut in the middle of a character, it is still too large and not badly encoded.
        (b"#" * MAX_BYTES + "é".encode(), f"{{path}}: is larger than {MAX_BYTES} bytes, so it is not an INI file"),
    ],
)
def test_a_file_that_is_no_text(tmp_path: Path, data: bytes, line: str) -> None:
    path = tmp_path / "ws.ini"
    path.write_bytes(data)
    assert report(read_file(path, KNOWN)) == [line.format(path=path)]


def test_a_file_that_is_not_there_or_is_none(tmp_path: Path) -> None:
    missing = tmp_path / "missing.ini"
    assert report(read_file(missing, KNOWN)) == [f"{missing}: cannot be read: no such file or directory"]
    assert report(read_file(tmp_path, KNOWN)) == [f"{tmp_path}: cannot be read: is a directory"]


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    path = tmp_path / "ws.ini"
    assert report(read_file(path, KNOWN)) == [f"{path}: cannot be read: permission denied"]


def test_a_file_without_end_is_not_read_to_its_end() -> None:
    assert report(read_file(Path("/dev/zero"), KNOWN)) == [
        f"/dev/zero: is larger than {MAX_BYTES} bytes, so it is not an INI file"
    ]


def test_a_large_file_of_garbage_is_soon_given_up(tmp_path: Path) -> None:
    path = tmp_path / "ws.ini"
    path.write_text("garbage\n" * 10_000)
    lines = report(read_file(path, KNOWN))
    assert len(lines) == 101
    assert lines[0] == f"{path}: has 100 wrong lines or more; is it an INI file?"


@pytest.mark.parametrize("text", ["\ufeff[server]\nport=81\n", "[server]\r\nport=81\r\n", "[server]\rport=81"])
def test_a_byte_order_mark_and_other_systems_line_ends_do_no_harm(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ws.ini"
    path.write_bytes(text.encode())
    assert read_file(path, KNOWN).require().server.port == 81


# -- any text -----------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(("port", "docroot", "endpoints", "certificate", "enabled", "message_limit", "x", ""))
INI_LINES = st.one_of(
    st.sampled_from(("[server]", "[tls]", "[websocket]", "[subprotocol:echo]", "[", "[]", "[x", "  y", "[tls] # z")),
    st.builds("{}={}".format, NAMES, st.text() | st.sampled_from(("yes", "1", "auto", "~no-such-user", "8443"))),
    st.text(),
)


@given(st.text() | st.lists(INI_LINES).map("\n".join))
def test_any_text_gives_settings_or_a_report_of_whole_lines(text: str) -> None:
    configuration = read(text)
    lines = report(configuration)
    assert len(lines) == len(configuration.problems)
    assert len("\n".join(lines).splitlines()) == len(lines)
    assert all(line.startswith("ws.ini") for line in lines)
    assert isinstance(configuration.settings, Settings)


def test_endpoints_that_mean_nothing_are_each_reported() -> None:
    configuration = read("[server]\nport=1\nendpoints =\n  tcp:80\n  nonsense:1\n  tcp:x\n")
    reactor = MemoryReactor()
    problems = list(endpoint_problems(configuration, reactor))
    assert [(each.place, each.section, each.option) for each in problems] == [("ws.ini:3", "server", "endpoints")] * 2
    assert [each.message.partition(": ")[0] for each in problems] == [
        "'nonsense:1' is not a Twisted endpoint", "'tcp:x' is not a Twisted endpoint",
    ]  # fmt: skip
    assert not reactor.tcpServers


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Problem("ws.ini:3", "server", "port", "is wrong"), "ws.ini:3: [server] port: is wrong"),
        (Problem("ws.ini:3", "server", "", "is wrong"), "ws.ini:3: [server] is wrong"),
        (Problem("--port", "", "", "is wrong"), "--port: is wrong"),
    ],
)
def test_a_problem_is_shown_on_one_line(problem: Problem, line: str) -> None:
    assert str(problem) == line
