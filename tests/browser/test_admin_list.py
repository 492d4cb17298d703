"""List of connections on the status page: steady while it is read, sorted, filtered, and painted fast."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Browser, expect

from tests.support.admin_page import LISTED, STATE, Feed, blank, counts, listed, numbers, part, rows
from tests.support.daemon import Daemon


def test_200_rows_keep_scroll_position_focus_and_selection(browser: Browser, operated: Daemon) -> None:
    """While rows are added above and removed below each second."""
    feed = Feed(blank(browser), operated)
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
    expect(page.get_by_text("While text is selected, it does not change")).to_be_visible()
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


def test_200_rows_are_soon_painted(browser: Browser, operated: Daemon) -> None:
    """When each has new numbers, with a selection and without: the page must not make a computer busy.

    It takes one layout, and not much more than to write as many texts and nothing else.
    """
    feed = Feed(blank(browser), operated)
    feed.list(range(1, LISTED + 1))
    expect(rows(feed.page)).to_have_count(LISTED)
    paint = """(select) => {
        if (select) getSelection().selectAllChildren(ui.list);
        const texts = Array.from(ui.rows.querySelectorAll("td"), () => document.createElement("b"));
        const median = (work) => [1, 2, 3, 4, 5].map((time) => {
            const began = performance.now();
            work(time);
            document.body.getBoundingClientRect(); // the layout is part of it
            return performance.now() - began;
        }).sort((one, other) => one - other)[2];
        const painted = median(() => {
            now.list = now.list.map((each) => ({ ...each, age: each.age + 1, bytes_in: each.bytes_in + 1e6 }));
            paint();
        });
        const aside = document.body.appendChild(document.createElement("div"));
        aside.append(...texts);
        const written = median((time) => texts.forEach((text, index) => { text.textContent = index * time; }));
        aside.remove();
        return painted / written;
    }"""
    cdp = feed.page.context.new_cdp_session(feed.page)
    cdp.send("Performance.enable")

    def layouts() -> Any:
        return {each["name"]: each["value"] for each in cdp.send("Performance.getMetrics")["metrics"]}["LayoutCount"]

    for select in (False, True):
        before = layouts()
        assert feed.page.evaluate(paint, select) < 2  # it is 0.25
        assert layouts() - before < 15  # five times each, and one
    expect(feed.page.locator("#status")).to_have_text("Live")


def test_the_list_is_sorted_and_filtered_by_keyboard(browser: Browser, operated: Daemon) -> None:
    """Each column in both orders, unknown values last; the heads keep the focus; Escape clears the filter."""
    feed = Feed(blank(browser), operated)
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


def test_more_than_are_listed_are_counted(browser: Browser, operated: Daemon) -> None:
    """The page says that it lists only the newest connections, and shows the most frequent of many causes."""
    feed = Feed(blank(browser), operated)
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
    expect(part(feed.page, "Refusals")).to_contain_text("And 10 others, 55 in total.")
