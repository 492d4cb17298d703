"""Report, summary and document of a run: complete by themselves; a hostile URL is only text in them."""

from __future__ import annotations

import copy
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.support.load_fakes import Run
from wsdaemon.client import Target
from wsdaemon.load import words
from wsdaemon.load.charts import linear_axis, log_axis, time_axis
from wsdaemon.load.document import Document, DocumentError, dump, make, read
from wsdaemon.load.plan import Mode
from wsdaemon.load.report import report
from wsdaemon.load.summary import summary

HOSTILE = "ws://host/\"><script>alert(1)</script>&amp;'<img src=x onerror=y>\x1b[31m"
VOID = {"meta", "path", "rect", "line", "img", "br", "link"}


def document(url: str = "ws://localhost:8080/echo", *, fault: bool = False, **options: Any) -> Document:
    """The document of a run in memory."""
    run = Run(**options).start()
    run.advance(0.5)
    if fault:
        run.server.connections[0].end(1011)
    target = Target(url=url, host="host", port=80, is_secure=False, resource="/", subprotocols=("echo",))
    made = make(run.finish(), target, datetime(2026, 11, 22, tzinfo=UTC))
    return read(dump(made))  # as it comes out of a file


@pytest.fixture(scope="module")
def closed() -> Document:
    return document(clients=3, in_flight=2, duration=1.0)


class Page(HTMLParser):
    """Checks that elements are closed in order, and collects them and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def check(text: str) -> Page:
    """A page that is well-formed, loads nothing, runs nothing, and whose charts are well-formed."""
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag not in {"script", "img", "link", "iframe", "object", "base", "a", "form"}
        assert not {"src", "href", "srcset", "style"} & attributes.keys()
        assert not [name for name in attributes if name.startswith("on")]
    outside = re.findall(
        r"(?:https?:)?//[^\s\"'<)]+|url\(|@import", text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    )
    assert [each for each in outside if not each.startswith("//localhost:8080/echo")] == []
    for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ElementTree.fromstring(svg)  # noqa: S314  # our own
        assert not re.search(r"\b(?:nan|inf)\b", svg, re.IGNORECASE)
    return page


class TestReport:
    """The HTML page."""

    def test_self_contained(self, closed: Document) -> None:
        """The page loads nothing, runs no script, and forbids both besides."""
        page = check(report(closed))
        policy = [attributes for tag, attributes in page.tags if attributes.get("http-equiv")]
        assert policy[0]["content"] == "default-src 'none'; style-src 'unsafe-inline'"

    def test_shows(self, closed: Document) -> None:
        """It has the charts, each for a wide and a narrow screen, and the numbers."""
        text = report(closed)
        page = check(text)
        labels = [attributes["aria-label"] for tag, attributes in page.tags if "aria-label" in attributes]
        charts = "Latency over time", "Distribution of latency by percentile", "Throughput over time"
        assert labels == [name for name in charts for _ in range(2)]
        plan = "3 clients, 2 in flight each, 64 B text, 1 s"
        for expected in ("ws://localhost:8080/echo", plan, "p99.9", "2026-11-22"):
            assert expected in page.text

    def test_hostile_url(self) -> None:
        """A URL is text, whatever it holds."""
        text = report(document(HOSTILE, clients=1, duration=0.2))
        assert "<script" not in text
        assert "<img" not in text
        assert "\x1b" not in text
        assert "<script>alert(1)</script>" in Page(text).text

    @pytest.mark.parametrize(
        ("options", "texts"),
        [
            (
                {"clients": 2, "rate": 100.0, "fault": True},
                [
                    "connections closed by the server: code 1011",
                    "due, but could not be sent",
                    'aria-label="Errors over time"',
                    "<th>how many</th>",
                ],
            ),
            ({"clients": 1, "patience": 0.1, "reply": lambda payload, binary: []}, ["lost: no reply arrived"]),
            ({"clients": 3, "mode": Mode.CONNECTS}, ["Handshake time over time", "handshakes/s"]),
        ],
        ids=["errors", "nothing measured", "connects"],
    )
    def test_other_runs(self, options: dict[str, Any], texts: list[str]) -> None:
        """Errors are drawn over time and named; a run without a reply has a page; handshakes have their own words."""
        page = report(document(duration=1.0, **options))
        check(page)
        assert [text for text in texts if text not in page] == []

    def test_many_kinds_of_errors(self, closed: Document) -> None:
        """If there are more kinds than colours, the rarest kinds share one."""
        made = copy.deepcopy(closed)
        made["errors"] = {f"closed_{4000 + each}": each + 1 for each in range(9)}
        made["slices"][0]["errors"] = made["errors"]
        assert "others" in check(report(made)).text

    def test_compared(self, closed: Document) -> None:
        """With an old run, the page shows changes, both distributions, and what was configured differently."""
        old = document(clients=1, duration=1.0, latency=0.020)
        page = check(report(closed, old))
        assert "Compared with an earlier run" in page.text
        assert "old run" in page.text
        assert "clients: 1 then, 3 now" in page.text

    def test_limited(self, closed: Document) -> None:
        """The page and the summary say that the client may have been the limit, with the reason."""
        made = copy.deepcopy(closed)
        made["client"] |= {"limited": True, "reasons": ["it used 99% of a processor core"]}
        assert "The client itself may have been the limit: it used 99% of" in check(report(made)).text
        assert "THE CLIENT ITSELF MAY HAVE BEEN THE LIMIT: it used 99%" in summary(made)
        assert "THE CLIENT" not in summary(closed)


class TestAxes:
    """Round numbers at the axes."""

    def test_linear(self) -> None:
        """Ticks are round, begin at zero and reach over the greatest value."""
        axis = linear_axis(23_400, words.count)
        assert [label for _, label in axis.ticks] == ["0", "5,000", "10,000", "15,000", "20,000", "25,000"]

    def test_log(self) -> None:
        """A wide range has a tick for each power of ten, a narrow one more; the values lie inside."""
        assert [value for value, _ in log_axis([0.1, 1000], str).ticks] == pytest.approx([0.1, 1, 10, 100, 1000])
        axis = log_axis([1.1, 4], str)
        assert len(axis.ticks) >= 2
        assert axis.least <= 1.1
        assert axis.greatest >= 4

    def test_single_value(self) -> None:
        """Equal latencies, or none at all, have an axis too."""
        assert 0 <= log_axis([2.0, 2.0], str).place(2.0) <= 1
        assert log_axis([], str).ticks

    def test_time(self) -> None:
        """The axis ends where the run ends."""
        assert [label for _, label in time_axis(10.005, ticks=6).ticks] == ["0", "2", "4", "6", "8", "10"]


class TestSummary:
    """The text on the terminal."""

    @pytest.mark.parametrize(
        "options",
        [
            {"clients": 3, "duration": 1.0}, {"clients": 2, "rate": 100.0, "duration": 1.0, "fault": True},
            {"mode": Mode.CONNECTS, "duration": 1.0}, {"url": HOSTILE * 3, "duration": 0.2},
        ],
        ids=["closed", "faults", "connects", "hostile"],
    )  # fmt: skip
    def test_width(self, options: dict[str, Any]) -> None:
        """No line is wider than 80 columns, and no control character gets through."""
        text = summary(document(**options))
        assert max(len(line) for line in text.splitlines()) <= 80
        assert "\x1b" not in text

    @pytest.mark.parametrize(
        ("value", "shown"),
        [(0.0854, "85 µs"), (1.234, "1.23 ms"), (12.34, "12.3 ms"), (999.4, "999 ms"), (2050.0, "2.05 s"), (None, "-")],
    )
    def test_units(self, value: float | None, shown: str) -> None:
        """Times have a fitting unit and three digits."""
        assert words.milliseconds(value) == shown


class TestDocument:
    """The JSON document."""

    def test_numbers(self, closed: Document) -> None:
        """The counts are those of 3 clients with 2 messages in flight and a latency of 2 ms."""
        assert closed["messages"]["right"] == closed["messages"]["sent"] == pytest.approx(3000, abs=20)
        assert closed["rates"]["messages_per_second"] == pytest.approx(3000, rel=0.01)
        assert closed["latency_ms"]["p50"] == pytest.approx(2.0, rel=0.01)
        assert sum(each["received_messages"] for each in closed["slices"]) == closed["messages"]["right"]

    def test_histogram_can_be_read(self, closed: Document) -> None:
        """The histogram is in HdrHistogram's own format, so that other tools can merge several."""
        from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]

        decoded = HdrHistogram.decode(closed["latency_histogram_us"])
        assert decoded.get_total_count() == closed["latency_ms"]["count"]

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("{", "not JSON"), ("[]", "not a result"), ('{"document": "wsping"}', "not a result"),
            ('{"document": "wsdaemon-load", "version": 99}', "version is 99"),
            ('{"document": "wsdaemon-load", "version": 1}', "configuration is missing"),
        ],
    )  # fmt: skip
    def test_other_files(self, text: str, why: str) -> None:
        """Any other text is refused with the reason."""
        with pytest.raises(DocumentError, match=why):
            read(text)

    def test_standard_json(self) -> None:
        """It is strict JSON, even where nothing was measured."""
        made = document(clients=1, duration=0.5, patience=0.1, reply=lambda payload, binary: [])
        assert json.loads(dump(made))["latency_ms"]["p50"] is None
