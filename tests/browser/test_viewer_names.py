"""How the viewer names what is chosen: in the words of the report, and whole."""

from collections.abc import Callable, Iterator

import pytest
from beads import FINDINGS, SHARES, make_study
from browsing import serving
from playwright.sync_api import Page, expect
from viewer_page import make_app

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.report.level_grid import PHANTOM_MARK
from lumbago.report.wording import percent


@pytest.fixture
def page(new_page: Callable[..., Page], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Of three narrow views beside each other."""
    with serving(make_app({"1": make_study(tmp_path_factory.mktemp("one"))})) as address:
        made = new_page()
        made.goto(f"{address}/?study=1")
        made.wait_for_selector("#viewer[data-ready]")
        made.evaluate("document.querySelector('#viewer').style.width = '440px'")
        yield made
        made.goto("about:blank")


OUTSIDE = """all => all.map((one) => {
  const [name, view] = [one, one.closest(".lv-view")].map((of) => of.getBoundingClientRect());
  return Math.max(name.right - view.right, view.left - name.left);
})"""
"""By how many pixels a name is cut off by its view."""


def test_grades_are_told_as_in_the_report(page: Page) -> None:
    for condition, level, side, grade, _, _ in FINDINGS:
        page.evaluate("(site) => viewer.show(site)", {"condition": condition, "level": level, "side": side})
        row, share = CONDITIONS[condition], percent(SHARES.get(condition, 0.9))
        place = " ".join(part for part in (f"{level}?" if level == "L3/L4" else level, side, row.short) if part)
        title = row.scale.titles[row.scale.grades.index(grade)] + (PHANTOM_MARK if side else "")
        expect(page.locator(".lv-status")).to_have_text(f"{place}: {title}, {share}")
        names = page.locator(".lv-text", has_text=share)
        assert names.count() > 0
        for cut in names.evaluate_all(OUTSIDE):
            assert cut <= 0, f"{place}: by {cut} px"
