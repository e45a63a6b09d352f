"""Pages on a telephone, and on paper."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import quiet_page, serious_faults, serving
from playwright.sync_api import Browser, Page, expect

from lumbago.anatomy.findings import Finding, Measurement, SeriesSummary, StudyFindings, StudySummary
from lumbago.anatomy.levels import LEVELS
from lumbago.records.findings import add_findings
from lumbago.records.patients import PatientFacts
from lumbago.records.store import open_store
from lumbago.records.studies import StudyFacts, add_study, set_state
from lumbago.records.users import add_user
from lumbago.settings import Settings
from lumbago.web.access import open_access
from lumbago.web.app import create_app
from lumbago.web.passwords import hash_password
from lumbago.web.site import Site
from lumbago.web.viewer_frames import StudyImages

PASSWORD = "seven vertebrae walk by"
WIDTH = 360
LONG = "Wolfeschlegelsteinhausenbergerdorff^Hubert"


def make_findings() -> StudyFindings:
    """Tables that are wider than a telephone."""
    size = {"foramen_height_and_what_lies_in_it_mm": Measurement(12.3, 1.0)}
    rows = tuple(
        Finding("pfirrmann", level, None, "4", {"3": 0.2, "4": 0.8}, 3.8, measurements=size) for level in LEVELS
    )
    series = SeriesSummary("1.2.3.4", "t2_tse_sagittal_320_fast", "sagittal_t2", "sagittal", "t2", 15, "by its timing")
    return StudyFindings(StudySummary("s", "1.2.3", series=(series,)), (), rows)


@pytest.fixture
def page(tmp_path: Path, browser: Browser) -> Iterator[Page]:
    """Of a study of a patient with a long name, signed in."""
    settings = Settings(home=str(tmp_path), workers=0, threads=1)
    store, images = open_store(f"sqlite:///{tmp_path / 'records.db'}", tmp_path / "files"), StudyImages(decoders=1)
    with store.write() as records:
        add_user(records, "anna", "admin", password_hash=hash_password(PASSWORD))
        study = add_study(records, PatientFacts("P", name=LONG), StudyFacts("1.2.3")).id
        add_findings(records, study, make_findings(), {})
        set_state(records, study, "analyzed")
    app = create_app(Site(store, settings, images), open_access(store, settings, ""))
    sized = {"viewport": {"width": WIDTH, "height": 740}}
    with serving(app) as address, quiet_page(browser, base_url=address, **sized) as made:
        made.goto("/")
        made.get_by_label("Name").fill("anna")
        made.get_by_label("Password").fill(PASSWORD)
        made.get_by_role("button", name="Sign in").click()
        expect(made.get_by_role("heading", name="Worklist")).to_be_visible()
        yield made
        made.goto("about:blank")
    images.close()
    store.close()


def overhang_px(page: Page, chosen: str) -> float:
    """By how much something is wider than what is shown of it."""
    return float(page.locator(chosen).evaluate("(one) => one.scrollWidth - one.clientWidth"))


def test_nothing_is_wider_than_a_telephone(page: Page) -> None:
    assert overhang_px(page, ".scroll") == 0, "the worklist"
    page.goto("/labels")
    assert overhang_px(page, "html") == 0
    page.goto("/")
    page.get_by_role("link", name="Wolfe").click()
    assert overhang_px(page, "html") == 0
    assert page.locator("[tabindex='0'].scroll").count() > 0, "tables that are wider can be scrolled by the keyboard"
    assert serious_faults(page) == []
    page.get_by_role("link", name="History").click()
    assert overhang_px(page, "html") == 0


def test_a_dark_page_is_printed_as_dark_ink_on_white(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.get_by_role("button", name="Light / dark").click()
    page.get_by_role("button", name="Light / dark").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.emulate_media(media="print")
    assert page.locator("body").evaluate("(one) => getComputedStyle(one).color") == "rgb(22, 32, 43)"
    assert page.locator("body").evaluate("(one) => getComputedStyle(one).backgroundColor") == "rgb(244, 246, 248)"
