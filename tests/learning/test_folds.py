"""Patients, not pictures, go into a fold, and no model is used on a patient that it has seen."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lumbago.errors import ModelRefused, SettingsRefused
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.intervals import Score
from lumbago.learning.experiment import Experiment
from lumbago.learning.label_tables import fold_of, read_labels
from lumbago.learning.locator_task import LocatorTask
from lumbago.learning.places import ModelOf, Places, model_of
from lumbago.learning.run_evaluation import Scored, run_evaluation
from lumbago.learning.run_training import run_training
from lumbago.learning.write_card import ModelFacts, Training, write_card
from lumbago.networks.export_onnx import export_onnx
from made_up_labels import write_spider, write_spider_space, write_sudirman

FOLDS = 4
SOURCES = ("sudirman", "spider", "spider_space")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_sudirman(folder, patients=12)
    write_spider(folder)
    write_spider_space(folder)
    return folder


def test_a_patient_has_one_fold_for_ever() -> None:
    """Models that are already trained left out these patients."""
    assert [fold_of(f"sudirman:{n}", FOLDS) for n in range(1, 9)] == [2, 0, 1, 2, 1, 1, 0, 1]
    assert [fold_of(f"spider:{n}", FOLDS) for n in range(1, 9)] == [1, 2, 0, 0, 2, 0, 3, 3]


def test_folds_are_of_like_size() -> None:
    sizes = Counter(fold_of(f"sudirman:{number}", FOLDS) for number in range(2000))
    assert sorted(sizes) == [0, 1, 2, 3]
    assert min(sizes.values()) > 400


@pytest.mark.parametrize("fold", range(FOLDS))
def test_training_leaves_out_the_whole_patient(data: Path, fold: int) -> None:
    """In every table and picture that holds him."""
    experiment = Experiment("x", "locator", sources=SOURCES, folds=FOLDS, fold=fold)
    seen = {sample.patient for sample in LocatorTask.read(experiment, data).samples}
    everyone = {
        sample.patient for sample in LocatorTask.read(Experiment("x", "locator", sources=SOURCES), data).samples
    }
    assert seen == {patient for patient in everyone if fold_of(patient, FOLDS) != fold}


def test_every_labelled_patient_is_left_out_once(data: Path) -> None:
    everyone = {row.patient for row in read_labels(data, SOURCES)}
    folds = [{patient for patient in everyone if fold_of(patient, FOLDS) == fold} for fold in range(FOLDS)]
    assert set().union(*folds) == everyone and sum(map(len, folds)) == len(everyone)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`run-0` ... `run-3` as left behind by four folds, `run-all` by none left out; the network is but a layer."""
    folder = tmp_path_factory.mktemp("runs")
    torch.manual_seed(1)
    sha256 = export_onnx(nn.Conv2d(3, 7, 1), torch.randn(1, 3, 8, 8), ["maps"], {}, folder / "one")
    for name, fold in (("all", -1), *((str(fold), fold) for fold in range(FOLDS))):
        model = folder / f"run-{name}" / "model"
        model.mkdir(parents=True)
        for file in ("model.onnx", "golden.npz"):
            (model / file).write_bytes((folder / "one" / file).read_bytes())
        experiment = Experiment(f"fold-{name}", "locator", sources=("sudirman", "spider_space"), folds=FOLDS, fold=fold)
        write_card(model, ModelFacts("locator", {"maps": ("a",)}, {}, {}, sha256), Training(experiment, "x", 1.0, {}))
    return folder


def by_key(patient: str) -> int:
    """Where no file says more."""
    return fold_of(patient, FOLDS)


PATIENTS = ["sudirman:1", "sudirman:3", "sudirman:9", "sudirman:10", "spider:7"]


@pytest.mark.parametrize("patient", PATIENTS)
def test_each_patient_gets_the_model_that_has_not_seen_him(trained: Path, patient: str) -> None:
    model = model_of(f"{trained}/run-{{fold}}/model", by_key)(patient)
    assert model.card.name == f"fold-{fold_of(patient, FOLDS)}"


@pytest.mark.parametrize("patient", PATIENTS)
def test_a_model_that_has_seen_everyone_is_refused(trained: Path, patient: str) -> None:
    with pytest.raises(ModelRefused, match=rf"fold-all was trained on {patient}; .*\{{fold\}}"):
        model_of(f"{trained}/run-all/model", by_key)(patient)


def test_a_model_of_another_fold_is_refused(trained: Path) -> None:
    for patient in PATIENTS:
        fold = fold_of(patient, FOLDS)
        model_of(f"{trained}/run-{fold}/model", by_key)(patient)
        with pytest.raises(ModelRefused, match="has not seen"):
            model_of(f"{trained}/run-{(fold + 1) % FOLDS}/model", by_key)(patient)


def test_another_count_of_folds_is_no_way_around(trained: Path) -> None:
    """Fold 1 of 2 is not fold 1 of 4: models of four folds have seen most patients of either half."""
    refused = 0
    for number in range(40):
        patient = f"sudirman:{number}"
        try:
            model = model_of(f"{trained}/run-{{fold}}/model", lambda key: fold_of(key, 2))(patient)
        except ModelRefused:
            refused += 1
        else:
            assert model.card.proof["settings"]["fold"] == fold_of(patient, FOLDS)
    assert refused > 10


def test_patients_of_another_source_are_new_to_it(trained: Path) -> None:
    assert model_of(f"{trained}/run-all/model", by_key)("phantom:3").card.name == "fold-all"
    assert model_of(f"{trained}/run-all/model", by_key)("hospital:1").card.name == "fold-all"


EXPERIMENTS = {
    "locator": 'kind = "locator"\nsources = ["sudirman"]',
    "grader": 'kind = "grader"\nsources = ["sudirman"]\nconditions = ["pfirrmann"]',
}


@pytest.mark.parametrize("kind", EXPERIMENTS)
def test_scores_on_seen_patients_are_refused(trained: Path, data: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(EXPERIMENTS[kind])
    places = Places(data=data, run=tmp_path / "scores", locators=f"{trained}/run-all/model")
    with pytest.raises(ModelRefused, match="was trained on sudirman"):
        run_evaluation(path, places, f"{trained}/run-all", ())
    assert not (tmp_path / "scores").exists()


@pytest.mark.parametrize("fold", [None, *range(FOLDS)])
def test_one_fold_can_be_scored_alone(
    monkeypatch: pytest.MonkeyPatch, trained: Path, data: Path, tmp_path: Path, fold: int | None
) -> None:
    wanted: set[str] = set()

    def score(_: Experiment, scored: Scored, models: ModelOf) -> dict[str, Score]:
        patients = {row.patient for row in read_labels(data, scored.sources) if scored.wants(row.patient)}
        wanted.update(patients if all(models(patient) for patient in patients) else ())
        return {}

    monkeypatch.setattr("lumbago.learning.run_evaluation.SCORERS", {"locator": score})
    path = tmp_path / "mine.toml"
    path.write_text(EXPERIMENTS["locator"])
    runs = f"{trained}/run-{'{fold}' if fold is None else fold}"
    run_evaluation(path, Places(data=data, run=tmp_path / "scores"), runs, (), fold)
    everyone = {row.patient for row in read_labels(data, ("sudirman",))}
    assert wanted == {patient for patient in everyone if fold in {None, fold_of(patient, FOLDS)}}


def test_patients_of_other_sources_are_external(
    monkeypatch: pytest.MonkeyPatch, trained: Path, data: Path, tmp_path: Path
) -> None:
    """Beside those of its own source they were told as out of fold, on whom a call point may be chosen."""
    said = [
        GradedCase(source, f"{source}:7", f"{source}:7", "pfirrmann", "L4/L5", None, "2", None)
        for source in ("sudirman", "spider")
    ]
    splits: dict[str, str] = {}
    monkeypatch.setattr("lumbago.learning.run_evaluation.predict_sources", lambda *_: (said, None))
    monkeypatch.setattr(
        "lumbago.learning.run_evaluation._score_cases",
        lambda cases, *_: splits.update({case.source: case.split for case in cases}) or {},
    )
    path = tmp_path / "mine.toml"
    path.write_text(EXPERIMENTS["grader"])
    places = Places(data=data, run=tmp_path / "scores", locators=f"{trained}/run-all/model")
    run_evaluation(path, places, f"{trained}/run-all", ("sudirman", "spider"))
    assert splits == {"sudirman": "out of fold", "spider": "external"}


@pytest.mark.parametrize(("sources", "fold", "found"), [('["sudirman"]', FOLDS, "fold 4 of 4"), ("[]", 1, "phantoms")])
def test_a_fold_that_there_is_not_is_refused(tmp_path: Path, sources: str, fold: int, found: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'kind = "grader"\nsources = {sources}\nphantoms = 3\nconditions = ["pfirrmann"]')
    with pytest.raises(SettingsRefused, match=found):
        run_evaluation(path, Places(data=tmp_path, run=tmp_path / "scores"), "runs", (), fold)


def test_a_locator_may_not_place_the_patients_it_has_seen(trained: Path, data: Path, tmp_path: Path) -> None:
    """Its frames would be better in training than they ever are in use."""
    path = tmp_path / "mine.toml"
    path.write_text(EXPERIMENTS["grader"])
    places = Places(data=data, run=tmp_path / "run", locators=f"{trained}/run-all/model", threads=1)
    with pytest.raises(ModelRefused, match="fold-all was trained on"):
        run_training(path, places, -1, lambda *_: None, resume=False)


def test_chances_keep_the_phantoms_share(data: Path) -> None:
    real = LocatorTask.read(Experiment("x", "locator", sources=("sudirman",)), data).samples
    phantoms = [
        type(sample)(f"phantom_x:{n}", f"phantom:{n}", sample.image, sample.targets)
        for n, sample in enumerate(real[:3])
    ]
    task = LocatorTask(Experiment("x", "locator", phantom_share=0.35), [*real, *phantoms])
    assert task.chances.sum() == pytest.approx(1)
    assert task.chances[-3:].sum() == pytest.approx(0.35)
    assert task.sample_counts() == {"sudirman": len(real), "phantom_x": 3}


def test_a_batch_follows_from_its_seed(data: Path) -> None:
    task = LocatorTask.read(Experiment("x", "locator", sources=SOURCES, batch=2), data)
    first, again, other = (task.batch(np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    images, targets, known = first
    assert images.shape[1] == 3 and targets.shape == known.shape
    assert float(targets.max()) <= 1 and set(known.unique().tolist()) <= {0.0, 1.0}
    assert float((targets * (1 - known)).abs().max()) == 0, "what is unknown teaches nothing"
