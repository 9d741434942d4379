"""A real browser, and what every page must keep to: nothing leaves the host, nothing fails."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import pytest

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
# Firefox' and others' names of what Debian calls chromium are not tried: it is what CI has.
CHROMIUM = shutil.which("chromium")


@contextmanager
def chromium() -> Iterator[Any]:
    """Start Debian's Chromium; skip where there is none, or nothing to drive it with."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    with driver.sync_playwright() as playwright:
        arguments = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


# Tabs that were left in order, by their browser: to visit a page in a new one takes twice as long.
_empty_tabs: WeakKeyDictionary[Any, list[Any]] = WeakKeyDictionary()


@contextmanager
def visit(
    browser: Any,
    url: str,
    *,
    may_fail: bool = False,
    viewport: dict[str, int] = DESK,
    color_scheme: str | None = None,
) -> Iterator[Any]:
    """Open a page, and check when it is left that all stayed on the host and nothing failed.

    It finds nothing in its tab of what was there before: no storage, no cache and no cookie.

    Args:
        browser: a running one.
        url: of the page.
        may_fail: whether requests are meant to fail.
        viewport: the size of the window's inside, in pixels.
        color_scheme: "light" or "dark"; the browser's own unless given.
    """
    asked: list[str] = []
    said: list[str] = []
    listeners = {
        "request": lambda request: asked.append(request.url),
        "pageerror": lambda error: said.append(str(error)),
        "console": lambda message: said.append(message.text) if is_bad(message) else None,
    }
    tabs = _empty_tabs.setdefault(browser, [])
    page = tabs.pop() if tabs else browser.new_context(accept_downloads=True).new_page()
    is_in_order = False
    try:
        page.set_default_timeout(20_000)
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=color_scheme or "null")
        for event, listener in listeners.items():
            page.on(event, listener)
        page.goto(url)
        yield page
        for event, listener in listeners.items():
            page.remove_listener(event, listener)
        _empty(page)
        is_in_order = True
    finally:
        if is_in_order:
            tabs.append(page)
        else:
            page.context.close()
    hosts = {urlsplit(each).netloc for each in asked if not each.startswith("blob:")}
    assert hosts == {urlsplit(url).netloc}
    if may_fail:
        said = [each for each in said if not each.startswith("Failed to load resource")]
    assert said == []


def _empty(page: Any) -> None:
    """Take a tab from its page, and from it what would be there for the next one."""
    # A request that a test answers itself may be under way: it would be answered twice.
    page.unroute_all(behavior="wait")
    page.context.unroute_all(behavior="wait")
    page.evaluate("() => { sessionStorage.clear(); localStorage.clear(); }")
    page.mouse.move(0, 0)
    page.goto("about:blank")
    page.context.clear_cookies()
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.clearBrowserCache")
    devtools.detach()


def is_bad(message: Any) -> bool:
    """Whether the console tells of an error; answers of 4xx, which tests provoke, are none."""
    is_answer = "the server responded with a status of 4" in message.text
    return message.type in ("error", "warning") and not is_answer


def keep(page: Any, name: str, **options: Any) -> None:
    """Keep a screenshot for people to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", **options)


def serious_problems(page: Any) -> list[str]:
    """Return what axe finds that keeps people from using the page."""
    axe = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(Path(axe.__file__).with_name("axe.min.js").read_text())
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {each['help']}: {node['html'][:160]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def copy_models(root: Path) -> Path:
    """Copy this repository's models, to serve two versions of one of them; return the folder."""
    shutil.copytree(ROOT / "saved_models", root)
    policy = '{"serve": {"latest": 2}, "labels": {"stable": 2}}'
    (root / "clothing" / "policy.json").write_text(policy)
    return root


def answered(page: Any, action: Any = None) -> dict[str, Any]:
    """Do something, and return what the next prediction was asked and answered, its address and id."""
    # By the request: an answer that comes now may be that to an earlier one.
    with page.expect_request(lambda request: request.url.endswith(":predict")) as caught:
        if action is not None:
            action()
    response = caught.value.response()
    return {
        "url": response.url,
        "asked": caught.value.post_data_json,
        "answered": response.json(),
        "id": response.headers["x-request-id"],
    }


def answered_anew(page: Any) -> dict[str, Any]:
    """Load the page again in its tab, and return what it then asks by itself and is answered.

    A blank page comes between: what the document before it asked last would be taken for the first
    that the new one asks.
    """
    url = page.url
    page.goto("about:blank")
    return answered(page, lambda: page.goto(url))


def first_answer(page: Any) -> Any:
    """Wait until what the page asks by itself is answered, and return the region of answers.

    Otherwise that answer may be taken for the one to what a test does next.
    """
    region = page.get_by_role("region", name="Answer")
    region.wait_for()
    region.get_by_text("Asking…").wait_for(state="detached")
    return region


def settled(page: Any) -> None:
    """Wait until an answer is shown and no newer one is on its way."""
    page.wait_for_selector(".meta")
    page.wait_for_function("() => !document.querySelector('.stale')")


def at(service: Any, model: str, tab: str = "try") -> str:
    """Return the address of a model's tab."""
    return f"{service.url}/models/{model}#{tab}"
