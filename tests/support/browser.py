"""A real Chromium: pages as a person sees them, and what a machine finds wrong with them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
PHONE, DESK = 390, 1280
WIDTHS = (PHONE, DESK)
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; skips the test where Debian's is not installed."""
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed; scripts/setup installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """A window with one page, and all that it asked for and complained of."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def elsewhere(self) -> list[str]:
        """Requests to another host than the page's: there must be none."""
        here = urlsplit(self.page.url).netloc
        return [url for url in self.requests if urlsplit(url).scheme != "data" and urlsplit(url).netloc != here]

    def inaccessible(self) -> list[str]:
        """What axe-core finds, a line each: rule, element, why."""
        self.page.evaluate(AXE_SCRIPT)
        found: Any = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{rule['id']}: {' '.join(map(str, node['target']))}: {node['failureSummary']}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return width

    def faults(self) -> list[str]:
        """All of these together."""
        wide = [f"{self.overflow()} px too wide"] if self.overflow() > 0 else []
        return [*self.complaints, *self.elsewhere(), *self.inaccessible(), *wide]

    def picture(self, name: str) -> None:
        """The whole page as NAME.png, in the folder that the variable OP25B_PICTURES names, if it is set."""
        if folder := os.environ.get("OP25B_PICTURES"):
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@contextmanager
def visit(
    browser: Browser,
    width: int = DESK,
    *,
    scheme: Literal["light", "dark"] = "light",
    javascript: bool = True,
    locale: str = "ja-JP",
    headers: dict[str, str] | None = None,
) -> Iterator[Visit]:
    """A window of that width, private to this visit."""
    context = browser.new_context(
        viewport={"width": width, "height": 844},
        color_scheme=scheme,
        java_script_enabled=javascript,
        locale=locale,
        extra_http_headers=headers or {},
        reduced_motion="reduce",
    )
    try:
        page = context.new_page()
        made = Visit(page)
        page.on("request", lambda request: made.requests.append(request.url))
        # violations of the Content-Security-Policy are said there too
        page.on("console", lambda said: made.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: made.complaints.append(str(error)))
        yield made
    finally:
        context.close()
