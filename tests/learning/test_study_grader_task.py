"""Graders that see a whole study: whose places come together, what is missing, what is left and right."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from made_up_patches import made_up_patches
from torch import nn

from lumbago.anatomy.levels import LEVELS, SIDES
from lumbago.errors import SettingsRefused
from lumbago.learning.disc_samples import GradedPatch
from lumbago.learning.experiment import Experiment
from lumbago.learning.phantom_patches import true_grades
from lumbago.learning.phantom_studies import phantom_studies
from lumbago.learning.study_grader_task import StudyGraderTask, group_studies, mirrored
from lumbago.learning.train import Course, train
from lumbago.networks.grader import Cells, LinearGrader, Patches
from lumbago.phantom.sample_spine import sample_spine

PLACES = Experiment(
    "x", "grader", conditions=("pfirrmann", "bulging"), network="spine-transformer", sees="places", patch=(32, 32),
    steps=2, batch=3, pretrained=False,
)  # fmt: skip
PICTURE = replace(PLACES, network="resnet50", sees="picture", patch=(64, 64), pixel_mm=1.0)
FORAMEN = replace(PLACES, conditions=("neural_foraminal_narrowing",), anchor="foramen")


class TinyPicture(LinearGrader):
    """A ResNet50 of one layer, so that it is quick."""

    def __init__(self, heads: dict[str, int]) -> None:
        super().__init__(heads, 4, 0.3)
        self.filter = nn.Conv2d(3, 4, 32, 32)

    def cells(self, patches: Patches) -> Cells:
        """Features at stride 32."""
        features: torch.Tensor = self.filter(patches.flatten(0, 1)).relu()
        return features.reshape(-1, patches.shape[1], *features.shape[1:])


class TinyTask(StudyGraderTask):
    """Learns a tiny network over pictures, the full transformer over places."""

    def network(self) -> nn.Module:
        wanted = {f"{name} {level}": count for level in LEVELS for name, count in self.heads.items()}
        return TinyPicture(wanted) if self.recipe.sees == "picture" else super().network()


def of_patient(patient: str, patches: Sequence[GradedPatch], name: str = "slice") -> list[GradedPatch]:
    return [replace(patch, source="spider", patient=patient, name=name) for patch in patches]


@pytest.fixture(scope="module")
def samples() -> list[GradedPatch]:
    """Two patients whose pictures are called the same: one with three levels, one with two."""
    patches = made_up_patches()
    return [*of_patient("a", patches[:3]), *of_patient("b", patches[3:5])]


def test_no_group_mixes_patients_or_pictures(samples: list[GradedPatch]) -> None:
    other = replace(samples[0], name="another slice", grades={"pfirrmann": 4})
    third = replace(samples[0], source="sudirman", grades={"pfirrmann": 3})
    groups = group_studies([*samples, other, third])
    assert [(group.source, group.patient, group.name, len(group.spots)) for group in groups] == [
        ("spider", "a", "slice", 3), ("spider", "b", "slice", 2), ("spider", "a", "another slice", 1),
        ("sudirman", "a", "slice", 1),
    ]  # fmt: skip
    for group in groups:
        assert {(patch.source, patch.patient, patch.name) for patch in group.spots.values()} == {
            (group.source, group.patient, group.name)
        }
        assert all((patch.level, patch.side, patch.series) == spot for spot, patch in group.spots.items())


def test_levels_that_are_not_graded_are_left_out(samples: list[GradedPatch]) -> None:
    higher = replace(samples[0], level="T12/L1", grades={"pfirrmann": 1})
    task = StudyGraderTask(PLACES, [*samples, higher])
    assert task.sample_counts() == {"spider": 5} and len(task.groups) == 2


def test_grades_stand_at_their_places_and_unknown_ones_are_none(samples: list[GradedPatch]) -> None:
    task = StudyGraderTask(PLACES, samples, samples)
    ((inputs, grades),) = task.validation()
    assert inputs.shape == (2, 5, 3, 32, 32) and grades.shape == (2, 5, 2)
    assert grades[0].tolist() == [[-1, -1], [-1, -1], [0, 0], [1, 1], [2, 0]]
    assert grades[1].tolist() == [[-1, -1], [-1, -1], [3, 1], [4, 0], [-1, -1]]
    for there, known in zip(inputs.flatten(2).abs().amax(2).tolist(), grades[:, :, 0].tolist(), strict=True):
        assert [bool(value) for value in there] == [grade >= 0 for grade in known]


@pytest.mark.parametrize("experiment", [PLACES, PICTURE], ids=["places", "picture"])
def test_a_batch_follows_from_its_seed(samples: list[GradedPatch], experiment: Experiment) -> None:
    task = StudyGraderTask(experiment, samples)
    first, again, other = (task.batch(np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True)) and not torch.equal(first[0], other[0])
    halves = [task.batch(np.random.default_rng(5), range(*part)) for part in ((0, 2), (2, 3))]
    assert torch.equal(torch.cat([half[0] for half in halves]), first[0])
    assert first[0].shape[:3] == (3, 5 if experiment is PLACES else 1, 3)


def test_a_place_that_training_leaves_out_teaches_nothing(samples: list[GradedPatch]) -> None:
    task = StudyGraderTask(replace(PLACES, batch=40), samples)
    inputs, grades = task.batch(np.random.default_rng(2))
    there = inputs.flatten(2).abs().amax(2) > 0
    assert torch.equal(there, grades[:, :, 0] >= 0) and there.any(1).all()
    assert {int(count) for count in there.sum(1)} >= {2, 3}, "most studies are whole"
    assert len({int(count) for count in there.sum(1)}) > 2, "some lack a place"


@torch.no_grad()
def test_a_missing_level_leaves_the_others_what_they_are(samples: list[GradedPatch]) -> None:
    """Alone in its study or not, a level gets a finite answer and its own loss."""
    task = StudyGraderTask(PLACES, samples, samples)
    torch.manual_seed(1)
    network = task.network().eval()
    ((inputs, grades),) = task.validation()
    for number in (2, 3, 4):
        alone, known = torch.zeros_like(inputs[:1]), torch.full_like(grades[:1], -1)
        alone[0, number], known[0, number] = inputs[0, number], grades[0, number]
        logits = network(alone)
        assert torch.isfinite(logits).all()
        only = replace(PLACES, conditions=("pfirrmann",))
        one = StudyGraderTask(only, samples)
        pfirrmann = logits.reshape(5, 7)[:, :5]
        expected = one.loss(pfirrmann[number : number + 1], (known[:, number : number + 1, :1],))
        assert one.loss(pfirrmann.reshape(1, 25), (known[:, :, :1],)) == pytest.approx(float(expected))


@pytest.mark.parametrize("experiment", [PLACES, PICTURE], ids=["places", "picture"])
def test_from_training_to_equal_answers(samples: list[GradedPatch], experiment: Experiment, tmp_path: Path) -> None:
    task = TinyTask(experiment, samples, samples)
    state = train(experiment, task, tmp_path / "run", lambda *_: None, Course())
    assert sum(table.sum() for table in task.confusions(state.mean).values()) == 2 * 5
    facts = task.export([state.mean], tmp_path / "model")
    assert facts.inputs["sees"] == experiment.sees and list(facts.outputs) == ["pfirrmann", "bulging"]
    session = onnxruntime.InferenceSession(tmp_path / "model" / "model.onnx", providers=["CPUExecutionProvider"])
    ((inputs, _),) = task.validation()
    pfirrmann, bulging, maps = session.run(None, {"input": inputs.numpy()})
    assert pfirrmann.shape == (2, 5, 5) and bulging.shape == (2, 5, 2) and maps.shape == (2, 5, 7, 2, 2)
    with torch.no_grad():
        wanted = state.mean(inputs).reshape(2, 5, 7).numpy()
    np.testing.assert_allclose(np.concatenate([pfirrmann, bulging], axis=2), wanted, atol=1e-4)


# --- left and right --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def foramina() -> list[GradedPatch]:
    return phantom_studies(replace(FORAMEN, phantoms=1, phantom_seed=78))


def test_phantoms_have_all_their_places_with_their_own_grades(foramina: list[GradedPatch]) -> None:
    truth = true_grades(sample_spine(78), FORAMEN.conditions)
    assert {(patch.level, patch.side) for patch in foramina} == {(level, side) for level in LEVELS for side in SIDES}
    assert all(dict(patch.grades) == truth[patch.level, patch.side] for patch in foramina)
    for left, right in zip(foramina[::2], foramina[1::2], strict=True):
        assert left.side == "left" and left.frame.center_lps_mm[0] > right.frame.center_lps_mm[0]


def test_sides_stand_at_their_places(foramina: list[GradedPatch]) -> None:
    task = StudyGraderTask(FORAMEN, foramina, foramina)
    ((_, grades),) = task.validation()
    names = [" ".join(filter(None, site)) for site in task.sites]
    assert names[:3] == ["L1/L2 left", "L1/L2 right", "L2/L3 left"]
    assert [head.removeprefix("neural_foraminal_narrowing ") for head in task.network().heads] == names  # type: ignore[union-attr]
    found = dict(zip(names, grades[0, :, 0].tolist(), strict=True))
    assert found == {f"{patch.level} {patch.side}": patch.grades[FORAMEN.conditions[0]] for patch in foramina}
    assert len(set(found.values())) > 1


def test_a_mirrored_study_has_the_grades_of_the_other_side(foramina: list[GradedPatch]) -> None:
    (group,) = group_studies(foramina)
    other = mirrored(group.spots)
    for level in LEVELS:
        assert other[level, "left", 0] is group.spots[level, "right", 0]
        assert other[level, "right", 0] is group.spots[level, "left", 0]
    discs = group_studies(of_patient("a", made_up_patches()[:3]))[0].spots
    assert mirrored(discs) == discs


@pytest.mark.parametrize("sees", ["places", "picture"])
def test_phantoms_are_seen_on_both_series(sees: str) -> None:
    wanted = replace(
        PLACES, conditions=("spinal_canal_stenosis",), anchor="canal", also_on=("sagittal_t1",), phantoms=1,
        phantom_seed=77, sees=sees, network="spine-transformer" if sees == "places" else "resnet50",
        patch=(32, 32) if sees == "places" else (224, 224), pixel_mm=1.0,
    )  # fmt: skip
    (group,) = group_studies(phantom_studies(wanted))
    assert set(group.spots) == {(level, None, series) for level in LEVELS for series in (0, 1)}
    task = StudyGraderTask(wanted, list(group.spots.values()), list(group.spots.values()))
    ((inputs, grades),) = task.validation()
    assert inputs.shape == ((1, 10, 3, 32, 32) if sees == "places" else (1, 1, 3, 224, 224))
    assert (grades >= 0).all()
    there = inputs[0].flatten(1) if sees == "places" else inputs[0, 0].flatten(1)
    assert (there.std(1) > 0).tolist() == [True] * 10 if sees == "places" else [True, True, False]


def test_phantoms_have_as_many_slices_as_a_grader_sees(foramina: list[GradedPatch]) -> None:
    """None is repeated at the ends; the slices between lie where they lay."""
    wider = phantom_studies(replace(FORAMEN, phantoms=1, phantom_seed=78, slices=5))
    for few, more in zip(foramina, wider, strict=True):
        assert (few.volume.array.shape[0], few.frame.slice_index) == (3, 1)
        assert (more.volume.array.shape[0], more.frame.slice_index) == (5, 2)
        np.testing.assert_allclose(more.volume.to_lps_mm(np.array([1.0, 0, 0])), few.volume.to_lps_mm(np.zeros(3)))


REFUSED = {
    "a network that sees places one by one": ({"network": "lite0"}, "'lite0' and sees a places; expected one of spi"),
    "another network on pictures": ({"sees": "picture"}, "'spine-transformer' and sees a picture; expected one of res"),
    "votes": ({"votes": 3}, "has 3 votes; expected one vote"),
    "mixing": ({"cutmix": 0.5}, "patches that are mixed"),
    "bytes": ({"views": "byte"}, "the views byte"),
    "both kinds of places": (
        {"conditions": ("pfirrmann", "neural_foraminal_narrowing")}, "conditions with sides and without"
    ),
    "another series": ({"also_on": ("axial_t2",)}, "places also on axial_t2"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_go_together_is_refused(case: str, samples: list[GradedPatch]) -> None:
    settings, pattern = REFUSED[case]
    with pytest.raises(SettingsRefused, match=pattern):
        StudyGraderTask(replace(PLACES, **settings), samples)  # type: ignore[arg-type]


def test_an_unknown_way_of_seeing_is_refused() -> None:
    with pytest.raises(SettingsRefused, match="is to see a 'dream'; expected one of place, places, picture"):
        replace(PLACES, sees="dream")
