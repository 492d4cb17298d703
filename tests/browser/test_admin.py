"""The status page in a real browser: with a real daemon under load, and with a feed that says what a test wants.

The page is found through what a person finds: labels, roles and texts; ids only where several things share a role.
"""

from __future__ import annotations

import json
import re
import signal
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, WebSocketRoute, expect

from tests.support.daemon import Daemon, Start
from tests.support.raw import RawClient
from tests.support.wire import BINARY, PING, TEXT, Frame, close

PHONE_WIDTH = 390
LISTED = 200
LONGEST_WAIT_MS = 30_000  # until the page tries again
LONGEST_PAINT_MS = 200  # it takes 25 where nothing else runs
INI = "[admin]\nenabled = yes\nport = {}\n"
HOSTILE = "/<img src=x onerror=hacked=1>\"'&amp;</script>"
STATE: dict[str, Any] = {
    "time": 1795400050.0, "uptime": 100.0, "version": "0.1.0", "draining": False,
    "connections": {"open": 0, "http": 1, "by_subprotocol": {}, "by_state": {"open": 0, "closing": 0}},
    "totals": {
        "opened": 0, "messages_in": 0, "messages_out": 0, "frames_in": 0, "frames_out": 0, "bytes_in": 0,
        "bytes_out": 0, "http_responses": 0,
    },
    "close_codes": {"sent": {}, "received": {}}, "refusals": {}, "loop_lag": {"last": 0.0, "max": 0.0},
    "backlog": 0, "memory": 50_000_000, "descriptors": {"open": 20, "limit": 1024}, "list": [], "list_limit": LISTED,
}  # fmt: skip


def admin(daemon: Daemon) -> str:
    """Return the origin of the daemon's admin listener."""
    return "http://127.0.0.1:" + daemon.wait_for(r"listening on http://127\.0\.0\.1:([0-9]+)/, admin")[1]


@pytest.fixture(scope="module")
def server(served: Start) -> Daemon:
    """One daemon for all tests that count nothing."""
    return served(INI.format(0))


def blank(browser: Browser, *, width: int = 1200, **options: Any) -> Page:
    return browser.new_context(viewport={"width": width, "height": 844}, **options).new_page()


def look(browser: Browser, daemon: Daemon, *, clock: bool = False) -> Page:
    """Open the page of a real daemon, live; with `clock`, its time can be moved on."""
    page = blank(browser)
    if clock:
        page.clock.install()
    page.goto(admin(daemon))
    expect(page.locator("#status")).to_have_text("Live")
    return page


class Feed:
    """The page with a feed made up here: what the page shows is what was sent, at times of the test's choosing."""

    def __init__(self, page: Page, server: Daemon, **first: Any) -> None:
        self.page = page
        self.said: dict[str, Any] = {**STATE, **first}
        self.silent = False
        self.opened: list[WebSocketRoute] = []
        page.route_web_socket(re.compile("/feed$"), self._open)
        page.goto(admin(server))
        expect(page.locator("#status")).to_have_text("Live")

    def _open(self, route: WebSocketRoute) -> None:
        self.opened.append(route)
        if not self.silent:
            route.send(json.dumps(self.said))

    def say(self, after: float = 1, **changes: Any) -> None:
        """Send what was said before with these changes, and the time `after` so many seconds."""
        later = {"time": self.said["time"] + after, "uptime": self.said["uptime"] + after}
        self.said = {**self.said, **later, **changes}
        self.opened[-1].send(json.dumps(self.said))

    def list(self, numbers: range, after: float = 1, **more: Any) -> None:
        """Send a list of connections; the higher the number, the younger and the busier."""
        age = self.said["uptime"] + after
        self.say(after, list=[listed(number, age - number / 10, **more) for number in reversed(numbers)])


def listed(number: int, age: float = 1.0, **more: Any) -> dict[str, Any]:
    return {
        "number": number, "peer": f"127.0.0.1:{40000 + number}", "subprotocol": "echo", "target": f"/echo?n={number}",
        "state": "open", "age": age, "bytes_in": int(number * age), "bytes_out": int(number * age), "waits": 0, **more,
    }  # fmt: skip


def rows(page: Page) -> Locator:
    return page.locator("#rows tr")


def cell(row: Locator, name: str) -> Locator:
    return row.locator(f"td[data-name='{name}']")


def numbers(page: Page) -> list[int]:
    return [int(text) for text in page.locator("#rows td[data-name='No.']").all_inner_texts()]


def part(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name=title, exact=True)


def counts(page: Page, title: str, name: str) -> Locator:
    """The numbers in the row of a table that begins with `name`."""
    heads = page.get_by_role("rowheader", name=name, exact=True)
    return part(page, title).get_by_role("row").filter(has=heads).get_by_role("cell")


@contextmanager
def load(daemon: Daemon, clients: int) -> Iterator[None]:
    """Clients that echo all the while, each in a thread of its own, about 100 messages a second."""
    done = threading.Event()

    def echo() -> None:
        with RawClient(daemon) as client:
            while not done.wait(0.01):
                client.echo(Frame(TEXT, b"0123456789"))

    threads = [threading.Thread(target=echo) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


# --- with a real daemon


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
    expect(counts(page, "Close codes", "1000 normal end")).to_have_text(["1", "1"])
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


def test_load_shows_in_rates_and_plots(browser: Browser, server: Daemon) -> None:
    """Three clients' messages a second, and each one's traffic; after them nothing, and the plots keep it."""
    page = look(browser, server)
    with load(server, 3):
        expect(page.locator("#open")).to_have_text("3")
        page.wait_for_function("parseFloat(messagesIn.textContent) > 60 && parseFloat(messagesOut.textContent) < 330")
        expect(page.locator("#bytesIn")).to_have_text(re.compile(r"^[\d.]+ k?B/s$"))
        expect(page.locator("#memory")).to_have_text(re.compile(r"^[\d.]+ MB$"))
        expect(page.locator("#descriptors")).to_have_text(re.compile(r"^\d+$"))
        expect(page.locator("#lag")).to_have_text(re.compile(r"^[\d.]+ ms$"))
        expect(cell(rows(page), "In/s")).to_have_text([re.compile(r"^[\d.]+ k?B/s$")] * 3)
    expect(page.locator("#messagesIn")).to_have_text("0/s")
    expect(rows(page)).to_have_count(0)
    expect(page.get_by_text("No connections.")).to_be_visible()
    plot = part(page, "Messages").get_by_role("img")
    assert float(re.findall(r"[\d.]+", plot.get_attribute("aria-label") or "")[-1]) > 60
    assert len(re.findall(r"[ML]", page.locator("#messagesPlot .first").get_attribute("d") or "")) >= 3


def test_a_connection_appears_and_goes(browser: Browser, server: Daemon) -> None:
    """With its address, subprotocol, target and traffic; a target made of markup is shown letter for letter."""
    page = look(browser, server)
    with RawClient(server, HOSTILE.replace(" ", "%20"), subprotocols="echo") as client:
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
    """Since when the numbers are old; a daemon that is there again is found, and its lower counts are no rates."""
    first = daemon(ini=INI.format(0))
    page = look(browser, first, clock=True)
    with RawClient(first) as client:
        client.echo(Frame(TEXT, b"hello"))
        expect(counts(page, "Since the start", "Messages")).to_have_text(["1", "1"])
    port = int(admin(first).rpartition(":")[2])
    assert first.stop() == 0
    expect(page.get_by_role("alert").filter(has_text="The feed is lost")).to_be_visible()
    expect(page.locator("#lost")).to_contain_text(re.compile(r"All that is shown is from .*\d:\d\d:\d\d.*, \d+ s ago"))
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
    """As long as a client takes its time to close, with how many are still there."""
    own = daemon(ini=INI.format(0))
    page = look(browser, own)
    with RawClient(own):
        expect(page.locator("#open")).to_have_text("1")
        own.process.send_signal(signal.SIGTERM)
        expect(page.get_by_text("The daemon is shutting down")).to_be_visible()
        expect(page.locator("#draining")).to_contain_text("Still open: 1.")
    expect(page.get_by_role("alert").filter(has_text="was shutting down, and the feed has ended")).to_be_visible()
    expect(page.locator("#draining")).to_be_hidden()


def test_nothing_is_asked_of_other_hosts_and_nothing_is_complained_of(browser: Browser, server: Daemon) -> None:
    """Every request stays on the page's own origin, under a strict policy, without an error in the console."""
    own = admin(server)
    asked: list[str] = []
    complaints: list[str] = []
    page = blank(browser)
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda websocket: asked.append(websocket.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    response = page.goto(own)
    assert response is not None
    assert response.headers["content-security-policy"].startswith("default-src 'self';")
    assert "unsafe" not in response.headers["content-security-policy"]
    with load(server, 2):
        expect(rows(page)).to_have_count(2)
        page.get_by_role("button", name="Target").click()
        page.get_by_label("Filter").fill("no such thing")
        expect(page.get_by_text("No connection has all of these words.")).to_be_visible()
    assert [url for url in asked if not url.startswith((f"{own}/", own.replace("http", "ws") + "/"))] == []
    assert own.replace("http", "ws") + "/feed" in asked
    assert complaints == []


# --- with a feed made up here


def test_rates_are_differences_by_the_daemons_time(browser: Browser, server: Daemon) -> None:
    """However late a message comes; where the daemon began anew, or its clock was put back, there is no rate."""
    totals = STATE["totals"]
    feed = Feed(blank(browser), server, list=[listed(7, bytes_in=1000, bytes_out=None)])
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


def test_silence_is_told_and_ends_in_a_new_connection(browser: Browser, server: Daemon) -> None:
    """A feed that says nothing is not taken for a daemon where nothing happens."""
    page = blank(browser)
    page.clock.install(time=0)
    page.clock.pause_at(1)  # from here on time goes only where the test says so
    feed = Feed(page, server)
    page.clock.run_for(3000)
    expect(page.locator("#lost")).to_be_hidden()
    page.clock.run_for(1500)
    expect(page.get_by_role("alert").filter(has_text="The daemon has become silent")).to_be_visible()
    expect(page.locator("#lost")).to_contain_text("4 s ago")
    expect(page.locator("#status")).to_have_text("Silent")
    feed.say()
    expect(page.locator("#lost")).to_be_hidden()
    feed.silent = True
    page.clock.run_for(10_100)
    expect(page.locator("#status")).to_have_text("Feed lost")
    waits = []
    for attempt in range(2, 7):
        waits.append(int(re.findall(r"again in (\d+) s", page.locator("#since").inner_text())[0]))
        page.get_by_role("button", name="Reconnect now").click()
        expect(page.locator("#since")).to_contain_text("Trying again now")
        page.clock.run_for(10_100)
        expect(page.locator("#status")).to_have_text("Feed lost")
        assert len(feed.opened) == attempt
    assert waits[-1] > waits[0]
    feed.silent = False
    page.clock.run_for(16_000)
    expect(page.locator("#status")).to_have_text("Live")


@pytest.mark.parametrize("odd", ["[]", "{", '{"time": 1}', "null", json.dumps({**STATE, "list": [{}]})])
def test_what_the_page_does_not_know_is_no_news(browser: Browser, server: Daemon, odd: str) -> None:
    """A feed of another kind must not leave the page as if all were well."""
    feed = Feed(blank(browser), server)
    feed.silent = True
    feed.opened[-1].send(odd)
    expect(feed.page.get_by_role("alert").filter(has_text="is not what this page knows")).to_be_visible()


def test_markup_from_strangers_is_text_everywhere(browser: Browser, server: Daemon) -> None:
    """In the list, the counts, the words of the daemon."""
    evil = "<img src=x onerror=hacked=1>"
    feed = Feed(blank(browser), server)
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


def test_200_rows_keep_scroll_position_focus_and_selection(browser: Browser, server: Daemon) -> None:
    """While new ones come above and old ones go below each second."""
    feed = Feed(blank(browser), server)
    page = feed.page
    feed.list(range(1, LISTED + 1))
    expect(rows(page)).to_have_count(LISTED)
    page.evaluate("ui.scroller.scrollTop = 1000; row = ui.rows.children[50]; top0 = row.getBoundingClientRect().top")
    page.get_by_label("Filter").press_sequentially("echo")
    page.get_by_label("Filter").press("ArrowLeft")
    for more in range(1, 4):
        feed.list(range(1 + more, LISTED + 1 + more))
        expect(rows(page).first).to_contain_text(f"n={LISTED + more}")
    expect(rows(page)).to_have_count(LISTED)
    assert page.evaluate("Math.abs(row.getBoundingClientRect().top - top0)") < 2
    expect(page.get_by_label("Filter")).to_be_focused()
    assert page.evaluate("filter.selectionStart") == 3

    page.evaluate(
        "getSelection().setBaseAndExtent(row.cells[1].firstChild.firstChild, 2, row.cells[5].firstChild.firstChild, 1)"
    )
    selected = page.evaluate("getSelection().toString()")
    last = LISTED + 4
    expect(page.get_by_text("While text is selected, it stays as it is")).to_be_visible()
    feed.list(range(last, LISTED + last))  # all that were there are gone
    expect(rows(page).last).to_contain_text(f"n={last}")
    assert page.evaluate("getSelection().toString()") == selected
    expect(page.locator("#rows .gone")).to_have_count(1)
    page.evaluate("getSelection().selectAllChildren(document.body)")
    feed.say(draining=True)
    expect(page.get_by_text("The daemon is shutting down")).to_be_visible()
    page.evaluate("getSelection().removeAllRanges()")
    expect(page.locator("#rows .gone")).to_have_count(0)
    assert numbers(page) == list(reversed(range(last, LISTED + last)))
    assert page.evaluate("rows.size") == LISTED


def test_200_rows_are_soon_painted(browser: Browser, server: Daemon) -> None:
    """Where each has new numbers, with a selection and without: the page is not what makes a computer busy."""
    feed = Feed(blank(browser), server)
    feed.list(range(1, LISTED + 1))
    expect(rows(feed.page)).to_have_count(LISTED)
    paint = """(select) => {
        if (select) getSelection().selectAllChildren(ui.list);
        const times = [1, 2, 3, 4, 5].map(() => {
            const began = performance.now();
            now.list = now.list.map((each) => ({ ...each, age: each.age + 1, bytes_in: each.bytes_in + 1e6 }));
            paint();
            document.body.getBoundingClientRect(); // the layout is part of it
            return performance.now() - began;
        });
        return times.sort((one, other) => one - other)[2];
    }"""
    assert feed.page.evaluate(paint, False) < LONGEST_PAINT_MS
    assert feed.page.evaluate(paint, True) < LONGEST_PAINT_MS
    expect(feed.page.locator("#status")).to_have_text("Live")


def test_the_list_is_sorted_and_filtered_by_keyboard(browser: Browser, server: Daemon) -> None:
    """Each column either way; what is not known comes last; the heads keep the focus; Escape ends a filter."""
    feed = Feed(blank(browser), server)
    page = feed.page
    feed.say(list=[
        listed(9, 3.0, bytes_in=50, target="/B"), listed(8, 9.0, bytes_in=None, target="/a", subprotocol="log"),
        listed(7, 5.0, bytes_in=700, target="/C", state="closing"),
    ])  # fmt: skip
    expect(rows(page)).to_have_count(3)
    assert numbers(page) == [9, 8, 7]
    for name, once, twice in (
        ("In", [7, 9, 8], [9, 7, 8]), ("Age", [8, 7, 9], [9, 7, 8]), ("Target", [9, 7, 8], [8, 7, 9]),
        ("State", [7, 9, 8], [9, 8, 7]), ("No.", [9, 8, 7], [7, 8, 9]),
    ):  # fmt: skip
        head = page.get_by_role("columnheader", name=name, exact=True)
        head.get_by_role("button").focus()
        for order in (once, twice):
            page.keyboard.press("Enter")
            feed.say()
            expect(rows(page).first).to_contain_text(str(order[0]))
            page.wait_for_function(
                "(order) => String(Array.from(ui.rows.children, (row) => row.cells[0].innerText)) === String(order)",
                arg=order,
            )
            expect(head.get_by_role("button")).to_be_focused()
        expect(head).to_have_attribute("aria-sort", re.compile("ascending|descending"))
        assert page.locator("[aria-sort]").count() == 1
    page.get_by_label("Filter").fill("ECHO 4000")
    expect(rows(page)).to_have_count(2)
    expect(part(page, "Open connections")).to_contain_text("2 found")
    page.get_by_label("Filter").press("Escape")
    expect(rows(page)).to_have_count(3)


def test_more_than_are_listed_are_counted(browser: Browser, server: Daemon) -> None:
    """The page says that it shows the newest only; and of many causes those that are most frequent."""
    feed = Feed(blank(browser), server)
    connections = {
        **STATE["connections"],
        "open": 1345,
        "by_subprotocol": {"log": 45, "echo": 1300},
        "by_state": {"open": 1300, "closing": 45},
    }
    feed.say(connections=connections, list=[listed(number) for number in range(LISTED)],
             refusals={f"cause {number}": number for number in range(1, 31)})  # fmt: skip
    expect(part(feed.page, "Open connections")).to_contain_text("the newest 200 of 1,345")
    expect(part(feed.page, "Connections")).to_contain_text("1,300 echo, 45 log (45 closing)")
    expect(counts(feed.page, "Refusals", "cause 30")).to_have_text("30")
    expect(counts(feed.page, "Refusals", "cause 10")).to_have_count(0)
    expect(part(feed.page, "Refusals")).to_contain_text("And 10 others, 55 times in all.")


def test_a_hidden_tab_draws_nothing_and_keeps_little(browser: Browser, server: Daemon) -> None:
    """Without a frame to draw nothing is touched; half an hour of samples costs no more than five minutes."""
    page = blank(browser)
    page.add_init_script("self.frames0 = []; self.requestAnimationFrame = (draw) => frames0.push(draw)")
    feed = Feed(page, server)
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


def test_plots_draw_the_numbers_beside_them(browser: Browser, server: Daemon) -> None:
    """Each line ends at the height of its number, below a round one at the top."""
    feed = Feed(blank(browser), server)
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


def test_a_gap_is_no_line(browser: Browser, server: Daemon) -> None:
    """Where nothing was heard the plot has a hole, and not a guess."""
    feed = Feed(blank(browser), server)
    for after in (1, 1, 60, 1):
        feed.say(after)
    line = feed.page.locator("#memoryPlot .first")
    expect(line).to_have_attribute("d", re.compile(r"^M[^M]*L[^M]*L[^M]*M[^M]*L[^ML]*$"))


# --- for everyone


def test_a_phone_needs_no_sideways_scrolling(browser: Browser, server: Daemon) -> None:
    """At phone width all fits, with long words from strangers and banners; and no field makes the phone zoom."""
    feed = Feed(blank(browser, width=PHONE_WIDTH), server)
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
    browser: Browser, server: Daemon, scheme: Literal["light", "dark"], dark: bool
) -> None:
    """Dark mode has dark backgrounds under letters that are light, and the reverse."""
    feed = Feed(blank(browser, color_scheme=scheme), server)
    for selector in ("body", ".panel", "#filter", "#scroller"):
        brightness = feed.page.evaluate(
            """(selector) => ["backgroundColor", "color"].map((name) => {
                const parts = getComputedStyle(document.querySelector(selector))[name].match(/[\\d.]+/g);
                return parts.slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3;
            })""",
            selector,
        )
        assert (brightness[0] < 64) is dark
        assert (brightness[1] > 192) is dark


def test_everything_has_a_name_and_nothing_moves_that_need_not(browser: Browser, server: Daemon) -> None:
    """For who cannot see it, uses the keyboard only, or asked for less motion."""
    page = blank(browser, reduced_motion="reduce")
    Feed(page, server)
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
