"""The lab page in a real browser, against a real daemon: messages, round trips, ends, and the page itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.support.daemon import Daemon
from tests.support.lab import connect, lines, open_connected, open_lab, repeat, say
from tests.support.pages import brightness, nothing_foreign, wide_parts

PHONE_WIDTH = 390
MAX_LINES = 500
FEWEST_PAINTED = 5  # of the totals while 2,000 messages go out in batches of 250


def test_a_text_is_seen_going_and_coming(browser: Browser, server: Daemon) -> None:
    """Both lines have time, kind and size in bytes; the reply has the round-trip time, and figures and plot have it."""
    page = open_connected(browser, server)
    say(page, "grüß dich")
    expect(lines(page, "sent", "text, 11 bytes", "grüß dich")).to_have_count(1)
    reply = lines(page, "received", "text, 11 bytes", "grüß dich")
    expect(reply).to_have_text(re.compile(r"[\d,]+\.\d ms.*RTT [\d.,]+ ms"))
    figures = r"min [\d.,]+ ms · median [\d.,]+ ms · max [\d.,]+ ms · 1 reply"
    expect(page.locator("#rtt")).to_have_text(re.compile(figures))
    assert page.evaluate(
        """() => {
            const { data } = plot.getContext("2d").getImageData(0, 0, plot.width, plot.height);
            const colour = getComputedStyle(plot).getPropertyValue("--accent");
            const accent = colour.match(/\\w\\w/g).map((digits) => parseInt(digits, 16));
            return data.some((value, at) => at % 4 === 0 && accent.every((part, i) => data[at + i] === part));
        }"""
    )


def test_what_comes_unasked_has_no_round_trip_time(browser: Browser, server: Daemon) -> None:
    """A ticker's messages are no replies, also where one was sent before."""
    page = open_connected(browser, server, "#/ticker?interval=200")
    say(page, "not what a ticker says")
    expect(lines(page, "received", "text, 1 byte").nth(2)).to_be_visible()
    expect(page.locator("#rtt")).to_have_text("none yet")


def test_the_close_code_and_reason_are_shown(browser: Browser, server: Daemon) -> None:
    """With what they mean, and whether the end was clean; in the log they stay."""
    page = open_lab(browser, server, "#/close?code=4001&reason=my%20reason")
    page.get_by_role("button", name="Connect", exact=True).click()
    outcome = page.get_by_role("alert")
    expect(outcome).to_contain_text("Closed with 4001 “my reason”: an application code")
    expect(outcome).to_contain_text("Clean: both sides sent a Close frame")
    expect(page.locator("#status")).to_have_text("Closed (4001)")
    expect(lines(page, "note", "Closed with 4001 “my reason”")).to_have_text(re.compile(r"[\d,]+\.\d ms"))


def test_a_lost_connection_is_not_called_clean(browser: Browser, server: Daemon) -> None:
    """A reset has no Close frame; the page says what 1006 stands for."""
    page = open_lab(browser, server, "#/close?how=rst&after=50")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Closed with 1006: no Close frame was received")
    expect(page.get_by_role("alert")).to_contain_text("Not clean")


def test_a_refused_handshake_is_shown(browser: Browser, server: Daemon) -> None:
    """All that a browser tells is 1006, and the page says so instead of guessing; one can try again."""
    page = open_lab(browser, server, "#/echo?status=403")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The handshake failed. A browser tells the page only code 1006")
    expect(page.locator("#status")).to_contain_text("failed")
    page.get_by_role("link", name="Set all").click()
    connect(page)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_the_chosen_subprotocol_is_shown(browser: Browser, server: Daemon) -> None:
    """What is offered, and what became of it; names that no browser would send are told at once."""
    page = open_connected(browser, server, "#one.name,another/echo?subprotocol=another")
    expect(page.get_by_label("Subprotocols")).to_have_value("one.name, another")
    expect(lines(page, "note", "subprotocol: another")).to_have_count(1)
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#status")).to_have_text("Closed (1000)")
    page.get_by_label("Subprotocols").fill("two words")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The browser refuses to connect")


def test_bytes_and_files_are_sent(browser: Browser, server: Daemon, tmp_path: Path) -> None:
    """Hex goes out as the bytes that it says and comes back the same; so does a file, cut in the log, with its size."""
    page = open_connected(browser, server)
    page.get_by_label("Binary (hex)").check()
    field = page.get_by_label("Bytes to send")
    field.fill("0x00 ff:7F 1")
    field.press("Enter")
    expect(page.locator("#hint")).to_contain_text("half a byte")
    field.fill("0x00 ff:7F 10")
    field.press("Enter")
    expect(lines(page, "received", "binary, 4 bytes", "00 ff 7f 10", "RTT")).to_have_count(1)

    file = tmp_path / "some.bin"
    file.write_bytes(bytes(range(256)) * 500)
    page.get_by_label("File", exact=True).check()
    page.get_by_label("File to send").set_input_files(file)
    page.get_by_role("button", name="Send", exact=True).click()
    reply = lines(page, "received", "binary, 128,000 bytes", "00 01 02", "RTT")
    expect(reply).to_have_count(1)
    assert len(reply.locator(".body").inner_text()) < 250


@pytest.mark.parametrize(
    "hostile",
    ["<img src=x onerror=hacked=1>", "</script><script>hacked=1</script>", "\"'><b onclick=hacked=1>&amp;"],
)
def test_markup_in_a_message_is_shown_as_text(browser: Browser, server: Daemon, hostile: str) -> None:
    """A message and a close reason made of markup appear letter for letter, make no element and run nothing."""
    page = open_lab(browser, server, "#/close?messages=1&code=4001")
    page.get_by_label("reason", exact=True).fill(hostile)
    connect(page)
    say(page, hostile)
    expect(lines(page, "received").locator(".body")).to_have_text(hostile)
    expect(page.get_by_role("alert")).to_contain_text(hostile)
    assert page.locator("#messages, #outcome").locator("img, script, b").count() == 0
    assert page.evaluate("typeof hacked") == "undefined"


def test_a_bidi_override_does_not_leave_its_reason(browser: Browser, server: Daemon) -> None:
    """A right-to-left override in a close reason must not turn round what the page writes after it."""
    page = open_lab(browser, server, "#/close?code=4001&reason=%E2%80%AEevil")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("evil")
    assert page.evaluate(
        """() => {
            const reason = outcome.querySelector("bdi") ?? outcome.firstChild;
            const after = document.createRange();
            after.setStart(outcome.lastChild, 0);
            after.setEnd(outcome.lastChild, 1);
            return reason.getBoundingClientRect().right <= after.getBoundingClientRect().left + 1;
        }"""
    )


def test_a_long_text_is_cut_in_the_log(browser: Browser, server: Daemon) -> None:
    """Its size is the real one, and control characters are told apart from spaces."""
    page = open_connected(browser, server)
    say(page, "tab\tline\n" + "ü" * 50_000)
    reply = lines(page, "received", "text, 100,009 bytes", r"tab\tline\nüü")
    expect(reply).to_have_count(1)
    assert 400 < len(reply.locator(".body").inner_text()) < 600


def test_a_burst_of_2000_messages_leaves_the_page_alive(browser: Browser, server: Daemon) -> None:
    """All are counted and timed, the log keeps the last lines, and the totals are painted while they grow."""
    page = open_connected(browser, server)
    page.evaluate(
        """() => {
            window.seen = new Set();
            const step = () => { seen.add(totals.textContent); requestAnimationFrame(step); };
            requestAnimationFrame(step);
        }"""
    )
    repeat(page, "message {n}.", 2000, 0)
    expect(lines(page, "received", "message 2000.")).to_have_count(1)
    expect(page.locator("#rtt")).to_contain_text("2,000 replies")
    expect(page.locator("#totals")).to_contain_text("sent 2,000 (24,893 bytes) · received 2,000 (24,893 bytes)")
    expect(page.locator("#totals")).to_contain_text(f"the last {MAX_LINES} lines")
    expect(page.locator("#messages > *")).to_have_count(MAX_LINES)
    assert page.evaluate("seen.size") >= FEWEST_PAINTED
    assert page.evaluate("messages.scrollHeight - messages.scrollTop - messages.clientHeight") < 40
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#messages > *")).to_have_count(0)
    expect(page.locator("#rtt")).to_have_text("none yet")


def test_memory_stays_bounded_where_nothing_comes_back(browser: Browser, server: Daemon) -> None:
    """Of 30,000 messages without a reply, and 30,000 replies, only the bounds that the page has are kept."""
    page = open_lab(browser, server)
    kept = page.evaluate(
        """() => {
            const trips = new RoundTrips(plot, rtt);
            for (let i = 0; i < 30000; i += 1) trips.sent(`never ${i}`, i);
            const waiting = [trips.size, trips.waiting.size];
            trips.forget();
            for (let i = 0; i < 30000; i += 1) { trips.sent(`${i}`, i); trips.received(`${i}`, i + i / 1000); }
            trips.paint();
            return [...waiting, trips.took.length, rtt.textContent];
        }"""
    )
    assert kept[:3] == [10_000, 10_000, 5_000]
    assert kept[3] == "min 25 ms · median 27.5 ms · max 30 ms · the last 5,000 of 30,000 replies"


def test_messages_are_repeated_at_their_pace_until_stopped(browser: Browser, server: Daemon) -> None:
    """N messages, numbered, one every so many ms; the button ends it early, and a wrong number is told."""
    page = open_connected(browser, server)
    repeat(page, "message {n}.", 5, 30)
    expect(lines(page, "received", "message 5.")).to_have_count(1)
    times = lines(page, "sent").locator(".at").all_inner_texts()
    assert len(times) == 5
    first, last = (float(time.removesuffix(" ms").replace(",", "")) for time in (times[0], times[-1]))
    assert last - first >= 4 * 30 - 5

    repeat(page, "many", 1000, 500)
    page.get_by_role("button", name=re.compile(r"Stop \(\d+ of 1,000\)")).click()
    expect(page.get_by_role("button", name="Send", exact=True)).to_have_text("Send")
    repeat(page, "none", 0, 30)
    expect(page.locator("#hint")).to_contain_text("a whole number from 1 to")


def test_without_a_connection_nothing_is_sent(browser: Browser, server: Daemon) -> None:
    """The page says so, and the text stays."""
    page = open_lab(browser, server)
    page.get_by_label("Text to send").fill("half a thought")
    page.get_by_label("Text to send").press("Enter")
    expect(page.locator("#hint")).to_contain_text("Not sent")
    expect(page.get_by_label("Text to send")).to_have_value("half a thought")
    expect(page.locator("#messages > *")).to_have_count(0)


def test_one_can_stop_waiting_for_a_close_that_never_comes(browser: Browser, server: Daemon) -> None:
    """A server that does not answer the Close leaves the page usable."""
    page = open_connected(browser, server, "#/close?how=never")
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#status")).to_have_text("Closing…")
    page.get_by_role("button", name="Do not wait").click()
    expect(page.get_by_role("alert")).to_contain_text("Gave up waiting")
    connect(page)


def test_the_keyboard_is_enough(browser: Browser, server: Daemon) -> None:
    """Choose, connect, send with Enter, and start a new line with Shift+Enter, without a pointer."""
    page = open_lab(browser, server, "#/close")
    page.get_by_label("Behaviour", exact=True).focus()
    page.keyboard.type("echo")
    expect(page.locator("#url")).to_have_text(re.compile("/echo$"))
    page.get_by_label("Subprotocols").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("Connected")
    page.get_by_label("Text to send").fill("")
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    expect(lines(page, "received", r"one\ntwo")).to_have_count(1)
    for name in ("Text to send", "Repeat", "messages, every"):
        expect(page.get_by_label(name, exact=True)).to_be_focused()
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_focused()


def test_nothing_is_asked_of_other_hosts_and_nothing_is_complained_of(browser: Browser, server: Daemon) -> None:
    """Every request stays on the page's own origin, under a strict policy, without an error in the console."""
    page = browser.new_context().new_page()
    with nothing_foreign(page, server.http) as asked:
        page.goto(f"{server.http}/lab.html#/echo?delay=5")
        connect(page)
        repeat(page, "hello", 3, 10)
        expect(lines(page, "received", "hello")).to_have_count(3)
        page.get_by_label("Behaviour", exact=True).select_option("close")
        page.get_by_role("button", name="Copy link").click()
        page.get_by_role("button", name="Close").click()
        expect(page.get_by_role("alert")).to_contain_text("Closed with 1000")
    assert f"{server.ws}/echo?delay=5" in asked


def test_a_phone_needs_no_sideways_scrolling(browser: Browser, server: Daemon) -> None:
    """At phone width everything fits, with all groups open and long words in the log, and no field makes it zoom."""
    page = connect(open_lab(browser, server, f"#/close?after=60000&reason={'r' * 100}", width=PHONE_WIDTH))
    for summary in page.locator("#groups summary").all():
        summary.click()
    say(page, "w" * 5000)
    expect(lines(page, "received")).to_have_count(1)
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("status", exact=True).fill("403")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("handshake failed")
    assert wide_parts(page) == []
    assert page.evaluate("messages.scrollWidth <= messages.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE_WIDTH
    sizes = page.locator("input[type=text], select, textarea").evaluate_all(
        "(all) => all.map((field) => parseFloat(getComputedStyle(field).fontSize))"
    )
    assert min(sizes) >= 16


@pytest.mark.parametrize(("scheme", "dark"), [("dark", True), ("light", False)])
def test_the_page_follows_the_colour_scheme(
    browser: Browser, server: Daemon, scheme: Literal["light", "dark"], dark: bool
) -> None:
    """Dark mode has dark backgrounds, of panels and fields too, under letters that are light, and the reverse."""
    page = open_lab(browser, server, scheme=scheme)

    for selector in ("body", ".panel", "select", "textarea", "#messages"):
        assert (brightness(page, selector, "backgroundColor") < 64) is dark
        assert (brightness(page, selector, "color") > 192) is dark
