"""The viewer in a browser, on patients of three beads whose places are known."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from beads import FINDINGS, STORED, make_study
from browsing import PATIENCE_MS, quiet_page, serious_faults, serving
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from scipy import ndimage
from viewer_page import make_app

from lumbago.anatomy.structures import structure_colour


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    studies = {
        "1": make_study(tmp_path_factory.mktemp("one")),
        "2": make_study(tmp_path_factory.mktemp("two"), lift_mm=8.0),
    }
    with serving(make_app(studies)) as address:
        yield address


def opened(page: Page, address: str) -> Page:
    page.goto(address)
    page.wait_for_selector("#viewer[data-ready]")
    return page


@pytest.fixture(scope="module")
def page(browser: Browser, site: str) -> Iterator[Page]:
    """One page for the tests that leave it as they found it."""
    with quiet_page(browser) as made:
        made.add_init_script(
            "window.told = []; for (const name of ['moved', 'placed', 'level'])"
            " addEventListener('lumbago:' + name, (event) => told.push([name, event.detail]))"
        )
        yield opened(made, f"{site}/?study=1&review=true")


def view(page: Page, number: int) -> Any:
    return page.locator(".lv-view").nth(number)


def caption(page: Page, number: int) -> str:
    return str(view(page, number).locator(".lv-caption").text_content())


def captioned(page: Page, number: int, words: str) -> None:
    """Waits until a view says so."""
    expect(view(page, number).locator(".lv-caption")).to_contain_text(words, timeout=PATIENCE_MS)


def show(page: Page, condition: str, level: str, side: str | None = None) -> None:
    page.evaluate("(site) => viewer.show(site)", {"condition": condition, "level": level, "side": side})


def bright_spots(page: Page, number: int) -> np.ndarray:
    """Middles (x, y) of what is bright in a view, in its pixels, without what is drawn above it."""
    above = "document.querySelectorAll('.lv-marks, .lv-caption, .lv-upper, .lv-letter')"
    page.evaluate(f"{above}.forEach((one) => (one.style.visibility = 'hidden'))")
    picture = np.asarray(
        Image.open(io.BytesIO(view(page, number).locator(".lv-stage").screenshot())).convert("L")
    ).copy()
    picture[:3] = picture[-3:] = picture[:, :3] = picture[:, -3:] = 0  # the frame of the active view
    page.evaluate(f"{above}.forEach((one) => (one.style.visibility = ''))")
    labels, count = ndimage.label(picture > 150)
    return np.array([middle[::-1] for middle in ndimage.center_of_mass(picture > 150, labels, range(1, count + 1))])


def rings(page: Page, number: int) -> np.ndarray:
    circles = (
        view(page, number)
        .locator("circle")
        .evaluate_all("(all) => all.map((e) => [+e.getAttribute('cx'), +e.getAttribute('cy')])")
    )
    return np.array(circles)


@pytest.mark.parametrize("drawing", ["cpu", "gpu"])
def test_left_is_right_and_front_is_left(new_page: Callable[..., Page], site: str, drawing: str) -> None:
    page = opened(new_page(viewport={"width": 900, "height": 700}), f"{site}/?study=1&drawing={drawing}")
    show(page, "spinal_canal_stenosis", "L4/L5")
    width, height = view(page, 0).evaluate("(e) => [e.clientWidth, e.clientHeight]")
    spots = bright_spots(page, 0)
    assert len(spots) == 2, "front and head bead lie on the middle sagittal slice"
    front, head = spots[np.argmin(spots[:, 0])], spots[np.argmin(spots[:, 1])]
    assert front[0] < width / 2 - 20
    assert abs(front[1] - height / 2) < 12
    assert head[1] < height / 2 - 20
    assert abs(head[0] - width / 2) < 12
    assert np.abs(rings(page, 0) - front).max(axis=1).min() < 2, "the mark lies on what it marks"

    show(page, "subarticular_stenosis", "L4/L5", "left")
    width, height = view(page, 2).evaluate("(e) => [e.clientWidth, e.clientHeight]")
    spots = bright_spots(page, 2)
    left, front = spots[np.argmax(spots[:, 0])], spots[np.argmin(spots[:, 1])]
    assert left[0] > width / 2 + 10, "the patient's left is on the right of axial slices"
    assert front[1] < height / 2 - 10
    assert np.abs(rings(page, 2) - left).max(axis=1).min() < 2
    letters = view(page, 2).locator(".lv-letter").all_text_contents()
    assert letters == ["R", "L", "A", "P"]
    assert view(page, 0).locator(".lv-letter").all_text_contents() == ["A", "P", "H", "F"]


def test_evidence_is_gone_to_and_marked(page: Page) -> None:
    for condition, level, side, grade, role, bead in FINDINGS:
        show(page, condition, level, side)
        number = list(STORED).index(role)
        assert view(page, number).evaluate("(e) => e.classList.contains('lv-active')")
        words = " ".join(view(page, number).locator(".lv-text").all_text_contents()) + str(
            page.locator(".lv-status").text_content()
        )
        assert level in words
        assert len(rings(page, number)), bead
        assert grade.split("_")[0] in words
    assert caption(page, 1) == "Sagittal T1, slice 7 of 7"
    assert caption(page, 0) == "Sagittal T2, slice 7 of 7", "the other sagittal view follows"
    assert caption(page, 2) == "Axial T2, slice 4 of 7"


def test_the_last_of_two_hasty_clicks_is_shown(page: Page) -> None:
    show(page, "spinal_canal_stenosis", "L4/L5")
    for first, last in ((0, 2), (2, 0), (3, 2), (1, 3)):
        sites = [{"condition": row[0], "level": row[1], "side": row[2]} for row in (FINDINGS[first], FINDINGS[last])]
        page.evaluate("(sites) => Promise.all(sites.map((site) => viewer.show(site)))", sites)
        role, grade = FINDINGS[last][4], FINDINGS[last][3]
        status = str(page.locator(".lv-status").text_content()).lower()
        assert FINDINGS[last][1].lower() in status
        assert grade.split("_")[0] in status
        assert view(page, list(STORED).index(role)).evaluate("(e) => e.classList.contains('lv-active')")
        assert len(rings(page, list(STORED).index(role))), "its mark is on the slice that is shown"


def test_wheel_keys_and_clicks_move_through_slices(page: Page) -> None:
    show(page, "spinal_canal_stenosis", "L4/L5")
    view(page, 0).focus()
    page.keyboard.press("ArrowDown")
    captioned(page, 0, "slice 5 of 7")
    page.keyboard.press("Home")
    captioned(page, 0, "slice 1 of 7")
    view(page, 0).hover()
    page.mouse.wheel(0, 100)
    captioned(page, 0, "slice 2 of 7")
    box = view(page, 0).bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 5)
    expect(view(page, 2).locator(".lv-caption")).not_to_contain_text("slice 4 of 7", timeout=PATIENCE_MS)
    assert view(page, 2).locator("polyline").count() > 0, "the other views' slices are drawn as lines"


def test_layers_levels_and_help_by_keyboard(page: Page) -> None:
    show(page, "spinal_canal_stenosis", "L4/L5")
    view(page, 0).focus()
    assert view(page, 0).locator(".lv-level").count() == 3
    assert "L4/L5" in str(view(page, 2).locator(".lv-corner").text_content())
    page.keyboard.press("l")
    assert view(page, 0).locator(".lv-level").count() == 0
    assert page.get_by_role("button", name="Levels").get_attribute("aria-pressed") == "false"
    page.keyboard.press("l")
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    assert "slice after" in str(page.get_by_role("dialog").text_content())
    page.keyboard.press("Escape")
    page.evaluate("told.length = 0")
    view(page, 0).focus()
    page.keyboard.press("[")
    captioned(page, 2, "slice 1 of 7")
    assert page.evaluate("told") == [["level", {"level": "L3/L4"}]]


def lines(page: Page, number: int) -> list[tuple[str, np.ndarray]]:
    """Colour and middle of every closed line in a view, without rims and those that are only pointed at."""
    drawn = (
        view(page, number)
        .locator("polygon:not([stroke='#000'])")
        .evaluate_all("(all) => all.map((e) => [e.getAttribute('stroke'), e.getAttribute('points')])")
    )
    corners = [np.array([pair.split(",") for pair in points.split()], np.float64) for _, points in drawn]
    return [(colour, middle.mean(axis=0)) for (colour, _), middle in zip(drawn, corners, strict=True)]


def legend(page: Page, number: int) -> list[str]:
    return list(view(page, number).locator(".lv-legend > *").all_text_contents())


@pytest.mark.parametrize(
    ("condition", "number", "before", "names"),
    [("subarticular_stenosis", 2, 3, ["sac", "left recess"]), ("neural_foraminal_narrowing", 1, 6, ["left foramen"])],
)
def test_structures_are_outlined_and_named_on_their_own_slice(
    page: Page, condition: str, number: int, before: int, names: list[str]
) -> None:
    """Whatever was drawn, across the spine and along it, in the colours of the report."""
    show(page, condition, "L4/L5", "left")
    (bead,) = np.unique(rings(page, number), axis=0)
    drawn = lines(page, number)
    assert [colour for colour, _ in drawn] == [structure_colour(name) for name in names]
    assert np.abs([middle - bead for _, middle in drawn]).max() < 1
    assert legend(page, number) == names

    box, place = view(page, number).bounding_box(), view(page, number).locator(f"[data-name='L4/L5 {names[-1]}']")
    x, y = (float(value) for value in place.get_attribute("points").split()[0].split(","))
    for off, title in ((0, f"L4/L5 {names[-1]}"), (8, "")):
        page.mouse.move(box["x"] + x + off, box["y"] + y)
        expect(view(page, number).locator(".lv-stage")).to_have_attribute("title", title)

    view(page, number).focus()
    page.keyboard.press("o")
    assert (lines(page, number), legend(page, number)) == ([], [])
    page.keyboard.press("o")
    assert legend(page, number) == names
    page.keyboard.press("ArrowUp")
    captioned(page, number, f"slice {before} of 7")
    assert (lines(page, number), legend(page, number)) == ([], [])
    page.keyboard.press("ArrowDown")
    expect(page.locator(".lv-status")).to_contain_text(f"Outlined: {', '.join(names)}")


def test_one_view_and_all_again_keep_marks_on_what_they_mark(page: Page) -> None:
    show(page, "subarticular_stenosis", "L4/L5", "left")
    for _ in range(2):
        view(page, 2).focus()
        page.keyboard.press("x")
        page.wait_for_timeout(500)
        spots = bright_spots(page, 2)
        left, front = spots[np.argmax(spots[:, 0])], spots[np.argmin(spots[:, 1])]
        assert np.abs(rings(page, 2) - left).max() < 2
        assert abs((left - front)[0]) == pytest.approx(abs((left - front)[1]), abs=2), "both beads lie 24 mm away"


def test_a_point_is_moved_and_a_lesion_placed(page: Page) -> None:
    show(page, "spinal_canal_stenosis", "L4/L5")
    page.evaluate("told.length = 0")
    view(page, 0).focus()
    page.keyboard.press("e")
    page.keyboard.press("Alt+ArrowRight")
    page.keyboard.press("Alt+ArrowDown")
    page.keyboard.press("Enter")
    name, detail = page.evaluate("told[0]")
    assert (name, detail["condition"], detail["level"]) == ("moved", "spinal_canal_stenosis", "L4/L5")
    assert np.allclose(detail["point_lps_mm"], (0, -23, -1), atol=1e-3), "one pixel back, one down"
    assert np.allclose(np.subtract(*detail["box_lps_mm"]), (0, -16, 12), atol=1e-3)
    page.keyboard.press("Escape")

    x, y = (
        view(page, 0)
        .locator("[data-handle='0']")
        .evaluate("(e) => { const b = e.getBoundingClientRect(); return [b.x + 14, b.y + 14]; }")
    )
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=3)
    page.mouse.up()
    name, detail = page.evaluate("told[1]")
    assert detail["point_lps_mm"][1] > -20
    assert abs(detail["point_lps_mm"][2]) < 0.5
    page.keyboard.press("Escape")
    page.keyboard.press("e")

    page.evaluate("viewer.place()")
    box = view(page, 2).bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    name, detail = page.evaluate("told[2]")
    assert name == "placed"
    assert np.abs(detail["point_lps_mm"]).max() < 26
    assert detail["role"] == "axial_t2"


def test_a_second_study_follows_by_level(new_page: Callable[..., Page], site: str) -> None:
    """The second patient's discs lie 8 mm, one axial slice, higher."""
    page = opened(new_page(), f"{site}/?study=1&beside=2")
    assert page.locator(".lv-view").count() == 6
    page.evaluate("viewer.ready.then((viewers) => viewers.forEach((one) => one.activate(one.views[2])))")
    page.evaluate("viewer.ready.then(([first]) => first.activeView.goTo(3))")
    captioned(page, 5, "slice 3 of 7")
    page.evaluate("viewer.ready.then(([first]) => first.activeView.goTo(5))")
    captioned(page, 5, "slice 5 of 7")


def test_axe_finds_no_serious_fault(page: Page, new_page: Callable[..., Page], site: str) -> None:
    show(page, "spinal_canal_stenosis", "L4/L5")
    assert serious_faults(page) == []
    small = opened(new_page(viewport={"width": 400, "height": 800}, has_touch=True), f"{site}/?study=1")
    assert serious_faults(small) == []


def test_blind_readers_see_no_findings(new_page: Callable[..., Page], site: str) -> None:
    page = opened(new_page(), f"{site}/?study=1&blind=true")
    assert page.locator("circle, polygon, .lv-legend > *").count() == 0
    assert view(page, 0).locator(".lv-level").count() == 3
    assert page.evaluate("viewer.ready.then(([first]) => first.data.findings.findings.length)") == 0
    assert page.evaluate("viewer.ready.then(([first]) => first.data.findings.outlines.length)") == 0


def test_problems_are_said(new_page: Callable[..., Page], site: str) -> None:
    page = new_page()
    page.goto(f"{site}/?study=none")
    page.wait_for_selector("#viewer [role=alert]")
    assert "404" in str(page.locator("#viewer").text_content())
