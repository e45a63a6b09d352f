"""What a study is ordered by in the worklist: how severe, and how unsure."""

import math

from lumbago.anatomy.findings import Finding, StudyFindings


def severity(findings: StudyFindings) -> float | None:
    """0 to 1, of the finding by which the report begins: 1 when it lies beyond the first abnormal grade of its scale,
    as a severe stenosis does; 0.5 when it is just abnormal, as a bulge is; else less. None when nothing is graded."""
    return max((_height(row) for row in findings.findings if row.grade is not None), default=None)


def _height(row: Finding) -> float:
    if row.is_abnormal:
        return 0.5 + 0.5 * min(row.steps_beyond, 1)
    return 0.5 * row.scale.grades.index(str(row.grade)) / (len(row.scale.grades) - 1)


def uncertainty(findings: StudyFindings) -> float | None:
    """0 to 1: the mean entropy of the grades' probabilities, as a share of the highest there can be; what was abstained
    counts as 1. None when there are no findings."""
    shares = [1.0 if row.abstained else _entropy(row) for row in findings.findings]
    return sum(shares) / len(shares) if shares else None


def _entropy(row: Finding) -> float:
    found = [value for value in row.probabilities.values() if value > 0]
    return min(1.0, -sum(value * math.log(value) for value in found) / math.log(len(row.scale.grades)))
