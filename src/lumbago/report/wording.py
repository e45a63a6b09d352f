"""Findings as sentences."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.findings import BY_A_PERSON, CALLED_FROM, NOT_COUNTED, Finding, StudyFindings
from lumbago.anatomy.levels import LEVELS, Side
from lumbago.report.level_grid import (
    PHANTOM_MARK,
    abnormal_first,
    from_the_top,
    grade_title,
    level_label,
    phantom_mark,
    shown_levels,
)
from lumbago.report.visible_text import visible

_ALSO_NAMED: Final = 3
"""How many findings follow the worst one in the headline; a reader takes in no more at a glance."""
_LONGEST: Final = 300
"""Characters of a sentence that may quote the files."""


def percent(probability: float) -> str:
    """A probability in whole percent, never claiming certainty."""
    whole = round(100 * probability)
    return ">99%" if whole >= 100 else f"{whole}%" if whole else "<1%"


def how_sure(finding: Finding) -> str:
    """The probability of the grade, or `reader` where a person gave it: nobody asked how sure they are."""
    return "reader" if finding.trained_on == BY_A_PERSON else percent(finding.confidence or 0.0)


def expected_text(finding: Finding) -> str:
    """The expected grade with one decimal, or nothing for a scale of two grades or without order, or a person's."""
    is_telling = finding.expected_grade is not None and len(finding.scale.grades) > 2
    is_telling = is_telling and finding.trained_on != BY_A_PERSON
    return f"{finding.expected_grade:.1f}" if is_telling else ""


def place(finding: Finding, label: str) -> str:
    """Where and what: `L4/L5 right neural foraminal narrowing`."""
    return " ".join(part for part in (label, finding.side, CONDITIONS[finding.condition].title) if part)


def graded(finding: Finding, label: str) -> str:
    """Where, what, how bad, of which kind and how sure: `L4/L5 spinal canal stenosis, severe† (94%)`; the finding has
    a grade."""
    parts = (place(finding, label), grade_title(finding), *kind_texts(finding))
    return f"{', '.join(parts)} ({how_sure(finding)})"


def kind_texts(finding: Finding) -> tuple[str, ...]:
    """What is said of an abnormal finding beyond its grade: Meyerding's grade of a slip, type and zone of a herniation
    (marked where it is that of a model of phantoms, beside a grade of one of patients), part, slices and T1 signal of a
    high-intensity zone, and the probability from which on a rare one is called."""
    said = finding.details if finding.is_abnormal else {}
    texts = [f"Meyerding {said['meyerding']} {said['direction']}"] if "meyerding" in said else []
    mark = PHANTOM_MARK if NOT_COUNTED in said else ""
    texts += [f"{said[name]}{mark if name == 'zone' else ''}" for name in ("type", "zone", "part") if name in said]
    if "slices_counted" in said:
        texts.append(f"on {said['slices_counted']} of {said['slices_looked_at']} slices")
    texts += [str(said["t1_signal"])] if "t1_signal" in said else []
    if CALLED_FROM in said:
        texts.append(f"called from {percent(said[CALLED_FROM])} on")
    return tuple(texts)


def short_graded(finding: Finding) -> str:
    """For a narrow place that shows the abnormal only: `Modic type 2`, `herniation` where no other grade is one, or
    `listhesis Meyerding III`, which is said nowhere else where others come first."""
    title = grade_title(finding) if len(finding.scale.grades) > 2 else phantom_mark(finding)
    named = f"{CONDITIONS[finding.condition].short} {title}".replace(f" {PHANTOM_MARK}", PHANTOM_MARK).rstrip()
    return f"{named} Meyerding {finding.details['meyerding']}" if "meyerding" in finding.details else named


def headline(findings: StudyFindings) -> str:
    """What a reader takes in at one look: the worst finding, or that there is none, or that nothing was graded."""
    abnormal = abnormal_first(findings)
    if abnormal:
        return f"Most severe: {graded(abnormal[0], level_label(findings, abnormal[0].level))}"
    count = sum(finding.grade is not None for finding in findings.findings)
    if not count:
        return "No grade could be given"
    parts = "" if is_whole(findings) else "; parts of the study were not assessed"
    return f"Nothing abnormal among the {count} grades given{parts}"


def further_headline(findings: StudyFindings) -> str:
    """The findings that follow the worst one, shortened; empty when there are none."""
    others = abnormal_first(findings)[1:]
    if not others:
        return ""
    named = "; ".join(graded(finding, level_label(findings, finding.level)) for finding in others[:_ALSO_NAMED])
    more = len(others) - _ALSO_NAMED
    return f"Also: {named}" + (f"; and {more} more" if more > 0 else "")


def is_whole(findings: StudyFindings) -> bool:
    """Whether every condition of an own series, at every found level, has its grade."""
    return not findings.not_assessed and not any(finding.abstained for finding in findings.findings)


def level_lines(findings: StudyFindings) -> tuple[str, ...]:
    """One line per level, with everything that was graded there and the expected grades."""
    return tuple(_level_line(findings, level) for level in shown_levels(findings))


def _level_line(findings: StudyFindings, level: str) -> str:
    here = [finding for finding in findings.findings if finding.level == level and finding.grade is not None]
    text = "; ".join(_short(finding) for finding in here) or "no grade"
    return f"{level_label(findings, level)}: {text}"


def _short(finding: Finding) -> str:
    name = " ".join(part for part in (CONDITIONS[finding.condition].short, finding.side) if part)
    expected = expected_text(finding)
    numbers = how_sure(finding) + (f", expected {expected}" if expected else "")
    return f"{name} {grade_title(finding)} ({numbers})"


def limits(findings: StudyFindings) -> tuple[str, ...]:
    """What a reader must know before trusting a level's name or a grade."""
    lines = []
    unsure = from_the_top(location.level for location in findings.levels if not location.name_is_sure)
    if unsure:
        lines.append(f"Level names are not sure ({', '.join(unsure)}): count them on the images before use.")
    missing = [level for level in LEVELS if level not in {location.level for location in findings.levels}]
    if missing:
        lines.append(f"Not found in the images: {', '.join(missing)}.")
    return (*lines, *(_sentence(remark.text) for remark in findings.quality if remark.severity != "info"))


def remarks(findings: StudyFindings) -> tuple[str, ...]:
    """What was noticed about the images and limits nothing."""
    return tuple(_sentence(remark.text) for remark in findings.quality if remark.severity == "info")


def not_assessed_lines(findings: StudyFindings) -> tuple[str, ...]:
    """What has no grade and why, one line a reason and place: first what was never tried, then what was withheld."""
    tried = _grouped(
        (f.condition, f.reason or "no reason given", f.level, f.side) for f in findings.findings if f.abstained
    )
    untried = _grouped((entry.condition, entry.reason, entry.level, entry.side) for entry in findings.not_assessed)
    return (
        *(f"{_capital(what)} not assessed {where}: {why}." for what, where, why in untried),
        *(f"{_capital(what)} withheld {where}: {why}." for what, where, why in tried),
    )


_Entry = tuple[str, str, str | None, Side | None]


def _grouped(entries: Iterable[_Entry]) -> list[tuple[str, str, str]]:
    """(conditions, places, reason) of entries, joining conditions of equal places and reason."""
    places: defaultdict[tuple[str, str], list[tuple[str | None, Side | None]]] = defaultdict(list)
    for condition, reason, level, side in entries:
        places[condition, visible(reason, _LONGEST).rstrip(".")].append((level, side))
    conditions: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for (condition, reason), sites in places.items():
        conditions[_sites_text(condition, sites), reason].append(CONDITIONS[condition].title)
    return [(_joined(titles), where, why) for (where, why), titles in conditions.items()]


def _sites_text(condition: str, sites: list[tuple[str | None, Side | None]]) -> str:
    """`at any level`, or the levels, each with its side unless both sides of it are meant."""
    sides: defaultdict[str | None, set[Side | None]] = defaultdict(set)
    for level, side in sites:
        sides[level].add(side)
    both: set[Side | None] = set(CONDITIONS[condition].sides)
    texts = {level: "" if None in found or found == both else f" {_joined(sorted(map(str, found)))}"
             for level, found in sides.items()}  # fmt: skip
    if None in texts:
        return f"at any level{',' if texts[None] else ''}{texts[None]}"
    whole = set(LEVELS) <= {level for level, text in texts.items() if not text}
    if whole and len(texts) == len(LEVELS):
        return "at any level"
    return "at " + _joined([f"{level}{texts[level]}" for level in from_the_top(level for level in texts if level)])


def cautions(findings: StudyFindings) -> tuple[str, ...]:
    """Where the grades come from, as far as it limits them, what is called at less than one half, and what the models'
    cards warn of besides."""
    seen = {finding.condition for finding in findings.findings if phantom_mark(finding)}
    used = [name for name in CONDITIONS if name in seen]
    lines = []
    if used:
        titles = _capital(_joined([CONDITIONS[name].title for name in used]))
        lines.append(
            f"{PHANTOM_MARK} {titles}: graded by a model that learned these grades from phantoms (simulated images) "
            "only. How well it reads patients is not known."
        )
    if any(finding.trained_on == "truth" for finding in findings.findings):
        lines.append("These grades are the truth that a phantom was made from, not a reading of its images.")
    marked = {"phantoms"} if used else set()
    warned = [model for model in findings.models if model.caution and model.trained_on not in marked]
    said = (_sentence(f"model {model.name}: {model.caution}") for model in warned)
    return (*lines, *_called_lines(findings), *said)


def _called_lines(findings: StudyFindings) -> tuple[str, ...]:
    """One line a condition whose abnormal grade is called at a probability below one half."""
    called: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in findings.findings:
        if finding.is_abnormal and CALLED_FROM in finding.details and (finding.confidence or 0.0) < 0.5:
            called[finding.condition].append(finding)
    return tuple(
        f"{_capital(CONDITIONS[name].title)} is called from {percent(found[0].details[CALLED_FROM])} on, "
        f"so it can be less likely than not: {_joined([_called(finding, findings) for finding in found])}."
        for name, found in called.items()
    )


def _called(finding: Finding, findings: StudyFindings) -> str:
    parts = (level_label(findings, finding.level), finding.side, f"({percent(finding.confidence or 0.0)})")
    return " ".join(part for part in parts if part)


def _joined(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentence(text: str) -> str:
    return _capital(visible(text, _LONGEST).rstrip(".")) + "."
