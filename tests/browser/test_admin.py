"""Status page in a real browser: with a real daemon, on a phone, in dark mode, by keyboard."""

from __future__ import annotations

import re
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.support.admin_page import (
    HOSTILE,
    INI,
    LISTED,
    STATE,
    Feed,
    admin,
    blank,
    cell,
    counts,
    listed,
    look,
    part,
    rows,
)
from tests.support.daemon import Daemon
from tests.support.pages import brightness, nothing_foreign
from tests.support.raw import RawClient
from tests.support.wire import BINARY, PING, TEXT, Frame, close

PHONE_WIDTH = 390
LONGEST_WAIT_MS = 30_000  # until the page tries again


@contextmanager
def load(daemon: Daemon, clients: int) -> Iterator[list[int]]:
    """Echo clients in threads, each of at most 100 messages a second; gives the number of echoes of each."""
    done = threading.Event()
    echoed = [0] * clients

    def echo(number: int) -> None:
        with RawClient(daemon) as client:
            while not done.wait(0.01):
                client.echo(Frame(TEXT, b"0123456789"))
                echoed[number] += 1

    threads = [threading.Thread(target=echo, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield echoed
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_the_numbers_are_what_the_clients_did(browser: Browser, daemon: Callable[..., Daemon]) -> None:
    """Connections, messages, frames, bytes, closes, refusals and responses, to the last one."""
    own = daemon(ini=INI.format(0))
    page = look(browser, own)
    with RawClient(own) as one, RawClient(own) as other, RawClient(own, "/log") as third:
        for size in (10, 20, 30):
            one.echo(Frame(BINARY, bytes(size)))
        other.echo(Frame(TEXT, b"four"))
        third.send(Frame(TEXT, b"and no answer"))
        expect(page.locator("#open")).to_have_text("3")
        expect(part(page, "Connections")).to_contain_text("2 echo, 1 log")
        expect(counts(page, "Since the start", "Messages")).to_have_text(["5", "4"])
        expect(counts(page, "Since the start", "Bytes")).to_have_text(["77", "64"])
        one.send(Frame(PING, b"1"))
        one.frame()
        expect(counts(page, "Since the start", "Frames")).to_have_text(["6", "5"])
        expect(rows(page)).to_have_count(3)
        one.send(close(1000))
        one.read_to_end()
        other.send(close(4001))
        other.read_to_end()
    expect(page.locator("#open")).to_have_text("0")
    expect(counts(page, "Close codes", "1000 normal closure")).to_have_text(["1", "1"])
    expect(counts(page, "Close codes", "4xxx")).to_have_text(["1", "1"])
    expect(counts(page, "Close codes", "no Close frame").first).to_have_text("1")
    expect(counts(page, "Since the start", "Connections opened")).to_have_text("3")
    with RawClient(own, None) as refused:
        refused.send(b"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert b" 400 " in refused.read_head()
    expect(counts(page, "Refusals", "handshake answered 400")).to_have_text("1")
    before = counts(page, "Since the start", "HTTP responses").inner_text()
    with urllib.request.urlopen(f"{own.http}/") as answer:  # noqa: S310
        answer.read()
    expect(counts(page, "Since the start", "HTTP responses")).to_have_text(str(int(before) + 1))


def test_load_shows_in_rates_and_plots(browser: Browser, operated: Daemon) -> None:
    """Messages a second of three clients, and the traffic of each; 0 when they have gone, while the plots keep them."""
    page = look(browser, operated)
    before = time.monotonic()
    with load(operated, 3) as echoed:
        expect(page.locator("#open")).to_have_text("3")
        page.wait_for_function("parseFloat(messagesIn.textContent) > 0 && parseFloat(messagesOut.textContent) < 330")
        expect(page.locator("#bytesIn")).to_have_text(re.compile(r"^[\d.]+ k?B/s$"))
        expect(page.locator("#memory")).to_have_text(re.compile(r"^[\d.]+ MB$"))
        expect(page.locator("#descriptors")).to_have_text(re.compile(r"^\d+$"))
        expect(page.locator("#lag")).to_have_text(re.compile(r"^[\d.]+ ms$"))
        expect(cell(rows(page), "In/s")).to_have_text([re.compile(r"^[\d.]+ k?B/s$")] * 3)
    mean = sum(echoed) / (time.monotonic() - before)
    expect(page.locator("#messagesIn")).to_have_text("0/s")
    expect(rows(page)).to_have_count(0)
    expect(page.get_by_text("No connections.")).to_be_visible()
    plot = part(page, "Messages").get_by_role("img")
    assert float(re.findall(r"[\d.]+", plot.get_attribute("aria-label") or "")[-1]) > mean / 2
    assert len(re.findall(r"[ML]", page.locator("#messagesPlot .first").get_attribute("d") or "")) >= 3


def test_a_connection_appears_and_goes(browser: Browser, operated: Daemon) -> None:
    """Its address, subprotocol, target and traffic are listed; a target of markup is shown as text."""
    page = look(browser, operated)
    with RawClient(operated, HOSTILE.replace(" ", "%20"), subprotocols="echo") as client:
        address = "{}:{}".format(*client.socket.getsockname())
        row = rows(page).filter(has_text=address)
        expect(row).to_have_count(1)
        expect(cell(row, "Target")).to_have_text(HOSTILE.replace(" ", "%20"))
        expect(cell(row, "Subprotocol")).to_have_text("echo")
        expect(cell(row, "State")).to_have_text("open")
        client.echo(Frame(BINARY, bytes(50_000)))
        expect(cell(row, "In")).to_have_text(re.compile(r"50\.\d kB"))
        expect(cell(row, "Age")).to_have_text(re.compile(r"^[1-9]\d* s$"))
    expect(row).to_have_count(0)
    assert page.locator("#rows").locator("img, script").count() == 0
    assert page.evaluate("typeof hacked") == "undefined"


def test_a_lost_feed_is_told_until_it_is_back(browser: Browser, daemon: Callable[..., Daemon]) -> None:
    """The banner tells the time of the last update; a restarted daemon is found, and its lower counts give no rates."""
    first = daemon(ini=INI.format(0))
    page = look(browser, first, clock=True)
    with RawClient(first) as client:
        client.echo(Frame(TEXT, b"hello"))
        expect(counts(page, "Since the start", "Messages")).to_have_text(["1", "1"])
    port = int(admin(first).rpartition(":")[2])
    assert first.stop() == 0
    expect(page.get_by_role("alert").filter(has_text="The feed is lost")).to_be_visible()
    expect(page.locator("#lost")).to_contain_text(re.compile(r"Last update at .*\d:\d\d:\d\d.*, \d+ s ago"))
    expect(page.locator("#lost")).to_contain_text("Trying again")
    expect(page).to_have_title("(Feed lost) wsdaemon status")
    expect(counts(page, "Since the start", "Messages")).to_have_text(["1", "1"])
    daemon(ini=INI.format(port))
    page.clock.fast_forward(LONGEST_WAIT_MS)
    expect(page.locator("#lost")).to_be_hidden(timeout=LONGEST_WAIT_MS)
    expect(page.locator("#status")).to_have_text("Live")
    expect(counts(page, "Since the start", "Messages")).to_have_text(["0", "0"])
    expect(page.locator("#messagesIn")).to_have_text("0/s")
    assert "-" not in page.locator("#messagesPlot .first").get_attribute("d")  # type: ignore[operator]


def test_a_daemon_that_shuts_down_says_so(browser: Browser, daemon: Callable[..., Daemon]) -> None:
    """While clients take their time to close, with the number of those left."""
    own = daemon(ini=INI.format(0))
    page = look(browser, own)
    with RawClient(own):
        expect(page.locator("#open")).to_have_text("1")
        own.process.send_signal(signal.SIGTERM)
        expect(page.get_by_text("The daemon is shutting down")).to_be_visible()
        expect(page.locator("#draining")).to_contain_text("Still open: 1.")
    expect(page.get_by_role("alert").filter(has_text="was shutting down, and the feed has ended")).to_be_visible()
    expect(page.locator("#draining")).to_be_hidden()


def test_nothing_is_asked_of_other_hosts_and_nothing_is_complained_of(browser: Browser, operated: Daemon) -> None:
    """Every request stays on the page's own origin, under a strict policy, without an error in the console."""
    page = blank(browser)
    with nothing_foreign(page, admin(operated)) as asked, load(operated, 2):
        page.goto(admin(operated))
        expect(rows(page)).to_have_count(2)
        page.get_by_role("button", name="Target").click()
        page.get_by_label("Filter").fill("no such thing")
        expect(page.get_by_text("No connection contains all of these words.")).to_be_visible()
    assert admin(operated).replace("http", "ws") + "/feed" in asked


def test_a_phone_needs_no_sideways_scrolling(browser: Browser, operated: Daemon) -> None:
    """At phone width everything fits, long words and banners included, and no field makes the phone zoom."""
    feed = Feed(blank(browser, width=PHONE_WIDTH), operated)
    page = feed.page
    word = "w" * 400
    feed.say(
        draining=True, refusals={word: 1}, close_codes={"sent": {word: 3}, "received": {}}, backlog=987_654_321,
        totals=dict.fromkeys(STATE["totals"], 123456789012), descriptors={"open": 100_000, "limit": 1_048_576},
        list=[listed(n, 1e6, target="/" + word, subprotocol=word, peer=word) for n in range(1_000_000, 1_000_200)],
        connections={"open": 200_000, "http": 99_999, "by_subprotocol": {word: 5}, "by_state": {"closing": 7}},
    )  # fmt: skip
    expect(rows(page)).to_have_count(LISTED)
    feed.say(totals=dict.fromkeys(STATE["totals"], 123987654321))
    expect(page.locator("#bytesIn")).to_have_text("531 MB/s")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE_WIDTH
    beyond = """() => Array.from(document.querySelectorAll("body, body *"))
        .filter((each) => each.getBoundingClientRect().right > innerWidth + 0.5
            || (each.closest("dl, table") && each.clientWidth && each.scrollWidth > each.clientWidth + 1))
        .map((each) => `${each.tagName} ${each.id} ${each.className} ${each.textContent.slice(0, 40)}`)"""
    assert page.evaluate(beyond) == []
    sizes = page.locator("input, select").evaluate_all(
        "(all) => all.map((each) => parseFloat(getComputedStyle(each).fontSize))"
    )
    assert min(sizes) >= 16
    page.get_by_label("Sort by").select_option("Age")
    page.get_by_role("button", name="Descending").click()
    expect(page.get_by_role("button", name="Ascending")).to_be_visible()


@pytest.mark.parametrize(("scheme", "dark"), [("dark", True), ("light", False)])
def test_the_page_follows_the_colour_scheme(
    browser: Browser, operated: Daemon, scheme: Literal["light", "dark"], dark: bool
) -> None:
    """Dark mode has light text on dark backgrounds; light mode the reverse."""
    feed = Feed(blank(browser, color_scheme=scheme), operated)
    for selector in ("body", ".panel", "#filter", "#scroller"):
        assert (brightness(feed.page, selector, "backgroundColor") < 64) is dark
        assert (brightness(feed.page, selector, "color") > 192) is dark


def test_everything_has_a_name_and_nothing_moves_that_need_not(browser: Browser, operated: Daemon) -> None:
    """For people with a screen reader, without a mouse, or who prefer reduced motion."""
    page = blank(browser, reduced_motion="reduce")
    Feed(page, operated)
    expect(page.locator("#memory")).to_have_text("50 MB")
    unnamed = """() => Array.from(document.querySelectorAll("input, select, section, table[role], svg, [role=group]"))
        .filter((each) => !each.labels?.length && !each.getAttribute("aria-label")
            && !document.getElementById(each.getAttribute("aria-labelledby"))).map((each) => each.outerHTML)"""
    assert page.evaluate(unnamed) == []
    assert page.evaluate("document.querySelector('.dot').getAnimations().length") == 0
    page.evaluate("document.body.dataset.state = 'connecting'")
    assert page.evaluate("document.querySelector('.dot').getAnimations().length") == 0
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the list")).to_be_focused()
    expect(page.get_by_role("link", name="To the list")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Filter")).to_be_focused()
