"""The pictures of a report: slices of the study with what was found drawn on them, one picture a function."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from PIL import Image, ImageColor

from lumbago.anatomy.conditions import CONDITIONS, Role
from lumbago.anatomy.findings import (
    SPOT_CONTRAST,
    Evidence,
    Finding,
    LevelLocation,
    Point,
    SeriesSummary,
    StudyFindings,
)
from lumbago.anatomy.levels import SIDES
from lumbago.anatomy.structures import structure_colour
from lumbago.report import marks
from lumbago.report.affected_bodies import affected_ends, end_line
from lumbago.report.heat_overlay import lay_heat
from lumbago.report.level_grid import (
    PHANTOM_MARK,
    abnormal_first,
    from_the_top,
    grade_title,
    level_label,
    phantom_mark,
)
from lumbago.report.marks import Lettering
from lumbago.report.picture_files import (
    OVERVIEW_ROLES,
    axial_name,
    evidence_name,
    fingerprint,
    overview_name,
    save_picture,
    side_name,
)
from lumbago.report.slice_view import (
    Slice,
    SliceView,
    Volumes,
    crop_around,
    find_slice,
    most_used_slice,
    nearest_slice,
    view_slice,
)
from lumbago.report.visible_text import visible

_OUTLINED: Final = "pfirrmann"
_RINGED: Final = "spinal_canal_stenosis"
"""What the overview shows of each level: the disc by one condition, the canal by another."""

_BAR_MM: Final = 4.0
"""From the outline of a disc to the bar of an affected body."""

_NOTICE: Final = "Research use - not a diagnosis"
_PHANTOM_NOTE: Final = f"{PHANTOM_MARK} grade learned from phantoms only"
_SAGITTAL_HEIGHT_PX: Final = 1100
_AXIAL_HEIGHT_PX: Final = 660
_EVIDENCE_HEIGHT_PX: Final = 420
_OVERVIEW_MARGINS_MM: Final = (36.0, 62.0, 46.0, 56.0)
_SIDE_MARGINS_MM: Final = (40.0, 60.0, 42.0, 62.0)
"""Above, to the right (the back), below and to the left (the front) of the marked points."""
_AXIAL_SIZE_MM: Final = 110.0
_EVIDENCE_SIZE_MM: Final = 70.0
_BELOW_LABELS: Final = 0.93
"""Share of the overview's height at which neither a level's name nor the scale bar stands."""
_SAME_SLICE_MM: Final = 0.5
_SAME_PLANE_MM: Final = 5.0
"""A mark belongs to a slice no farther than this from its plane: about one slice of a usual protocol."""


def write_pictures(findings: StudyFindings, volumes: Volumes, folder: Path) -> tuple[Path, ...]:
    """Writes every picture that the findings and volumes allow into an existing folder, as PNG.

    `volumes` are in canonical orientation: sagittal rows run head to feet and columns front to back; axial rows run
    front to back and columns from the patient's right to his left.

    Returns:
        What was written: the overview, then sides, axial levels, and the evidence of the abnormal findings.

    Raises:
        OSError: the folder cannot be written.
    """
    drawn = {overview_name(_overview_role(volumes)): draw_overview(findings, volumes)}
    for role in volumes:
        drawn |= _sided_pictures(findings, volumes, role)
    drawn |= {evidence_name(finding): draw_evidence(finding, volumes, folder) for finding in abnormal_first(findings)}
    mark = fingerprint(findings)
    written = {folder / name: image for name, image in drawn.items() if image is not None}
    for path, image in written.items():
        save_picture(image, path, mark)
    return tuple(written)


def _overview_role(volumes: Volumes) -> Role:
    return next((role for role in OVERVIEW_ROLES if volumes.get(role)), OVERVIEW_ROLES[0])


def _sided_pictures(findings: StudyFindings, volumes: Volumes, role: Role) -> dict[str, Image.Image | None]:
    """Per side on sagittal slices, per level on axial ones."""
    sided = [f for f in findings.findings if f.side and f.evidence and f.evidence.role == role]
    if role in OVERVIEW_ROLES:
        found = {side: [f for f in sided if f.side == side] for side in SIDES[::-1]}
        return {side_name(role, side): draw_side(findings, here, volumes) for side, here in found.items() if here}
    levels = from_the_top(finding.level for finding in sided)
    return {
        axial_name(level): draw_axial(findings, [f for f in sided if f.level == level], volumes) for level in levels
    }


def draw_overview(findings: StudyFindings, volumes: Volumes) -> Image.Image | None:
    """The midline slice: levels named, discs outlined by Pfirrmann grade, the canal ringed by its grade, bars along
    the ends of bodies with Modic or endplate changes.

    It is the slice that most midline findings point to; without any, the one nearest to the discs. None without a
    sagittal volume.
    """
    role = _overview_role(volumes)
    if not volumes.get(role):
        return None
    midline = _evidence_of(f for f in findings.findings if f.side is None)
    centers = [location.disc_center_lps_mm for location in findings.levels]
    used = most_used_slice(volumes, [evidence for evidence in midline if evidence.role == role])
    shown = used or nearest_slice(volumes[role][0], centers)
    view = view_slice(shown, crop_around(shown, centers, _OVERVIEW_MARGINS_MM), _SAGITTAL_HEIGHT_PX)
    image = view.image.convert("RGB")
    ringed = [f for location in findings.levels if (f := findings.find(_RINGED, location.level))]
    for location in findings.levels:
        if view.shows(location.disc_center_lps_mm):
            _mark_disc(image, view, findings, location)
    for finding in ringed:
        _mark_grade(image, view, finding, _grade_words(finding) if finding.is_abnormal else "")
    title = _title(findings, shown) + (f"; rings: {CONDITIONS[_RINGED].short}" if ringed else "")
    if any(affected_ends(findings, location.level) for location in findings.levels):
        title += "; bars: Modic or endplate changes"
    return _framed(image, view, title, findings.findings, _BELOW_LABELS)


def draw_side(findings: StudyFindings, here: list[Finding], volumes: Volumes) -> Image.Image | None:
    """The parasagittal slice that most of one side's findings point to: each place ringed and graded, foramen and
    ganglion outlined where they were drawn on it."""
    evidences = _evidence_of(here)
    shown = most_used_slice(volumes, evidences)
    if shown is None:
        return None
    points = [evidence.point_lps_mm for evidence in evidences]
    view = view_slice(shown, crop_around(shown, points, _SIDE_MARGINS_MM), _SAGITTAL_HEIGHT_PX)
    image = view.image.convert("RGB")
    _draw_structures(image, view, findings, {finding.level for finding in here})
    for finding in here:
        _mark_grade(image, view, finding, f"{level_label(findings, finding.level)} {_grade_words(finding)}")
    conditions = dict.fromkeys(CONDITIONS[finding.condition].title for finding in here)
    title = f"{_title(findings, shown)}, patient's {here[0].side}; {', '.join(conditions)}"
    return _framed(image, view, title, here)


def draw_axial(findings: StudyFindings, here: list[Finding], volumes: Volumes) -> Image.Image | None:
    """The axial slice of one level that most of its findings point to: 110 mm about the canal, each side graded, sac,
    disc and recesses outlined where they were drawn on it."""
    shown = most_used_slice(volumes, _evidence_of(here))
    if shown is None:
        return None
    canal = findings.find(_RINGED, here[0].level)
    middle = _evidence_of([canal] if canal else []) or _evidence_of(here)
    view = _square_view(shown, [evidence.point_lps_mm for evidence in middle], _AXIAL_SIZE_MM, _AXIAL_HEIGHT_PX)
    image = view.image.convert("RGB")
    _draw_structures(image, view, findings, {here[0].level})
    for finding in here:
        _mark_grade(image, view, finding, _grade_words(finding))
    marks.draw_text(image, (12.0, 20.0), level_label(findings, here[0].level), Lettering(28))
    conditions = dict.fromkeys(CONDITIONS[finding.condition].title for finding in here)
    return _framed(image, view, f"{_title(findings, shown)}; {', '.join(conditions)}", here)


def draw_evidence(finding: Finding, volumes: Volumes, folder: Path) -> Image.Image | None:
    """70 mm of the slice around one finding, with its disc's outline and its heat map, or a ring about a spot that was
    found; a ring alone where neither is known."""
    shown = find_slice(volumes, finding.evidence) if finding.evidence else None
    if shown is None or finding.evidence is None:
        return None
    view = _square_view(shown, [finding.evidence.point_lps_mm], _EVIDENCE_SIZE_MM, _EVIDENCE_HEIGHT_PX)
    image = view.image.convert("RGB")
    is_spot = SPOT_CONTRAST in finding.details
    has_heat = not is_spot and lay_heat(image, view, finding.evidence, folder)
    if finding.evidence.outline:
        _outline(image, view, finding.evidence.outline, _colour(finding))
    if is_spot or not (has_heat or finding.evidence.outline):
        _mark_grade(image, view, finding, "")
    _orient(image, view, 20, 24)
    return marks.with_strip(image, [_NOTICE], 16)


def _evidence_of(findings: Iterable[Finding]) -> list[Evidence]:
    return [finding.evidence for finding in findings if finding.evidence]


def _square_view(shown: Slice, points: list[Point], size_mm: float, height_px: int) -> SliceView:
    """A square about the mean of the points."""
    middle = tuple(sum(values) / len(points) for values in zip(*points, strict=True))
    half = size_mm / 2
    return view_slice(shown, crop_around(shown, [(middle[0], middle[1], middle[2])], (half,) * 4), height_px)


def _mark_disc(image: Image.Image, view: SliceView, findings: StudyFindings, location: LevelLocation) -> None:
    """The disc's outline, or a dot where none is known, and its name and grade to the left of it."""
    finding = findings.find(_OUTLINED, location.level)
    outline = _outline_near(view, findings, location.level)
    center = view.to_px(location.disc_center_lps_mm)
    if outline:
        _outline(image, view, outline, _colour(finding))
        _mark_bodies(image, view, outline, affected_ends(findings, location.level))
    else:
        marks.draw_ring(image, center, 3.0, marks.GREY, 2.0)
    front = min((view.to_px(point)[0] for point in outline), default=center[0] - 20 * view.px_per_mm)
    name_at = front - 14, center[1] - 4
    marks.draw_text(image, name_at, level_label(findings, location.level), Lettering(28, "right"))
    if finding and finding.grade:
        words = f"{CONDITIONS[_OUTLINED].short} {grade_title(finding)}"
        marks.draw_text(image, (name_at[0], name_at[1] + 27), words, Lettering(20, "right"))


def _mark_bodies(
    image: Image.Image, view: SliceView, outline: tuple[Point, ...], affected: Mapping[int, Finding]
) -> None:
    """A bar along the end of each affected body."""
    for end, finding in affected.items():
        line = end_line([view.to_px(point) for point in outline], end, _BAR_MM * view.px_per_mm)
        marks.draw_line(image, line, _colour(finding), 4.0)


def _outline_near(view: SliceView, findings: StudyFindings, level: str) -> tuple[Point, ...]:
    """The disc's outline if some finding has one in, or next to, the shown slice."""
    outlines = (evidence.outline for evidence in _evidence_of(f for f in findings.findings if f.level == level))
    return next((o for o in outlines if o and view.shown.distance_mm(o[0]) <= _SAME_PLANE_MM), ())


def _outline(image: Image.Image, view: SliceView, outline: tuple[Point, ...], colour: str) -> None:
    marks.draw_outline(image, [view.to_px(point) for point in outline], colour, 2.0)


def _draw_structures(image: Image.Image, view: SliceView, findings: StudyFindings, levels: set[str]) -> None:
    """What was outlined of these levels on this very slice."""
    for one in findings.outlines:
        away_mm = (view.shown.distance_mm(point) for point in one.points_lps_mm)
        if one.level in levels and all(away <= _SAME_SLICE_MM for away in away_mm):
            _outline(image, view, one.points_lps_mm, structure_colour(one.structure))


def _mark_grade(image: Image.Image, view: SliceView, finding: Finding, words: str) -> None:
    """A ring at the finding's place, thin when that lies on another slice, with words on its outer side."""
    if finding.evidence is None or not view.shows(finding.evidence.point_lps_mm):
        return
    x, y = view.to_px(finding.evidence.point_lps_mm)
    radius = max(7.0, 2.6 * view.px_per_mm)
    is_here = view.shown.distance_mm(finding.evidence.point_lps_mm) <= _SAME_PLANE_MM
    marks.draw_ring(image, (x, y), radius, _colour(finding), 3.0 if is_here else 1.5)
    is_left = view.runs_sideways and x < image.width / 2
    reach = radius + 8
    marks.draw_text(
        image, (x - reach if is_left else x + reach, y), words, Lettering(24, "right" if is_left else "left")
    )


def _grade_words(finding: Finding) -> str:
    return grade_title(finding) if finding.grade else "no grade"


def _colour(finding: Finding | None) -> str:
    """The grade's colour, lightened to show on the dark of an image; grey without a grade."""
    if finding is None or finding.grade is None:
        return marks.GREY
    scale = finding.scale
    red, green, blue = ImageColor.getrgb(scale.colours[scale.grades.index(finding.grade)])[:3]
    return f"#{_lighter(red):02X}{_lighter(green):02X}{_lighter(blue):02X}"


def _lighter(value: int) -> int:
    return round(value + 0.25 * (255 - value))


def _orient(image: Image.Image, view: SliceView, bar_mm: int, size_px: int, letters_at: float = 0.5) -> None:
    """Edge letters, those of the sides at a share of the height, and scale bar; neither where the geometry is made
    up."""
    if view.edge_letters:
        marks.draw_edge_letters(image, view.edge_letters, size_px, letters_at * image.height)
        marks.draw_scale_bar(image, view.px_per_mm, bar_mm, size_px)


def _title(findings: StudyFindings, shown: Slice) -> str:
    """Which slice this is: `Sagittal T2, slice 8 of 15 (series 4, image 11)`."""
    uid = shown.volume.headers[shown.index].series_instance_uid
    series = next((one for one in findings.study.series if one.series_instance_uid == uid), None)
    kind = visible(_kind(series), 40) if series else "slice of an unlisted series"
    filed_as = f" ({shown.filed_as})" if shown.filed_as else ""
    return f"{kind[:1].upper()}{kind[1:]}, slice {shown.index + 1} of {len(shown.volume.array)}{filed_as}"


def _kind(series: SeriesSummary) -> str:
    weighting = series.weighting.upper().replace("_STAR", "*")
    return " ".join(text for text in (series.plane, weighting) if text.lower() != "unknown") or "slice"


def _framed(
    image: Image.Image, view: SliceView, title: str, findings: Iterable[Finding], letters_at: float = 0.5
) -> Image.Image:
    """With directions, scale, and the strip that says what is shown and what it is not."""
    _orient(image, view, 50, 24, letters_at)
    notes = [_PHANTOM_NOTE] if any(map(phantom_mark, findings)) else []
    assumed = ["position unknown: no sides, no scale"] if view.shown.volume.geometry_is_assumed else []
    return marks.with_strip(image, ["; ".join([title, *notes, *assumed]), _NOTICE], 18)
