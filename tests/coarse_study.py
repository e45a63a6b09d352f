"""A phantom study on few pixels and every second slice, so that a test takes seconds."""

from dataclasses import replace

from lumbago.anatomy.conditions import ROLES
from lumbago.phantom.phantom_settings import USUAL, Setting
from lumbago.phantom.phantom_study import PhantomStudy, phantom_study


def coarse_study(seed: int, randomised: bool = False, pixels: int = 64, setting: Setting = USUAL) -> PhantomStudy:
    """The study of a seed with images of `pixels` x `pixels`."""
    made = phantom_study(seed, randomised, setting)
    scans = {}
    for role in ROLES:
        spec = made.scans[role]
        groups = tuple(replace(group, count=(group.count + 1) // 2, spacing=2 * group.spacing) for group in spec.groups)
        pixel = spec.pixel_mm * spec.rows / pixels
        once = replace(spec.disturbance, sub_slices=0)
        scans[role] = replace(
            spec, groups=groups, rows=pixels, columns=pixels, pixel_mm=pixel, acquired_mm=384 / pixels, disturbance=once
        )
    return replace(made, scans=scans)
