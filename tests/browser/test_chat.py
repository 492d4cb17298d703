"""The chat page in a real browser, against a real daemon.

The page is found through what a person finds: labels, roles and texts; ids only where several things share a role.
"""

from __future__ import annotations

import re
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.support.daemon import Daemon, Start
from tests.support.pages import brightness, nothing_foreign, wide_parts
from tests.support.patience import PATIENCE

BROADCAST = Subprotocol("org.ietf.websocket.test-echo-broadcast")
LONGEST_WAIT_MS = 30_000  # until the page connects again
PHONE_WIDTH = 390
FRAME = "body, header *, main > *, #chat > *, footer *"  # long names in the log are cut off by its edge


def open_page(
    browser: Browser,
    address: str,
    *,
    width: int = 1200,
    scheme: Literal["light", "dark"] = "light",
    clock: bool = False,
) -> Page:
    """The chat page at `address` in a browser context, and so a storage, of its own; `width` in CSS pixels.

    With `clock`, the page's time can be moved on.
    """
    page = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme).new_page()
    if clock:
        page.clock.install()
    page.goto(address)
    return page


def join(page: Page, name: str) -> Page:
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Join").click()
    expect(page.locator("#status")).to_have_text("Online")
    return page


def say(page: Page, text: str) -> None:
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Send").click()


def expect_line(page: Page, *parts: str) -> None:
    """Wait for one line of the log that holds all of `parts`."""
    line = page.locator("#log > *")
    for part in parts:
        line = line.filter(has_text=part)
    expect(line).to_have_count(1)


def seed_client(address: str) -> ClientConnection:
    """A client that speaks as the Jetty seed page did."""
    return connect(address.replace("http", "ws", 1), subprotocols=[BROADCAST])


def test_two_people_talk_and_see_each_other_come_and_go(browser: Browser, daemon: Start) -> None:
    """What one says reaches both; joins and leaves are shown, in the log and among the people seen."""
    address = daemon().http
    ann = join(open_page(browser, address), "Ann")
    bob = join(open_page(browser, address), "Bob")
    expect_line(ann, "Bob has joined!")

    say(ann, "hello: Bob")
    expect_line(bob, "Ann", "hello: Bob")
    expect(bob.locator(".own")).to_have_count(0)
    expect(ann.locator(".own")).to_contain_text("hello: Bob")
    say(bob, "hello Ann")
    expect_line(ann, "Bob", "hello Ann")
    expect(ann.locator("#people li").filter(has_text="Bob")).not_to_contain_text("left")

    bob.get_by_role("button", name="Leave").click()
    expect(bob.get_by_label("Your name")).to_be_visible()
    expect_line(ann, "Bob has left!")
    expect(ann.locator("#people li").filter(has_text="Bob")).to_contain_text("left")


def test_a_namesake_is_not_taken_for_oneself(browser: Browser, server: Daemon) -> None:
    """Only what this page sent is marked as own, whatever name others use."""
    address = server.http
    page = join(open_page(browser, address), "Ann")
    with seed_client(address) as other:
        other.send("Ann:I am another Ann")
        expect_line(page, "Ann", "I am another Ann")
    expect(page.locator(".own")).to_have_count(0)


def test_a_colon_in_the_name_becomes_an_underscore(browser: Browser, server: Daemon) -> None:
    """The wire format is NAME:text, split at the first colon, so that a name cannot hold one."""
    address = server.http
    with seed_client(address) as other:
        page = join(open_page(browser, address), "a:b")
        assert other.recv(timeout=PATIENCE) == "a_b:has joined!"
        say(page, "c:d")
        assert other.recv(timeout=PATIENCE) == "a_b:c:d"


def test_an_empty_name_is_refused(browser: Browser, server: Daemon) -> None:
    """Nobody joins without a name; the page says so and waits in the field."""
    page = open_page(browser, server.http)
    page.get_by_label("Your name").fill("   ")
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("alert").filter(has_text="enter a name")).to_be_visible()
    expect(page.get_by_label("Your name")).to_be_focused()
    expect(page.locator("#status")).to_have_text("Not joined")


@pytest.mark.parametrize(
    "hostile",
    [
        "<img src=x onerror=hacked=1>",
        "</script><script>hacked=1</script>",
        "\"'><b onclick=hacked=1>&amp;",
        "${hacked=1}{{hacked=1}}",
    ],
)
def test_markup_in_names_and_texts_is_shown_as_text(browser: Browser, server: Daemon, hostile: str) -> None:
    """A name and a text made of markup appear letter for letter, make no element and run nothing."""
    address = server.http
    page = join(open_page(browser, address), "Ann")
    with seed_client(address) as other:
        other.send(f"{hostile}:has joined!")
        other.send(f"{hostile}:{hostile}")
        expect_line(page, f"{hostile} has joined!")
        message = page.locator(".message")
        expect(message.locator(".name")).to_have_text(hostile)
        expect(message.locator(".text")).to_have_text(hostile)
    expect(page.locator("#people")).to_contain_text(hostile)
    assert page.locator("#chat").locator("img, script, b").count() == 0
    assert page.evaluate("typeof hacked") == "undefined"


def test_a_bidi_override_does_not_leave_its_name(browser: Browser, server: Daemon) -> None:
    """A right-to-left override in a name must not turn round what the page writes after it."""
    address = server.http
    page = join(open_page(browser, address), "Ann")
    with seed_client(address) as other:
        other.send("\u202eevil:has joined!")
        other.send("\u202eevil:text")
        expect(page.locator(".message")).to_have_count(1)
    for line in page.locator("#log > *").filter(has_text="evil").all():
        name, time = line.locator("bdi").first.bounding_box(), line.locator("time").bounding_box()
        assert name is not None
        assert time is not None
        assert name["x"] + name["width"] <= time["x"]


def test_what_other_clients_send_breaks_nothing(browser: Browser, daemon: Start) -> None:
    """Binary messages are noted, texts without a colon belong to nobody, and the chat goes on."""
    address = daemon().http
    page = join(open_page(browser, address), "Ann")
    with seed_client(address) as other:
        other.send(b"\x00\xff" * 600)
        other.send("just letters")
        other.send("")
        expect_line(page, "binary message, 1,200 bytes")
        expect_line(page, "(no name)", "just letters")
    say(page, "still here")
    expect_line(page, "Ann", "still here")


def test_the_log_keeps_the_last_500_lines(browser: Browser, daemon: Start) -> None:
    """A busy room does not make the page grow without end."""
    address = daemon().http
    page = join(open_page(browser, address), "Ann")
    with seed_client(address) as other:
        for number in range(600):
            other.send(f"busy:line {number}.")
            other.recv(timeout=PATIENCE)
        expect_line(page, "line 599.")
    expect(page.locator("#log > *")).to_have_count(500)


def test_a_message_beyond_the_limit_is_not_sent(browser: Browser, server: Daemon) -> None:
    """What the server would answer with 1009 stays in the field, with a reason; bytes count, not characters."""
    page = join(open_page(browser, server.http), "Ann")
    too_long = "ü" * 32_766  # with "Ann:" 65,536 bytes, one more than fits
    say(page, too_long)
    expect(page.locator("#hint")).to_contain_text("too long")
    expect(page.get_by_label("Message", exact=True)).to_have_value(too_long)
    say(page, too_long[1:])
    expect(page.locator(".own")).to_have_count(1)
    expect(page.locator("#status")).to_have_text("Online")


def test_after_a_restart_of_the_daemon_the_page_is_back_by_itself(browser: Browser, daemon: Start) -> None:
    """The page says that it reconnects, keeps the draft and sends nothing meanwhile, and announces its return."""
    first = daemon()
    page = join(open_page(browser, first.http, clock=True), "Ann")
    field = page.get_by_label("Message", exact=True)
    field.fill("half a thought")

    first.stop()
    expect(page.locator("#status")).to_have_text(re.compile("Reconnecting|Connecting"))
    expect(page.get_by_text(re.compile(r"Reconnecting in \d+ s"))).to_be_visible()
    expect(page.get_by_role("button", name="Reconnect now")).to_be_visible()
    field.press("Enter")
    expect(page.locator("#hint")).to_contain_text("Not sent")
    expect(field).to_have_value("half a thought")

    second = daemon(port=first.port)
    page.clock.fast_forward(LONGEST_WAIT_MS)
    expect(page.locator("#status")).to_have_text("Online", timeout=LONGEST_WAIT_MS)
    expect(page.locator("#log > *").filter(has_text="Ann has joined!")).to_have_count(2)
    expect(field).to_have_value("half a thought")
    with seed_client(second.http) as other:
        field.press("Enter")
        assert other.recv(timeout=PATIENCE) == "Ann:half a thought"
    expect_line(page, "Ann", "half a thought")
    expect(field).to_have_value("")


def test_name_and_draft_outlive_a_reload(browser: Browser, server: Daemon) -> None:
    """What was typed is not lost when the page is loaded again in the same tab."""
    page = join(open_page(browser, server.http), "Ann")
    page.get_by_label("Message", exact=True).fill("half a thought")
    page.reload()
    expect(page.get_by_label("Your name")).to_have_value("Ann")
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_label("Message", exact=True)).to_have_value("half a thought")


def test_the_keyboard_is_enough(browser: Browser, server: Daemon) -> None:
    """Join, say something and leave without a pointer: the focus is always where the next key belongs."""
    page = open_page(browser, server.http)
    expect(page.get_by_label("Your name")).to_be_focused()
    page.keyboard.type("Ann")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Message", exact=True)).to_be_focused()
    expect(page.locator("#status")).to_have_text("Online")
    page.keyboard.type("by keyboard")
    page.keyboard.press("Enter")
    expect_line(page, "Ann", "by keyboard")
    expect(page.get_by_label("Message", exact=True)).to_be_focused()

    page.get_by_role("button", name="Leave").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your name")).to_be_focused()


def test_nothing_is_asked_of_other_hosts_and_nothing_is_complained_of(browser: Browser, server: Daemon) -> None:
    """Every request stays on the page's own origin, under a strict policy, without an error in the console."""
    page = browser.new_context().new_page()
    with nothing_foreign(page, server.http):
        page.goto(server.http)
        join(page, "Ann")
        say(page, "hello")
        expect_line(page, "Ann", "hello")


def test_a_phone_needs_no_sideways_scrolling(browser: Browser, daemon: Start) -> None:
    """At phone width everything fits, long words and the reconnecting notice too, and no field makes it zoom."""
    running = daemon()
    page = open_page(browser, running.http, width=PHONE_WIDTH)
    assert wide_parts(page, FRAME) == []
    join(page, "W" * 40)
    say(page, "w" * 500)
    expect(page.locator(".own")).to_have_count(1)
    assert wide_parts(page, FRAME) == []
    size = page.get_by_label("Message", exact=True).evaluate("(field) => parseFloat(getComputedStyle(field).fontSize)")
    assert size >= 16
    expect(page.get_by_role("button", name="Send")).to_be_in_viewport()

    running.stop()
    expect(page.get_by_role("button", name="Reconnect now")).to_be_visible()
    assert wide_parts(page, FRAME) == []


@pytest.mark.parametrize(("scheme", "dark"), [("dark", True), ("light", False)])
def test_the_page_follows_the_colour_scheme(
    browser: Browser, server: Daemon, scheme: Literal["light", "dark"], dark: bool
) -> None:
    """Dark mode has a dark background, under letters that are light, and the reverse."""
    page = open_page(browser, server.http, scheme=scheme)

    assert (brightness(page, "body", "backgroundColor") < 64) is dark
    assert (brightness(page, "body", "color") > 192) is dark


def test_the_seed_page_and_this_page_see_each_other(browser: Browser, daemon: Start) -> None:
    """The protocol is that of the Jetty page, byte for byte, in both directions."""
    address = daemon().http
    page = join(open_page(browser, address), "Ann")
    with seed_client(address) as old:
        assert old.subprotocol == BROADCAST
        old.send("old:has joined!")
        old.send("old:hello")
        assert [old.recv(timeout=PATIENCE), old.recv(timeout=PATIENCE)] == ["old:has joined!", "old:hello"]
        expect_line(page, "old has joined!")
        expect_line(page, "old", "hello")
        say(page, "welcome")
        assert old.recv(timeout=PATIENCE) == "Ann:welcome"
        page.get_by_role("button", name="Leave").click()
        assert old.recv(timeout=PATIENCE) == "Ann:has left!"


def test_a_browser_without_websocket_is_told_so(browser: Browser, server: Daemon) -> None:
    """A warning instead of a form that cannot work."""
    address = server.http
    context = browser.new_context()
    context.add_init_script("delete window.WebSocket")
    page = context.new_page()
    page.goto(address)
    expect(page.get_by_role("alert").filter(has_text="does not support WebSocket")).to_be_visible()
    expect(page.get_by_label("Your name")).to_be_hidden()
