"""The options of `wsping`: Jetty's with their defaults, a URL in their place, and wrong usage."""

from __future__ import annotations

import pytest

from wsdaemon.client.cli import main_ping
from wsdaemon.client.flags import Number, flags_of
from wsdaemon.client.options import PING, ping_parser, plan_from
from wsdaemon.client.plan import PingPlan


def plan(*arguments: str) -> PingPlan:
    return plan_from(ping_parser("wsping").parse_args(list(arguments)))


def test_defaults() -> None:
    made = plan()
    assert (made.target.url, made.target.subprotocols) == ("ws://localhost:8080/", ("echo",))
    assert (made.count, made.size, made.fragment, made.clients, made.delay) == (10, 64, 4000, 1, 1.0)
    assert (made.is_binary, made.use_pings, made.reconnect) == (False, False, False)
    assert (made.target.timeout, made.wait) == (10.0, 10.0)


@pytest.mark.parametrize(
    ("arguments", "url", "offered"),
    [
        (["-h", "::1", "-p", "81"], "ws://[::1]:81/", ("echo",)),
        (["ws://h"], "ws://h", ("echo",)),
        (["ws://h/"], "ws://h/", ("echo",)),
        (["ws://h/a"], "ws://h/a", ()),
        (["ws://h/?a"], "ws://h/?a", ("echo",)),
        (["ws://h/a", "-P", "x"], "ws://h/a", ("x",)),
        (["ws://h/", "--subprotocol", "b", "--subprotocol", "a"], "ws://h/", ("b", "a")),
        (["-P", "x", "--subprotocol", "y"], "ws://localhost:8080/", ("x", "y")),
        (["-P", ""], "ws://localhost:8080/", ()),
        (["--ping"], "ws://localhost:8080/", ()),
    ],
)
def test_what_is_offered(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], url: str, offered: tuple[str, ...]
) -> None:
    monkeypatch.setattr("wsdaemon.client.options.proxy_from_environment", lambda target: None)
    made = plan(*arguments)
    assert (made.target.url, made.target.subprotocols) == (url, offered)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-c", "-1"], "argument -c/--count: '-1' is not a whole number of at least 0"),
        (["-c", "x"], "argument -c/--count: 'x' is not a whole number"),
        (["-s", "99999999999"], "argument -s/--size"),
        (["-p", "0"], "argument -p/--port: '0' is not a whole number from 1 to 65535"),
        (["-C", "0"], "argument -C/--clients"),
        (["-d", "-5"], "argument -d/--delay"),
        (["-d", "nan"], "argument -d/--delay"),
        (["--timeout", "0"], "argument --timeout"),
        (["ws://h/", "-p", "81"], "give a URL, or -h and -p, not both"),
        (["-h", "ws://h/"], "write the URL 'ws://h/' without -h"),
        (["nonsense"], "'nonsense' is not a WebSocket URL"),
        (["--header", "nonsense"], "argument --header: 'nonsense' is not a header; write NAME:VALUE"),
        (["--ping", "-s", "126"], "a ping holds at most 125 bytes"),
        (["--compress", "x", "--no-compress"], "not allowed with"),
        (["--compress=nonsense"], "are not parameters of permessage-deflate"),
        (["wss://h/", "--ca", "/nonexistent"], "/nonexistent: no such file or directory"),
        (["wss://h/", "--ca", "/dev/null"], "/dev/null holds no certificate in PEM"),
        (["wss://h/", "--cert", "/dev/null"], "/dev/null holds no certificate in PEM"),
        (["--proxy", "socks5://h:1"], "is not a proxy that can be used"),
    ],
)
def test_wrong_usage_is_2(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main_ping(arguments)
    out, errors = capsys.readouterr()
    assert (caught.value.code, out) == (2, "")
    assert message in errors


def test_every_option_is_declared_once() -> None:
    """A field of a dataclass is the only place of an option: the parser has no others."""
    flags = [each for section in PING.values() for _, each in flags_of(*section)]
    declared = [name for each in flags for name in (*each.names, *(each.off or ())[:1])]
    parsed = [name for action in ping_parser("wsping")._actions for name in action.option_strings]
    assert sorted(parsed) == sorted(["--help", *declared])


@pytest.mark.parametrize(
    ("number", "right", "wrong", "text"),
    [
        (Number(int, 0), [0, 7, 10**12], [-1], "a whole number of at least 0"),
        (Number(int, 1, 9), [1, 9], [0, 10], "a whole number from 1 to 9"),
        (Number(float, 0, exceeds=True), [0.001, 5], [0, -1, float("nan"), float("inf")], "a number over 0"),
        (Number(float, 0, 5, exceeds=True), [5], [5.1], "a number over 0, at most 5"),
    ],
)
def test_numbers_have_a_range(number: Number, right: list[float], wrong: list[float], text: str) -> None:
    assert [number(str(each)) for each in right] == right
    for each in wrong:
        with pytest.raises(ValueError, match=rf"^'{each}' is not {text}$"):
            number(str(each))
