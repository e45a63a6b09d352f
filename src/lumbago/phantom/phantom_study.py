"""A whole phantom study in memory, scanned only where somebody looks: training samples without files."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lumbago.anatomy.conditions import ROLES, Role
from lumbago.anatomy.findings import Point
from lumbago.phantom.landmarks import Landmarks, landmarks
from lumbago.phantom.phantom_settings import USUAL, Setting
from lumbago.phantom.sample_spine import sample_spine
from lumbago.phantom.scan_spec import ScanSpec, draw_scanner, sample_scan
from lumbago.phantom.scan_spine import Scanned, scan, scan_slices
from lumbago.phantom.spine_spec import SpineSpec


@dataclass(frozen=True, eq=False)
class PhantomStudy:
    """One drawn person and the three series that he or she is to be scanned with; nothing is rendered yet."""

    spine: SpineSpec
    scans: Mapping[Role, ScanSpec]

    @property
    def landmarks(self) -> Landmarks:
        """Named places in patient millimetres."""
        return landmarks(self.spine)

    def scan(self, role: Role) -> tuple[Scanned, ...]:
        """The whole series of a role, one volume per group of parallel slices."""
        return scan(self.spine, self.scans[role])

    def scan_near(self, role: Role, point_lps_mm: Point, reach: int = 0) -> Scanned:
        """The slice of a role next to a point, and `reach` neighbours on both sides (fewer at a group's ends)."""
        group, index = self.nearest_slice(role, point_lps_mm)
        planes = self.scans[role].groups[group]
        wanted = range(max(index - reach, 0), min(index + reach + 1, planes.count))
        return scan_slices(self.spine, self.scans[role], group, wanted)

    def nearest_slice(self, role: Role, point_lps_mm: Point) -> tuple[int, int]:
        """(group, slice) next to a point."""
        point = np.array(point_lps_mm)
        best = [
            (planes.distance_to(point), number, planes.offset_to(point))
            for number, planes in enumerate(self.scans[role].groups)
        ]
        return min(best)[1:]


def phantom_study(seed: int, randomised: bool = False, setting: Setting = USUAL) -> PhantomStudy:
    """The study of a seed. `randomised` draws tissue contrast beyond what physics gives, for training; another setting
    draws other persons, scanners or textures, for testing."""
    spine = sample_spine(seed, setting)
    choice = draw_scanner(np.random.default_rng([seed, 3]), randomised, setting)
    return PhantomStudy(spine, {role: sample_scan(seed, spine, role, choice) for role in ROLES})
