"""Log: one line for each event, whatever peers send, as text or JSON, and nothing below the level.

The text is as Twisted formats it, the time as the calendar has it.
"""

from __future__ import annotations

import datetime
import io
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.logger import Logger, LogLevel, eventAsText, globalLogPublisher
from twisted.python.failure import Failure

from wsdaemon.observe.log import SILENT, as_json, as_text, make_observer, one_line

SECOND = 1_700_000_000
MOMENT = SECOND + 0.1239
STAMP = "2023-11-14T22:13:20.123Z"
START = f"{STAMP} info     "
HOSTILE = {
    "line feed": "\n",
    "carriage return": "\r",
    "vertical tab": "\v",
    "form feed": "\f",
    "tab": "\t",
    "nul": "\0",
    "escape": "\x1b[2J\x1b]0;title\x07",
    "backspace": "\b",
    "delete": "\x7f",
    "c1 csi": "\x9b2J",
    "c1 next line": "\x85",
    "file separators": "\x1c\x1d\x1e\x1f",
    "line and paragraph separators": "\u2028\u2029",
    "bidi embeddings": "\u202a\u202b\u202c\u202d\u202e",
    "bidi isolates": "\u2066\u2067\u2068\u2069",
    "bidi marks": "\u200e\u200f\u061c",
    "zero width": "\u200b\u200c\u200d\u2060\ufeff",
    "soft hyphen": "\xad",
    "interlinear": "\ufff9\ufffa\ufffb",
    "tags": "\U000e0001\U000e0041",
    "no-break space": "\xa0\u202f\u3000",
    "surrogates": "\ud800\udfff\udc80",
    "private": "\ue000\U0010ffff",
}


def event(text: str = "", **fields: Any) -> dict[str, Any]:
    shown = {"log_format": "{text}", "text": text, "log_time": MOMENT, "log_level": LogLevel.info}
    return {**shown, "log_namespace": "wsdaemon", **fields}


def test_a_text_line_has_time_level_and_text() -> None:
    assert as_text(event("hello world")) == f"{START}hello world\n"
    assert as_text(event("hello", log_level=LogLevel.critical)) == f"{STAMP} critical hello\n"


def test_an_event_without_a_level_or_a_format_is_of_level_info_and_empty() -> None:
    assert as_text({"log_format": "old", "log_time": MOMENT}) == f"{START}old\n"
    assert as_text({"log_time": MOMENT}).split() == [STAMP, "info"]


@pytest.mark.parametrize("text", ["plain", "héllo wörld", "日本語", "emoji \U0001f600", "back\\slash", "{curly} {0}"])
def test_what_can_be_read_is_shown_as_it_is(text: str) -> None:
    assert one_line(text) == text
    assert as_text(event(text)) == f"{START}{text}\n"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_could_break_hide_or_reorder_a_line_is_escaped(text: str) -> None:
    line = as_text(event(f"<{text}>"))
    shown = line.removeprefix(f"{START}<").removesuffix(">\n")
    assert shown.isascii()
    assert shown.isprintable()
    assert shown.encode().decode("unicode_escape") == text, "and it can be told what it was"


@given(st.text(st.characters()))
@example("".join(map(chr, range(0x110000))))
def test_any_text_is_one_printable_line(text: str) -> None:
    line = as_text(event(text + "."))
    assert line.endswith(".\n")
    assert line[:-1].isprintable()
    line.encode()


def test_a_traceback_is_on_the_same_line() -> None:
    line = as_text(event("broken", log_failure=Failure(ValueError("first\nsecond"))))
    assert line.count("\n") == 1
    assert "broken\\n" in line
    assert "ValueError: first\\nsecond" in line


def test_a_json_line_holds_time_level_logger_text_and_the_events_fields() -> None:
    line = as_json(event("hello", connection=7, event="opened", ratio=0.5, secure=True, reason=None, other=object()))
    assert line.count("\n") == 1
    assert json.loads(line) == {
        "time": STAMP, "level": "info", "logger": "wsdaemon", "text": "hello", "connection": 7, "event": "opened",
        "ratio": 0.5, "secure": True, "reason": None,
    }  # fmt: skip


def test_an_events_field_never_takes_the_place_of_ours() -> None:
    fields = {"time": "never", "level": "critical", "logger": "other"}
    shown = json.loads(as_json(event("hello", **fields)))
    assert (shown["time"], shown["level"], shown["logger"]) == (STAMP, "info", "wsdaemon")


@given(st.text(st.characters()), st.floats(), st.text(st.characters()))
@example("\ud800", float("nan"), "\udfff")
@example("\n\u2028\x85\x1b", float("-inf"), "\u202e\0")
def test_any_event_is_one_line_of_strict_json(text: str, number: float, field: str) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON (RFC 8259 section 6)")

    line = as_json(event(text + ".", number=number, field=field))
    assert len(line.splitlines()) == 1
    shown = json.loads(line, parse_constant=refuse)
    assert shown["text"].endswith(".")
    json.dumps(shown, ensure_ascii=False).encode()  # no lone surrogate: strict parsers refuse those
    if not any("\ud800" <= each <= "\udfff" for each in field):
        assert shown["field"] == field


@pytest.mark.parametrize("least", ["debug", "info", "warn", "error", "critical"])
def test_only_events_of_the_level_and_above_are_written(least: str) -> None:
    levels = ["debug", "info", "warn", "error", "critical"]
    stream = io.StringIO()
    observer = make_observer(least, "text", stream)
    for level in levels:
        observer(event(level, log_level=LogLevel.levelWithName(level)))
    assert [line.split()[-1] for line in stream.getvalue().splitlines()] == levels[levels.index(least) :]


@pytest.mark.parametrize(("style", "start"), [("text", STAMP), ("json", "{")])
def test_the_style_is_chosen(style: str, start: str) -> None:
    stream = io.StringIO()
    make_observer("info", style, stream)(event("hello"))
    assert stream.getvalue().startswith(start)


def test_without_a_stream_the_standard_output_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    make_observer("info", "text")(event("hello"))
    assert capsys.readouterr().out == f"{START}hello\n"


def test_a_terminal_that_cannot_show_a_character_loses_no_event() -> None:
    terminal = io.BytesIO()
    stream = io.TextIOWrapper(terminal, encoding="ascii")
    make_observer("info", "text", stream)(event("h\xe9llo \u20ac"))
    stream.flush()
    assert terminal.getvalue() == f"{START}h\\xe9llo \\u20ac\n".encode()


def test_twisteds_own_events_are_written_too() -> None:
    stream = io.StringIO()
    observer = make_observer("info", "text", stream)
    globalLogPublisher.addObserver(observer)
    try:
        Logger(namespace="other").info("{what} said", what="it\n")
        Logger(namespace="other").debug("not this")
    finally:
        globalLogPublisher.removeObserver(observer)
    assert [line[25:] for line in stream.getvalue().splitlines()] == ["info     it\\n said"]


@pytest.mark.parametrize("name", ["trace", "debug", "info", "warn", "error", "critical", "failure"])
def test_the_silent_logger_takes_everything_and_says_nothing(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    getattr(SILENT, name)("{text}", text="x")
    assert capsys.readouterr() == ("", "")


class Thing:
    """Something with an attribute."""

    name = "a name"

    def __str__(self) -> str:
        return "a thing"


class Broken:
    """Something that cannot be shown."""

    def __str__(self) -> str:
        raise ValueError("no")

    __repr__ = __format__ = __str__  # type: ignore[assignment]  # whatever it is called with


def text_of(event: dict[str, Any]) -> str:
    """Return the text of a line of the log."""
    line = as_text(event)
    assert line.endswith("\n")
    assert line.startswith(START)
    return line[len(START) : -1]


FIELDS: dict[str, Any] = {
    "word": "hello", "number": 7, "part": 0.5, "none": None, "octets": b"\xff", "thing": Thing(), "list": [1, "x"],
    "table": {"key": "value"}, "call": lambda: "what it returns",
}  # fmt: skip
FORMATS = [
    "plain", "", "{word}", "{word}: {number}", "{number:05d}", "{part:.2f}", "{word!r}", "{word:>10}|", "{none}",
    "{octets}", "{octets!r}", "{thing}", "{thing.name}", "{list[0]}", "{table[key]}", "{{word}}", "100 %", "%(word)s",
    "{number:{number}d}", "{log_namespace}", "{log_level.name}", "{word}\n", "one\ntwo", "{call()}",
    "{word} ({number})", "({call()})", "{thing.name} {call()}", "tab\there",
]  # fmt: skip


@pytest.mark.parametrize("text", FORMATS)
def test_as_twisted_has_it(text: str) -> None:
    """Any format is filled in as Twisted does it: fields, calls, attributes, items, conversions and widths."""
    logged = event(log_format=text, **FIELDS)
    expected = eventAsText(logged, includeTimestamp=False, includeSystem=False).rstrip("\n")
    assert "Unable" not in expected
    assert text_of(logged) == expected.replace("\n", "\\n").replace("\t", "\\t")


WORDS = st.sampled_from(["{word}", "{number}", "{thing.name}", "{call()}", "{{", "}}", " ", "x", "(", ")", "%s", "é"])


@given(st.lists(WORDS, max_size=8).map("".join))
def test_any_format(text: str) -> None:
    """Any combination of fields and text is formatted as Twisted does."""
    logged = event(log_format=text, **FIELDS)
    assert text_of(logged) == eventAsText(logged, includeTimestamp=False, includeSystem=False)


@pytest.mark.parametrize(
    "text",
    ["{missing}", "{", "}", "{word", "{word.no}", "{word:d}", "{}", "{0}", "{broken}", "{missing()}", "{broken!r} (x)"],
)
def test_a_format_that_fails(text: str) -> None:
    """An event whose format fails is not lost: the line has its fields, or says that it could not be formatted."""
    line = as_text(event(log_format=text, broken=Broken(), **FIELDS))
    assert line.count("\n") == 1
    assert "nable to format event" in line or "UNABLE TO FORMAT" in line.upper() or "lost" in line.lower()
    assert as_json(event(log_format=text, broken=Broken(), **FIELDS)).count("\n") == 1


@pytest.mark.parametrize("text", [None, 7, b"octets", b"\xff"])
def test_a_format_that_is_no_text(text: Any) -> None:
    """A format that is no text is left to Twisted, which never raises."""
    logged = event(log_format=text)
    expected = eventAsText(logged, includeTimestamp=False, includeSystem=False).rstrip("\n")
    assert as_text(logged).startswith(START + expected[:20])


def time_of(seconds: float) -> str:
    """Return the time in the line of an event at `seconds`."""
    return as_text(event(log_time=seconds)).split(" ")[0]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (SECOND, "20.000Z"), (SECOND + 0.0004, "20.000Z"), (SECOND + 0.5, "20.500Z"), (SECOND + 0.9994, "20.999Z"),
        (SECOND + 0.9999, "20.999Z"), (SECOND + 0.9999997, "20.999Z"), (SECOND + 1, "21.000Z"),
        (SECOND + 1.0001, "21.000Z"),
    ],
)  # fmt: skip
def test_a_second_ends(seconds: float, shown: str) -> None:
    """Fractions are cut off, not rounded: no line shows a later time than its event's."""
    assert time_of(seconds) == "2023-11-14T22:13:" + shown


@given(st.floats(0, 4e9))
@example(0.0)
@example(1_699_999_999.9999999)
@example(1_709_164_799.9999)  # the end of a 29 February
def test_any_time(seconds: float) -> None:
    """Any time is the calendar's, in UTC, to the millisecond."""
    whole = datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)
    assert time_of(seconds) == f"{whole:%Y-%m-%dT%H:%M:%S}.{int((seconds - int(seconds)) * 1000):03d}Z"


def test_times_back_and_forth() -> None:
    """A clock that is set back or jumps is shown as it is: a cached second is used for that second only."""
    for second in [*range(20), *range(20)[::-1], 5, 5, 19, 0]:
        assert time_of(SECOND + second + 0.25) == f"2023-11-14T22:13:{20 + second}.250Z"
