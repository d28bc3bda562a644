"""Debian's Chromium without a window, and what the tests do in it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from testbed.paths import DEV

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
SCREENSHOTS = DEV / "test-results" / "screenshots"
WITHIN = 60_000.0  # milliseconds until something is on a page; seconds on an idle machine
SIZE = {"width": 1000, "height": 640}


@contextmanager
def started() -> Iterator[Browser]:
    """A browser. Skips without one, and fails then in CI, so that nobody overlooks it."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        reason = "the browser tests need chromium: run bin/system-packages to install it"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        # Chromium refuses to run as root in its sandbox.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visitor:
    """A user in a browser window."""

    def __init__(self, page: Page, hub: str, name: str) -> None:
        self.page, self._hub, self.name = page, hub, name
        page.set_default_timeout(WITHIN)
        page.set_default_navigation_timeout(WITHIN)
        expect.set_options(timeout=WITHIN)

    def log_in(self) -> None:
        self.page.goto(self._hub)
        self.page.fill("#username_input", self.name)
        self.page.fill("#password_input", "any")
        self.page.click("#login_submit")

    def screenshot(self, name: str) -> Path:
        path = SCREENSHOTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path

    def open_lab(self) -> None:
        """Wait for JupyterLab, without the windows that it had open."""
        self.page.wait_for_url("**/user/**")
        self.page.goto(re.sub(r"(/user/[^/]+/).*", r"\1lab?reset", self.page.url))
        self.files().first.wait_for()

    def files(self) -> Locator:
        """The entries of the file browser."""
        return self.page.locator(".jp-DirListing-item .jp-DirListing-itemName")

    def run(self, *cells: str) -> list[str]:
        """Run cells in a new notebook, and return the output of each."""
        page = self.page
        page.locator(".jp-LauncherCard[data-category='Notebook']").first.click()
        for number, code in enumerate(cells):
            # A cell that runs before the kernel is ready does nothing.
            expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle")
            editor = page.locator(".jp-Notebook .jp-Cell .cm-content").nth(number)
            editor.click()
            page.keyboard.insert_text(code)
            page.keyboard.press("Shift+Enter")
            expect(self._prompt(number)).to_have_text(f"[{number + 1}]:")
        return [page.locator(".jp-Notebook .jp-Cell").nth(number).inner_text() for number in range(len(cells))]

    def _prompt(self, number: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell .jp-InputPrompt").nth(number)
