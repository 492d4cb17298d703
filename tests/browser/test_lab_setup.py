"""The lab's set-up in a real browser: behaviours, parameters, the address and links, from the daemon's real list."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Browser, Route, expect

from tests.support.daemon import Daemon
from tests.support.lab import open_lab

AWKWARD = 'a&b=c|d #e%20f+g/ü<"'


def test_all_behaviours_of_the_json_can_be_chosen(browser: Browser, server: Daemon, listed: dict[str, Any]) -> None:
    """The list holds each, in the order of its family, and those that are switched off cannot be picked."""
    page = open_lab(browser, server)
    options = page.locator("#behaviour option")
    expected = [
        (each["name"], not each["enabled"])
        for family in listed["families"]
        for each in listed["behaviours"]
        if each["family"] == family
    ]
    assert len(expected) == len(listed["behaviours"])
    assert [(each["value"], each["disabled"]) for each in options.evaluate_all(
        "(all) => all.map(({ value, disabled }) => ({ value, disabled }))"
    )] == expected  # fmt: skip


def test_each_behaviour_shows_its_parameters_and_those_of_its_groups(
    browser: Browser, server: Daemon, listed: dict[str, Any]
) -> None:
    """Every parameter has a field under its name that says what to write; shared ones are folded by group,
    but for the group that the behaviour is about."""
    page = open_lab(browser, server)
    for each in listed["behaviours"]:
        if not each["enabled"]:
            continue
        page.get_by_label("Behaviour", exact=True).select_option(each["name"])
        expect(page.locator("#summary")).to_have_text(each["summary"].replace("`", ""))
        expect(page.locator("#own .field > :first-child")).to_have_text([own["name"] for own in each["parameters"]])
        expect(page.locator("#groups details")).to_have_count(len(each["groups"]))
        for group in each["groups"]:
            folded = page.locator(f"#groups details[data-group='{group}']")
            names = [shared["name"] for shared in listed["groups"][group]["parameters"]]
            expect(folded.locator(".field > :first-child")).to_have_text(names)
            is_about_it = group == each["family"] and not each["parameters"]
            assert folded.evaluate("(details) => details.open") is is_about_it
            for shared in listed["groups"][group]["parameters"]:
                if shared["kind"] in ("number", "milliseconds", "text"):
                    expect(folded).to_contain_text(shared["what"])
        assert page.evaluate("Array.from(document.querySelectorAll('input, select, textarea')).every(e => e.labels[0])")


def test_nothing_about_a_single_behaviour_is_built_in(browser: Browser, server: Daemon) -> None:
    """A behaviour that nobody ever heard of gets its fields, each after its kind, from the JSON alone."""
    kinds: list[dict[str, Any]] = [
        {"name": "wait", "kind": "milliseconds", "default": "0", "low": 0, "high": 60},
        {"name": "often", "kind": "number", "default": None, "low": 5},
        {"name": "much", "kind": "size", "default": "1k"},
        {"name": "way", "kind": "choice", "default": "up", "choices": ["up", "down"]},
        {"name": "odd", "kind": "switch", "default": "no"},
        {"name": "words", "kind": "something new", "default": ""},
        {"name": "name", "kind": "text", "default": None},
    ]
    parameters = [{"what": "this or that", "why": "Why.", "example": "7", "rfc": "", **kind} for kind in kinds]
    invented = {
        "name": "juggle", "path": "/juggle", "family": "circus", "summary": "It juggles.", "rfc": "", "enabled": True,
        "example": "/juggle", "subprotocols": [], "parameters": parameters, "groups": [],
    }  # fmt: skip

    def answer(route: Route) -> None:
        route.fulfill(json={"families": {"circus": "for fun"}, "groups": {}, "behaviours": [invented]})

    page = browser.new_context().new_page()
    page.route("**/behaviours.json", answer)
    page.goto(f"{server.http}/lab.html")
    address = page.locator("#url")
    expect(address).to_have_text(f"{server.ws}/juggle")
    expect(page.get_by_label("wait", exact=True)).to_have_attribute("placeholder", "0")
    expect(page.get_by_label("often", exact=True)).to_have_attribute("placeholder", "such as 7")
    page.get_by_label("wait", exact=True).fill("61")
    expect(page.locator(".field", has_text="wait")).to_contain_text("Out of range: write this or that.")
    page.get_by_label("wait", exact=True).fill("60")
    expect(page.locator(".field", has_text="wait")).not_to_contain_text("Out of range")
    page.get_by_label("often", exact=True).fill("4")
    expect(page.locator(".field", has_text="often")).to_contain_text("Out of range")
    page.get_by_label("often", exact=True).fill("")
    page.get_by_label("much", exact=True).fill("2m")
    page.get_by_label("way", exact=True).select_option("down")
    page.get_by_label("odd", exact=True).select_option("yes")
    page.get_by_label("words", exact=True).fill("a b")
    expect(address).to_have_text(f"{server.ws}/juggle?wait=60&much=2m&way=down&odd=yes&words=a%20b")
    page.get_by_label("given, but empty").check()
    expect(address).to_have_text(re.compile("words=a%20b&name=$"))
    page.get_by_label("name", exact=True).fill("x")
    expect(address).to_have_text(re.compile("words=a%20b&name=x$"))


def test_only_what_is_set_is_in_the_address(browser: Browser, server: Daemon) -> None:
    """The address follows each change, percent-encoded; a group says how many of its parameters are set."""
    page = open_lab(browser, server, "#/close")
    address = page.locator("#url")
    expect(address).to_have_text(f"{server.ws}/close")
    page.get_by_label("code", exact=True).fill("4001")
    page.get_by_label("reason", exact=True).fill(AWKWARD)
    expect(address).to_contain_text("/close?code=4001&reason=")
    assert parse_qs(urlsplit(address.inner_text()).query) == {"code": ["4001"], "reason": [AWKWARD]}
    page.get_by_role("link", name="Set all").click()
    expect(address).to_have_text(f"{server.ws}/close")

    page.get_by_label("Behaviour", exact=True).select_option("ticker")
    group = page.locator("#groups details").filter(has=page.get_by_label("delay", exact=True))
    group.locator("summary").click()
    page.get_by_label("delay", exact=True).fill("20")
    expect(group.locator("summary")).to_contain_text("1 set")
    expect(address).to_have_text(f"{server.ws}/ticker?delay=20")
    page.get_by_label("Behaviour", exact=True).select_option("echo")
    expect(address).to_have_text(f"{server.ws}/echo?delay=20")


def test_a_link_restores_the_set_up(browser: Browser, server: Daemon) -> None:
    """Behaviour, parameters and subprotocols come back from a copied link, letter for letter; it does not connect."""
    page = open_lab(browser, server, "#/echo")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_label("Behaviour", exact=True).select_option("close")
    page.get_by_label("reason", exact=True).fill(AWKWARD)
    page.get_by_label("how", exact=True).select_option("close")
    page.get_by_label("half_code", exact=True).select_option("yes")
    page.locator("summary", has=page.get_by_text("time", exact=True)).click()
    page.get_by_label("delay", exact=True).fill("20")
    page.get_by_label("Subprotocols").fill("close, a%20b|c")
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("Link copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.url
    assert re.fullmatch(r"[!-~]+", link)
    page.get_by_role("button", name="Copy address").click()
    expect(page.get_by_text("Address copied")).to_be_visible()
    address = page.evaluate("navigator.clipboard.readText()")
    assert address == page.locator("#url").inner_text()

    other = open_lab(browser, server, link.partition("lab.html")[2])
    expect(other.locator("#url")).to_have_text(address)
    expect(other.get_by_label("Behaviour", exact=True)).to_have_value("close")
    expect(other.get_by_label("reason", exact=True)).to_have_value(AWKWARD)
    expect(other.get_by_label("how", exact=True)).to_have_value("close")
    expect(other.get_by_label("half_code", exact=True)).to_have_value("yes")
    expect(other.get_by_label("delay", exact=True)).to_be_visible()
    expect(other.get_by_label("delay", exact=True)).to_have_value("20")
    expect(other.get_by_label("Subprotocols")).to_have_value("close, a%20b|c")
    expect(other.locator("#status")).to_have_text("Not connected")


def test_what_a_link_asks_for_and_the_server_does_not_have_is_named(browser: Browser, server: Daemon) -> None:
    """Nothing of a link gets lost in silence."""
    page = open_lab(browser, server, "#/close?code=4001&colour=red&how=gently")
    expect(page.locator("#linkNote")).to_contain_text("colour=red, how=gently")
    expect(page.locator("#url")).to_have_text(f"{server.ws}/close?code=4001")
    page.goto(f"{server.http}/lab.html#/no-such-place")
    expect(page.locator("#linkNote")).to_contain_text("/no-such-place")


def test_without_the_list_the_page_says_so(browser: Browser, server: Daemon) -> None:
    """Nothing can be chosen then, and nothing is shown that would not work."""
    page = browser.new_context().new_page()
    page.route("**/behaviours.json", lambda route: route.fulfill(status=404))
    page.goto(f"{server.http}/lab.html")
    expect(page.get_by_role("alert")).to_contain_text("behaviours.json, could not be loaded: status 404")
    expect(page.get_by_role("button", name="Connect")).to_be_hidden()


def test_what_is_switched_off_cannot_be_picked(browser: Browser, server: Daemon, listed: dict[str, Any]) -> None:
    """It stands in the list as such, nothing begins with it, and a link to it is answered with a word."""
    few = [{**each, "enabled": each["name"] == "close"} for each in listed["behaviours"]]
    page = browser.new_context().new_page()
    page.route("**/behaviours.json", lambda route: route.fulfill(json={**listed, "behaviours": few}))
    page.goto(f"{server.http}/lab.html#/echo")
    expect(page.locator("#linkNote")).to_contain_text("/echo, which this server does not have")
    expect(page.get_by_label("Behaviour", exact=True)).to_have_value("close")
    expect(page.locator("#behaviour option:disabled")).to_have_count(len(few) - 1)
    expect(page.locator("#behaviour option:disabled").first).to_contain_text("disabled on this server")


def test_where_all_is_switched_off_the_page_says_so(browser: Browser, server: Daemon, listed: dict[str, Any]) -> None:
    """A server may have no behaviour that one could choose."""
    off = [{**each, "enabled": False} for each in listed["behaviours"]]
    page = browser.new_context().new_page()
    page.route("**/behaviours.json", lambda route: route.fulfill(json={**listed, "behaviours": off}))
    page.goto(f"{server.http}/lab.html")
    expect(page.get_by_role("alert")).to_contain_text("No behaviour is enabled")
    expect(page.get_by_role("button", name="Connect")).to_be_hidden()
