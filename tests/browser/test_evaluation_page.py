"""The page of an evaluation on a telephone."""

from collections.abc import Callable
from importlib.resources import files

import pytest
from playwright.sync_api import Page

from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.gallery import Shelf
from lumbago.evaluation.html_parts import shelf

CUT_OFF = """() => [...document.querySelectorAll(".bar span:last-child")].filter(
    one => one.getBoundingClientRect().right > one.closest(".case").getBoundingClientRect().right).length"""


@pytest.mark.parametrize("width", [360, 600, 1280])
def test_probabilities_of_the_gallery_are_not_cut_off(new_page: Callable[..., Page], width: int) -> None:
    case = GradedCase("phantoms", "p", "p", "spinal_canal_stenosis", "L4/L5", None, "moderate", (0.2, 0.7, 0.1))
    page = new_page(viewport={"width": width, "height": 740})
    style = files("lumbago.evaluation").joinpath("report.css").read_text(encoding="utf8")
    page.set_content(f"<style>{style}</style>{shelf(Shelf('Best', (case,) * 4), (None,) * 4)}")
    assert page.locator(".bar").count() == 12 and page.evaluate(CUT_OFF) == 0
