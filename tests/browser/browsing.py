"""Servers, pages and axe: what every browser test stands on."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import axe_playwright_python
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Page

PATIENCE_MS: Final = 60_000
_AXE: Final = Path(axe_playwright_python.__file__).parent / "axe.min.js"


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The address at which a thread of this process serves the app."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def quiet_page(browser: Browser, **context: Any) -> Iterator[Page]:
    """A page of a fresh visitor; what its scripts complain about fails the test."""
    visitor = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce", **context})
    visitor.set_default_timeout(PATIENCE_MS)
    page = visitor.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    try:
        yield page
    finally:
        visitor.close()
    assert [line for line in complaints if "favicon" not in line and "404" not in line] == []


def serious_faults(page: Page) -> list[str]:
    """What axe finds serious or critical: WCAG 2.2 A and AA and best practice."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE.read_text(encoding="utf8") + "; 0")
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def keep_picture(page: Page, name: str) -> None:
    """A screenshot to be looked at, under `demo/pages/`."""
    folder = Path("demo/pages")
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png", full_page=True)
