"""Lines of the log: the text is as Twisted formats it, the time as the calendar has it."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.logger import LogLevel, eventAsText

from wsdaemon.observe.log import as_json, as_text

MOMENT = 1_700_000_000.0
STAMP = "2023-11-14T22:13:20"


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


def event(log_format: Any, **fields: Any) -> dict[str, Any]:
    shown = {"log_format": log_format, "log_time": MOMENT, "log_level": LogLevel.info, "log_namespace": "wsdaemon"}
    return {**shown, **fields}


def text_of(event: dict[str, Any]) -> str:
    """Return the text of a line of the log."""
    line = as_text(event)
    assert line.endswith("\n")
    assert line.startswith(f"{STAMP}.000Z info     ")
    return line[len(f"{STAMP}.000Z info     ") : -1]


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
    logged = event(text, **FIELDS)
    expected = eventAsText(logged, includeTimestamp=False, includeSystem=False).rstrip("\n")
    assert "Unable" not in expected
    assert text_of(logged) == expected.replace("\n", "\\n").replace("\t", "\\t")


WORDS = st.sampled_from(["{word}", "{number}", "{thing.name}", "{call()}", "{{", "}}", " ", "x", "(", ")", "%s", "é"])


@given(st.lists(WORDS, max_size=8).map("".join))
def test_any_format(text: str) -> None:
    """Any combination of fields and text is formatted as Twisted does."""
    logged = event(text, **FIELDS)
    assert text_of(logged) == eventAsText(logged, includeTimestamp=False, includeSystem=False)


@pytest.mark.parametrize(
    "text",
    ["{missing}", "{", "}", "{word", "{word.no}", "{word:d}", "{}", "{0}", "{broken}", "{missing()}", "{broken!r} (x)"],
)
def test_a_format_that_fails(text: str) -> None:
    """An event whose format fails is not lost: the line has its fields, or says that it could not be formatted."""
    line = as_text(event(text, broken=Broken(), **FIELDS))
    assert line.count("\n") == 1
    assert "nable to format event" in line or "UNABLE TO FORMAT" in line.upper() or "lost" in line.lower()
    assert as_json(event(text, broken=Broken(), **FIELDS)).count("\n") == 1


@pytest.mark.parametrize("text", [None, 7, b"octets", b"\xff"])
def test_a_format_that_is_no_text(text: Any) -> None:
    """A format that is no text is left to Twisted, which never raises."""
    logged = event(text)
    expected = eventAsText(logged, includeTimestamp=False, includeSystem=False).rstrip("\n")
    assert as_text(logged).startswith(f"{STAMP}.000Z info     {expected[:20]}")


def test_no_format_at_all() -> None:
    """An event without a format has an empty text."""
    assert as_text({"log_time": MOMENT}).split() == [f"{STAMP}.000Z", "info"]


def time_of(seconds: float) -> str:
    """Return the time in the line of an event at `seconds`."""
    return as_text(event("x", log_time=seconds)).split(" ")[0]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (MOMENT, "20.000Z"), (MOMENT + 0.0004, "20.000Z"), (MOMENT + 0.5, "20.500Z"), (MOMENT + 0.9994, "20.999Z"),
        (MOMENT + 0.9999, "20.999Z"), (MOMENT + 0.9999997, "20.999Z"), (MOMENT + 1, "21.000Z"),
        (MOMENT + 1.0001, "21.000Z"),
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
        assert time_of(MOMENT + second + 0.25) == f"2023-11-14T22:13:{20 + second}.250Z"
