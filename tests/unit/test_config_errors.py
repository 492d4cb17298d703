"""INI file errors: each kind has its exact line in the report, and none hides another."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.test_config import read, report
from wsdaemon.settings import ServerSettings

PORT = "write a whole number from 0 to 65535"
NOT_INI = "is neither [section], option = value, nor a comment that begins with #"
ALONE = "is not in a section; write a section name in brackets above it"
INDENTED = "is indented but does not continue a value; remove the indentation"
SECTIONS = "known are server, tls, websocket, behaviours, limits, admin, log, subprotocol:"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("[sever]\n", ["1: [sever] unknown section; did you mean server?"]),
        ("[Server]\n", ["1: [Server] unknown section; did you mean server?"]),
        ("[ tls ]\nport=x", ["1: [ tls ] unknown section; did you mean tls?"]),
        ("[subprotocol:ecko]\n", ["1: [subprotocol:ecko] unknown section; did you mean subprotocol:echo?"]),
        ("[echo-broadcast]\n", ["1: [echo-broadcast] unknown section; did you mean subprotocol:echo-broadcast?"]),
        ("[server]\nprot = 1", ["2: [server] prot: unknown option; did you mean port?"]),
        ("[server]\nPort = 1", ["2: [server] Port: unknown option; did you mean port?"]),
        ("[log]\nzzz = 1", ["2: [log] zzz: unknown option; known are level, format, lag_threshold, repeat_after"]),
        ("[websocket]\nmessagelimit=1", ["2: [websocket] messagelimit: unknown option; did you mean message_limit?"]),
        ("[subprotocol:echo-assemble]\nlimit=1\n", [
            "2: [subprotocol:echo-assemble] limit: unknown option; did you mean message_limit?"]),
        ("[subprotocol:echo]\nmessage_limit=1k\n", [
            "2: [subprotocol:echo] message_limit: does not apply to this subprotocol; remove it"]),
        ("[subprotocol:log]\nmessage_limit=x\n[subprotocol:sink]\nmessage_limit=1", [
            "2: [subprotocol:log] message_limit: does not apply to this subprotocol; remove it",
            "4: [subprotocol:sink] message_limit: does not apply to this subprotocol; remove it"]),
        ("[server]\nport = http", [f"2: [server] port: 'http' is not a whole number; {PORT}"]),
        ("[server]\nport = 80 # plain", [f"2: [server] port: '80 # plain' is not a whole number; {PORT}"]),
        ("[server]\nport =", [f"2: [server] port: '' is not a whole number; {PORT}"]),
        ("[tls]\nport = 65536", [f"2: [tls] port: 65536 is out of range; {PORT}"]),
        ("[log]\nlevel = loud", [
            "2: [log] level: 'loud' is not one of them; write debug or info or warn or error or critical"]),
        ("[server]\nlisting = perhaps", ["2: [server] listing: 'perhaps' is neither; write yes or no"]),
        ("[server]\nport=1\n\nport=2", ["4: [server] port: is given twice in this section; keep one"]),
        ("[server]\nport=1\n[tls]\n[server]\nlisting=x", [
            "4: 'server' is given twice; merge the two sections",
            "5: [server] listing: 'x' is neither; write yes or no"]),
        ("[log]\ngarbage\nlevel=info", [f"2: {NOT_INI}"]),
        ("[log]\nlevel=info\ngarbage", [f"3: {NOT_INI}"]),
        ("[log]\n  level=info", [f"2: {INDENTED}"]),
        ("port=1\nlevel=2\n[log]\n", [f"1: {ALONE}", f"2: {ALONE}"]),
        ("[server\nport=x", [
            "1: is a section name without its closing ]",
            f"2: [server] port: 'x' is not a whole number; {PORT}"]),
        ("[]\nport=1", ["1: has no section name; write one between the brackets"]),
        ("[server]\n# \u2028 \f \x85 \x1c \v\n\nport=x", [f"4: [server] port: 'x' is not a whole number; {PORT}"]),
        ("[server]\ndefault_subprotocol=ecko", [
            "2: [server] default_subprotocol: 'ecko' is not a subprotocol; did you mean echo?"]),
        ("[server]\ndocroot = ~no-such-user/x", [
            "2: [server] docroot: '~no-such-user/x' cannot be resolved; write the path of a folder"]),
    ],
)  # fmt: skip
def test_an_error_is_reported_where_it_stands(text: str, lines: list[str]) -> None:
    assert report(read(text)) == [f"ws.ini:{line}" for line in lines]


def test_an_unknown_name_shows_all_known_ones_if_none_is_near() -> None:
    (line,) = report(read("[qqqqqq]\n"))
    assert line.startswith(f"ws.ini:1: [qqqqqq] unknown section; {SECTIONS}")
    assert "subprotocol:echo-broadcast-ping" in line


def test_all_errors_are_in_one_report_by_line() -> None:
    text = "x\n[tls]\nenabled = yes\n[server]\nport = y\n[sever]\nlisting = no\n[server]\nbad = 1\n[log]\n z\n"
    text += "level = info\nlevel = warn\nformat = z\n[server]\ndefault_subprotocol = q\n"
    numbers = [int(line.split(":")[1]) for line in report(read(text))]
    assert numbers == [1, 2, 5, 6, 8, 9, 11, 13, 14, 15, 16]


# -- TLS ----------------------------------------------------------------------------------------------------------

MISSING = "[tls] certificate: is missing, but TLS is enabled; write the path of a PEM file, or auto"
NO_KEY = "[tls] private_key: is missing; write the path of the certificate's key in PEM"
AUTO_KEY = "[tls] private_key: does not go with certificate = auto; remove it, or write the path of its certificate"
UNDECIDED = "is given, but enabled is not; write enabled = yes or enabled = no"


@pytest.mark.parametrize("client_ca", [False, True])
@pytest.mark.parametrize("key", [False, True])
@pytest.mark.parametrize("certificate", ["", "auto", "cert.pem"])
@pytest.mark.parametrize("enabled", ["", "yes", "no"])
def test_tls_half_configured(enabled: str, certificate: str, key: bool, client_ca: bool) -> None:
    """In every combination, what is missing is named; with `enabled = no`, nothing is checked."""
    lines = ["[tls]"]
    lines += [f"enabled = {enabled}"] * bool(enabled) + [f"certificate = {certificate}"] * bool(certificate)
    lines += ["private_key = key.pem"] * key + ["client_ca = ca.pem"] * client_ca
    expected: list[tuple[int, str]] = []
    if enabled == "yes":
        if not certificate:
            expected = [(1, MISSING)]
        elif certificate == "auto" and key:
            expected = [(4, AUTO_KEY)]
        elif certificate != "auto" and not key:
            expected = [(1, NO_KEY)]
    elif not enabled:
        first = next((n for n in ("certificate", "private_key", "client_ca") if any(n in line for line in lines)), None)
        if first:
            expected = [(2, f"[tls] {first}: {UNDECIDED}")]
    assert report(read("\n".join(lines))) == [f"ws.ini:{line}: {message}" for line, message in expected]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        # A value that is wrong in itself is reported as that alone.
        ("enabled = perhaps\ncertificate = c.pem", ["2: [tls] enabled: 'perhaps' is neither; write yes or no"]),
        ("enabled = yes\ncertificate =\n", [
            "3: [tls] certificate: is not a path; write the path of a PEM file, or auto"]),
        ("enabled = yes\ncertificate = c.pem\nprivate_key =\n", [
            "4: [tls] private_key: is not a path; write the path of a PEM file"]),
    ],
)  # fmt: skip
def test_a_wrong_value_is_not_taken_for_a_missing_one(text: str, lines: list[str]) -> None:
    assert report(read("[tls]\n" + text)) == [f"ws.ini:{line}" for line in lines]


@pytest.mark.parametrize(
    ("text", "option", "line"),
    [
        ("[server]\nport=99\n[tls]\nport=99", None, "ws.ini:4: [tls] port: 99 is also the port of [server]; {}"),
        ("[tls]\nport=8080", None, "ws.ini:2: [tls] port: 8080 is also the port of [server]; {}"),
        ("[server]\nport=8443\n[tls]", None, "ws.ini:3: [tls] port: 8443 is also the port of [server]; {}"),
        ("[tls]", "8443", "ws.ini:1: [tls] port: 8443 is also the port of --port; {}"),
        ("[server]\nport=99\n[tls]\nport=99", "98", ""),
        ("[server]\nport=0\n[tls]\nport=0", None, ""),
        ("[server]\nport=8443\n[tls]\nport=x", None, f"ws.ini:4: [tls] port: 'x' is not a whole number; {PORT}"),
        ("[tls]\nport=8080", "x", f"--port: 'x' is not a whole number; {PORT}"),
    ],
)  # fmt: skip
def test_two_listeners_cannot_have_one_port(text: str, option: str | None, line: str) -> None:
    configuration = read(text + "\nenabled=yes\ncertificate=auto\n")
    assert report(configuration.overridden(port=option).check_machine()) == [line.format("write another")] * bool(line)


def test_the_same_port_is_fine_while_tls_is_off() -> None:
    assert report(read("[server]\nport=99\n[tls]\nenabled=no\nport=99\n").check_machine()) == []


def test_missing_files_are_all_reported(tmp_path: Path) -> None:
    text = f"[server]\ndocroot={tmp_path}/d\n[tls]\nenabled=yes\ncertificate={tmp_path}\nprivate_key={tmp_path}/k\n"
    assert report(read(text + f"client_ca={tmp_path}/a").check_machine()) == [
        f"ws.ini:2: [server] docroot: there is no {tmp_path}/d",
        f"ws.ini:5: [tls] certificate: {tmp_path} is not a file; write the path of a PEM file, or auto",
        f"ws.ini:6: [tls] private_key: there is no {tmp_path}/k",
        f"ws.ini:7: [tls] client_ca: there is no {tmp_path}/a",
    ]


def test_the_files_of_a_tls_that_is_off_need_not_exist() -> None:
    text = "[tls]\nenabled=no\ncertificate=/no/c\nprivate_key=/no/k\nclient_ca=/no/a"
    assert report(read(text).check_machine()) == []


def test_no_docroot_is_no_error() -> None:
    assert ServerSettings().docroot is None
    assert report(read("").check_machine()) == []
