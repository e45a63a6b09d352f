"""Cases are refused when they cannot be meant, and survive their table."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from made_up_cases import made_up

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.errors import UnreadableInput, UsageError
from lumbago.evaluation.case_table import read_cases, read_tables, write_cases
from lumbago.evaluation.cases import GradedCase, as_validation, by_group, by_second_reader, disc_wise, has_slices


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_table_holds_every_field_of_every_condition(condition: str, tmp_path: Path) -> None:
    cases = made_up(condition, patients=4)
    cases[0] = replace(cases[0], slice_name="mid, left of it", picture="a b.png", second_reader=None, age_years=None)
    write_cases(cases, tmp_path / "new" / "cases.csv")
    read = read_cases(tmp_path / "new" / "cases.csv")
    assert [replace(case, probabilities=None) for case in read] == [replace(case, probabilities=None) for case in cases]
    for one, other in zip(read, cases, strict=True):
        assert (one.probabilities is None) == (other.probabilities is None)
        assert one.probabilities is None or one.probabilities == pytest.approx(other.probabilities, abs=1e-6)


HEAD = "source,patient,condition,level,side,truth,probabilities"


def test_a_grade_is_a_name_whatever_columns_there_are(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(
        "source,patient,condition,level,truth,probabilities,picture\na,1,pfirrmann,L4/L5,1,,a.png"
    )
    (case,) = read_cases(tmp_path / "cases.csv")
    assert (case.truth, case.study, case.picture) == ("1", "1", "a.png")


def test_an_age_that_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(f"{HEAD},age_years\na,1,pfirrmann,L4/L5,,1,,nan\n")
    with pytest.raises(UnreadableInput, match=r"line 2.*nan is no number"):
        read_cases(tmp_path / "cases.csv")


@pytest.mark.parametrize(
    "row, complaint",
    [
        ("a,1,gout,L4/L5,,1,0.5 0.5", "gout"),
        ("a,1,pfirrmann,L4/L5,left,1,", "side"),
        ("a,1,pfirrmann,L7/L8,,1,", "level"),
        ("a,1,pfirrmann,L4/L5,,6,", "graded '6'"),
        ("a,1,bulging,L4/L5,,present,0.5 0.6", "add up to 1"),
        ("a,1,bulging,L4/L5,,present,0.5 0.2 0.3", "2 numbers"),
        ("a,1,bulging,L4/L5,,present,1.5 -0.5", "add up to 1"),
        ("a,1,bulging,L4/L5,,present,nan nan", "add up to 1"),
        ("a,1,bulging,L4/L5,,present,high", "no case"),
        ("a,1,bulging", "graded ''"),
        ("a,,bulging,L4/L5,,present,0.5 0.5", "without patient"),
        (" ,1,bulging,L4/L5,,present,0.5 0.5", "without source"),
        ("a,1,bulging,L4/L5,,present,0.5 0.5,0.5", "more cells than the head"),
    ],
)
def test_a_bad_row_is_named(row: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(f"{HEAD}\n{row}\n")
    with pytest.raises(UnreadableInput, match="line 2") as error:
        read_cases(tmp_path / "cases.csv")
    assert complaint in str(error.value)


def test_tables_that_are_none(tmp_path: Path) -> None:
    row = "\na,1,bulging,L4/L5,,present,0.5 0.5\n"
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "nothing.csv").touch()
    (tmp_path / "empty.csv").write_text(HEAD + "\n")
    (tmp_path / "semicolons.csv").write_text(f"{HEAD}{row}".replace(",", ";"))
    (tmp_path / "capitals.csv").write_text(f"{HEAD.title()}{row}")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    wanted = {
        "other.csv": "has the columns a | b, and lacks source", "nothing.csv": "has the columns none",
        "empty.csv": "no rows below its head", "semicolons.csv": "source;patient;.*with commas between",
        "capitals.csv": r"Source \| Patient .*in small letters", "binary.csv": "decode", "missing.csv": "No such file",
    }  # fmt: skip
    for name, complaint in wanted.items():
        with pytest.raises(UnreadableInput, match=complaint):
            read_cases(tmp_path / name)


def test_a_place_is_graded_once(tmp_path: Path) -> None:
    (tmp_path / "twice.csv").write_text(f"{HEAD}\n" + 2 * "a,1,pfirrmann,L4/L5,,1,\n")
    with pytest.raises(UnreadableInput, match=r"line 3.*second time"):
        read_cases(tmp_path / "twice.csv")


def test_tables_as_one_name_their_pictures_from_their_own_folders(tmp_path: Path) -> None:
    paths = [tmp_path / part / "cases.csv" for part in ("canal", "recess")]
    for number, path in enumerate(paths):
        path.parent.mkdir()
        path.write_text(f"{HEAD},picture\na,{number},pfirrmann,L4/L5,,1,,disc.png\n")
    assert [case.picture for case in read_tables(paths)] == [str(path.parent / "disc.png") for path in paths]
    with pytest.raises(UnreadableInput, match="each place in one table"):
        read_tables(paths[:1] * 2)


def test_a_table_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """A comparison that is gone on with takes a table that is there for all of it."""

    def cut_short() -> Iterator[GradedCase]:
        yield from made_up(patients=200)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_cases(cut_short(), tmp_path / "cases.csv")
    assert not (tmp_path / "cases.csv").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_cases([], tmp_path / "taken" / "cases.csv")


def slices(condition: str, *rows: tuple[str, tuple[float, ...] | None]) -> list[GradedCase]:
    return [
        GradedCase("a", "1", "s", condition, "L4/L5", None, truth, values, slice_name=str(number))
        for number, (truth, values) in enumerate(rows)
    ]


def test_a_disc_is_positive_when_any_of_its_slices_is() -> None:
    cases = slices("herniation", ("absent", (0.9, 0.1)), ("present", (0.3, 0.7)), ("absent", None))
    (disc,) = disc_wise(cases)
    assert (disc.truth, disc.probabilities, disc.slice_name) == ("present", (0.3, 0.7), "")
    assert has_slices(cases) and not has_slices([disc])


def test_a_disc_is_as_bad_as_its_worst_slice() -> None:
    cases = slices(
        "pfirrmann",
        ("2", (0.0, 1.0, 0.0, 0.0, 0.0)),
        ("4", (0.0, 0.0, 1.0, 0.0, 0.0)),
        ("3", (1.0, 0.0, 0.0, 0.0, 0.0)),
    )
    (disc,) = disc_wise(cases)
    assert (disc.truth, disc.found_index) == ("4", 2)


def test_groups_are_by_data_split_and_condition_patients_first() -> None:
    phantoms = [replace(case, source="phantoms") for case in made_up("bulging", 2)]
    groups = by_group([*phantoms, *made_up("modic", 2), *made_up("pfirrmann", 2)])
    assert [(data.split(" ")[0], condition) for data, _, condition in groups] == [
        ("clinic", "pfirrmann"),
        ("clinic", "modic"),
        ("phantoms", "bulging"),
    ]
    assert sum(map(len, groups.values())) == 30


def test_a_test_never_becomes_validation() -> None:
    cases = [replace(case, split=split) for case, split in zip(made_up(patients=1), ("", "out of fold"), strict=False)]
    assert {case.split for case in as_validation(cases)} == {"validation"}
    for split in ("test", "test, 2nd hospital", "external"):
        with pytest.raises(UsageError, match="never choose on test cases"):
            as_validation([*cases, replace(cases[0], split=split)])


def test_what_the_second_reader_says_stands_for_the_truth() -> None:
    first, other = made_up("bulging", 2)[:2]
    read = replace(first, truth="absent", second_reader="present")
    (case,) = by_second_reader([read, replace(other, second_reader=None)])
    assert case == replace(read, truth="present", second_reader=None)
