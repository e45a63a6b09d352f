"""What the viewer is told: slices turned as readers expect them, and places that stay where they are in the patient."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from fastapi import FastAPI, HTTPException
from starlette.testclient import TestClient

from compass import BEADS, DIRECTIONS, write_compass
from lumbago.anatomy.findings import Evidence, Finding, LevelLocation, Outline, StudyFindings, StudySummary
from lumbago.anatomy.structures import structure_colour
from lumbago.web.viewer_data import Address, Reading, box_corners, describe_for_viewer
from lumbago.web.viewer_frames import OpenedStudy, StudyImages, make_frame
from lumbago.web.viewer_routes import ImagesOf, viewer_router

SCREEN = {"sagittal": ((0, 1, 0), (0, 0, -1)), "axial": ((1, 0, 0), (0, 1, 0)), "coronal": ((1, 0, 0), (0, 0, -1))}
"""Where the right and the bottom of the screen are in the patient: anterior left in sagittal, left right in axial."""


@pytest.fixture(scope="module")
def images():
    shelf = StudyImages(decoders=1)
    yield shelf
    shelf.close()


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, images: StudyImages) -> OpenedStudy:
    """All 24 ways of storing the same patient, a series each."""
    folder = tmp_path_factory.mktemp("compass")
    for number, (right, down) in enumerate(DIRECTIONS):
        write_compass(folder / str(number), right, down, chr(65 + number))
    return images.open(folder, "1.2.3")


def test_every_stored_orientation_is_shown_the_same_way(opened: OpenedStudy) -> None:
    assert len(opened.slices) == len(DIRECTIONS)
    for series in opened.slices:
        for _, layout in series:
            assert layout is not None
            right, down = SCREEN[layout.plane]
            assert (layout.right == right).all()
            assert (layout.down == down).all()


def test_slices_run_right_to_left_head_to_feet_front_to_back(opened: OpenedStudy) -> None:
    following = {"sagittal": np.array([1, 0, 0]), "axial": np.array([0, 0, -1]), "coronal": np.array([0, 1, 0])}
    for series in opened.slices:
        places = [layout.middle @ following[layout.plane] for _, layout in series if layout]
        assert places == sorted(places)
        assert len(set(places)) == 7


def test_beads_are_where_the_layout_says(opened: OpenedStudy, images: StudyImages) -> None:
    """Every bright pixel of every shown frame lies on a bead of the patient."""
    seen = 0
    for number, series in enumerate(opened.slices):
        for index, (_, layout) in enumerate(series):
            assert layout is not None
            frame = images.frame(opened, number, index)
            pixels = np.frombuffer(frame.pixels, "<u2").reshape(frame.rows, frame.columns)
            for row, column in np.argwhere(pixels > 500):
                place = layout.position + layout.down * row * 1.0 + layout.right * column * 1.0
                assert min(np.abs(place - bead).max() for bead in BEADS.values()) <= 1.0
                seen += 1
    assert seen >= 24 * 3 * 4


@pytest.mark.parametrize(
    ("picture", "kind", "is_exact"),
    [
        (np.array([[0.0, 4095.0]]), "uint16", True),
        (np.array([[-1024.0, 3000.0]]), "int16", True),
        (np.array([[0.25, 70000.5]]), "uint16", False),
        (np.array([[7.0, 7.0]]), "uint16", True),
    ],
)
def test_frames_keep_intensities(picture: np.ndarray, kind: str, is_exact: bool) -> None:
    frame = make_frame(picture.astype(np.float32))
    stored = np.frombuffer(frame.pixels, "<i2" if kind == "int16" else "<u2")
    assert frame.kind == kind
    assert np.allclose(stored * frame.slope + frame.intercept, picture.ravel(), atol=0 if is_exact else 1.1)


def evidence(**more: object) -> Evidence:
    return Evidence("s", "i", None, "sagittal_t2", (0.0, 0.0, 0.0), **more)  # type: ignore[arg-type]


def test_box_is_turned_as_the_patch_was() -> None:
    """A patch 4 mm high and 6 wide, turned by 30 degrees about x: its corners come back from two of them."""
    along, down = np.array([0, np.cos(0.5), -np.sin(0.5)]), np.array([0, -np.sin(0.5), -np.cos(0.5)])
    first = -3 * along - 2 * down
    truth = [first, first + 6 * along, first + 6 * along + 4 * down, first + 4 * down]
    box = (tuple(truth[0]), tuple(truth[2]))
    assert np.allclose(box_corners(evidence(box_lps_mm=box, box_down_lps=tuple(down)), None), truth, atol=1e-5)
    assert box_corners(evidence(box_lps_mm=box), None) is None
    assert box_corners(evidence(), None) is None


@pytest.fixture
def client(opened: OpenedStudy, images: StudyImages, tmp_path: Path) -> TestClient:
    header = opened.slices[0][3][0]
    place = Evidence(header.series_instance_uid, header.sop_instance_uid, None, "sagittal_t2", (0.0, 0.0, 0.0))
    finding = Finding("pfirrmann", "L4/L5", None, "4", {"4": 1.0}, evidence=place)
    levels = (LevelLocation("L4/L5", (0.0, 0.0, 0.0), 1.0, True),)
    drawn = tuple(
        Outline("L4/L5", name, place.series_instance_uid, place.sop_instance_uid, None, ((0.0, 0.0, 0.0),))
        for name in ("sac", "sac", "left foramen")
    )
    (tmp_path / "heat.png").write_bytes(b"PNG")
    reading = Reading(
        StudyFindings(StudySummary("compass", "1.2.3"), levels, (finding,), outlines=drawn),
        ({"kind": "accept"},),
        {"heat.png": tmp_path / "heat.png"},
    )

    def images_of(study_id: str) -> ImagesOf:
        if study_id not in ("1", "gone"):
            raise HTTPException(404)
        return ImagesOf(opened.study.source if study_id == "1" else tmp_path / "none", "1.2.3")

    app = FastAPI()
    app.include_router(viewer_router(images, images_of, lambda: reading))
    return TestClient(app)


def test_study_is_described(client: TestClient, opened: OpenedStudy) -> None:
    data = client.get("/api/v1/studies/1/viewer").json()
    assert len(data["series"]) == len(opened.slices)
    first = data["series"][0]["slices"][3]
    assert first["url"] == "/api/v1/studies/1/frames/0/3"
    assert np.linalg.norm(first["row_cosine"]) == pytest.approx(1)
    assert data["places"] == [
        {"condition": "pfirrmann", "level": "L4/L5", "side": None, "series": 0, "slice": 3, "corners_lps_mm": None}
    ]
    assert data["drawn"] == [{"outline": number, "series": 0, "slice": 3} for number in range(3)]
    assert data["conditions"]["pfirrmann"]["colours"][3]
    assert data["structures"] == {name: {"colour": structure_colour(name)} for name in ("sac", "left foramen")}
    assert {one["sop_instance_uid"] for one in data["findings"]["outlines"]} == {first["sop_instance_uid"]}
    assert data["reviews"] == [{"kind": "accept"}]
    assert data["heat_maps"] == {"heat.png": {"url": "/api/v1/studies/1/heat-maps/heat.png"}}


def test_slices_that_share_a_uid_are_told_apart_by_where_they_lie(tmp_path: Path, images: StudyImages) -> None:
    for path in write_compass(tmp_path, *DIRECTIONS[0], "A").iterdir():
        image = pydicom.dcmread(path)
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = "1.2.3.65.1"
        image.save_as(path)
    opened = images.open(tmp_path, "1.2.3")
    findings, outlines = [], []
    for (header, layout), level in zip(opened.slices[0][1:4], ("L3/L4", "L4/L5", "L5/S1"), strict=True):
        assert layout is not None
        middle = (float(layout.middle[0]), float(layout.middle[1]), float(layout.middle[2]))
        seen = Evidence(header.series_instance_uid, header.sop_instance_uid, None, "sagittal_t2", middle)
        findings.append(Finding("pfirrmann", level, None, "4", {"4": 1.0}, evidence=seen))
        outlines.append(Outline(level, "disc", seen.series_instance_uid, seen.sop_instance_uid, None, (middle,)))
    known = StudyFindings(StudySummary("compass", "1.2.3"), (), tuple(findings), outlines=tuple(outlines))
    data = describe_for_viewer(opened, Reading(known), images, Address(""))
    assert [place["slice"] for place in data["places"]] == [drawn["slice"] for drawn in data["drawn"]] == [1, 2, 3]


def test_blind_readers_are_told_no_grades(client: TestClient) -> None:
    answer = client.get("/api/v1/studies/1/viewer", params={"blind": "true"})
    data = answer.json()
    assert data["findings"]["findings"] == data["places"] == data["reviews"] == []
    assert data["heat_maps"] == data["structures"] == {}
    assert data["findings"]["outlines"] == data["drawn"] == []
    assert data["findings"]["levels"]


def test_frames_are_sent_once(client: TestClient) -> None:
    answer = client.get("/api/v1/studies/1/frames/0/3")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert (answer.headers["x-type"], answer.headers["x-rows"], answer.headers["x-columns"]) == ("uint16", "64", "64")
    assert len(answer.content) == 64 * 64 * 2
    again = client.get("/api/v1/studies/1/frames/0/3", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("1/frames/0/7", 404), ("1/frames/99/0", 404), ("1/frames/-1/0", 404), ("1/frames/0/-1", 404),
        ("1/heat-maps/other.png", 404), ("2/viewer", 404), ("gone/viewer", 410), ("1/heat-maps/heat.png", 200),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said(client: TestClient, path: str, status: int) -> None:
    assert client.get(f"/api/v1/studies/{path}").status_code == status


def test_a_damaged_slice_is_said(tmp_path: Path, images: StudyImages) -> None:
    write_compass(tmp_path, *DIRECTIONS[0], "Z")
    opened = images.open(tmp_path, "1.2.3")
    broken = opened.slices[0][0][0].source.path
    Path(broken).write_bytes(Path(broken).read_bytes()[:-4000])
    assert "cut off" in images.frame(opened, 0, 0).reason  # type: ignore[union-attr]
    assert describe_for_viewer(opened, Reading(), images, Address("/x"))["findings"] is None
