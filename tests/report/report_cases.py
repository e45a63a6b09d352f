"""The studies that a report must be good for, by name."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from made_up_study import Volumes, make_findings, make_volumes, sagittal_volume, unsure, withhold_all

from lumbago.anatomy.findings import Finding, NotAssessed, StudyFindings

Case = tuple[StudyFindings, Volumes]

HOSTILE: Final = '#panic("x") *x* _y_ $z$ `t` @r <l> \\ [red]r[/red] //c'
"""Markup of the typesetter and of the terminal."""
CJK_NAME: Final = "Yamada^Tarou=山田^太郎=やまだ^たろう"


def full() -> Case:
    volumes = make_volumes()
    return make_findings(volumes), volumes


def no_axial() -> Case:
    volumes = make_volumes()
    del volumes["axial_t2"]
    return make_findings(volumes), volumes


def no_sagittal_t2() -> Case:
    volumes = make_volumes()
    del volumes["sagittal_t2"]
    return make_findings(volumes), volumes


def single_slice() -> Case:
    volumes: Volumes = {"sagittal_t2": (replace(sagittal_volume("1.2", slices=1), geometry_is_assumed=True),)}
    return make_findings(volumes), volumes


def unsure_names() -> Case:
    findings, volumes = full()
    return unsure(findings), volumes


def all_abstained() -> Case:
    findings, volumes = full()
    return withhold_all(findings, "the images are unlike those the model knows"), volumes


def nothing_found() -> Case:
    findings, volumes = full()
    conditions = {finding.condition for finding in findings.findings}
    missing = tuple(NotAssessed(name, "no disc was found") for name in sorted(conditions))
    return replace(findings, levels=(), findings=(), not_assessed=missing), volumes


def nothing_abnormal() -> Case:
    findings, volumes = full()
    calm = tuple(f for f in findings.findings if not f.is_abnormal)
    return replace(findings, findings=calm), volumes


def hostile_text() -> Case:
    findings, volumes = full()
    study = replace(findings.study, patient_name=HOSTILE, study_description="a\u202eb\x00c\n= Heading", name=HOSTILE)
    series = tuple(replace(one, description=HOSTILE, reason=HOSTILE * 40) for one in study.series)
    missing = (NotAssessed("herniation", HOSTILE, "L1/L2"), *findings.not_assessed)
    return replace(findings, study=replace(study, series=series), not_assessed=missing), volumes


def cjk_name() -> Case:
    findings, volumes = full()
    return replace(findings, study=replace(findings.study, patient_name=CJK_NAME)), volumes


def everything_bad() -> Case:
    findings, volumes = full()
    series = findings.study.series * 6
    worst = tuple(_at_worst(finding) for finding in findings.findings)
    return replace(findings, findings=worst, study=replace(findings.study, series=series)), volumes


def _at_worst(finding: Finding) -> Finding:
    best, worst = finding.scale.grades[0], finding.scale.grades[-1]
    swapped = finding.probabilities | {best: finding.probabilities[worst], worst: finding.probabilities[best]}
    return replace(finding, grade=worst, probabilities=swapped)


CASES: Final[dict[str, Callable[[], Case]]] = {
    case.__name__: case
    for case in (
        full, no_axial, no_sagittal_t2, single_slice, unsure_names, all_abstained, nothing_found, nothing_abnormal,
        hostile_text, cjk_name, everything_bad,
    )
}  # fmt: skip
