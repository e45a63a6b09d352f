"""Findings and what readers did to them, put together. The machine's grade is never lost: every opinion has it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from lumbago.anatomy.findings import Finding, Point, Site, StudyFindings
from lumbago.review.acts import JUDGING, Act, renamed, shift_of, site_of

State = Literal["machine", "accepted", "changed", "added", "agreed", "disputed", "adjudicated"]
_WORDS: Mapping[str, State] = {"accept": "accepted", "grade": "changed", "add": "added", "move": "accepted"}


@dataclass(frozen=True, slots=True)
class Opinion:
    """What is said of one place.

    Attributes:
        grade: None when it is withheld; state: how it came about.
        readers: ids of those who said it, none for the machine.
        machine: the machine's finding, None for a lesion that a reader added.
        point_lps_mm, box_lps_mm, box_down_lps: where, when a reader moved or placed it, as in `Evidence`.
        made_at: when the last reader said it.
    """

    grade: str | None
    state: State
    readers: tuple[str, ...] = ()
    machine: Finding | None = None
    point_lps_mm: Point | None = None
    box_lps_mm: tuple[Point, Point] | None = None
    box_down_lps: Point | None = None
    made_at: Any = None


@dataclass(frozen=True)
class Reading:
    """What one reader says of a study.

    Attributes:
        said: only the places that the reader judged; signed_at: None until signed, and again after a later change.
    """

    reader: str
    said: Mapping[Site, Opinion]
    signed_at: Any = None


@dataclass(frozen=True)
class StudyReading:
    """All that is said of a study.

    Attributes:
        findings: the machine's, under the numbering in force; shift: by how many discs that was corrected.
        opinions: one a place, also where only the machine spoke; readings: by reader.
        comments: (reader, when, place or None, text), oldest first.
    """

    findings: StudyFindings
    shift: int
    opinions: Mapping[Site, Opinion]
    readings: Mapping[str, Reading]
    comments: tuple[tuple[str, Any, Site | None, str], ...] = field(default=())

    @property
    def signed(self) -> tuple[Reading, ...]:
        """The readings that are signed and unchanged since."""
        return tuple(reading for reading in self.readings.values() if reading.signed_at is not None)

    @property
    def disputed(self) -> tuple[Site, ...]:
        """Places where readers disagree and nobody has decided."""
        return tuple(site for site, opinion in self.opinions.items() if opinion.state == "disputed")


def renumbered(findings: StudyFindings, shift: int) -> StudyFindings:
    """The findings with every level counted `shift` discs further up; what falls off the spine is left out."""
    if not shift:
        return findings

    def moved(rows: Iterable[Any]) -> tuple[Any, ...]:
        named = ((row, None if row.level is None else renamed(row.level, shift)) for row in rows)
        return tuple(replace(row, level=level) for row, level in named if level is not None or row.level is None)

    return replace(
        findings,
        levels=tuple(replace(row, name_is_sure=True) for row in moved(findings.levels)),
        findings=moved(findings.findings),
        not_assessed=moved(findings.not_assessed),
        outlines=moved(findings.outlines),
    )


def read_together(findings: StudyFindings, acts: Iterable[Act]) -> StudyReading:
    """Puts findings and reviews, oldest first, together."""
    acts = tuple(acts)
    shift = shift_of(acts)
    named = renumbered(findings, shift)
    machine = {(row.condition, row.level, row.side): row for row in named.findings}
    readings = {reader: _reading(reader, acts, shift, machine) for reader in _readers(acts)}
    decided = _decided(acts, shift, machine)
    sites = dict.fromkeys((*machine, *(site for reading in readings.values() for site in reading.said), *decided))
    said = {site: _together(site, machine.get(site), readings) for site in sites}
    opinions = {site: _placed_as(said[site], decided[site]) if site in decided else said[site] for site in sites}
    comments = tuple(
        (act.user_id, act.made_at, site_of(act, shift), str(act.payload["text"]))
        for act in acts
        if str(act.payload.get("text", "")).strip()
    )
    return StudyReading(named, shift, opinions, readings, comments)


def _decided(acts: tuple[Act, ...], shift: int, machine: Mapping[Site, Finding]) -> Mapping[Site, Opinion]:
    """What was decided between readers, by place, unless a reader gave another grade there since."""
    decided: dict[Site, Opinion] = {}
    for act in acts:
        site = site_of(act, shift)
        if site is None:
            continue
        if act.kind == "adjudicate":
            decided[site] = _opinion(act, "adjudicated", machine.get(site))
        elif site in decided and _says_otherwise(act, machine.get(site), decided[site]):
            del decided[site]
    return decided


def _says_otherwise(act: Act, machine: Finding | None, decided: Opinion) -> bool:
    return act.kind in JUDGING - {"move"} and _said(act, None, machine).grade != decided.grade


def _readers(acts: tuple[Act, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(act.user_id for act in acts if act.kind in JUDGING or act.kind == "sign"))


def _reading(reader: str, acts: tuple[Act, ...], shift: int, machine: Mapping[Site, Finding]) -> Reading:
    said: dict[Site, Opinion] = {}
    signed_at = None
    for act in acts:
        if act.kind == "numbering" or (act.user_id == reader and act.kind in JUDGING):
            signed_at = None
        if act.user_id != reader:
            continue
        if act.kind == "sign":
            signed_at = act.made_at
        site = site_of(act, shift)
        if act.kind in JUDGING and site is not None:
            said[site] = _said(act, said.get(site), machine.get(site))
    return Reading(reader, said, signed_at)


def _said(act: Act, before: Opinion | None, machine: Finding | None) -> Opinion:
    """A reader's opinion after one more act; moving a place leaves its grade as it was said before."""
    now = _opinion(act, _WORDS[act.kind], machine)
    if act.kind == "move" and before is not None:
        return replace(_placed_as(now, before), made_at=now.made_at)
    own = machine.grade if machine is not None else now.grade
    if act.kind == "accept" and act.payload.get("grade") not in (None, own):
        now = replace(now, state="changed")  # what was accepted is not what the machine says now
    elif act.kind in {"accept", "move"}:
        now = replace(now, grade=own)
    if before is not None and now.point_lps_mm is None and now.box_lps_mm is None:
        now = _placed_as(before, now)
    return now


def _placed_as(place: Opinion, opinion: Opinion) -> Opinion:
    """An opinion where another one is."""
    return replace(
        opinion, point_lps_mm=place.point_lps_mm, box_lps_mm=place.box_lps_mm, box_down_lps=place.box_down_lps
    )


def _opinion(act: Act, state: State, machine: Finding | None) -> Opinion:
    return Opinion(
        act.payload.get("grade"), state, (act.user_id,), machine,
        _point(act.payload.get("point_lps_mm")), _box(act.payload.get("box_lps_mm")),
        _point(act.payload.get("box_down_lps")), act.made_at,
    )  # fmt: skip


def _point(value: Any) -> Point | None:
    return None if value is None else (float(value[0]), float(value[1]), float(value[2]))


def _box(value: Any) -> tuple[Point, Point] | None:
    if value is None:
        return None
    first, second = _point(value[0]), _point(value[1])
    return None if first is None or second is None else (first, second)


def _together(site: Site, machine: Finding | None, readings: Mapping[str, Reading]) -> Opinion:
    """The opinion of one place: the machine's until somebody speaks; disputed when readers differ.

    A reader who signed without touching a place agrees with the machine there.
    """
    own = Opinion(machine.grade if machine is not None else None, "machine", (), machine)
    said = [opinion for reading in readings.values() if (opinion := _of(reading, site, own)) is not None]
    if not said:
        return own
    readers = tuple(reader for opinion in said for reader in opinion.readers)
    last = max(said, key=lambda opinion: opinion.made_at)
    spoken = [opinion for opinion in said if opinion.state != "machine"] or said
    placed = next((opinion for opinion in reversed(spoken) if opinion.point_lps_mm or opinion.box_lps_mm), spoken[-1])
    if len({opinion.grade for opinion in said}) > 1:
        return replace(_placed_as(placed, last), grade=None, state="disputed", readers=readers)
    state: State = "agreed" if len(said) > 1 else "accepted" if spoken[-1].state == "machine" else spoken[-1].state
    return replace(placed, grade=last.grade, state=state, readers=readers, made_at=last.made_at)


def _of(reading: Reading, site: Site, machine: Opinion) -> Opinion | None:
    if site in reading.said:
        return reading.said[site]
    if reading.signed_at is None:
        return None
    return replace(machine, readers=(reading.reader,), made_at=reading.signed_at)
