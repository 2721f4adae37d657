"""Debian's Chromium, kept off every network but loopback, and what a person does in it."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, TimeoutError, expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
]
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
#: Milliseconds that something may take on a machine that is busy.
PATIENCE = 120_000
#: What a browser says of a status that is no success, of a request that a later navigation ended, and of a
#: server that is gone.
PASSING = re.compile("Failed to load resource|WebSocket connection|net::ERR_")
#: Keeps what notifications say: they are gone after five seconds, which a busy machine can take away.
LISTEN = """(() => {
  const known = new WeakMap();
  window.heard = [];
  new MutationObserver(() => {
    for (const each of document.querySelectorAll(".q-notification")) {
      const text = each.textContent;
      if (known.get(each) !== text) window.heard.push(text);
      known.set(each, text);
    }
  }).observe(document, { childList: true, subtree: true, characterData: true });
})()"""


@contextmanager
def open_browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE)
        yield browser
        browser.close()


def hear(page: Page, text: str) -> None:
    """Wait until a notification has said this; what was said until then counts no more."""
    said = """text => {
      const at = heard.findIndex(each => each.includes(text));
      return at >= 0 && heard.splice(0, at + 1).length;
    }"""
    try:
        page.wait_for_function(said, arg=text)
    except TimeoutError:
        raise AssertionError(f"Not said: {text!r}, but {page.evaluate('heard')}") from None


@contextmanager
def loaded_anew(page: Page) -> Iterator[None]:
    """Wait in the end until what was done has brought the view anew: what is pressed before that is lost."""
    page.evaluate("window.isOld = true")
    yield
    page.wait_for_function("!window.isOld && window.did_handshake")


class Person:
    """Somebody at a browser of his own. What the browser complains of is kept in `complaints`."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.url = url
        self.complaints: list[str] = []
        self.context: BrowserContext = browser.new_context(base_url=url, **options)
        self.context.set_default_timeout(PATIENCE)
        self.context.add_init_script(LISTEN)
        self.page: Page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._hear)
        self.page.on("request", self._watch)

    def _hear(self, message: Any) -> None:
        if message.type == "error" and not PASSING.search(message.text):
            self.complaints.append(message.text)

    def _watch(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.complaints.append(f"asked for {request.url}")

    def sign_in(self, token: str) -> None:
        self.page.goto("/sign-in")
        self.page.get_by_label("Your token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(lambda url: "/sign-in" not in url)

    def sign_out(self) -> None:
        self.page.get_by_role("button", name="Sign out").click()
        self.page.wait_for_url("**/sign-in")

    def open(self, path: str) -> Page:
        """Open a view and wait until it is alive."""
        self.page.goto(path)
        expect(self.page.locator("h1, h2").first).to_be_visible()
        self.page.wait_for_function("window.did_handshake")
        return self.page

    def judge(self, *rules: str) -> list[str]:
        """Return what axe finds in the open view that is serious or worse, by these rules or by all.

        Nothing moves meanwhile: a message that fades in or out has other colours for a moment.
        """
        if not self.page.evaluate("'axe' in window"):
            self.page.add_script_tag(path=AXE)
        self.page.emulate_media(reduced_motion="reduce")
        options = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
        found = self.page.evaluate("options => axe.run(document, options)", options)
        self.page.emulate_media(reduced_motion="null")
        return [
            f"{each['id']}: {node['html'][:200]}"
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]

    def close(self) -> None:
        self.context.close()
