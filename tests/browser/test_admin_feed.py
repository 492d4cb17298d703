"""Status page and its feed: what the page does with each message, with silence, and with unknown messages."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Browser, expect

from tests.support.admin_page import HOSTILE, STATE, Feed, blank, cell, counts, listed, rows
from tests.support.daemon import Daemon


def test_rates_are_differences_by_the_daemons_time(browser: Browser, operated: Daemon) -> None:
    """A late message changes no rate; after a restart, or when the daemon's clock was set back, there is no rate."""
    totals = STATE["totals"]
    feed = Feed(blank(browser), operated, list=[listed(7, bytes_in=1000, bytes_out=None)])
    expect(feed.page.locator("#messagesIn")).to_have_text("–")
    more = {"messages_in": 500, "messages_out": 3, "bytes_in": 5_000_000, "bytes_out": 4000}
    feed.say(2, totals={**totals, **more}, list=[listed(7, bytes_in=5000, bytes_out=None)])
    expect(feed.page.locator("#messagesIn")).to_have_text("250/s")
    expect(feed.page.locator("#messagesOut")).to_have_text("1.5/s")
    expect(feed.page.locator("#bytesIn")).to_have_text("2.5 MB/s")
    expect(feed.page.locator("#bytesOut")).to_have_text("2 kB/s")
    expect(cell(rows(feed.page), "In/s")).to_have_text("2 kB/s")
    expect(cell(rows(feed.page), "Out/s")).to_have_text("–")
    expect(cell(rows(feed.page), "Out")).to_have_text("–")
    feed.say(1, totals={**totals, **more, "messages_in": 600}, uptime=5.0)
    expect(feed.page.locator("#messagesIn")).to_have_text("–")
    feed.say(1, totals={**totals, **more, "messages_in": 610})
    expect(feed.page.locator("#messagesIn")).to_have_text("10/s")
    feed.say(1, totals={**totals, **more, "messages_in": 620}, time=1795390000.0)
    expect(feed.page.locator("#messagesIn")).to_have_text("–")


def test_silence_is_told_and_ends_in_a_new_connection(browser: Browser, operated: Daemon) -> None:
    """A silent feed is distinguished from an idle daemon."""
    page = blank(browser)
    page.clock.install(time=0)
    page.clock.pause_at(1)  # from here on time goes only where the test says so
    feed = Feed(page, operated)
    page.clock.run_for(3000)
    expect(page.locator("#lost")).to_be_hidden()
    page.clock.run_for(1500)
    expect(page.get_by_role("alert").filter(has_text="The daemon sends no updates")).to_be_visible()
    expect(page.locator("#lost")).to_contain_text("4 s ago")
    expect(page.locator("#status")).to_have_text("Silent")
    feed.say()
    expect(page.locator("#lost")).to_be_hidden()
    feed.silent = True
    page.clock.run_for(10_100)
    expect(page.locator("#status")).to_have_text("Feed lost")

    def wait() -> int:
        return int(re.findall(r"again in (\d+) s", page.locator("#since").inner_text())[0])

    waits = []
    for attempt in range(2, 7):
        waits.append(wait())
        page.get_by_role("button", name="Reconnect now").click()
        expect(page.locator("#since")).to_contain_text("Trying again now")
        page.clock.run_for(10_100)
        expect(page.locator("#status")).to_have_text("Feed lost")
        assert len(feed.opened) == attempt
    assert waits[-1] > waits[0]
    feed.silent = False
    page.clock.run_for(1000 * wait())  # and no further: an update that comes in the meantime would be an old one
    expect(page.locator("#status")).to_have_text("Live")


@pytest.mark.parametrize("odd", ["[]", "{", '{"time": 1}', "null", json.dumps({**STATE, "list": [{}]})])
def test_what_the_page_does_not_know_is_no_news(browser: Browser, operated: Daemon, odd: str) -> None:
    """A message of an unknown form ends the live state."""
    feed = Feed(blank(browser), operated)
    feed.silent = True
    feed.opened[-1].send(odd)
    expect(feed.page.get_by_role("alert").filter(has_text="that this page does not know")).to_be_visible()


def test_markup_from_strangers_is_text_everywhere(browser: Browser, operated: Daemon) -> None:
    """In the list, the counts and the daemon's own texts."""
    evil = "<img src=x onerror=hacked=1>"
    feed = Feed(blank(browser), operated)
    feed.say(
        list=[listed(1, peer=evil, target=HOSTILE, subprotocol=evil, state=evil)], version=evil,
        refusals={evil: 1, "__proto__": 2, "constructor": 3}, close_codes={"sent": {evil: 1}, "received": {}},
        connections={**STATE["connections"], "by_subprotocol": {evil: 1}},
    )  # fmt: skip
    expect(cell(rows(feed.page), "Target")).to_have_text(HOSTILE)
    expect(cell(rows(feed.page), "Peer")).to_have_text(evil)
    expect(counts(feed.page, "Refusals", evil)).to_have_text("1")
    expect(counts(feed.page, "Refusals", "constructor")).to_have_text("3")
    assert feed.page.locator("img, body script, main b").count() == 0
    assert feed.page.evaluate("typeof hacked") == "undefined"


def test_a_hidden_tab_draws_nothing_and_keeps_little(browser: Browser, operated: Daemon) -> None:
    """Without an animation frame the document does not change; half an hour takes no more memory than five minutes."""
    page = blank(browser)
    page.add_init_script("self.frames0 = []; self.requestAnimationFrame = (draw) => frames0.push(draw)")
    feed = Feed(page, operated)
    page.evaluate("new MutationObserver((all) => { touched = all.length; }).observe(document.body,"
                  " { subtree: true, childList: true, characterData: true, attributes: true })")  # fmt: skip
    for second in range(1, 1801):
        feed.list(range(second, second + 2))
    page.wait_for_function("samples.count === 1801")
    assert page.evaluate("[typeof touched, frames0.length, traffic.size, rows.size]") == ["undefined", 1, 2, 0]
    page.evaluate("frames0.pop()()")
    expect(rows(page)).to_have_count(2)
    expect(cell(rows(page).first, "No.")).to_have_text("1801")
    points = page.evaluate("document.querySelector('#memoryPlot .first').getAttribute('d').match(/[ML]/g).length")
    assert points == 301
    assert page.evaluate("samples.series.memory.length") == 400


def test_plots_draw_the_numbers_beside_them(browser: Browser, operated: Daemon) -> None:
    """Each line ends at the height of its value; the top of the plot is a round number."""
    feed = Feed(blank(browser), operated)
    totals = {**STATE["totals"], "messages_in": 2, "messages_out": 3, "bytes_in": 4000, "bytes_out": 5000}
    feed.say(
        totals=totals, connections={**STATE["connections"], "open": 55}, refusals={"cause": 7, "other": 1},
        close_codes={"sent": {"1000": 1}, "received": {"1000": 1, "1001": 2}}, loop_lag={"last": 0, "max": 0.0012},
        backlog=13_000, memory=70_000_000, descriptors={"open": 150, "limit": 1024},
    )  # fmt: skip
    expect(feed.page.locator("#open")).to_have_text("55")
    for plot, values, top, words in (
        ("open", [55], 60, "60"), ("messages", [2, 3], 3, "3/s"), ("bytes", [4000, 5000], 5000, "5 kB/s"),
        ("lag", [0.0012], 0.002, "2 ms"), ("backlog", [13_000], 20_000, "20 kB"), ("memory", [7], 8, "80 MB"),
        ("descriptors", [150], 200, "200"), ("closes", [3, 1], 3, "3/s"), ("refused", [8], 8, "8/s"),
    ):  # fmt: skip
        figure = feed.page.locator(f"#{plot}Plot")
        expect(figure).to_have_text(words)
        for line, value in zip(figure.locator(".line").all(), values, strict=True):
            path = line.get_attribute("d") or ""
            height = float(path.removesuffix("h0").rpartition(" ")[2])  # from 59 up to 1, of 60
            assert height == pytest.approx(59 - 58 * value / top, abs=0.01), plot


def test_a_gap_is_no_line(browser: Browser, operated: Daemon) -> None:
    """Where samples are missing, the plot has a gap."""
    feed = Feed(blank(browser), operated)
    for after in (1, 1, 60, 1):
        feed.say(after)
    line = feed.page.locator("#memoryPlot .first")
    expect(line).to_have_attribute("d", re.compile(r"^M[^M]*L[^M]*L[^M]*M[^M]*L[^ML]*$"))


def test_a_total_that_the_page_has_no_row_for_gets_one(browser: Browser, operated: Daemon) -> None:
    """A new counter of the daemon needs no change of the page."""
    feed = Feed(blank(browser), operated)
    for pings in (1234, 1235):
        feed.say(totals={**STATE["totals"], "pings_in": pings})
        expect(counts(feed.page, "Since the start", "pings in")).to_have_text(f"{pings:,}")
    expect(counts(feed.page, "Since the start", "Messages")).to_have_text(["0", "0"])
