"""Every kind of fault, put into clean labels, is found; nothing else is."""

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from made_up_sources import write_coco, write_csv, write_labelme, write_masks, write_spider_original
from rich.console import Console

from lumbago.dicom.decoder import Decoder
from lumbago.labels.check_labels import CheckReport, check_labels
from lumbago.labels.problems import PROBLEMS, Problem
from lumbago.labels.show_check import SCHEMA, check_json, check_tables
from lumbago.labels.sources import read_source

Row = dict[str, str]
Change = Callable[[Path], object]


def check(source: str, folder: Path, decoder: Decoder) -> CheckReport:
    return check_labels(read_source(source, folder), decoder)


def bad(report: CheckReport) -> list[Problem]:
    return [problem for problem in report.problems if problem.weight != "note"]


@pytest.fixture
def rsna(made: Callable[[str], Path], tmp_path: Path) -> Path:
    """A copy to be spoiled."""
    return Path(shutil.copytree(made("rsna"), tmp_path / "rsna"))


def edit(path: Path, change: Callable[[list[Row]], object]) -> None:
    """Changes the rows of a table in place."""
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    columns = list(rows[0])
    change(rows)
    with path.open("w", newline="") as lines:
        table = csv.DictWriter(lines, columns)
        table.writeheader()
        table.writerows(rows)


def points(change: Callable[[list[Row]], object]) -> Change:
    return lambda folder: edit(folder / "train_label_coordinates.csv", change)


def grades(change: Callable[[list[Row]], object]) -> Change:
    return lambda folder: edit(folder / "train.csv", change)


def one(rows: list[Row], condition: str, level: str) -> Row:
    """The first study's point."""
    return next(row for row in rows if row["condition"] == condition and row["level"] == level)


def put(column: str, value: str, condition: str = "Spinal Canal Stenosis", level: str = "L3/L4") -> Change:
    return points(lambda rows: one(rows, condition, level).update({column: value}))


def exchange(first: Row, second: Row) -> None:
    for column in ("series_id", "instance_number", "x", "y"):
        first[column], second[column] = second[column], first[column]


def swap_sides(condition: str, levels: tuple[str, ...]) -> Change:
    def change(rows: list[Row]) -> None:
        for level in levels:
            exchange(one(rows, f"Left {condition}", level), one(rows, f"Right {condition}", level))

    return points(change)


def lone_side(rows: list[Row]) -> None:
    """Only the left point is there, and it lies on the right."""
    left, right = (one(rows, f"{side} Neural Foraminal Narrowing", "L4/L5") for side in ("Left", "Right"))
    exchange(left, right)
    rows.remove(right)


def swap_levels(rows: list[Row]) -> None:
    exchange(one(rows, "Spinal Canal Stenosis", "L3/L4"), one(rows, "Spinal Canal Stenosis", "L4/L5"))


def onto_one_side(rows: list[Row]) -> None:
    left, right = (one(rows, f"{side} Neural Foraminal Narrowing", "L4/L5") for side in ("Left", "Right"))
    left.update({column: right[column] for column in ("series_id", "instance_number", "x", "y")})


def other_grade(rows: list[Row]) -> None:
    row = dict(rows[0])
    column = "spinal_canal_stenosis_l3_l4"
    row[column] = "Severe" if row[column] != "Severe" else "Moderate"
    rows.append(row)


def second_point(rows: list[Row]) -> None:
    row = dict(one(rows, "Spinal Canal Stenosis", "L3/L4"))
    row["x"] = str(float(row["x"]) + 9)
    rows.append(row)


def unlabel(folder: Path) -> None:
    """The first study keeps its images and loses its rows."""
    study = sorted(path.name for path in (folder / "train_images").iterdir())[0]
    for name in ("train", "train_label_coordinates"):
        edit(folder / f"{name}.csv", lambda rows: [rows.remove(r) for r in list(rows) if r["study_id"] == study])


def twice(folder: Path) -> None:
    """A study once more under another number."""
    study = sorted((folder / "train_images").iterdir())[0]
    shutil.copytree(study, study.with_name("4711"))
    for name in ("train", "train_label_coordinates", "train_series_descriptions"):
        edit(
            folder / f"{name}.csv",
            lambda rows: rows.extend([row | {"study_id": "4711"} for row in rows if row["study_id"] == study.name]),
        )


def without_images(folder: Path) -> None:
    edit(folder / "train.csv", lambda rows: rows.append(rows[0] | {"study_id": "99"}))


def drop_series(folder: Path) -> None:
    shutil.rmtree(sorted((folder / "train_images").glob("*/*"))[0])


def drop_description(folder: Path) -> None:
    edit(folder / "train_series_descriptions.csv", lambda rows: rows.pop())


def damage_series(folder: Path) -> None:
    for path in sorted((folder / "train_images").glob("*/*"))[0].iterdir():
        path.write_bytes(path.read_bytes()[:300])


LEVELS = ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")
RSNA_FAULTS: dict[str, tuple[Change, dict[str, str]]] = {
    "a condition": (put("condition", "Spinal Banana"), {"unknown_name": "'Spinal Banana'"}),
    "a level": (put("level", "L9/L10"), {"unknown_name": "'L9/L10'"}),
    "a grade": (grades(lambda rows: rows[0].update(spinal_canal_stenosis_l3_l4="Awful")), {"unknown_name": "'Awful'"}),
    "a side": (swap_sides("Neural Foraminal Narrowing", ("L4/L5",)), {"wrong_side": "to the right of right"}),
    "both on one side": (points(onto_one_side), {"wrong_side": "one side"}),
    "a lone side": (points(lone_side), {"wrong_side": "a left point .* beyond the middle"}),
    "all sides": (swap_sides("Neural Foraminal Narrowing", LEVELS), {"side_swap": "all 5 levels"}),
    "levels": (points(swap_levels), {"level_order": "L3/L4 lies .* below L4/L5"}),
    "a column": (put("x", "70"), {"outside_image": "column 70.0"}),
    "a row": (put("y", "-3"), {"outside_image": "row -3.0"}),
    "an instance": (put("instance_number", "999"), {"missing_image": "instance 999"}),
    "a series": (put("series_id", "123"), {"missing_image": "series 123"}),
    "two grades": (grades(other_grade), {"contradiction": "graded"}),
    "two points": (points(second_point), {"contradiction": "another point"}),
    "no images": (without_images, {"no_images": "25 labels|24 labels|20 labels"}),
    "no labels": (unlabel, {"no_labels": "without any label"}),
    "a patient twice": (twice, {"several_names": "rsna:4711"}),
}


@pytest.mark.parametrize("fault", RSNA_FAULTS)
def test_a_seeded_fault_is_found_and_nothing_else(fault: str, rsna: Path, decoder: Decoder) -> None:
    spoil, expected = RSNA_FAULTS[fault]
    spoil(rsna)
    report = check("rsna", rsna, decoder)
    assert {problem.kind for problem in bad(report)} == set(expected)
    for problem in bad(report):
        assert re.search(expected[problem.kind], problem.found), problem
        assert problem.expected and problem.advice
    assert report.exit_code == 5


def test_a_series_that_went_missing_takes_its_points_with_it(rsna: Path, decoder: Decoder) -> None:
    drop_series(rsna)
    assert {problem.kind for problem in bad(check("rsna", rsna, decoder))} == {"missing_image"}


def test_a_damaged_series(rsna: Path, decoder: Decoder) -> None:
    damage_series(rsna)
    assert "damaged_image" in {problem.kind for problem in bad(check("rsna", rsna, decoder))}


def test_quirks_are_told_and_do_not_count(rsna: Path, decoder: Decoder) -> None:
    drop_description(rsna)
    report = check("rsna", rsna, decoder)
    assert [problem.kind for problem in report.problems] == ["quirk"] and report.exit_code == 0
    assert "DICOM headers" in report.problems[0].advice


def test_an_empty_cell_is_unknown_and_counted(rsna: Path, decoder: Decoder) -> None:
    column = "right_subarticular_stenosis_l5_s1"
    before = {share.level: share for share in check("rsna", rsna, decoder).shares if "subart" in share.condition}
    grades(lambda rows: rows[0].update({column: ""}))(rsna)
    (study, *_) = read_source("rsna", rsna)
    assert study.grade("subarticular_stenosis", "L5/S1", "right") is None
    after = {share.level: share for share in check("rsna", rsna, decoder).shares if "subart" in share.condition}
    assert after["L5/S1"].missing == before["L5/S1"].missing + 1 / 4 and before["L5/S1"].places == 4


# --- other sources ---------------------------------------------------------------------------------------------------


def labelme_edit(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    path = sorted(folder.rglob("*.json"))[0]
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def relabel(content: dict[str, list[dict[str, object]]], old: str, new: str) -> None:
    for shape in content["shapes"]:
        if shape["label"] == old:
            shape["label"] = new


def kinds_of(source: str, folder: Path, decoder: Decoder) -> dict[str, str]:
    return {problem.kind: problem.found for problem in bad(check(source, folder, decoder))}


def test_a_class_that_means_nothing(tmp_path: Path, decoder: Decoder) -> None:
    folder = write_labelme(tmp_path)
    labelme_edit(folder, lambda content: relabel(content, "HIZ", "banana"))
    assert kinds_of("labelme", folder, decoder) == {"unknown_name": "the class 'banana'"}


def test_a_picture_of_which_nobody_says_what_it_shows(tmp_path: Path, decoder: Decoder) -> None:
    """It teaches nothing, and no problem was found."""
    folder = write_coco(tmp_path)
    for path in [*folder.rglob("ann_t2_*.png")]:
        path.rename(path.with_name(path.name.replace("_t2_", "_")))
    labels = folder / "annotations.json"
    labels.write_text(labels.read_text().replace("ann_t2_", "ann_"))
    assert kinds_of("coco", folder, decoder) == {"no_role": "pictures of unknown role: 2"}


def test_a_grade_without_level(tmp_path: Path, decoder: Decoder) -> None:
    folder = write_labelme(tmp_path)
    labelme_edit(folder, lambda content: relabel(content, "disc L4/L5", "disc"))
    assert kinds_of("labelme", folder, decoder) == {"incomplete": "a shape without level"}


def test_levels_in_the_wrong_order_on_a_picture(tmp_path: Path, decoder: Decoder) -> None:
    folder = write_labelme(tmp_path)

    def change(content: dict[str, list[dict[str, object]]]) -> None:
        relabel(content, "disc L5/S1", "x")
        relabel(content, "disc L3/L4", "disc L5/S1")
        relabel(content, "x", "disc L3/L4")

    labelme_edit(folder, change)
    assert set(kinds_of("labelme", folder, decoder)) == {"level_order"}


def test_two_grades_on_one_picture(tmp_path: Path, decoder: Decoder) -> None:
    folder = write_coco(tmp_path)
    path = folder / "annotations.json"
    content = json.loads(path.read_text())
    content["categories"].append({"id": 9, "name": "Pfirrmann 1 L4-L5"})
    content["annotations"].append(content["annotations"][1] | {"category_id": 9})
    path.write_text(json.dumps(content))
    assert kinds_of("coco", folder, decoder) == {"contradiction": "graded 3 and 1"}


def test_one_picture_of_two_patients(tmp_path: Path, decoder: Decoder) -> None:
    folder = write_coco(tmp_path)
    shutil.copy(folder / "images" / "ann_t2_1.png", folder / "images" / "bob_t2_1.png")
    assert kinds_of("coco", folder, decoder) == {"several_names": "under coco:ann, coco:bob"}


def test_a_picture_that_is_not_there(tmp_path: Path, decoder: Decoder) -> None:
    folder = write_coco(tmp_path)
    (folder / "images" / "ann_t2_1.png").unlink()
    assert set(kinds_of("coco", folder, decoder)) == {"missing_image"}


def test_pictures_of_nobody_knows_whom(tmp_path: Path, decoder: Decoder) -> None:
    folder = write_labelme(tmp_path)
    for number, path in enumerate(sorted(folder.rglob("*.json")) * 3):
        content = json.loads(path.read_text())
        image = path.parent / f"IMG_{number}_t2.png"
        image.write_bytes((path.parent / content["imagePath"]).read_bytes() + bytes([number]))
        image.with_suffix(".json").write_text(json.dumps(content | {"imagePath": image.name}))
    for path in folder.rglob("*_t2_*"):
        path.unlink()
    assert kinds_of("labelme", folder, decoder) == {"one_patient": "all 12 pictures are taken for patient IMG"}


def test_discs_that_are_counted_differently(tmp_path: Path, decoder: Decoder) -> None:
    folder = write_spider_original(tmp_path)
    path = folder / "overview.csv"
    path.write_text(path.read_text().replace("12_t2_SPACE,training,7,7", "12_t2_SPACE,training,8,8"))
    assert kinds_of("spider_original", folder, decoder) == {"count_differs": "8 discs drawn, 7 graded"}


def test_a_body_that_was_skipped(tmp_path: Path, decoder: Decoder) -> None:
    folder = write_csv(tmp_path)
    rows = [f"ann,ann_t2_1,,point,pixels,{row} 100,{body}" for row, body in
            ((50, "L1"), (90, "L2"), (170, "L3"), (210, "L4"), (250, "L5"))]  # fmt: skip
    path = folder / "shapes.csv"
    path.write_text(path.read_text() + "\n".join(rows) + "\n")
    assert kinds_of("csv", folder, decoder) == {"level_gap": "L2 is 2.0 times as far from L3 as is usual here"}


def test_a_side_of_a_condition_without_sides(tmp_path: Path, decoder: Decoder) -> None:
    folder = write_csv(tmp_path)
    path = folder / "grades.csv"
    path.write_text(path.read_text() + "ann,canal stenosis,L4/L5,left,severe\n")
    assert kinds_of("csv", folder, decoder) == {"unknown_name": "the side 'left'"}


def test_masks_that_do_not_fit_or_say_nothing(tmp_path: Path, decoder: Decoder) -> None:
    folder = write_masks(tmp_path)
    shutil.copy(folder / "masks" / "ann_t2.nii.gz", folder / "kept.nii.gz")
    (folder / "labels.json").unlink()
    (folder / "images" / "bob_t2.nii.gz").unlink()
    assert set(kinds_of("masks", folder, decoder)) == {"unknown_name", "missing_image"}


def test_grades_that_are_missing_at_many_places(tmp_path: Path, decoder: Decoder) -> None:
    folder = tmp_path / "csv"
    folder.mkdir()
    rows = [
        f"s{n},pfirrmann,{level},,2" for n in range(12) for level in ("L4/L5", "L5/S1") if n < 9 or level == "L4/L5"
    ]
    (folder / "grades.csv").write_text("\n".join(["study,condition,level,side,grade", *rows]) + "\n")
    report = check("csv", folder, decoder)
    missing = {problem.place: (problem.kind, problem.found) for problem in report.problems if problem.study == ""}
    assert missing["pfirrmann L5/S1"] == ("missing_grades", "no grade at 25 % of 12 places")
    assert missing["pfirrmann L1/L2"] == ("quirk", "never graded") and "pfirrmann L4/L5" not in missing


# --- what is shown ---------------------------------------------------------------------------------------------------


def test_json_holds_all_that_was_found(rsna: Path, decoder: Decoder) -> None:
    points(swap_levels)(rsna)
    report = check("rsna", rsna, decoder)
    data = json.loads(check_json(report, "rsna"))
    assert data["schema"] == SCHEMA and data["studies"] == 2 and data["labels"] == report.labels
    assert [row["kind"] for row in data["problems"]] == [problem.kind for problem in report.problems]
    assert data["problems"][0]["weight"] == "impossible"
    assert sum(sum(share["grades"].values()) for share in data["shares"]) == report.labels


def text_of(report: CheckReport) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(check_tables(report))
    return capture.get()


def test_the_table_says_what_was_found_and_what_to_do(rsna: Path, decoder: Decoder) -> None:
    assert "No problem was found." in text_of(check("rsna", rsna, decoder))
    points(swap_levels)(rsna)
    shown = text_of(check("rsna", rsna, decoder))
    assert "impossible" in shown and "expected L3/L4 above L4/L5; look at both" in shown


def every_kind() -> Iterator[Problem]:
    for kind in PROBLEMS:
        yield from (Problem(kind, "s", f"place {number} [bold]", "found", "expected", "advice") for number in range(15))


def test_many_problems_are_shown_by_kind() -> None:
    shown = text_of(CheckReport(1, 1, 0, (), tuple(every_kind())))
    assert all(f"{kind}: s: place 9 [bold]: found; expected expected; advice." in shown for kind in PROBLEMS)
    assert f"and {5 * len(PROBLEMS)} more" in shown and "place 10" not in shown
