"""What a grade rests on: its class activation map as a picture beside the findings."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from lumbago.anatomy.findings import Finding
from lumbago.pipeline.grade_patches import Graded

HeatMap = UInt8[np.ndarray, "h w"]


def explain_grades(graded: Sequence[Graded]) -> tuple[tuple[Finding, ...], dict[str, HeatMap]]:
    """Findings that name their heat map's file, and the heat maps by that name.

    A heat map covers the finding's patch (`evidence.box_lps_mm`), 255 where most speaks for the grade (Zhou et al.
    2016), 0 where nothing does, or no more than in half of the patch: what speaks for it everywhere shows no place.
    """
    findings, maps = [], {}
    for item in graded:
        finding = item.finding
        if item.heat is not None and finding.evidence is not None and finding.is_abnormal:
            name = _file_name(finding)
            maps[name] = _scaled(item.heat)
            finding = replace(finding, evidence=replace(finding.evidence, heat_map=name))
        findings.append(finding)
    return tuple(findings), maps


def _file_name(finding: Finding) -> str:
    place = [finding.condition, finding.level.replace("/", "-"), finding.side or ""]
    return f"heat_{'_'.join(part for part in place if part)}.png"


def _scaled(heat: np.ndarray) -> HeatMap:
    positive = np.maximum(heat - max(float(np.median(heat)), 0.0), 0.0)
    return np.asarray(np.rint(positive / max(float(positive.max()), 1e-6) * 255), np.uint8)
