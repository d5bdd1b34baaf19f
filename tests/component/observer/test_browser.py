"""Do the pages work in a real browser, for everybody, and does nothing else happen there? Debian's Chromium."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # it has none
from observed_files import describe, go_on, long_history, make
from playwright.sync_api import Browser, Page, expect, sync_playwright

from chromium import ALONE, program
from markdown_blocks import REPOSITORY

PATIENCE_MS = 90_000
DORMOUSE = Path(sys.executable).with_name("dormouse")
LARGE = ("/files/0/executions/evil-1", "/files/1/executions/long-1?calls=24000&count=20&events=50000")
"""What looking at takes long; they have the colours of the others."""
KINDS = (
    "/",
    "/files/0",
    "/files/0?q=nothing-is-like-that",
    "/files/0/executions/order-3",
    "/files/0/executions/agent-1",
    "/files/0/executions/agent-1/agent",
    "/files/1/executions/long-1/events/5",
    "/files/0/executions/nobody",
    *LARGE,
)
"""A page of each kind."""
PAGES = (
    *KINDS,
    "/files/0?state=Failed",
    "/files/0/executions/stubborn-1",
    "/files/0/executions/parcels-1",
    "/files/1/executions/long-1?calls=24000&count=80&events=50000",
)
PHONE, TABLET = 360, 768
COLOURS_ALONE = {"runOnly": ["color-contrast"]}
VIOLATIONS_ALONE = {"resultTypes": ["violations"]}


class Watched:
    """A page whose every word and request is heard."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.wrong: list[str] = []
        page.on("console", lambda said: self.wrong.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith(base) else self.wrong.append(asked.url))
        page.set_default_timeout(PATIENCE_MS)

    def go(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("browsed")


@pytest.fixture(scope="module")
def base(folder: Path) -> Iterator[str]:
    describe(make(folder / "orders.sqlite"))
    long_history(folder / "long.sqlite", 100_000)
    long_history(folder / "live.sqlite", 9)
    command = [str(DORMOUSE), "open", "orders.sqlite", "long.sqlite", "live.sqlite", "--no-browser"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as opened:
        try:
            assert opened.stdout is not None
            yield opened.stdout.readline().split(" on ")[1].split("/ ")[0]
        finally:
            opened.terminate()


@pytest.fixture(scope="module")
def browser(base: str) -> Iterator[Browser]:
    # After the files were made: from here on this thread has a loop that runs.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=ALONE, timeout=PATIENCE_MS)
        yield browser
        browser.close()


@contextmanager
def looking(browser: Browser, base: str, **options: Any) -> Iterator[Watched]:
    """A browser window; nothing may have gone wrong in it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
    watched = Watched(context.new_page(), base)
    try:
        yield watched
    finally:
        context.close()
    assert watched.wrong == []


def unfolded(page: Page, most: int) -> None:
    """Unfold so many events of the log, and everything else, and wait until their values are in place of links."""
    page.evaluate("document.querySelectorAll('details:not(.fold)').forEach((one) => { one.open = true })")
    page.evaluate(f"[...document.querySelectorAll('.fold')].slice(0, {most}).forEach((one) => {{ one.open = true }})")
    expect(page.locator(".fold[open] .unfolded > a")).to_have_count(0, timeout=PATIENCE_MS)


def assert_accessible(page: Page, **options: Any) -> None:
    found = Axe().run(page, options=VIOLATIONS_ALONE | options)
    assert found.violations_count == 0, found.generate_report()


def no_complaint_of_a_missing_page(watched: Watched) -> None:
    """A browser says in its console that a page is not there: that one is meant."""
    watched.wrong = [said for said in watched.wrong if "404" not in said]


@pytest.mark.parametrize("path", KINDS)
def test_every_kind_of_page_is_accessible_in_both_colours_and_no_wider_than_a_phone(
    browser: Browser, base: str, path: str
) -> None:
    with looking(browser, base, color_scheme="light") as watched:
        page = watched.go(path)
        unfolded(page, 4)
        assert_accessible(page)
        if path not in LARGE:
            page.emulate_media(color_scheme="dark")
            assert_accessible(page, **COLOURS_ALONE)
        for width in (TABLET, PHONE):
            page.set_viewport_size({"width": width, "height": 700})
            assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        no_complaint_of_a_missing_page(watched)


@pytest.mark.long
@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_accessible_with_everything_unfolded(browser: Browser, base: str, path: str) -> None:
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    with looking(browser, base) as watched:
        page = watched.go(path)
        unfolded(page, 1000)
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme)
            assert_accessible(page)
        no_complaint_of_a_missing_page(watched)


def test_executions_are_searched_opened_and_their_values_unfolded(browser: Browser, base: str) -> None:
    with looking(browser, base) as watched:
        page = watched.go("/files/0")
        page.keyboard.press("/")
        page.keyboard.type("order-")
        page.keyboard.press("Enter")
        page.wait_for_url("**q=order-**")
        assert page.locator("tbody tr").count() == 3
        page.get_by_role("link", name="order-3").click()
        page.wait_for_url("**/executions/order-3")
        where = page.url
        reserved = page.locator("#log li", has_text="ActivityCompleted").locator("details.fold")
        reserved.locator("summary").first.click()
        reserved.locator(".tree").wait_for()
        assert "with care" in reserved.inner_text()
        assert page.url == where, "it was fetched into the page"
        page.get_by_role("button", name="copy").first.wait_for()


def test_the_filters_stand_in_a_line_and_no_line_of_code_is_broken(browser: Browser, base: str) -> None:
    with looking(browser, base) as watched:
        page = watched.go("/files/0")
        for what in ("label", "label > *, .filters > button"):
            edges = page.evaluate(
                f"[...document.querySelectorAll('.filters > {what}')].map((one) => one.getBoundingClientRect())"
                ".map((box) => `${Math.round(box.top)} ${Math.round(box.bottom)}`)"
            )
            assert len(edges) >= 5
            assert len(set(edges)) == 1, (what, edges)
        page = watched.go("/files/0/executions/agent-1")
        page.set_viewport_size({"width": TABLET, "height": 700})
        page.get_by_text("The same as a table").click()
        lines = page.evaluate("[...document.querySelectorAll('td > code')].map((one) => one.getClientRects().length)")
        assert len(lines) >= 4
        assert set(lines) == {1}


def test_a_long_timeline_and_a_long_log_are_walked_through_in_their_places(browser: Browser, base: str) -> None:
    with looking(browser, base) as watched:
        page = watched.go("/files/1/executions/long-1")
        page.locator("#calls-80").click()
        page.wait_for_url("**count=80")
        page.locator("#calls-later").click()
        page.wait_for_url("**calls=80&count=80")
        page.get_by_text("calls 81 to 160 of 49,999").or_(page.get_by_text("calls 81 to 160 of 50,000")).wait_for()
        assert page.locator("#timeline svg *").count() + page.locator("#timeline svg").count() < 500
        page.locator("#events-last").click()
        page.get_by_text("100,000 of 100,000").wait_for()
        page.reload()
        page.get_by_text("100,000 of 100,000").wait_for()
        page.locator("svg.overview a").last.click()
        page.wait_for_url("**#timeline")


def test_a_page_follows_a_file_that_goes_on_and_stays_as_it_was_unfolded(
    browser: Browser, base: str, folder: Path
) -> None:
    live = folder / "live.sqlite"
    with looking(browser, base) as watched:
        page = watched.go("/files/2/executions/long-1")
        events = page.locator("#log li")
        before = events.count()
        unfolded_one = page.locator("#log details").first
        unfolded_one.locator("summary").click()
        unfolded_one.locator(".tree").wait_for()
        page.get_by_text("The same as a table").click()
        page.locator("#log .position").nth(3).focus()
        focused = page.evaluate("document.activeElement.getAttribute('href')")
        go_on(live)
        expect(events).to_have_count(before + 1, timeout=PATIENCE_MS)
        expect(unfolded_one.locator(".tree")).to_be_visible()
        expect(page.get_by_role("region", name="Calls as a table").locator("tbody tr").last).to_contain_text("open")
        assert page.evaluate("document.activeElement.getAttribute('href')") == focused
        expect(page.locator(".said").first).to_contain_text("activity ask")
        expect(page.locator("#news")).to_have_text(page.locator(".said").first.inner_text())
        assert_accessible(page)
        page.get_by_role("button", name="pause").click()
        with looking(browser, base) as another:
            follows = another.go("/files/2/executions/long-1").locator("#log li")
            go_on(live)
            expect(follows).to_have_count(before + 2, timeout=PATIENCE_MS)
        assert events.count() == before + 1
        page.get_by_role("button", name="follow").click()
        expect(events).to_have_count(before + 2, timeout=PATIENCE_MS)


def test_a_list_follows_its_file_while_somebody_types_into_its_search(
    browser: Browser, base: str, folder: Path
) -> None:
    with looking(browser, base) as watched:
        page = watched.go("/files/2")
        page.get_by_label("Search").fill("long")
        with closing(sqlite3.connect(folder / "live.sqlite")) as connection, connection:
            connection.execute("UPDATE execution SET workflow = 'renamed'")
        expect(page.locator("table.list .sub")).to_have_text("renamed", timeout=PATIENCE_MS)
        expect(page.get_by_label("Search")).to_be_focused()
        assert page.get_by_label("Search").input_value() == "long"


def test_the_list_of_files_follows_all_of_them(browser: Browser, base: str, folder: Path) -> None:
    with looking(browser, base) as watched:
        page = watched.go("/")
        row = page.locator("table.list tbody tr").last
        expect(row).to_contain_text("1 Open")
        with closing(sqlite3.connect(folder / "live.sqlite")) as connection, connection:
            connection.execute("UPDATE execution SET status = 'Blocked'")
        try:
            expect(row).to_contain_text("1 Blocked", timeout=PATIENCE_MS)
            assert_accessible(page)
        finally:
            with closing(sqlite3.connect(folder / "live.sqlite")) as connection, connection:
                connection.execute("UPDATE execution SET status = 'Open'")


def test_colours_are_chosen_and_kept(browser: Browser, base: str) -> None:
    with looking(browser, base, color_scheme="light") as watched:
        page = watched.go("/files/0?q=order-")
        before = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.get_by_role("link", name="dark", exact=True).click()
        page.wait_for_url("**q=order-")
        after = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert after != before
        watched.go("/files/0/executions/order-1")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == after


def test_all_of_it_works_without_javascript(browser: Browser, base: str) -> None:
    with looking(browser, base, java_script_enabled=False) as watched:
        page = watched.go("/")
        page.get_by_role("link", name="orders.sqlite").click()
        page.get_by_label("Search").fill("order-3")
        page.get_by_role("button", name="Show").click()
        page.get_by_role("link", name="order-3").click()
        page.locator("#log details.fold").first.locator("summary").click()
        page.get_by_role("link", name="Show the payload").first.click()
        page.wait_for_url("**/events/*")
        page.get_by_role("heading", name="ExecutionStarted").wait_for()
        page = watched.go("/files/1/executions/long-1")
        page.locator("#calls-later").click()
        page.wait_for_url("**calls=40&count=40#timeline")
        page.locator("#events-later").click()
        page.wait_for_url("**events=50#log")
        page.get_by_role("link", name="dark", exact=True).click()
        page.wait_for_url("**events=50")
        assert page.locator("html").get_attribute("data-theme") == "dark"


def test_the_keyboard_reaches_everything_and_shows_where_it_is(browser: Browser, base: str) -> None:
    with looking(browser, base) as watched:
        page = watched.go("/files/0/executions/order-3")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main') !== null")
        reached = set[str]()
        for _ in range(60):
            reached.add(page.evaluate("document.activeElement.tagName.toLowerCase()"))
            ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            if page.evaluate("document.activeElement === document.body"):
                break
            assert ring != "none", page.evaluate("document.activeElement.outerHTML")
            page.keyboard.press("Tab")
        assert {"a", "button", "summary"} <= reached


@pytest.mark.parametrize(
    ("name", "path", "scheme"),
    [
        ("observer-execution", "/files/0/executions/agent-1", "light"),
        ("observer-agent", "/files/0/executions/agent-1/agent", "dark"),
    ],
)
def test_the_pictures_of_the_docs_are_taken(
    browser: Browser, base: str, tmp_path: Path, name: str, path: str, scheme: Any
) -> None:
    """With DORMOUSE_PICTURES=docs they are put into docs/images."""
    folder = REPOSITORY / "docs" / "images" if os.environ.get("DORMOUSE_PICTURES") == "docs" else tmp_path
    context = browser.new_context(viewport={"width": 1100, "height": 720}, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(base + path)
    page.screenshot(path=folder / f"{name}.png")
    context.close()
    assert 5_000 < (folder / f"{name}.png").stat().st_size < 250_000
    assert (REPOSITORY / "docs" / "images" / f"{name}.png").exists()
