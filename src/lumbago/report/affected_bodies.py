"""Which ends of vertebral bodies are affected, and where they lie on a picture: beyond the edges of the disc."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from lumbago.anatomy.findings import Finding, StudyFindings
from lumbago.report.marks import PointPx

ABOVE, BELOW = -1, 1
_ENDS: Final = {"modic": (ABOVE, BELOW), "endplate_upper": (ABOVE,), "endplate_lower": (BELOW,)}
"""Conditions of bodies, and on which sides of the disc each lies; Modic changes are graded for both together."""
_MIDDLE: Final = 0.8


def affected_ends(findings: StudyFindings, level: str) -> dict[int, Finding]:
    """The abnormal finding at the end of the body above (-1) and below (1) a disc; Modic changes come first."""
    found: dict[int, Finding] = {}
    for name, ends in _ENDS.items():
        finding = findings.find(name, level)
        if finding is not None and finding.is_abnormal:
            found |= {end: finding for end in ends if end not in found}
    return found


def end_line(outline: Sequence[PointPx], end: int, away_px: float) -> list[PointPx]:
    """A line along the upper (-1) or lower (1) edge of a disc's outline, so far outside of it; from left to right."""
    points = np.array(outline)
    center = points.mean(0)
    along = np.linalg.svd(points - center, full_matrices=False)[2][0]
    along = along if along[0] > 0 else -along
    down = np.array([-along[1], along[0]])
    places = np.stack([(points - center) @ along, (points - center) @ down], axis=1)
    reach = _MIDDLE * np.abs(places[:, 0]).max()
    edge = places[(end * places[:, 1] > 0) & (np.abs(places[:, 0]) < reach)]
    edge = edge[np.argsort(edge[:, 0])]
    moved = center + edge[:, :1] * along + (edge[:, 1:] + end * away_px) * down
    return [(float(x), float(y)) for x, y in moved]
