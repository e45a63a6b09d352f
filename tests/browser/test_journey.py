"""One reader's day with the dashboard, from the first start to the audit."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import PATIENCE_MS, keep_picture, quiet_page, serious_faults
from playwright.sync_api import Browser, Page, expect
from visits import Served, serve, write_visits

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.review.study_table import BRIEF
from postgres_server import new_database

PASSWORD = "seven vertebrae walk by"
ANALYSIS_MS = 600_000


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The day is lived twice, on records of each kind."""
    database = new_database(request.getfixturevalue("postgres")) if request.param == "postgresql" else ""
    with serve(tmp_path_factory.mktemp("home"), database) as one:
        yield one


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_visits(tmp_path_factory.mktemp("visits"))


@pytest.fixture(scope="module")
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """The reader's one window; the tests below are his day, in their order."""
    with quiet_page(browser, accept_downloads=True) as made:
        made.goto(f"{served.address}/first-start?secret={served.secret}")
        checked(made, "first-start")
        made.get_by_label("Name").fill("anna")
        made.get_by_label("Password").fill(PASSWORD)
        made.get_by_role("button", name="Make the account").click()
        expect(made.get_by_role("heading", name="Worklist")).to_be_visible()
        yield made


def checked(page: Page, name: str) -> None:
    """No serious fault, and a picture to look at: light, dark, wide and as a tablet shows it."""
    faults = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        faults += serious_faults(page)
        keep_picture(page, f"{name}-{scheme}")
    page.set_viewport_size({"width": 820, "height": 1180})
    faults += serious_faults(page)
    keep_picture(page, f"{name}-tablet")
    page.set_viewport_size({"width": 1600, "height": 1000})
    keep_picture(page, f"{name}-wide")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light")
    assert faults == []


def test_sign_in(page: Page, served: Served, browser: Browser) -> None:
    checked(page, "worklist-empty")
    with quiet_page(browser) as other:
        other.goto(served.address)
        checked(other, "sign-in")
        other.get_by_label("Name").fill("anna")
        other.get_by_label("Password").fill(PASSWORD)
        other.get_by_role("button", name="Sign in").click()
        expect(other.get_by_role("heading", name="Worklist")).to_be_visible()


def test_upload_and_progress(page: Page, served: Served, visits: list[Path]) -> None:
    page.goto(f"{served.address}/upload")
    page.locator("#files").set_input_files([str(path) for path in visits])
    links = page.get_by_role("link", name="Open the study")
    expect(links).to_have_count(len(visits), timeout=ANALYSIS_MS)
    expect(page.get_by_text("1 file left out")).to_have_count(1)
    page.get_by_text("1 file left out").click()
    expect(page.locator("#uploads li li")).to_contain_text("notes.txt: ")
    checked(page, "upload")
    page.goto(served.address)
    expect(page.locator("#worklist tbody tr")).to_have_count(len(visits))
    expect(page.locator("#worklist .badge", has_text="analyzed")).to_have_count(len(visits), timeout=ANALYSIS_MS)
    page.goto(served.address)  # the list loads itself anew when something was analyzed
    checked(page, "worklist")


def open_study(page: Page, served: Served) -> None:
    page.goto(served.address)
    page.locator("#worklist tbody a").first.click()
    page.wait_for_selector("#viewer[data-ready]")


def test_scroll_and_go_to_the_evidence_of_each_condition(page: Page, served: Served) -> None:
    open_study(page, served)
    caption = page.locator(".lv-caption").first
    before = caption.text_content()
    page.locator(".lv-view").first.focus()
    page.keyboard.press("ArrowDown")
    expect(caption).not_to_have_text(str(before))
    graded = page.locator("button.place:not(.withheld)")
    conditions = {cell.get_attribute("data-condition") for cell in graded.all()}
    assert {"spinal_canal_stenosis", "neural_foraminal_narrowing", "pfirrmann"} <= conditions <= set(CONDITIONS)
    for condition in sorted(conditions):
        cell = page.locator(f"button.place[data-condition='{condition}']:not(.withheld)").first
        level = cell.get_attribute("data-level")
        cell.click()
        expect(page.locator(".lv-status")).to_contain_text(str(level))
        expect(page.locator(".lv-status")).to_contain_text(CONDITIONS[str(condition)].short)
        expect(page.locator(".lv-active circle").first).to_be_attached()
    table = page.locator(".scroll:has(table.grid)")
    assert table.evaluate("one => one.scrollWidth <= one.clientWidth"), "the table scrolls sideways at 1280 pixels"
    checked(page, "study")


def test_correct_a_grade_and_sign(page: Page, served: Served) -> None:
    cell = page.locator("button.place[data-condition='spinal_canal_stenosis']").first
    cell.click()
    other = page.locator("[data-part='grades'] button[aria-pressed='false']").last
    grade = str(other.text_content()).rsplit(" (", 1)[0]
    other.click()
    corrected = page.locator("button.place[data-condition='spinal_canal_stenosis']").first
    expect(corrected).to_have_attribute("title", re.compile(f": {re.escape(grade)}.*changed"))
    expect(corrected.locator(".grade")).to_have_text(BRIEF.get(grade, grade))
    expect(page.locator(".lv-status")).to_have_text(re.compile(f": {re.escape(grade)}$"))
    expect(page.locator(".head .badge")).to_have_text("reviewed")
    expect(page.locator("#said")).to_be_in_viewport()
    headline, chips = page.locator("#headline").text_content(), page.locator("#abnormal").text_content()
    page.reload()
    expect(page.locator("#headline")).to_have_text(str(headline))
    expect(page.locator("#abnormal")).to_have_text(str(chips))
    page.wait_for_selector("#viewer[data-ready]")
    page.get_by_role("button", name="Sign the reading").click()
    expect(page.locator(".head .badge")).to_have_text("signed")
    page.wait_for_selector("#viewer[data-ready]")


def test_download_the_report(page: Page) -> None:
    with page.expect_download() as download:
        page.get_by_role("link", name="PDF").click()
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF")


def test_history_of_three_dates_and_side_by_side(page: Page) -> None:
    page.get_by_role("link", name="History").click()
    for date in ("2024-01-15", "2025-01-16", "2026-01-17"):
        expect(page.get_by_role("link", name=date).first).to_be_visible()
    checked(page, "history")
    page.get_by_role("link", name="with 2024-01-15").click()
    page.wait_for_selector("#viewer[data-ready]")
    assert page.locator(".lv-view").count() == 6
    page.locator(".lv-view").first.focus()
    page.keyboard.press("ArrowDown")
    moved = page.locator(".lv-caption").first.text_content()
    expect(page.locator(".lv-caption").nth(3)).to_have_text(str(moved))
    checked(page, "beside")


@pytest.mark.parametrize(
    "name", ["audit", "models", "settings", "users", "teaching", "upload", "labels", "api/v1/docs"]
)
def test_other_pages(page: Page, served: Served, name: str) -> None:
    page.goto(f"{served.address}/{name}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    checked(page, name.rpartition("/")[2])


def test_audit(page: Page, served: Served) -> None:
    page.goto(f"{served.address}/audit?verify=1")
    expect(page.locator("p.done, p.error").first).to_have_class("done")
    text = str(page.locator("main").text_content())
    for line in ("anna", "look at images"):
        assert line in text
    expect(page.locator("table tbody tr").first).to_be_visible(timeout=PATIENCE_MS)
