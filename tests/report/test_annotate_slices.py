from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_study import (
    DISC_CENTERS,
    Volumes,
    as_point,
    axial_volume,
    make_affine,
    make_header,
    make_volume,
    sagittal_volume,
    withhold_all,
)
from PIL import Image, ImageChops
from report_cases import CASES, single_slice

from lumbago.anatomy.findings import Evidence, Finding, Outline, Point, StudyFindings
from lumbago.report.annotate_slices import draw_axial, draw_evidence, draw_overview, draw_side, write_pictures
from lumbago.report.heat_overlay import lay_heat
from lumbago.report.level_grid import abnormal_first
from lumbago.report.picture_files import evidence_name, fingerprint, own_pictures
from lumbago.report.slice_view import Crop, Slice, crop_around, find_slice, most_used_slice, nearest_slice, view_slice

LEVEL_FILES = ["axial_L1-L2.png", "axial_L2-L3.png", "axial_L3-L4.png", "axial_L4-L5.png", "axial_L5-S1.png"]
SIDE_FILES = ["sagittal_t1_right.png", "sagittal_t1_left.png"]
OVERVIEWS = {
    "full": ["sagittal_t2.png", *SIDE_FILES, *LEVEL_FILES],
    "no_axial": ["sagittal_t2.png", *SIDE_FILES],
    "no_sagittal_t2": ["sagittal_t1.png", *SIDE_FILES, *LEVEL_FILES],
    "single_slice": ["sagittal_t2.png"],
    "all_abstained": ["sagittal_t2.png", *SIDE_FILES, *LEVEL_FILES],
    "nothing_found": ["sagittal_t2.png"],
}


def whole_view(volume_slice: Slice) -> Crop:
    _, rows, columns = volume_slice.volume.array.shape
    return Crop(0.0, 0.0, float(rows), float(columns))


def coloured(image: Image.Image) -> np.ndarray:
    """Where a picture is not grey."""
    channels = np.asarray(image.convert("RGB"), np.int16)
    return channels.max(axis=-1) - channels.min(axis=-1) > 60


def centre_of(mask: np.ndarray) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float((columns.min() + columns.max()) / 2), float((rows.min() + rows.max()) / 2)


def the(findings: StudyFindings, condition: str, level: str, side: str | None = None) -> Finding:
    (found,) = (f for f in findings.findings if (f.condition, f.level, f.side) == (condition, level, side))
    return found


@pytest.mark.parametrize("case", OVERVIEWS)
def test_pictures_that_the_study_allows(case: str, tmp_path: Path) -> None:
    findings, volumes = CASES[case]()
    written = write_pictures(findings, volumes, tmp_path)
    evidence = [evidence_name(finding) for finding in abnormal_first(findings)]
    assert [path.name for path in written] == OVERVIEWS[case] + evidence
    for path in written:
        with Image.open(path) as picture:
            assert picture.mode == "RGB"
            assert picture.width > 300


def test_nothing_to_draw_on_writes_nothing(findings: StudyFindings, tmp_path: Path) -> None:
    assert write_pictures(findings, {}, tmp_path) == ()


def test_a_bright_voxel_shows_where_its_place_in_the_patient_says() -> None:
    volume = sagittal_volume("1.2")
    dark = replace(volume, array=np.zeros_like(volume.array))
    dark.array[4, 100, 60] = 1.0
    (point,) = dark.to_lps_mm(np.array([[4.0, 100.0, 60.0]]))
    shown = Slice(dark, 4)
    view = view_slice(shown, crop_around(shown, [as_point(point)], (30.0, 50.0, 40.0, 20.0)), 700)
    column, row = centre_of(np.asarray(view.image) > 128)
    x, y = view.to_px(as_point(point))
    assert (column + 0.5, row + 0.5) == pytest.approx((x, y), abs=1.0)
    assert (x, y) == pytest.approx((20 * view.px_per_mm, 30 * view.px_per_mm), abs=0.01)


def test_pixels_are_made_square() -> None:
    affine = make_affine([(4, 0, 0), (0, 0, -2.0), (0, 0.5, 0)], (0, 0, 0))
    shown = Slice(make_volume("1", np.random.default_rng(0).random((1, 60, 200)), affine), 0)
    view = view_slice(shown, whole_view(shown), 600)
    assert view.image.size == (500, 600)
    (x0, y0), (x1, y1) = view.to_px((0.0, 0.0, 0.0)), view.to_px((0.0, 10.0, -10.0))
    assert (x1 - x0, y1 - y0) == pytest.approx((10 * view.px_per_mm, 10 * view.px_per_mm))


def test_crops_stay_inside_the_image() -> None:
    shown = Slice(sagittal_volume("1.2"), 4)
    assert crop_around(shown, [(0.0, -80.0, 130.0)], (50.0,) * 4) == Crop(0.0, 0.0, 50.5, 50.5)
    assert crop_around(shown, [(0.0, 900.0, 900.0)], (50.0,) * 4) == whole_view(shown)
    assert crop_around(shown, [], (1.0,) * 4) == whole_view(shown)


@pytest.mark.parametrize("array", [np.zeros((1, 40, 40)), np.full((1, 40, 40), 7.0)])
def test_an_empty_image_is_no_error(array: np.ndarray) -> None:
    shown = Slice(make_volume("1", array, np.eye(4)), 0)
    assert view_slice(shown, whole_view(shown), 80).image.size == (80, 80)


def test_edges_are_named_from_the_geometry() -> None:
    sagittal, axial = Slice(sagittal_volume("1.2"), 4), Slice(axial_volume("1.3"), 0)
    assert view_slice(sagittal, whole_view(sagittal), 100).edge_letters == ("A", "P", "H", "F")
    assert view_slice(axial, whole_view(axial), 100).edge_letters == ("R", "L", "A", "P")
    mirrored = replace(axial, volume=axial.volume.reordered((0, 1, 2), (False, False, True)))
    assert view_slice(mirrored, whole_view(mirrored), 100).edge_letters == ("L", "R", "A", "P")
    assumed = replace(sagittal, volume=replace(sagittal.volume, geometry_is_assumed=True))
    assert view_slice(assumed, whole_view(assumed), 100).edge_letters is None


def test_a_slice_is_found_by_its_uid_and_frame() -> None:
    volume = sagittal_volume("1.2", slices=3)
    headers = tuple(replace(make_header("1.2", 0), frame=number + 1) for number in range(3))
    volumes: Volumes = {"sagittal_t2": (sagittal_volume("1.5"), replace(volume, headers=headers))}

    def found(uid: str, frame: int | None) -> Slice | None:
        return find_slice(volumes, Evidence("1.2", uid, frame, "sagittal_t2", (0.0, 0.0, 0.0)))

    second = found("1.2.0", 2)
    assert second is not None
    assert (second.volume, second.index) == (volumes["sagittal_t2"][1], 1)
    assert found("1.2.0", None) is None
    assert found("1.2.1", 2) is None


def test_a_slice_is_named_by_the_numbers_in_its_files() -> None:
    """Which count from the other end, or on through several blocks."""
    volume = sagittal_volume("1.2", slices=3)
    numbered = replace(volume.headers[0], series_number=4, instance_number=11)
    frame = replace(numbered, series_number=None, frame=2)
    named = replace(volume, headers=(numbered, frame, volume.headers[2]))
    assert [Slice(named, index).filed_as for index in range(3)] == ["series 4, image 11", "frame 2", ""]


def test_the_slice_most_used_is_shown(volumes: Volumes) -> None:
    def evidence(index: int) -> Evidence:
        return Evidence("1.2", f"1.2.{index}", None, "sagittal_t2", (0.0, 0.0, 0.0))

    used = most_used_slice(volumes, [evidence(index) for index in (1, 4, 4, 5, 7, 7)])
    assert used is not None
    assert used.index in (4, 7)
    assert most_used_slice(volumes, []) is None
    assert nearest_slice(volumes["sagittal_t2"][0], [(9.0, 0.0, 0.0)]).index == 6
    assert nearest_slice(volumes["sagittal_t2"][0], [(900.0, 0.0, 0.0)]).index == 8
    assert nearest_slice(volumes["sagittal_t2"][0], []).index == 4


def changed(one: Image.Image, other: Image.Image) -> np.ndarray:
    """Where two pictures of the same slice differ."""
    assert one.size == other.size
    return np.asarray(ImageChops.difference(one, other).convert("L")) > 20


def test_the_letters_of_the_overview_keep_clear_of_the_names(findings: StudyFindings, volumes: Volumes) -> None:
    """Names and grades of discs stand on the left down to the last of them."""
    assumed = tuple(replace(volume, geometry_is_assumed=True) for volume in volumes["sagittal_t2"])
    lettered, plain = (draw_overview(findings, {"sagittal_t2": rows}) for rows in (volumes["sagittal_t2"], assumed))
    assert lettered is not None and plain is not None
    shown = changed(lettered.crop((0, 0, 60, 1100)), plain.crop((0, 0, 60, 1100)))
    assert shown[950:].any() and not shown[:950].any()


def without(findings: StudyFindings, *left_out: Finding) -> StudyFindings:
    return replace(findings, findings=tuple(f for f in findings.findings if f not in left_out))


def test_the_overview_rings_the_canal_where_it_is(findings: StudyFindings, volumes: Volumes) -> None:
    canal = the(findings, "spinal_canal_stenosis", "L1/L2")
    with_ring, without_ring = draw_overview(findings, volumes), draw_overview(without(findings, canal), volumes)
    assert with_ring is not None
    assert without_ring is not None
    x, y = centre_of(changed(with_ring, without_ring))
    shown = Slice(volumes["sagittal_t2"][0], 4)
    view = view_slice(shown, crop_around(shown, list(DISC_CENTERS.values()), (36.0, 62.0, 46.0, 56.0)), 1100)
    assert canal.evidence is not None
    assert (x, y) == pytest.approx(view.to_px(canal.evidence.point_lps_mm), abs=1.5)


def test_an_abnormal_canal_says_its_grade_in_words(findings: StudyFindings, volumes: Volumes) -> None:
    def width_of_marks(level: str) -> int:
        canal = the(findings, "spinal_canal_stenosis", level)
        one, other = draw_overview(findings, volumes), draw_overview(without(findings, canal), volumes)
        assert one is not None
        assert other is not None
        columns = np.nonzero(changed(one, other))[1]
        return int(columns.max() - columns.min())

    assert width_of_marks("L1/L2") < 40 < width_of_marks("L4/L5")


def test_colours_of_grades_are_drawn_and_withheld_ones_are_grey(findings: StudyFindings, volumes: Volumes) -> None:
    graded, withheld = draw_overview(findings, volumes), draw_overview(withhold_all(findings, "dark"), volumes)
    assert graded is not None
    assert withheld is not None
    assert coloured(graded).sum() > 1000
    assert not coloured(withheld).any()


def test_right_recess_is_left_on_the_axial_picture(findings: StudyFindings, volumes: Volumes) -> None:
    here = [f for f in findings.findings if f.condition == "subarticular_stenosis" and f.level == "L4/L5"]
    both = draw_axial(findings, here, volumes)
    left_only = draw_axial(findings, [f for f in here if f.side == "left"], volumes)
    assert both is not None
    assert left_only is not None
    x, _ = centre_of(changed(both, left_only))
    assert x < both.width / 2
    assert draw_axial(findings, here, {}) is None


def test_what_was_drawn_on_a_slice_is_outlined_on_that_slice_alone(findings: StudyFindings, volumes: Volumes) -> None:
    here = [f for f in findings.findings if f.condition == "subarticular_stenosis" and f.level == "L4/L5"]
    assert here[0].evidence is not None
    x, y, z = here[0].evidence.point_lps_mm
    around = [(30 * np.cos(turn), 30 * np.sin(turn)) for turn in np.linspace(0, 6, 20)]
    points = tuple((float(off), y - 20 + float(back), z) for off, back in around)
    outline = Outline("L4/L5", "sac", "1.3", here[0].evidence.sop_instance_uid, None, points)
    plain = draw_axial(findings, here, volumes)
    outlined = draw_axial(replace(findings, outlines=(outline,)), here, volumes)
    elsewhere = replace(outline, points_lps_mm=tuple((x, y, z + 4.0) for x, y, z in points))
    of_another = draw_axial(replace(findings, outlines=(elsewhere, replace(outline, level="L3/L4"))), here, volumes)
    assert plain is not None and outlined is not None and of_another is not None
    x, _ = centre_of(changed(plain, outlined))
    assert x == pytest.approx(plain.width / 2, abs=12)
    assert ImageChops.difference(plain, of_another).getbbox() is None


def test_a_side_shows_what_was_drawn_in_its_plane_alone(findings: StudyFindings, volumes: Volumes) -> None:
    """An axial outline crosses the parasagittal slice, on which its first point may lie."""
    here = [f for f in findings.findings if f.condition == "neural_foraminal_narrowing" and f.side == "right"]
    assert here[0].evidence is not None
    x, y, z = here[0].evidence.point_lps_mm
    around = [(9 * float(np.cos(turn)), 9 * float(np.sin(turn))) for turn in np.linspace(0, 6, 20)]
    level, uid = here[0].level, here[0].evidence.sop_instance_uid
    foramen = Outline(level, "right foramen", "1.1", uid, None, tuple((x, y + off, z + up) for off, up in around))
    recess = Outline(level, "right recess", "1.3", "1.3.0", None, tuple((x - 9 + off, y + up, z) for off, up in around))
    plain = draw_side(findings, here, volumes)
    outlined = draw_side(replace(findings, outlines=(foramen,)), here, volumes)
    crossed = draw_side(replace(findings, outlines=(recess,)), here, volumes)
    assert plain is not None and outlined is not None and crossed is not None
    assert ImageChops.difference(plain, outlined).getbbox() is not None
    assert ImageChops.difference(plain, crossed).getbbox() is None


def test_side_pictures_show_their_own_side(findings: StudyFindings, volumes: Volumes) -> None:
    right = [f for f in findings.findings if f.condition == "neural_foraminal_narrowing" and f.side == "right"]
    assert right[0].evidence is not None
    assert right[0].evidence.sop_instance_uid == "1.1.0"
    bright = replace(volumes["sagittal_t1"][0], array=volumes["sagittal_t1"][0].array.copy())
    bright.array[8] = 0.0
    own, other = draw_side(findings, right, volumes), draw_side(findings, right, {"sagittal_t1": (bright,)})
    assert own is not None
    assert other is not None
    assert not changed(own, other).any()
    assert draw_side(findings, right, {}) is None


def heated(finding: Finding, corner: tuple[int, int], folder: Path, name: str = "heat.png") -> Finding:
    """The finding with a heat map, hot in one corner of its patch."""
    heat = np.zeros((16, 16), np.uint8)
    heat[corner[0] : corner[0] + 4, corner[1] : corner[1] + 4] = 255
    Image.fromarray(heat).save(folder / "heat.png")
    assert finding.evidence is not None
    return replace(finding, evidence=replace(finding.evidence, heat_map=name, outline=()))


@pytest.mark.parametrize("corner", [(0, 0), (12, 12)])
def test_heat_lies_on_its_patch(
    findings: StudyFindings, volumes: Volumes, tmp_path: Path, corner: tuple[int, int]
) -> None:
    finding = heated(the(findings, "herniation", "L4/L5"), corner, tmp_path)
    picture = draw_evidence(finding, volumes, tmp_path)
    assert picture is not None
    x, y = centre_of(coloured(picture))
    size, half = 420, 15 / 70 * 420
    wanted = size / 2 + (half - half / 4) * (1 if corner[0] else -1)
    assert (x, y) == pytest.approx((wanted, wanted), abs=6)


@pytest.mark.parametrize("degrees", [0, 25, -40])
def test_a_turned_patch_has_a_turned_map(
    degrees: float, findings: StudyFindings, volumes: Volumes, tmp_path: Path
) -> None:
    """The hot corner of the map lies at the corner of the patch that its rows and columns lead to."""
    finding = heated(the(findings, "herniation", "L4/L5"), (0, 12), tmp_path)
    assert finding.evidence is not None and finding.evidence.box_lps_mm is not None
    first, last = (np.array(corner) for corner in finding.evidence.box_lps_mm)
    middle, half_mm = (first + last) / 2, 20.0
    angle = np.radians(degrees)
    down = np.array([0.0, np.sin(angle), -np.cos(angle)])
    along = np.array([0.0, np.cos(angle), np.sin(angle)])
    corners = (as_point(middle - half_mm * (down + along)), as_point(middle + half_mm * (down + along)))
    turned = replace(finding.evidence, box_lps_mm=corners, box_down_lps=as_point(down))
    volume_slice = find_slice(volumes, turned)
    assert volume_slice is not None
    view = view_slice(volume_slice, whole_view(volume_slice), 600)
    image = view.image.convert("RGB")
    assert lay_heat(image, view, turned, tmp_path)
    hot = centre_of(coloured(image))
    wanted = view.to_px(as_point(middle + half_mm * 0.75 * (along - down)))
    assert np.linalg.norm(np.subtract(hot, wanted)) < 3


@pytest.mark.parametrize("name", ["missing.png", "../heat.png", "/etc/hostname", "text.png", "."])
def test_heat_maps_that_are_none_are_left_out(
    findings: StudyFindings, volumes: Volumes, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (folder / "text.png").write_text("no picture")
    finding = heated(the(findings, "herniation", "L4/L5"), (0, 0), tmp_path, name)
    plain = replace(finding, evidence=replace(finding.evidence, heat_map=None)) if finding.evidence else finding
    with_name, with_none = draw_evidence(finding, volumes, folder), draw_evidence(plain, volumes, folder)
    assert with_name is not None
    assert with_none is not None
    assert not changed(with_name, with_none).any()


def test_evidence_outside_of_the_volumes_is_not_drawn(
    findings: StudyFindings, volumes: Volumes, tmp_path: Path
) -> None:
    finding = the(findings, "herniation", "L4/L5")
    assert finding.evidence is not None
    far: Point = (0.0, 5000.0, 0.0)
    assert draw_evidence(replace(finding, evidence=None), volumes, tmp_path) is None
    elsewhere = replace(finding.evidence, sop_instance_uid="9")
    assert draw_evidence(replace(finding, evidence=elsewhere), volumes, tmp_path) is None
    assert draw_evidence(replace(finding, evidence=replace(finding.evidence, point_lps_mm=far)), volumes, tmp_path)


def test_assumed_geometry_draws_no_letters(tmp_path: Path) -> None:
    findings, volumes = single_slice()
    known = {"sagittal_t2": (replace(volumes["sagittal_t2"][0], geometry_is_assumed=False),)}
    assumed, stated = draw_overview(findings, volumes), draw_overview(findings, known)
    assert assumed is not None
    assert stated is not None
    differences = changed(assumed.crop((0, 0, 500, 1100)), stated.crop((0, 0, 500, 1100)))
    assert differences[:60].any()
    assert not differences[100:400].any()


def test_pictures_know_their_findings(findings: StudyFindings, volumes: Volumes, tmp_path: Path) -> None:
    names = [path.name for path in write_pictures(findings, volumes, tmp_path)]
    assert own_pictures(findings, tmp_path, names) == tuple(names)
    assert own_pictures(replace(findings, notice="other"), tmp_path, names) == ()
    (tmp_path / names[0]).write_bytes(b"no picture")
    (tmp_path / names[1]).unlink()
    assert own_pictures(findings, tmp_path, names) == tuple(names[2:])
    assert fingerprint(StudyFindings.from_json(findings.to_json())) == fingerprint(findings)


def test_the_same_findings_give_the_same_pictures(findings: StudyFindings, volumes: Volumes, tmp_path: Path) -> None:
    first = [path.read_bytes() for path in write_pictures(findings, volumes, tmp_path)]
    assert [path.read_bytes() for path in write_pictures(findings, volumes, tmp_path)] == first
