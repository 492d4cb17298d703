"""Origins: one passes only if its scheme, host and port are in the list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsdaemon.origins import Origin, origin_allowed, parse_host, parse_origin

ALLOWED = "https://example.org"


def allows(entry: str, origin: str | None, *, host: str = "ours.test", is_secure: bool = True) -> bool:
    """Ask as the daemon does, with `entry` in its normal form."""
    normal = entry if entry in ("*", "same") else str(parse_origin(entry))
    return origin_allowed(origin, host, is_secure, (normal,))


@pytest.mark.parametrize(
    ("entry", "origin"),
    [
        *((ALLOWED, origin) for origin in ("https://example.org", "https://example.org:443", "HTTPS://EXAMPLE.ORG")),
        ("https://example.org:443", "https://example.org"),
        ("http://example.org", "http://example.org:80"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[0:0:0:0:0:0:0:1]:8080"),
        ("http://[2001:DB8::A]", "http://[2001:db8::a]:80"),
        ("https://xn--exmple-cua.org", "https://xn--exmple-cua.org"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
    ],
)
def test_the_listed_origin_passes(entry: str, origin: str) -> None:
    assert allows(entry, origin)


HOSTILE = {
    ALLOWED: [
        # another scheme or port: 65979 is 443 + 65536
        "http://example.org", "http://example.org:443", "wss://example.org", "https://example.org:80",
        "https://example.org:8443", "https://example.org:4430", "https://example.org:0", "https://example.org:65979",
        "https://example.org:443443", "https://example.org:+443", "https://example.org:",
        # another host
        "https://example.org.evil.test", "https://evilexample.org", "https://evil-example.org",
        "https://www.example.org", "https://example.orgx", "https://example.or", "https://exampleXorg",
        # more than an origin
        "https://example.org@evil.test", "https://evil.test@example.org", "https://user:pass@example.org",
        "https://example.org:443@evil.test", "https://evil.test#https://example.org",
        "https://evil.test?https://example.org", "https://evil.test/https://example.org",
        "https://example.org\\.evil.test", "https://example.org/", "https://example.org/chat", "https://example.org.",
        "https://example.org https://evil.test", "https://evil.test https://example.org",
        "https://evil.test,https://example.org", " https://example.org", "https://example.org\n",
        "https://example.org\x00.evil.test",
        # less than an origin
        "https:example.org", "https:///example.org", "//example.org", "example.org", "://example.org", "https://",
        "null", "NULL", "", "*", "same", "file://",
        # a Cyrillic a, an ideographic full stop, a full-width e, an invisible mark
        "https://ex\u0430mple.org", "https://example\u3002org", "https://\uff45xample.org", "https://example.org\u202e",
    ],
    "https://kelvin.org": ["https://\u212aelvin.org"],  # the Kelvin sign, which is k in lower case
    "http://127.0.0.1": ["http://127.1", "http://2130706433", "http://localhost"],
    "http://[::1]": [
        "http://::1", "http://[::2]", "http://[::1", "http://[::1]]", "http://[::1]80", "http://[::1%25eth0]",
        "http://[::1].evil.test", "http://[::ffff:127.0.0.1]",
    ],
    "same": [
        "null", "", "http://ours.test", "https://ours.test:8443", "https://ours.test.evil.test", "same",
    ],
}  # fmt: skip
"""Origins that must not pass, by the entry of the list that they resemble."""


@pytest.mark.parametrize(("entry", "origin"), [(entry, origin) for entry, all_ in HOSTILE.items() for origin in all_])
def test_a_hostile_origin_is_refused(entry: str, origin: str) -> None:
    assert not allows(entry, origin)


@pytest.mark.parametrize("origin", ["null", "", "https://evil.test", "\x00"])
def test_a_star_lets_every_origin_pass(origin: str) -> None:
    assert allows("*", origin)


@pytest.mark.parametrize("entry", ["*", "same", ALLOWED])
def test_a_client_without_an_origin_is_no_browser_and_passes(entry: str) -> None:
    assert allows(entry, None)


@pytest.mark.parametrize(
    ("origin", "host", "is_secure", "passes"),
    [
        ("http://ours.test", "ours.test", False, True),
        ("http://ours.test:80", "ours.test", False, True),
        ("http://ours.test", "OURS.test:80", False, True),
        ("http://ours.test:8080", "ours.test:8080", False, True),
        ("https://ours.test", "ours.test", True, True),
        ("https://ours.test", "ours.test:443", True, True),
        ("http://[::1]:8080", "[0::1]:8080", False, True),
        ("https://ours.test", "ours.test", False, False),
        ("http://ours.test", "ours.test", True, False),
        ("http://ours.test", "ours.test:443", True, False),
        ("http://ours.test:8080", "ours.test:8081", False, False),
        ("http://localhost:8080", "127.0.0.1:8080", False, False),
        ("http://ours.test", "", False, False),
        ("http://ours.test", "ours.test/", False, False),
        ("http://ours.test", "x@ours.test", False, False),
    ],
)
def test_same_is_this_transport_and_the_requested_host(origin: str, host: str, is_secure: bool, passes: bool) -> None:
    assert allows("same", origin, host=host, is_secure=is_secure) is passes


@pytest.mark.parametrize(("entry", "passes"), [("https://a.test", True), ("same", True), ("https://c.test", False)])
def test_one_entry_of_several_is_enough(entry: str, passes: bool) -> None:
    origin = "https://ours.test" if entry == "same" else entry
    assert origin_allowed(origin, "ours.test", True, ("same", "https://a.test:443", "https://b.test:443")) is passes


@given(st.sampled_from(("http", "https", "app")), st.from_regex(r"[a-z0-9.-]{1,20}", fullmatch=True))
def test_what_an_origin_writes_is_the_same_origin_again(scheme: str, host: str) -> None:
    origin = Origin(scheme, host, 8080)
    assert parse_origin(str(origin)) == origin


@given(st.text(), st.text())
def test_any_header_is_answered(origin: str, host: str) -> None:
    assert origin_allowed(origin, host, False, ("same", "https://example.org:443")) in (True, False)


@pytest.mark.parametrize("text", ["a", "a.test:1", "[::1]", "[::1]:65535"])
def test_a_host_is_taken(text: str) -> None:
    host, port = parse_host(text, 80)
    assert (f"{host}:{port}" if port != 80 else host) == text


@pytest.mark.parametrize("text", ["", ":80", "a:", "a:0", "a:65536", "a:x", "a b", "[::g]", "[1.2.3.4]", "a/b", "a@b"])
def test_a_wrong_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_host(text, 80)
