"""Every view can be used by whoever does not see it, or has no mouse."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from tests.acceptance.server import Server
from tests.ui.browser import Person
from tests.ui.sights import Sight, furnish


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, list[Sight]]]:
    folder: Path = tmp_path_factory.mktemp("sights")
    with furnish(folder) as found:
        yield found


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
        found[f"{sight.name}, dark"] = person.judge("color-contrast")
        person.page.set_viewport_size({"width": 390, "height": 800})
        if person.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
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
    page.keyboard.type(server.token)
    page.keyboard.press("Enter")
    page.wait_for_url("**/workflows")
    person.open("/collections")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="New collection…")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="New collection")).to_be_visible()
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    person.close()
