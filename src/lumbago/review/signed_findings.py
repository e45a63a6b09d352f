"""A signed reading as findings: the reader's grades in the machine's place, the machine's beside them."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.findings import CALLED_FROM, Evidence, Finding, NotAssessed, QualityRemark, Site, StudyFindings
from lumbago.anatomy.levels import LEVELS
from lumbago.labels.labelled_study import label
from lumbago.report.added_places import PLACED
from lumbago.report.level_grid import from_the_top
from lumbago.review.readings import Opinion, StudyReading


def signed_findings(whole: StudyReading, reader: str, when: str) -> StudyFindings:
    """What is settled once a reader has signed: grades that readers said stand for sure, `details` keep the machine's.

    A place where readers differ is withheld; one that nobody graded, and that a reader accepted as it is, is none.
    """
    rows = tuple(_finding(site, opinion) for site, opinion in whole.opinions.items() if not _is_nothing(opinion))
    changed = [row for row in rows if "machine_grade" in row.details]
    count = f"{len(changed)} of {len(rows)} places differ from the machine" if changed else "as the machine graded"
    numbering = f"; levels renumbered by {whole.shift}" if whole.shift else ""
    signed = QualityRemark("warning", f"Read and signed by {reader} on {when}: {count}{numbering}.")
    differing = tuple(QualityRemark("warning", _difference(row)) for row in changed)
    graded = {(row.condition, row.level, row.side) for row in rows if row.grade is not None}
    untried = (left for one in whole.findings.not_assessed for left in _untried(one, graded))
    ordered = {level: place for place, level in enumerate(from_the_top(row.level for row in rows))}
    return replace(
        whole.findings,
        findings=tuple(sorted(rows, key=lambda row: ordered[row.level])),
        not_assessed=tuple(untried),
        quality=(signed, *differing, *whole.findings.quality),
    )


def _untried(entry: NotAssessed, graded: Collection[Site]) -> Iterator[NotAssessed]:
    """What an entry says of places that are still without a grade: itself, or when some of it has one, the rest of it,
    place by place."""
    if not any(_covers(entry, site) for site in graded):
        yield entry
        return
    for level in LEVELS if entry.level is None else (entry.level,):
        for side in CONDITIONS[entry.condition].sides:
            site = (entry.condition, level, side)
            if _covers(entry, site) and site not in graded:
                yield replace(entry, level=level, side=side)


def _covers(entry: NotAssessed, site: Site) -> bool:
    condition, level, side = site
    return entry.condition == condition and entry.level in (None, level) and entry.side in (None, side)


def settled_findings(whole: StudyReading) -> StudyFindings:
    """What the page says all in all: with the grades of readers as soon as one said any, signed or not."""
    return signed_findings(whole, "", "") if whole.readings else whole.findings


def placed_findings(whole: StudyReading) -> StudyFindings:
    """The machine's findings, each where it was seen or where a reader put it since, and with the grade that readers
    gave it, which has no probability; and lesions that readers added."""
    rows = (_placed(row, whole.opinions[row.condition, row.level, row.side]) for row in whole.findings.findings)
    added = (_added(site, one) for site, one in whole.opinions.items() if one.machine is None and one.grade is not None)
    return replace(whole.findings, findings=(*rows, *added))


def _placed(row: Finding, opinion: Opinion) -> Finding:
    seen = _evidence(row.evidence, opinion)
    if opinion.grade == row.grade:
        return replace(row, evidence=seen)
    return Finding(row.condition, row.level, row.side, opinion.grade, {}, evidence=seen)


def _added(site: Site, opinion: Opinion) -> Finding:
    """A lesion without a probability, and with a place that names no slice."""
    point = opinion.point_lps_mm
    seen = None if point is None else Evidence("", "", None, CONDITIONS[site[0]].source, point)
    return Finding(*site, opinion.grade, {}, None, evidence=seen)


def _is_nothing(opinion: Opinion) -> bool:
    return opinion.machine is None and opinion.grade is None and opinion.state != "disputed"


def _difference(row: Finding) -> str:
    place = " ".join(part for part in (row.level, row.side, CONDITIONS[row.condition].title) if part)
    return f"{place}: machine {_title(row, row.details['machine_grade'])}, reader {_title(row, row.grade)}"


def _title(row: Finding, grade: str | None) -> str:
    return row.scale.titles[row.scale.grades.index(grade)] if grade else "no grade"


def _finding(site: Site, opinion: Opinion) -> Finding:
    machine = opinion.machine
    if not opinion.readers and machine is not None:
        return machine
    details: dict[str, Any] = dict(machine.details) if machine is not None else {}
    if opinion.point_lps_mm is not None:
        details[PLACED] = list(opinion.point_lps_mm)
    own = machine.grade if machine is not None else None
    if opinion.grade == own and machine is not None and opinion.state != "disputed":
        return replace(machine, evidence=_evidence(machine.evidence, opinion), details=details)
    details.pop(CALLED_FROM, None)
    details |= {"machine_grade": own, "machine_probabilities": dict(machine.probabilities) if machine else {}}
    graded = _graded(site, opinion)
    return replace(
        graded,
        evidence=_evidence(machine.evidence if machine is not None else None, opinion),
        measurements=machine.measurements if machine is not None else {},
        details=details,
    )


def _graded(site: Site, opinion: Opinion) -> Finding:
    """The bare grade that readers gave, or why there is none."""
    if opinion.grade is not None:
        return label(*site, opinion.grade)
    reason = "readers differ" if opinion.state == "disputed" else "withheld by the reader"
    return Finding(*site, None, {}, None, abstained=True, reason=reason)


def _evidence(seen: Evidence | None, opinion: Opinion) -> Evidence | None:
    """Where the machine saw it, or where a reader put it; a place without slice is none, and stands in the details."""
    if seen is None or (opinion.point_lps_mm is None and opinion.box_lps_mm is None):
        return seen
    return replace(
        seen,
        point_lps_mm=opinion.point_lps_mm or seen.point_lps_mm,
        box_lps_mm=opinion.box_lps_mm or seen.box_lps_mm,
        box_down_lps=opinion.box_down_lps if opinion.box_lps_mm else seen.box_down_lps,
        heat_map=None,
    )
