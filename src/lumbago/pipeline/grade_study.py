"""A grader that sees a whole study at once, so that each place is graded in the light of the others."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from lumbago.inference.weights import Model
from lumbago.pipeline.crop_patches import PICTURE, PatchRecipe
from lumbago.pipeline.measure_spine import fat_references
from lumbago.pipeline.place_patches import ANCHORS, LocatedSpine, PlacedPatch
from lumbago.pipeline.study_input import Spot, cut_heat, panels_of, sites_of, study_input


def also_placed(recipe: PatchRecipe, spine: LocatedSpine) -> list[list[PlacedPatch]]:
    """The same places on each series of `also_on`; none on one that the study lacks."""
    return [_placed_on(recipe.anchor, role, spine) for role in recipe.also_on]


def _placed_on(anchor: str, role: str, spine: LocatedSpine) -> list[PlacedPatch]:
    """As if the series were T2, but as bright as a T1 series is."""
    found = [location for name, location in spine.sagittal.items() if name == role]
    if not found:
        return []
    references = fat_references(found[0])
    patches = ANCHORS[anchor](replace(spine, sagittal={"sagittal_t2": found[0]}))
    return [replace(patch, reference=references[patch.level]) for patch in patches]


def run_on_study(
    model: Model, patches: Sequence[PlacedPatch], beside: Sequence[Sequence[PlacedPatch]]
) -> dict[str, Float32[np.ndarray, "patches ..."]]:
    """Outputs of every patch: the logits of each condition, and maps about the patch's place."""
    recipe, sites = PatchRecipe.of(model.card.inputs), sites_of(model.card.conditions)
    spots: dict[Spot, PlacedPatch] = {
        (patch.level, patch.side, series): patch for series, row in enumerate((patches, *beside)) for patch in row
    }
    outputs = model.run(study_input(spots, sites, recipe)[None])
    numbers = [sites.index((patch.level, patch.side)) for patch in patches]
    of_patches = {name: values[0][numbers] for name, values in outputs.items()}
    if recipe.sees == PICTURE:
        panels = panels_of(spots, recipe)
        maps = zip(of_patches["maps"], patches, strict=True)
        shown = [cut_heat(heat, panels[patch.level, patch.side, 0], patch, recipe) for heat, patch in maps]
        of_patches["maps"] = np.stack(shown).astype(np.float32)
    return of_patches
