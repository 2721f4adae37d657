"""Every view can be used by whoever does not see it, or has no mouse."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, TimeoutError, expect
from tests.acceptance.server import Server
from tests.ui.browser import Person
from tests.ui.sights import Sight, furnish
from tests.upstreams.scripted import Play, Scripted

#: True when the page has followed the system into the dark: its scripts are told of that a moment late.
IS_DARK = "document.documentElement.dataset.theme === 'dark' && document.body.matches('.body--dark')"
FITS = "document.documentElement.scrollWidth <= innerWidth"


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, list[Sight]]]:
    folder: Path = tmp_path_factory.mktemp("sights")
    with furnish(folder) as found:
        yield found


@pytest.mark.timeout(1200)  # it looks at every view three times
def test_axe_finds_nothing_serious(browser: Browser, furnished: tuple[Server, list[Sight]]) -> None:
    """No view has a serious finding, light or dark; none is wider than a narrow window."""
    server, sights = furnished
    person = Person(browser, server.url, color_scheme="light")
    person.page.goto("/sign-in")
    found = {"sign-in": person.judge()}
    person.sign_in(server.token)
    for sight in sights:
        person.page.set_viewport_size({"width": 1280, "height": 800})
        person.page.emulate_media(color_scheme="light")
        sight.wait(person.open(sight.address))
        found[sight.name] = person.judge()
        person.page.emulate_media(color_scheme="dark")
        person.page.wait_for_function(IS_DARK)
        found[f"{sight.name}, dark"] = person.judge("color-contrast")
        person.page.set_viewport_size({"width": 390, "height": 800})
        with suppress(TimeoutError):  # what a script draws follows the window a moment later
            person.page.wait_for_function(FITS, timeout=20_000)
            continue
        found[f"{sight.name}, narrow"] = ["wider than the window"]
    person.close()
    faults = [f"{name}: {each}" for name, some in found.items() for each in some]
    assert not faults, "\n".join(faults)
    assert person.complaints == []


def test_the_keyboard_is_enough(browser: Browser, furnished: tuple[Server, list[Sight]]) -> None:
    """Without a mouse: sign in, skip the menu, open a dialog, leave it, and be where one was."""
    server, _ = furnished
    person = Person(browser, server.url)
    page = person.page
    page.goto("/sign-in")
    expect(page.get_by_label("Your token")).to_be_focused()
    page.keyboard.type(server.token)
    page.keyboard.press("Enter")
    page.wait_for_url("**/workflows")
    person.open("/collections")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="New collection…")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="New collection")).to_be_visible()
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    person.close()


def tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Press the key until what is wanted has the focus."""
    expect(wanted).to_be_visible()
    for _ in range(80):
        page.keyboard.press(key)
        if wanted.evaluate("each => each === document.activeElement"):
            return
    raise AssertionError(f"{key} never comes to {wanted}")


def test_a_whole_run_without_a_mouse(browser: Browser, furnished: tuple[Server, list[Sight]]) -> None:
    """Paste a command, take its id from a list, leave the text's editor, save, run, cancel."""
    server, _ = furnished
    person = Person(browser, server.url)
    person.sign_in(server.token)
    with Scripted() as upstream:
        upstream.on("/slow/*", Play(silent=True))  # the execution cannot end by itself
        page = person.open("/workflows/new/curl")
        define_by_keys(page, f"curl {upstream.url}/slow/7")
        run_by_keys(page)
    person.close()
    assert person.complaints == []


def define_by_keys(page: Page, command: str) -> None:
    def button(name: str) -> Locator:
        return page.get_by_role("button", name=name, exact=True)

    tab_to(page, page.get_by_label("Paste cURL here"))
    page.keyboard.type(command)
    tab_to(page, button("Read the cURL"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Read; look it over below")).to_be_visible()
    tab_to(page, button("Take 7 from a list"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_label("Items of slow_id, a line each"), "Shift+Tab")
    page.keyboard.press("Control+End")
    page.keyboard.type("".join(f"\n{number}" for number in range(100, 190)))
    expect(page.locator(".cm-content")).to_contain_text("189")
    tab_to(page, button("Formula"), "Shift+Tab")
    page.keyboard.press("Enter")
    tab_to(page, page.locator(".cm-content"))
    page.evaluate("() => { const now = Date.now(); Date.now = () => now; }")  # a Tab leaves for 2 s after Esc
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(page.locator(".cm-content")).not_to_be_focused()
    tab_to(page, button("Save"), "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/workflows/[0-9a-f-]{36}"))
    page.wait_for_function("window.did_handshake")


def run_by_keys(page: Page) -> None:
    tab_to(page, page.get_by_role("button", name="Run…", exact=True))
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("91 input items.")).to_be_visible()
    tab_to(page, dialog.get_by_role("combobox", name="Format"))
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", name="jsonl")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("option")).to_have_count(0)
    tab_to(page, dialog.get_by_role("button", name="Run", exact=True))
    page.keyboard.press("Enter")
    page.wait_for_url("**/executions/*")
    page.wait_for_function("window.did_handshake")
    tab_to(page, page.get_by_role("button", name="Cancel", exact=True))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("dialog").get_by_role("button", name="Cancel it"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status", name="Status")).to_have_text("cancelled")
