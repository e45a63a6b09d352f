"""Graders that see a whole study: each place gets its own answer, a missing one costs nobody else's."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from painted_spine import DISCS, PaintedLocator, axial_block

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.findings import Finding
from lumbago.anatomy.levels import LEVELS, SIDES
from lumbago.errors import ModelRefused
from lumbago.inference.weights import Card, Model
from lumbago.pipeline.crop_patches import PatchRecipe, crop_patch, patch_views
from lumbago.pipeline.grade_patches import Graded, grade_patches
from lumbago.pipeline.locate_discs import SpineLocation
from lumbago.pipeline.locate_points import locate_foramina, locate_recesses
from lumbago.pipeline.place_patches import ANCHORS, LocatedSpine
from lumbago.pipeline.study_input import cut_heat, panels_of, sites_of, study_input

CONDITION_OF = {
    "disc": "bulging", "canal": "spinal_canal_stenosis", "foramen": "neural_foraminal_narrowing",
    "recess": "subarticular_stenosis",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class StudyRule(Model):
    """Sure of the last grade at the places in `ill`, of the first one at all others; maps rise by the column."""

    card: Card
    session: object = None
    ill: tuple[int, ...] = ()
    seen: list[np.ndarray] = field(default_factory=list)

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        self.seen.append(batch)
        ((name, grades),) = self.card.outputs.items()
        places = len(sites_of([name]))
        logits = np.zeros((1, places, len(grades)), np.float32)
        logits[:, :, 0] = 3.0
        logits[:, list(self.ill)] = [*[0.0] * (len(grades) - 1), 3.0]
        maps = np.broadcast_to(np.arange(7.0, dtype=np.float32), (1, places, len(grades), 7, 7))
        return {name: logits, "maps": maps.copy()}


def rule(anchor: str, sees: str, *ill: int, also_on: tuple[str, ...] = ()) -> StudyRule:
    name = CONDITION_OF[anchor]
    size = (224, 224, 1.0) if sees == "picture" else (32, 40, 0.6)
    inputs = {
        "anchor": anchor, **dict(zip(("rows", "columns", "pixel_mm"), size, strict=True)), "slices": 1, "sees": sees,
        "also_on": list(also_on),
    }  # fmt: skip
    outputs = {name: CONDITIONS[name].scale.grades}
    return StudyRule(Card("r", "1", "0" * 64, "grader", "phantoms", "", outputs, inputs, {name: 1.0}, {}), ill=ill)


@pytest.fixture(scope="module")
def spine_found(locator: PaintedLocator, location: SpineLocation) -> LocatedSpine:
    """The same series plays T1 and T2."""
    axial = [axial_block(disc, disc.tilt) for disc in DISCS]
    return LocatedSpine(
        {"sagittal_t2": location, "sagittal_t1": location},
        locate_foramina(locator, location),
        locate_recesses(locator, location.discs, axial),
    )


def grades_of(graded: list[Graded]) -> dict[tuple[str, str | None], Finding]:
    return {(item.finding.level, item.finding.side): item.finding for item in graded}


BOTH = pytest.mark.parametrize("sees", ["places", "picture"])


@BOTH
@pytest.mark.parametrize("anchor", CONDITION_OF)
def test_every_place_gets_its_own_answer(spine_found: LocatedSpine, anchor: str, sees: str) -> None:
    sites = sites_of([CONDITION_OF[anchor]])
    model = rule(anchor, sees, 3)
    found = grades_of(grade_patches([model], spine_found))
    assert set(found) == set(sites)
    last = CONDITIONS[CONDITION_OF[anchor]].scale.grades[-1]
    assert [site for site in sites if found[site].grade == last] == [sites[3]]
    assert sites[3] == (("L4/L5", None) if len(sites) == 5 else ("L2/L3", "right"))
    (given,) = model.seen
    assert given.shape == ((1, len(sites), 3, 32, 40) if sees == "places" else (1, 1, 3, 224, 224))
    for finding in found.values():
        assert finding.evidence is not None
        first, second = np.array(finding.evidence.box_lps_mm)
        assert np.linalg.norm(second - first) < 110, "the evidence is about the place, not the whole picture"


@BOTH
def test_a_missing_level_costs_nobody_else(spine_found: LocatedSpine, location: SpineLocation, sees: str) -> None:
    fewer = replace(location, discs=tuple(disc for disc in location.discs if disc.level != "L2/L3"))
    whole, part = (grades_of(grade_patches([rule("disc", sees, 3)], spine)) for spine in (
        spine_found, replace(spine_found, sagittal={"sagittal_t2": fewer})
    ))  # fmt: skip
    assert set(whole) - set(part) == {("L2/L3", None)}
    for site, finding in part.items():
        assert (finding.grade, finding.abstained) == (whole[site].grade, False)


@BOTH
def test_a_level_that_is_not_clearly_seen_is_withheld_alone(
    spine_found: LocatedSpine, location: SpineLocation, sees: str
) -> None:
    discs = tuple(replace(disc, confidence=0.2) if disc.level == "L2/L3" else disc for disc in location.discs)
    spine = replace(spine_found, sagittal={"sagittal_t2": replace(location, discs=discs)})
    found = grades_of(grade_patches([rule("disc", sees)], spine))
    assert [site for site in found if found[site].abstained] == [("L2/L3", None)]


def test_patches_stand_in_the_order_of_places_series_and_slices(spine_found: LocatedSpine) -> None:
    model = rule("canal", "places", also_on=("sagittal_t1",))
    recipe = PatchRecipe.of(model.card.inputs)
    grade_patches([model], spine_found)
    (given,) = model.seen[0]
    patches = ANCHORS["canal"](spine_found)
    assert given.shape[0] == 10 and [patch.level for patch in patches] == list(LEVELS)
    for number, patch in enumerate(patches):
        wanted = patch_views(crop_patch(patch.volume, patch.frame, recipe), patch.reference, recipe)
        np.testing.assert_array_equal(given[2 * number], wanted[0])
        assert given[2 * number + 1].any() and not np.array_equal(given[2 * number + 1], wanted[0]), "as T1 is bright"
    without = rule("canal", "places", also_on=("sagittal_t1",))
    grade_patches([without], replace(spine_found, sagittal={"sagittal_t2": spine_found.sagittal["sagittal_t2"]}))
    assert not without.seen[0][0, 1::2].any() and without.seen[0][0, ::2].any((1, 2, 3)).all()


def test_channels_of_a_picture(spine_found: LocatedSpine) -> None:
    """Foramina: the left ones' slice, the right ones'; discs: T2 alone; recesses: one mosaic, a cell each."""
    seen = {}
    for anchor in ("foramen", "disc", "recess"):
        model = rule(anchor, "picture")
        grade_patches([model], spine_found)
        seen[anchor] = model.seen[0][0, 0]
    assert [bool(channel.any()) for channel in seen["foramen"]] == [True, True, False]
    spots = {(patch.level, patch.side, 0): patch for patch in ANCHORS["foramen"](spine_found)}
    panels = panels_of(spots, PatchRecipe.of(rule("foramen", "picture").card.inputs))
    slices = [panels["L3/L4", side, 0].seen.frame.slice_index for side in SIDES]
    x_mm = [panels["L3/L4", side, 0].seen.volume.to_lps_mm(np.array([n, 0.0, 0.0]))[0]
            for side, n in zip(SIDES, slices, strict=True)]  # fmt: skip
    assert x_mm[0] > x_mm[1], "the left ones' slice first"
    assert [bool(channel.any()) for channel in seen["disc"]] == [True, False, False]
    cells = [seen["recess"][0, 74 * row : 74 * row + 74, 56 * column : 56 * column + 56].any()
             for row in range(3) for column in range(4)]  # fmt: skip
    assert cells == [True] * 10 + [False] * 2 and not seen["recess"][1:].any()


def test_a_place_is_shown_its_own_part_of_the_maps(spine_found: LocatedSpine) -> None:
    """A map that says where in the picture each of its cells lies says where the place lies."""
    recipe = PatchRecipe.of(rule("disc", "picture").card.inputs)
    patches = ANCHORS["disc"](spine_found)
    spots = {(patch.level, patch.side, 0): patch for patch in patches}
    (panel,) = set(panels_of(spots, recipe).values())
    where = np.stack(np.meshgrid(np.arange(224.0) + 0.5, np.arange(224.0) + 0.5, indexing="ij")).astype(np.float32)
    for patch in patches:
        rows, columns = cut_heat(where, panel, patch, recipe)
        assert rows.shape == (14, 20)
        offset = patch.frame.center_lps_mm - panel.seen.frame.center_lps_mm
        assert rows.mean() == pytest.approx(112 + offset @ panel.seen.frame.down, abs=0.1)
        assert columns.mean() == pytest.approx(112 + offset @ panel.seen.frame.along, abs=0.1)
        step = np.array([rows[0, -1] - rows[0, 0], columns[0, -1] - columns[0, 0]]) / (19 * 4 * 0.9)
        along = [patch.frame.along @ panel.seen.frame.down, patch.frame.along @ panel.seen.frame.along]
        np.testing.assert_allclose(step, along, atol=1e-3)


def test_a_mosaic_shows_each_recess_its_own_cell(spine_found: LocatedSpine) -> None:
    recipe = PatchRecipe.of(rule("recess", "picture").card.inputs)
    patches = ANCHORS["recess"](spine_found)
    spots = {(patch.level, patch.side, 0): patch for patch in patches}
    numbers = np.zeros((1, 3, 4), np.float32)
    numbers[0] = np.arange(12).reshape(3, 4)
    fine = np.kron(numbers, np.ones((1, 74, 56), np.float32))[:, :, :224]
    whole = np.pad(fine, ((0, 0), (0, 2), (0, 0)), mode="edge")
    for (level, side, _), patch in spots.items():
        cut = cut_heat(whole, panels_of(spots, recipe)[level, side, 0], patch, recipe)
        number = LEVELS.index(level) * 2 + SIDES.index(side or "left")
        assert cut[0, 7, 10] == pytest.approx(number, abs=0.01)


def test_input_of_nothing_is_zeros() -> None:
    recipe = PatchRecipe.of(rule("disc", "places").card.inputs)
    assert not study_input({}, sites_of(["bulging"]), recipe).any()


def test_a_card_that_asks_for_something_unknown_is_refused() -> None:
    with pytest.raises(ModelRefused, match="is to see a 'dream'; expected one of place, places, picture"):
        PatchRecipe.of({**rule("disc", "places").card.inputs, "sees": "dream"})
