"""Labelled studies: training sees what an analysis sees, scores come from the same path, and bad input costs itself."""

import logging
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from lumbago.anatomy.levels import LEVELS
from lumbago.dicom.decoder import Decoder, open_decoder
from lumbago.errors import UnreadableInput
from lumbago.inference.weights import SHIPPED, Model, load_model
from lumbago.labels.labelled_study import ImageRef, LabelledStudy
from lumbago.labels.open_images import open_images
from lumbago.labels.sources import read_source
from lumbago.learning.disc_samples import GradedPatch
from lumbago.learning.experiment import Experiment
from lumbago.learning.label_tables import fold_of
from lumbago.learning.places import Places
from lumbago.learning.score_studies import predict_studies
from lumbago.learning.study_grader_task import group_studies
from lumbago.learning.study_samples import StudySampler, locate_labelled, study_samples
from lumbago.pipeline.analyze_study import Models
from lumbago.pipeline.crop_patches import PatchRecipe, crop_patch
from lumbago.pipeline.grade_study import also_placed
from lumbago.pipeline.place_patches import ANCHORS
from lumbago.pipeline.study_input import sites_of, study_input
from rsna_folder import change_table, strip_headers, write_rsna_folder

CANAL = Experiment(
    "x", "grader", sources=("rsna",), conditions=("spinal_canal_stenosis",), anchor="canal", patch=(64, 64), slices=3
)
RECESS = replace(CANAL, conditions=("subarticular_stenosis",), anchor="recess")
FORAMEN = replace(CANAL, conditions=("neural_foraminal_narrowing",), anchor="foramen")
LOCATOR = str(SHIPPED / "spine-locator")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rsna_folder(tmp_path_factory.mktemp("written"), 21).parent


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with open_decoder() as opened:
        yield opened


@pytest.fixture(scope="module")
def locator() -> Model:
    return load_model("spine-locator")


@pytest.fixture
def data(written: Path, tmp_path: Path) -> Path:
    """A copy of the training data, to be changed."""
    shutil.copytree(written / "rsna", tmp_path / "rsna", ignore=shutil.ignore_patterns("test_*"))
    return tmp_path


def sampler(experiment: Experiment, locator: Model, decoder: Decoder) -> StudySampler:
    return StudySampler(experiment, lambda _: locator, decoder)


def first(data: Path) -> LabelledStudy:
    return next(iter(read_source("rsna", data / "rsna")))


def sites(patches: list[GradedPatch]) -> list[tuple[str, int]]:
    return [(patch.level, next(iter(patch.grades.values()))) for patch in patches]


@pytest.mark.parametrize("experiment", [CANAL, RECESS, FORAMEN], ids=lambda one: one.anchor)
def test_training_crops_what_an_analysis_crops(
    written: Path, locator: Model, decoder: Decoder, experiment: Experiment
) -> None:
    """Still, and shaken as far as training shakes."""
    study = first(written)
    found = sampler(experiment, locator, decoder)(study)
    placed = ANCHORS[experiment.anchor](locate_labelled(study, locator, decoder))
    recipe = PatchRecipe(experiment.anchor, *experiment.patch, experiment.pixel_mm, experiment.slices)
    assert len(found) == len(placed) == (5 if experiment is CANAL else 10)
    for sample, patch in zip(found, placed, strict=True):
        assert (sample.level, sample.side, sample.series) == (patch.level, patch.side, 0)
        assert np.array_equal(
            crop_patch(sample.volume, sample.frame, recipe), crop_patch(patch.volume, patch.frame, recipe)
        )
        shaken = [frame.shaken((5.0, -5.0), 10.0, 1) for frame in (sample.frame, patch.frame)]
        wide = recipe.scaled(1.2)
        assert np.allclose(
            crop_patch(sample.volume, shaken[0], wide), crop_patch(patch.volume, shaken[1], wide), atol=1e-3
        )
        assert sample.volume.array.size < patch.volume.array.size and sample.reference == patch.reference
        assert sample.grades == {
            name: ("normal_mild", "moderate", "severe").index(str(study.grade(name, patch.level, patch.side)))
            for name in experiment.conditions
        }


@pytest.mark.parametrize("sees", ["places", "picture"])
def test_training_sees_a_whole_study_as_an_analysis_does(
    written: Path, locator: Model, decoder: Decoder, sees: str
) -> None:
    """On both series of a study, cut out for training or whole."""
    size = {"patch": (32, 48)} if sees == "places" else {"patch": (224, 224), "pixel_mm": 1.0}
    wanted = replace(CANAL, slices=1, sees=sees, also_on=("sagittal_t1",), **size)  # type: ignore[arg-type]
    study = first(written)
    (group,) = group_studies(sampler(wanted, locator, decoder)(study))
    spine = locate_labelled(study, locator, decoder)
    series = (ANCHORS[wanted.anchor](spine), *also_placed(wanted.recipe, spine))
    spots = {(patch.level, patch.side, number): patch for number, row in enumerate(series) for patch in row}
    assert set(group.spots) == set(spots) and len(spots) == 10
    places = sites_of(wanted.conditions)
    trained, analyzed = (study_input(seen, places, wanted.recipe) for seen in (group.spots, spots))
    np.testing.assert_allclose(trained, analyzed, atol=0.05 if sees == "picture" else 1e-6)


def test_the_same_study_gives_the_same_places(written: Path, locator: Model, decoder: Decoder) -> None:
    once, again = (sampler(CANAL, locator, decoder)(first(written)) for _ in range(2))
    assert sites(once) == sites(again)
    assert all(np.array_equal(a.volume.array, b.volume.array) for a, b in zip(once, again, strict=True))


def test_phantoms_stay_phantoms_in_any_layout(written: Path, locator: Model, decoder: Decoder) -> None:
    (patch, *_) = sampler(CANAL, locator, decoder)(first(written))
    assert patch.source == "phantoms" and patch.patient == "rsna:1000021"


def test_what_nobody_graded_is_no_sample(data: Path, locator: Model, decoder: Decoder) -> None:
    change_table(data / "rsna" / "train.csv", lambda rows: [{**row, "spinal_canal_stenosis_l3_l4": ""} for row in rows])
    found = sampler(CANAL, locator, decoder)(first(data))
    assert [patch.level for patch in found] == [level for level in LEVELS if level != "L3/L4"]


def test_points_tell_places_that_are_others(data: Path, locator: Model, decoder: Decoder) -> None:
    """Canal points of two levels exchanged: an official quirk. Their grades are then not to be trusted."""
    exchanged = {"L3/L4": "L4/L5", "L4/L5": "L3/L4"}
    change_table(
        data / "rsna" / "train_label_coordinates.csv",
        lambda rows: [{**row, "level": exchanged.get(row["level"], row["level"])} for row in rows],
    )
    read = sampler(CANAL, locator, decoder)
    assert [patch.level for patch in read(first(data))] == ["L1/L2", "L2/L3", "L5/S1"]
    assert dict(read.left_out) == {"its labelled point lies elsewhere": 2}


def test_swapped_sides_are_left_out(data: Path, locator: Model, decoder: Decoder) -> None:
    def swapped(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        sides = {"Left": "Right", "Right": "Left"}
        return [
            {**row, "condition": " ".join(sides.get(word, word) for word in row["condition"].split())} for row in rows
        ]

    change_table(data / "rsna" / "train_label_coordinates.csv", swapped)
    assert sampler(FORAMEN, locator, decoder)(first(data)) == []


def test_files_without_descriptions_go_by_the_table(data: Path, locator: Model, decoder: Decoder) -> None:
    """The challenge's files have geometry and little else: the table of series says which is T1, T2, axial."""
    before = sampler(RECESS, locator, decoder)(first(data))
    strip_headers(data / "rsna" / "train_images" / "1000021")
    after = sampler(RECESS, locator, decoder)(first(data))
    assert sites(after) == sites(before) and len(after) == 10
    assert {patch.source for patch in after} == {"rsna"}


def spoil(folder: Path) -> None:
    for path in folder.rglob("*.dcm"):
        path.write_bytes(path.read_bytes()[:200])


def test_a_study_that_cannot_be_read_costs_itself(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    places = Places(data, data / "run", LOCATOR)
    spoil(data / "rsna" / "train_images" / "1000021")
    with caplog.at_level(logging.INFO):
        learned, validating = study_samples(CANAL, places)
    assert {patch.patient for patch in learned} == {"rsna:1000022"} and not validating
    assert sum("1000021 cannot be used" in line for line in caplog.messages) == 1
    assert "1 of 2 studies cannot be used." in caplog.messages
    spoil(data / "rsna" / "train_images" / "1000022")
    with pytest.raises(UnreadableInput, match="none of 2 studies"):
        study_samples(CANAL, places)


def test_folds_hold_for_studies(written: Path) -> None:
    folds = {patient: fold_of(patient, 5) for patient in ("rsna:1000021", "rsna:1000022")}
    assert set(folds.values()) == {0, 1}
    places = Places(written, written / "run", LOCATOR)
    left_out = replace(CANAL, folds=5, fold=0)
    learned, _ = study_samples(left_out, places)
    assert {folds[patch.patient] for patch in learned} == {1}
    learned, validating = study_samples(replace(CANAL, folds=5, validation_fold=0), places)
    assert {folds[patch.patient] for patch in learned} == {1} and {folds[patch.patient] for patch in validating} == {0}


def as_volumes(study: LabelledStudy, folder: Path, decoder: Decoder) -> LabelledStudy:
    """The same study as `.mha` files with stated roles, without any header."""
    images = []
    for series in open_images(study, decoder).series:
        for number, volume in enumerate(series.volumes):
            path = folder / f"{series.image}-{number}.mha"
            image = SimpleITK.GetImageFromArray(volume.array)
            directions = volume.affine[:3, :3] / volume.spacing_mm
            image.SetSpacing(volume.spacing_mm[::-1].tolist())
            image.SetDirection(directions[:, ::-1].ravel().tolist())
            image.SetOrigin(volume.affine[:3, 3].tolist())
            SimpleITK.WriteImage(image, str(path))
            images.append(ImageRef(path.stem, path, "metaimage", series.role))
    return replace(study, images=tuple(images), shapes=())


@pytest.mark.parametrize("experiment", [CANAL, RECESS], ids=lambda one: one.anchor)
def test_volumes_without_headers(
    written: Path, tmp_path: Path, locator: Model, decoder: Decoder, experiment: Experiment
) -> None:
    study = first(written)
    volumes = as_volumes(study, tmp_path, decoder)
    found, wanted = (sampler(experiment, locator, decoder)(one) for one in (volumes, study))
    assert sites(found) == sites(wanted)
    for patch, other in zip(found, wanted, strict=True):
        assert np.allclose(patch.frame.center_lps_mm, other.frame.center_lps_mm, atol=0.2)


def test_scores_are_those_of_an_analysis(written: Path, tmp_path: Path, locator: Model, decoder: Decoder) -> None:
    """Phantoms are called so; a study that cannot be read has no answers; volumes are answered as series are."""
    models = Models(locator, (load_model("canal-grader"),))
    study = first(written)
    gone = replace(study, name="gone", patient="rsna:gone", images=())
    volumes = replace(as_volumes(study, tmp_path, decoder), name="volumes", source="mine")
    found = predict_studies([study, gone, volumes], lambda _: models, decoder)
    by_study = {name: [case for case in found.cases if case.study == name] for name in found.studies}
    assert {name: len(cases) for name, cases in by_study.items()} == {study.name: 5, "gone": 5, "volumes": 5}
    assert all(case.probabilities is None for case in by_study["gone"])
    assert all(case.is_phantom and case.condition == "spinal_canal_stenosis" for case in by_study[study.name])
    for case, other in zip(by_study[study.name], by_study["volumes"], strict=True):
        assert case.probabilities is not None and other.probabilities == pytest.approx(case.probabilities, abs=0.02)
    assert len(found.evidence) == 10
