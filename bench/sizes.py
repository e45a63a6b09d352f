"""How far off are the sizes that a report states? `python bench/sizes.py --phantoms 40`.

Phantoms of seeds that no model has learned from, whose series are scanned as a whole, located by the shipped locator,
and drawn on by the shipped networks for axial slices and for foramina. Beside every size: how many could be compared,
the median error, its spread (half the distance between the 16th and the 84th percentile, which for a normal
distribution is its standard deviation), the root of the mean square, the largest, and the straight line from stated to
true sizes that fits best: 1.00 and 0.0 where none is needed. The lines after which recesses and foramina are stated
were read here, with `--seed 4100000`, while they were stated as drawn. Heights, depths, slips and lordosis are held
against what the phantom was drawn with, canal and signal against the same measures on the tissue that was scanned, sac,
recesses and foramina against the truth of the level. Of what these networks draw there is also the overlap with the
tissue in the plane of the slice (Dice), its mean with a 95 % interval over phantoms. `--contrast free` draws the
contrast of tissues at random, `turned` shows them bright as dark; `--draws FOLDER` tries one model alone, and
`--card FOLDER` keeps its overlaps on a card.
"""

import argparse
import shlex
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from drawn_sizes import KINDS, drawn_sizes, located_spine, overlaps

from lumbago.anatomy.levels import LEVELS
from lumbago.dicom.patient_geometry import canonical_sagittal
from lumbago.evaluation.intervals import Score, over_patients
from lumbago.inference.weights import SHIPPED, Model, load_model
from lumbago.learning.phantom_patches import SITES, patch_on
from lumbago.learning.write_card import add_scores
from lumbago.phantom.measure_truth import measure_truth
from lumbago.phantom.phantom_study import PhantomStudy, phantom_study
from lumbago.phantom.render_bones import front_bulge
from lumbago.phantom.spine_spec import SpineSpec
from lumbago.pipeline.disc_sizes import disc_sizes, spine_sizes
from lumbago.pipeline.draw_tissues import DRAWERS
from lumbago.pipeline.locate_discs import SpineLocation, locate_discs
from lumbago.pipeline.measured_features import MEASURES
from lumbago.pipeline.place_patches import ANCHORS, LocatedSpine

Sizes = dict[tuple[str, str], float]
"""By name of the size, and level or ""."""


def true_sizes(study: PhantomStudy) -> Sizes:
    """What the phantom was drawn with."""
    found: Sizes = {("lordosis_degrees", ""): true_lordosis(study.spine)}
    heights = {truth.level: truth.disc_height_mm for truth in measure_truth(study.spine)}
    for site in SITES["disc"](study):
        index = study.spine.segments.index(study.spine.segment(site.level))
        above, below = study.spine.vertebrae[index : index + 2]
        depth = (above.depth[1] + below.depth[0]) / 2
        disc = study.spine.segments[index].disc
        found["disc_height_mm", site.level] = heights[site.level]
        found["disc_depth_mm", site.level] = (depth + max(disc.bulge, 0.0) + front_bulge(disc)) * study.spine.size
        found["disc_height_index_ratio", site.level] = heights[site.level] / study.spine.size / depth
        found["slip_percent", site.level] = 100 * study.spine.segments[index].slip / below.depth[0]
        seen = patch_on(study, "sagittal_t2", site, (study.scan_near("sagittal_t2", tuple(site.point_lps_mm)), {}))
        names = {
            "canal_depth_mm": "canal_mm", "nucleus_to_fluid_ratio": "nucleus", "canal_to_usual_ratio": "canal_ratio",
        }  # fmt: skip
        if seen.measures is not None:
            found |= {(name, site.level): float(seen.measures[MEASURES.index(own)]) for name, own in names.items()}
    return {place: size for place, size in found.items() if np.isfinite(size)}


def true_lordosis(spine: SpineSpec) -> float:
    """Between the upper endplates of L1 and S1."""
    top, sacrum = (next(body for body in spine.vertebrae if body.name == name) for name in ("L1", "S1"))
    return sum(spine.segment(level).lordosis for level in LEVELS) + (top.wedge - sacrum.wedge) / 2


def measured_sizes(location: SpineLocation) -> Sizes:
    """What a report would state."""
    patches = ANCHORS["disc"](LocatedSpine({"sagittal_t2": location}, {}, {}))
    sizes = {patch.level: disc_sizes(patch.disc, patch.measures, is_in_mm=True) for patch in patches} | {
        "": spine_sizes(location)
    }
    return {(name, level): size.value for level, row in sizes.items() for name, size in row.items()}


@dataclass
class Seen:
    """What was compared: (truth, error) of sizes by name, and (seed, Dice) of tissues by name."""

    sizes: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    tissues: dict[str, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))

    def add_sizes(self, truth: Sizes, found: Sizes) -> None:
        """Every size of a phantom that has both."""
        for place in sorted(truth.keys() & found.keys()):
            name = place[0].removeprefix("left_").removeprefix("right_")
            self.sizes[name].append((truth[place], found[place] - truth[place]))


def compare(locator: Model, drawing: Mapping[str, Model], seeds: range, contrast: str) -> Seen:
    """Everything that is stated of phantoms against their truth; `drawing` are models by their name."""
    seen = Seen()
    for seed in seeds:
        study = phantom_study(seed, randomised=contrast == "free")
        location = locate_discs(locator, canonical_sagittal(study.scan("sagittal_t2")[0].volume))
        seen.add_sizes(true_sizes(study), measured_sizes(location))
        spine, axials = located_spine(locator, study, location, is_turned=contrast == "turned")
        truths = measure_truth(study.spine)
        for name, model in drawing.items():
            drawings = DRAWERS[name].draw(model, spine, axials)
            seen.add_sizes(KINDS[name].truth(truths), drawn_sizes(name, drawings))
            for tissue, dice in overlaps(name, study, drawings):
                seen.tissues[tissue].append((seed, dice))
    return seen


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--phantoms", type=int, default=40)
    parser.add_argument("--seed", type=int, default=5_000, help="the first phantom's seed")
    parser.add_argument("--contrast", choices=("physical", "free", "turned"), default="physical")
    parser.add_argument("--draws", type=Path, help="folder of the one model that draws; else that of --card, else all")
    parser.add_argument("--card", type=Path, help="folder of a model whose card is to hold the overlaps")
    wanted = parser.parse_args()
    folder = wanted.draws or wanted.card
    folders = [SHIPPED / name for name in DRAWERS] if folder is None else [folder]
    drawing = {model.card.name: model for model in (load_model(one.name, one.parent, 1) for one in folders)}
    if unknown := sorted(drawing.keys() - DRAWERS.keys()):
        parser.error(f"{', '.join(unknown)} draws nothing that is measured; expected {' or '.join(DRAWERS)}")
    seeds = range(wanted.seed, wanted.seed + wanted.phantoms)
    seen = compare(load_model("spine-locator", SHIPPED, 1), drawing, seeds, wanted.contrast)
    print("size                      number  median  spread    root  largest  correlation  slope  offset")
    for name, pairs in sorted(seen.sizes.items()):
        print(size_row(name, pairs))
    scores = {
        f"{wanted.phantoms} unseen phantoms, {wanted.contrast} contrast, {len(rows)} slices: Dice of {name}": mean(rows)
        for name, rows in seen.tissues.items()
    }
    for name, score in scores.items():
        print(f"{name:80} {score}")
    if wanted.card is not None:
        add_scores(wanted.card, scores, shlex.join(["python", "bench/sizes.py", *sys.argv[1:]]))


def size_row(name: str, pairs: list[tuple[float, float]]) -> str:
    """A row of the first table."""
    truth, error = np.array(pairs).T
    low, middle, high = np.percentile(error, (16, 50, 84))
    correlation = np.corrcoef(truth, truth + error)[0, 1]
    root = float(np.sqrt((error**2).mean()))
    told = f"{middle:7.3f} {(high - low) / 2:7.3f} {root:7.3f} {abs(error).max():8.2f}"
    slope, offset = np.polyfit(truth + error, truth, 1)
    return f"{name:26}{len(error):6} {told} {correlation:12.3f} {slope:6.2f} {offset:7.1f}"


def mean(rows: list[tuple[int, float]]) -> Score:
    """Of the overlaps, with an interval over phantoms."""
    seeds, dice = np.array([str(seed) for seed, _ in rows]), np.array([value for _, value in rows])
    return over_patients(lambda chosen: float(dice[chosen].mean()), seeds)


if __name__ == "__main__":
    main()
