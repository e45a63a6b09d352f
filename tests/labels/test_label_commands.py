"""`lumbago labels`: exit codes, what is said, what is left after a break."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from made_up_sources import write_labelme

from lumbago.cli import main
from lumbago.dicom.decoder import Decoder
from lumbago.errors import UnreadableInput, UsageError
from lumbago.labels.export_labels import EXPORTS, export_labels
from lumbago.labels.import_labels import import_labels
from lumbago.labels.labelled_study import LabelledStudy
from lumbago.labels.sources import read_source

Capture = pytest.CaptureFixture[str]


def run(*arguments: str | Path) -> int:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as exit_of:
        patch.setattr("sys.argv", ["lumbago", *map(str, arguments)])
        main()
    return int(exit_of.value.code or 0)


@pytest.fixture
def spoiled(tmp_path: Path) -> Path:
    """One class that means nothing, and a grade that is on the wrong level's picture twice."""
    folder = write_labelme(tmp_path)
    path = sorted(folder.rglob("*.json"))[0]
    path.write_text(path.read_text().replace('"HIZ"', '"banana"'))
    return folder


def test_clean_labels(made: Callable[[str], Path], capsys: Capture) -> None:
    assert run("labels", "check", "coco", made("coco")) == 0
    assert "No problem was found." in capsys.readouterr().out


def test_faults_are_shown_and_written(spoiled: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run("labels", "check", "labelme", spoiled, "--json", tmp_path / "found.json") == 5
    assert "banana" in capsys.readouterr().out
    (found,) = json.loads((tmp_path / "found.json").read_text())["problems"]
    assert found["kind"] == "unknown_name" and found["weight"] == "impossible"


def test_own_names_clear_a_fault(spoiled: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[conditions]\nhigh_intensity_zone = ["banana"]\n')
    assert run("labels", "check", "labelme", spoiled, "--names", tmp_path / "mine.toml") == 0


def test_import_then_export(made: Callable[[str], Path], tmp_path: Path, capsys: Capture) -> None:
    assert run("labels", "import", "labelme", made("labelme"), "--out", tmp_path / "ours") == 0
    assert "2 studies with 8 grades" in capsys.readouterr().out
    assert run("labels", "export", "lumbago", tmp_path / "ours", "--out", tmp_path / "coco", "--format", "coco") == 0
    assert run("labels", "check", "coco", tmp_path / "coco") == 0
    again = {study.patient: study.grades for study in read_source("coco", tmp_path / "coco")}
    assert again == {study.patient: study.grades for study in read_source("labelme", made("labelme"))}


def test_what_is_left_out_is_said(spoiled: Path, made: Callable[[str], Path], tmp_path: Path, capsys: Capture) -> None:
    assert run("labels", "import", "labelme", spoiled, "--out", tmp_path / "ours") == 5
    assert "left out: ann" in capsys.readouterr().out
    assert run("labels", "export", "masks", made("masks"), "--out", tmp_path / "coco", "--format", "coco") == 5
    assert "left out: 2 masks" in capsys.readouterr().out


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command is given."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_export_into_the_folder_that_one_is_in(made: Callable[[str], Path], empty_folder: Path) -> None:
    assert run("labels", "export", "coco", made("coco"), "--out", ".", "--format", "csv") == 0
    assert (empty_folder / "grades.csv").is_file()


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (("split", "csv=a", "csv=b", "--out", "folds.csv"), 2, "a label source is named twice"),
        (("check", "atlantis", "."), 2, "there is no label source atlantis"),
        (("check", "rsna", "nowhere"), 3, "no folder nowhere"),
        (("import", "csv", ".", "--out", "out"), 3, r"no grades\.csv"),
        (("export", "csv", ".", "--out", "out", "--format", "coco"), 3, r"no grades\.csv"),
        (("check", "csv", ".", "--names", "none.toml"), 3, r"none\.toml"),
    ],
)
def test_one_sentence_and_an_exit_code(
    arguments: tuple[str, ...], code: int, said: str, empty_folder: Path, capsys: Capture
) -> None:
    assert run("labels", *arguments) == code
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert re.search(said, line) and line.endswith(".")


def test_an_unknown_form(made: Callable[[str], Path], tmp_path: Path, capsys: Capture) -> None:
    assert run("labels", "export", "coco", made("coco"), "--out", tmp_path / "x", "--format", "xml") == 2
    assert f"one of {', '.join(EXPORTS)}" in capsys.readouterr().err


def interrupted(studies: list[LabelledStudy]) -> Iterator[LabelledStudy]:
    yield studies[0]
    raise KeyboardInterrupt


def test_a_broken_import_is_no_import_and_is_made_whole(made: Callable[[str], Path], tmp_path: Path) -> None:
    studies = list(read_source("coco", made("coco")))
    out = tmp_path / "out"
    import_labels(iter(studies[::-1]), out)
    with pytest.raises(KeyboardInterrupt):
        import_labels(interrupted(studies), out)
    with pytest.raises(UnreadableInput, match=r"no labels\.csv"):
        list(read_source("lumbago", out))
    import_labels(iter(studies), out)
    assert list(read_source("lumbago", out)) == studies


def test_a_broken_export_leaves_nothing(
    made: Callable[[str], Path], tmp_path: Path, decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    studies = list(read_source("coco", made("coco")))

    def stop(folder: Path, *_: object) -> None:
        (folder / "half.json").write_text("{")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setitem(EXPORTS, "coco", stop)
        export_labels(studies, tmp_path / "out", "coco", decoder)
    assert list((tmp_path / "out").iterdir()) == [] and [path.name for path in tmp_path.iterdir()] == ["out"]
    export_labels(studies, tmp_path / "out", "coco", decoder)
    assert len(list(read_source("coco", tmp_path / "out"))) == 2


def test_a_full_disk_is_one_sentence(
    made: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lumbago.labels.import_labels.write_lumbago_study", full)
    with pytest.raises(UsageError, match="cannot be written: No space left on device"):
        import_labels(read_source("coco", made("coco")), tmp_path / "out")


def test_a_folder_of_something_else_is_left_alone(
    made: Callable[[str], Path], tmp_path: Path, decoder: Decoder
) -> None:
    studies = list(read_source("coco", made("coco")))
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(UsageError, match=r"holds mine\.txt"):
        import_labels(iter(studies), tmp_path)
    with pytest.raises(UsageError, match="is not empty"):
        export_labels(studies, tmp_path, "coco", decoder)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_study_with_images_is_no_import(made: Callable[[str], Path], tmp_path: Path) -> None:
    """A table `labels.json` lies beside masks and their images, too."""
    scan = tmp_path / "ann" / "scan.nii.gz"
    scan.parent.mkdir()
    scan.write_bytes(b"precious")
    (scan.parent / "labels.json").write_text('{"1": "L5"}')
    with pytest.raises(UsageError, match="holds ann, which is no import"):
        import_labels(read_source("coco", made("coco")), tmp_path)
    assert scan.read_bytes() == b"precious"


def test_an_import_onto_itself_is_the_same(made: Callable[[str], Path], tmp_path: Path) -> None:
    import_labels(read_source("coco", made("coco")), tmp_path / "ours")
    import_labels(read_source("lumbago", tmp_path / "ours"), tmp_path / "ours")
    assert list(read_source("lumbago", tmp_path / "ours")) == list(read_source("coco", made("coco")))


def test_studies_of_one_name_keep_apart(made: Callable[[str], Path], tmp_path: Path) -> None:
    studies = list(read_source("coco", made("coco")))
    import_labels(iter(studies + studies), tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["ann", "ann-2", "bob", "bob-2", "labels.csv"]


def test_a_file_in_the_place_of_the_folder(made: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        import_labels(read_source("coco", made("coco")), tmp_path / "file")


@pytest.mark.parametrize("form", ["lumbago", "labelme", "coco", "csv"])
def test_labels_behind_a_link_find_their_images(
    form: str, made: Callable[[str], Path], tmp_path: Path, decoder: Decoder
) -> None:
    (tmp_path / "disk" / "of" / "labels").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "of" / "labels")
    out, studies = tmp_path / "link" / "out", list(read_source("coco", made("coco")))
    if form == "lumbago":
        import_labels(studies, out)
    else:
        export_labels(studies, out, form, decoder)
    found = [image.path for study in read_source(form, out) for image in study.images]
    assert found and all(path.is_file() for path in found)


def test_an_import_can_move_with_its_images(made: Callable[[str], Path], tmp_path: Path) -> None:
    """Images are named by their path from the import."""
    shutil.copytree(made("coco"), tmp_path / "a" / "coco")
    import_labels(read_source("coco", tmp_path / "a" / "coco"), tmp_path / "a" / "ours")
    (tmp_path / "a").rename(tmp_path / "b")
    (study, _) = read_source("lumbago", tmp_path / "b" / "ours")
    assert all(image.path.is_file() for image in study.images)
