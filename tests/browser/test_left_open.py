"""Pages that are left open: a worklist that keeps itself up to date, words that are not sent yet."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from browsing import quiet_page, serving
from playwright.sync_api import Browser, Dialog, Page, expect
from sqlalchemy import update

from compass import DIRECTIONS, write_compass
from lumbago.anatomy.findings import Finding, StudyFindings, StudySummary
from lumbago.records.files import add_file
from lumbago.records.findings import add_findings
from lumbago.records.jobs import add_job, finish_job, take_job
from lumbago.records.patients import PatientFacts
from lumbago.records.store import Store, open_store
from lumbago.records.studies import StudyFacts, add_study, set_state
from lumbago.records.tables import SESSIONS, now
from lumbago.records.users import add_user
from lumbago.settings import Settings
from lumbago.web.access import open_access
from lumbago.web.app import create_app
from lumbago.web.passwords import hash_password
from lumbago.web.site import Site
from lumbago.web.viewer_frames import StudyImages

PASSWORD = "seven vertebrae walk by"


@dataclass(frozen=True)
class Open:
    """A reader's page at the worklist, the records behind it, the one study in them."""

    page: Page
    store: Store
    study: str
    address: str

    def leave_alone(self, minutes: int) -> None:
        """As if nobody had touched it for so long."""
        with self.store.write() as records:
            records.execute(update(SESSIONS).values(seen_at=now() - timedelta(minutes=minutes)))

    def analyze(self) -> None:
        """As if a worker had done it."""
        with self.store.write() as records:
            set_state(records, self.study, "waiting")
            add_job(records, "analyze", self.study)
            job = take_job(records, "test", 60.0)
            assert job is not None
            set_state(records, self.study, "analyzed")
            finish_job(records, job)


@pytest.fixture
def opened(tmp_path: Path, browser: Browser) -> Iterator[Open]:
    settings = Settings(home=str(tmp_path), workers=0, threads=1)
    store, images = open_store(f"sqlite:///{tmp_path / 'records.db'}", tmp_path / "files"), StudyImages(decoders=1)
    blob = store.blobs.keep([zipped(write_compass(tmp_path / "images", *DIRECTIONS[12], "A"))])
    grade = Finding("pfirrmann", "L4/L5", None, "2", {"1": 0.1, "2": 0.9}, 1.9)
    with store.write() as records:
        for name, role in (("anna", "reader"), ("root", "admin")):
            add_user(records, name, role, password_hash=hash_password(PASSWORD))  # type: ignore[arg-type]
        study = add_study(records, PatientFacts("P", name="Doe^Jane"), StudyFacts("1.2.3")).id
        add_file(records, blob, "received", "images.zip", study)
        add_findings(records, study, StudyFindings(StudySummary("s", "1.2.3"), (), (grade,)), {})
    app = create_app(Site(store, settings, images), open_access(store, settings, ""))
    with serving(app) as address, quiet_page(browser) as page:
        page.goto(address)
        page.get_by_label("Name").fill("anna")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Worklist")).to_be_visible()
        yield Open(page, store, study, address)
        page.goto("about:blank")
    images.close()
    store.close()


def zipped(folder: Path) -> bytes:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(folder.iterdir()):
            target.write(path, path.name)
    return archive.getvalue()


def test_a_worklist_renews_its_rows_until_its_reader_is_signed_out(opened: Open) -> None:
    page, badge = opened.page, opened.page.locator("#worklist .badge")
    expect(badge).to_have_text("received")
    page.locator("#q").fill("half a na")
    page.wait_for_timeout(1500)  # the server has been asked what is new
    opened.leave_alone(14)
    opened.analyze()
    expect(badge).to_have_text("analyzed")
    expect(page.locator("#q")).to_have_value("half a na")
    opened.leave_alone(16)
    opened.analyze()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_words_that_are_not_sent_are_not_lost_without_asking(opened: Open) -> None:
    page = opened.page
    page.goto(f"{opened.address}/studies/{opened.study}")
    page.wait_for_selector("#viewer[data-ready]")
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.locator("button.place").first.click()
    page.locator("#remark").press_sequentially("a fissure, I think")
    page.get_by_role("button", name="Sign the reading").click()
    expect(page.locator("#said")).to_have_text("Kept.")
    page.wait_for_timeout(500)
    assert asked == ["beforeunload"]
    expect(page.locator("#remark")).to_have_value("a fissure, I think")
    page.locator("[data-part=acts]").get_by_role("button", name="Add comment").click()
    expect(page.locator("#said")).to_have_text("The comment is kept.")
    page.reload()
    page.get_by_text("Comments (1)").wait_for()
    page.locator("#comment").press_sequentially("of the study")
    page.locator("[data-act=comment-study]").click()
    page.get_by_text("Comments (2)").wait_for()
    assert asked == ["beforeunload"]
