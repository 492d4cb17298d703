"""Kinds of option: accepted texts, refused texts and their messages, and values that are shown and read again."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsdaemon.options import Choice, Kind, Lines, Location, Number, Origins, Seconds, Size, Switch, Text, options_of
from wsdaemon.settings import SECTIONS

BASE = Path("/etc/wsdaemon")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Text(), "hello there", "hello there"),
        (Text(may_be_empty=True), "", ""),
        (Number(0, 65535), "0", 0),
        (Number(0, 65535), "65535", 65535),
        (Number(0, 65535), "+80", 80),
        (Number(-5, 5), "-5", -5),
        (Seconds(0, 60), "0", 0.0),
        (Seconds(0, 60), "1.5", 1.5),
        (Seconds(0, 60), ".25", 0.25),
        (Seconds(0, 60), "60.", 60.0),
        (Size(0, 1 << 32), "0", 0),
        (Size(0, 1 << 32), "65536", 65536),
        (Size(0, 1 << 32), "64k", 65536),
        (Size(0, 1 << 32), "64 KB", 65536),
        (Size(0, 1 << 32), "16MiB", 16 << 20),
        (Size(0, 1 << 32), "4g", 1 << 32),
        *((Switch(), text, True) for text in ("yes", "Yes", "true", "on", "1")),
        *((Switch(), text, False) for text in ("no", "NO", "false", "off", "0")),
        (Choice(("text", "json")), "JSON", "json"),
        (Location(), "cert.pem", BASE / "cert.pem"),
        (Location(), "../cert.pem", Path("/etc/cert.pem")),
        (Location(), "/srv/cert.pem", Path("/srv/cert.pem")),
        (Location(keyword="auto"), "Auto", "auto"),
        (Location(), "auto", BASE / "auto"),
        (Lines(), "", ()),
        (Lines(), "\n  tcp:1 \n\n  unix:/a b\n", ("tcp:1", "unix:/a b")),
        (Origins(), "*", ("*",)),
        (Origins(), "SAME", ("same",)),
        (
            Origins(),
            "https://Example.org, http://a.test:81\nsame",
            ("https://example.org:443", "http://a.test:81", "same"),
        ),
    ],
)
def test_takes(kind: Kind, text: str, value: Any) -> None:
    assert kind.parse(text, BASE) == value


def test_a_path_may_begin_at_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert Location(folder=True).parse("~/site", BASE) == Path("/home/ann/site")


PORT = "; write a whole number from 0 to 65535"
SECONDS = "; write seconds from 0.5 to 60"
SIZE = "; write bytes from 1k to 4g, as 65536, 64k or 16m"
FILE = "; write the path of a PEM file"
ORIGINS = "; write *, or same, or origins as https://example.org:8443, separated by spaces or lines"


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (Text("a name"), "", "is not one line of text; write a name"),
        (Text("a name"), "two\nlines", "is not one line of text; write a name"),
        (Text("a name", may_be_empty=True), "two\nlines", "is not one line of text; write a name"),
        *(
            (Number(0, 65535), text, f"{text!r} is not a whole number" + PORT)
            for text in ("", "80a", "1e3", "8_0", "\u0661\u0662", "80\n81")
        ),
        (Number(0, 65535), "9" * 5000, f"'{'9' * 57}...' is not a whole number" + PORT),
        *((Number(0, 65535), text, f"{text} is out of range" + PORT) for text in ("65536", "-1")),
        *(
            (Seconds(0.5, 60), text, f"{text!r} is not a number of seconds" + SECONDS)
            for text in ("soon", "nan", "inf", "1e1", ".")
        ),
        *((Seconds(0.5, 60), text, f"{text} is out of range" + SECONDS) for text in ("0.4", "60.1")),
        (Seconds(0, 60), "-1", "-1 is out of range; write seconds from 0 to 60, 0 switches it off"),
        *((Size(1 << 10, 1 << 32), text, f"{text!r} is not a size" + SIZE) for text in ("big", "-1k", "1.5k", "4t")),
        *((Size(1 << 10, 1 << 32), text, f"{text} is out of range" + SIZE) for text in ("1023", "5g")),
        (Switch(), "maybe", "'maybe' is neither; write yes or no"),
        (Switch(), "", "'' is neither; write yes or no"),
        (Choice(("text", "json")), "xml", "'xml' is not one of them; write text or json"),
        (Location(), "", "is not a path" + FILE),
        (Location(keyword="auto"), "a\nb", "is not a path" + FILE + ", or auto"),
        (Location(folder=True), "a\0b", "is not a path; write the path of a folder"),
        (Location(), "~no-such-user/x", "'~no-such-user/x' cannot be resolved" + FILE),
        (Origins(), "", "is empty" + ORIGINS),
        (Origins(), "example.org", "'example.org' is not an origin as https://example.org"),
    ],
)
def test_refuses_and_says_what_to_write(kind: Kind, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"\S") as caught:
        kind.parse(text, BASE)
    assert str(caught.value) == message


ROUND_TRIPS: list[tuple[Kind, st.SearchStrategy[Any]]] = [
    (Text(may_be_empty=True), st.text(st.characters(exclude_characters="\n"))),
    (Number(-1000, 65535), st.integers(-1000, 65535)),
    (Seconds(0, 86400), st.integers(0, 86400 * 1000).map(lambda milliseconds: milliseconds / 1000)),
    (Size(0, 1 << 32), st.integers(0, 1 << 32) | st.integers(0, 4096).map(lambda mega: mega << 20)),
    (Switch(), st.booleans()),
    (Choice(("text", "json")), st.sampled_from(("text", "json"))),
    (Location(keyword="auto"), st.just("auto") | st.text("abc/._- ", min_size=1).map(lambda name: BASE / "x" / name)),
    (Lines(), st.lists(st.text("abc:=/", min_size=1)).map(tuple)),
    (Origins(), st.lists(st.sampled_from(("*", "same", "https://[::1]:443", "http://a:8")), min_size=1).map(tuple)),
]


@pytest.mark.parametrize(("kind", "values"), ROUND_TRIPS, ids=[type(kind).__name__ for kind, _ in ROUND_TRIPS])
def test_what_is_shown_reads_as_the_same_value(kind: Kind, values: st.SearchStrategy[Any]) -> None:
    @given(values)
    def holds(value: Any) -> None:
        if isinstance(value, Path):
            value = value.resolve()
        assert kind.parse(kind.show(value), BASE) == value

    holds()


@pytest.mark.parametrize(("kind", "values"), ROUND_TRIPS, ids=[type(kind).__name__ for kind, _ in ROUND_TRIPS])
def test_any_text_is_taken_or_refused_on_one_line(kind: Kind, values: st.SearchStrategy[Any]) -> None:
    @given(st.text())
    def holds(text: str) -> None:
        refusal = "fine"
        try:
            kind.parse(text, BASE)
        except ValueError as error:
            refusal = str(error)
        assert len(refusal.splitlines()) == 1
        assert len(refusal) < 300

    holds()


@pytest.mark.parametrize(
    ("section", "name"), [(section, name) for section, known in SECTIONS.items() for name in options_of(known)]
)
def test_each_default_can_be_written_in_the_file(section: str, name: str) -> None:
    option = options_of(SECTIONS[section])[name]
    kind: Kind = option.metadata["kind"]
    if option.default is not None:
        assert kind.parse(kind.show(option.default).strip(), BASE) == option.default
    assert option.metadata["why"].endswith((".", "none."))


def test_every_field_of_a_section_is_an_option() -> None:
    for section in SECTIONS.values():
        assert set(options_of(section)) == {each.name for each in fields(section)}


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        (Location(), "file", None),
        (Location(folder=True), "folder", None),
        (Location(), "missing", "there is no {path}"),
        (Location(folder=True), "missing", "there is no {path}"),
        (Location(), "folder", "{path} is not a file; write the path of a PEM file"),
        (Location(folder=True), "file", "cannot read {path}: not a directory"),
    ],
)
def test_a_location_says_what_the_machine_lacks(tmp_path: Path, kind: Kind, name: str, message: str | None) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    path = tmp_path / name
    assert kind.check(path) == (message and message.format(path=path))


@pytest.mark.parametrize(("kind", "method"), [(Location(), "open"), (Location(folder=True), "iterdir")])
def test_a_location_that_may_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind, method: str
) -> None:
    """Root may read everything, and the tests may run as root, so the system's refusal is simulated."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "secret"
    path.write_text("x")
    monkeypatch.setattr(Path, method, refuse)
    assert kind.check(path) == f"cannot read {path}: permission denied"


@pytest.mark.parametrize("value", [None, "auto"])
def test_no_location_and_a_keyword_need_nothing_on_the_machine(value: str | None) -> None:
    assert Location(keyword="auto").check(value) is None
