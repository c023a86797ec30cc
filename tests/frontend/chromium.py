"""Debian's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"
"""Headless Chromium calls itself a thing that the loader takes for a bot."""

_QUIET = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@dataclass(frozen=True)
class Tab:
    """A page with the shop on it, and what went wrong there."""

    page: Page
    errors: list[str]

    def open(self, url: str) -> None:
        """Load it, and wait until an application has started or there is nothing to wait for."""
        self.page.goto(url)
        self.started()

    def started(self) -> None:
        self.page.wait_for_selector("#edition", timeout=10_000)

    @property
    def title(self) -> str:
        return self.page.inner_text("#edition")

    @property
    def edition(self) -> str:
        """The title without what flags add to it: a number that is late brings none."""
        return self.title.partition(" with ")[0]

    @property
    def lockstep(self) -> dict[str, Any]:
        found: dict[str, Any] = self.page.evaluate("window.lockstep")
        return found


@contextmanager
def chromium() -> Iterator[Browser]:
    root = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=[*_QUIET, *root]
        )
        yield browser
        browser.close()


@contextmanager
def visitor(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    """Somebody with cookies and a cache of their own."""
    context = browser.new_context(user_agent=_AGENT, **options)
    yield context
    context.close()


def tab(context: BrowserContext) -> Tab:
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda it: errors.append(it.text) if it.type == "error" else None)
    return Tab(page, errors)
