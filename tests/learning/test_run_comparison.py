"""A comparison gives every row the same patients and the same time, and goes on where it was."""

import json
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import tomli_w
from made_up_patches import made_up_patches

from lumbago.errors import SettingsRefused, UnreadableInput
from lumbago.evaluation.case_table import write_cases
from lumbago.evaluation.cases import GradedCase
from lumbago.inference.weights import SHIPPED
from lumbago.labels.tables import write_whole
from lumbago.learning.comparison_plan import DISCS, Terms, plan, runs_of
from lumbago.learning.experiment import Experiment
from lumbago.learning.grader_network import check_study
from lumbago.learning.grader_task import GraderTask
from lumbago.learning.keep_data import keep_data, label_digests
from lumbago.learning.keep_terms import TERMS, keep_terms
from lumbago.learning.noisy_readers import with_second_reader
from lumbago.learning.pace import LEAST_STEPS, steps_for
from lumbago.learning.places import Places
from lumbago.learning.run_comparison import Comparison, gathered, run_comparison
from lumbago.learning.sample_cache import Preparation
from lumbago.learning.score_comparison import FACTS, RowsToScore, measure_rows
from lumbago.learning.why_not import WHY, or_why_not, reasons
from lumbago.phantom.sample_spine import sample_spine
from lumbago.phantom.write_study import write_studies
from lumbago.pipeline.crop_patches import PLACE
from lumbago.systems import OURS, SYSTEMS
from made_up_labels import write_sudirman

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
ROWS = tuple(SYSTEMS.values())


def terms(out: Path, **changes: object) -> Terms:
    return replace(Terms(("sudirman", "spider"), 5, 4.0, 2.0, 100, EXPERIMENTS, out), **changes)  # type: ignore[arg-type]


def test_all_rows_get_the_same(tmp_path: Path) -> None:
    locators, discs, alone, made = plan(ROWS, terms(tmp_path), on_phantoms=True)
    graders = [*discs, *alone, *made]
    assert {job.minutes for job in locators} == {4.0} and {job.minutes for job in graders} == {2.0}
    assert {job.experiment.sources for job in alone} == {("sudirman",), ("spider",)}
    by_row = {name: [job for job in discs if job.name == f"{name} {DISCS}"] for name in SYSTEMS}
    taught = {name: jobs for name, jobs in by_row.items() if jobs}
    assert len(taught) > 5
    for jobs in taught.values():
        assert [job.experiment.fold for job in jobs] == list(range(5))
        assert {(job.experiment.members, job.experiment.folds, job.experiment.split) for job in jobs} == {(1, 5, "")}
        assert len({job.run for job in jobs}) == 5
    assert {job.experiment.phantoms for job in graders if not job.experiment.sources} == {100}


def test_rows_of_one_locator_share_it(tmp_path: Path) -> None:
    assert runs_of(SYSTEMS["svm"], terms(tmp_path)).locator == runs_of(SYSTEMS[OURS], terms(tmp_path)).locator
    locators, *_, made = plan(ROWS, terms(tmp_path), on_phantoms=False)
    assert not made
    assert len({job.run for job in locators}) == len(locators)


def test_rows_that_see_a_whole_study_can_see_all_they_are_to_grade(tmp_path: Path) -> None:
    jobs = [job for stage in plan(ROWS, terms(tmp_path), on_phantoms=True) for job in stage]
    whole = [job.experiment for job in jobs if job.experiment.kind == "grader" and job.experiment.sees != PLACE]
    assert {experiment.anchor for experiment in whole} == {"disc", "canal", "foramen", "recess", "axial_disc"}
    for experiment in whole:
        check_study(experiment)


def test_what_joins_the_answers_of_another_part_or_draws_is_left_out(tmp_path: Path) -> None:
    joining = {part.name for part in SYSTEMS[OURS].parts if part.joins or part.draws}
    jobs = [job for stage in plan([SYSTEMS[OURS]], terms(tmp_path), on_phantoms=True) for job in stage]
    assert joining and not joining & {job.experiment.name for job in jobs}


def test_an_experiment_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match=r"no experiment .*spine-locator.toml; expected the folder"):
        plan(ROWS, terms(tmp_path, experiments=tmp_path), on_phantoms=True)


def test_time_becomes_steps_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Experiment("x", "grader", conditions=("pfirrmann",), patch=(32, 32), batch=4, pretrained=False)
    rows = {"grader": lambda experiment, _: GraderTask(experiment, made_up_patches())}
    monkeypatch.setattr("lumbago.learning.run_training.TASKS", rows)
    places, kept = Places(tmp_path, tmp_path), tmp_path / "pace" / "x.json"
    steps = steps_for(asked, places, 0.05, kept)
    told = json.loads(kept.read_text())
    assert steps >= LEAST_STEPS and told["steps"] == max(LEAST_STEPS, round(3 / told["seconds_per_step"]))
    kept.write_text(json.dumps({"minutes": 0.05, "steps": 77}))
    assert steps_for(asked, places, 0.05, kept) == 77
    with pytest.raises(SettingsRefused, match=r"has the steps of 0.05 minutes, not 0.1; expected the same minutes"):
        steps_for(asked, places, 0.1, kept)


def comparison(wanted: Terms, phantoms: Path | None = None) -> Comparison:
    """Of no rows."""
    return Comparison((), wanted, Places(wanted.out, wanted.out), phantoms, 1, "lumbago compare")


def refusal(asked: Comparison) -> str:
    with pytest.raises(SettingsRefused) as refused:
        run_comparison(asked, lambda *_: None)
    return str(refused.value)


def test_a_folder_holds_one_set_of_terms(tmp_path: Path) -> None:
    keep_terms(terms(tmp_path), None)
    kept = (tmp_path / TERMS).read_text()
    changes = {
        "--labels spider,sudirman, not --labels spider": {"sources": ("spider",)},
        "--folds 5, not --folds 3": {"folds": 3},
        "--minutes 2, not --minutes 1": {"grader_minutes": 1.0},
        "--locator-minutes 4, not --locator-minutes 0.5": {"locator_minutes": 0.5},
        "--made 100, not --made 80": {"phantoms": 80},
        "--folds 5, --made 100, not --folds 3, --made 80": {"folds": 3, "phantoms": 80},
    }
    for told, change in changes.items():
        sentence = refusal(comparison(terms(tmp_path, **change)))
        assert f"{told}; expected the same terms; give them, or another --out." in sentence
    assert (tmp_path / TERMS).read_text() == kept
    keep_terms(terms(tmp_path, sources=("spider", "sudirman")), None)


def test_labels_that_were_corrected_are_not_gone_on_with(tmp_path: Path) -> None:
    begun = terms(tmp_path, sources=("sudirman",))
    grades = write_sudirman(tmp_path) / "pfirrmann.csv"
    keep_data(tmp_path, label_digests(tmp_path, begun.sources))
    grades.write_text(grades.read_text().replace("1,L4-L5,1", "1,L4-L5,4"))
    assert "was begun with other data: labels of sudirman; expected the same" in refusal(comparison(begun))


def test_names_that_are_not_there_are_no_terms(tmp_path: Path) -> None:
    assert "no label source sudirmann" in refusal(comparison(terms(tmp_path, sources=("sudirmann",))))
    with pytest.raises(UnreadableInput, match=r"no phantom study in .*; expected <name>/truth.json; lumbago phantom"):
        run_comparison(comparison(terms(tmp_path), tmp_path / "nowhere"), lambda *_: None)
    assert not (tmp_path / TERMS).exists()


def test_phantoms_may_come_later_and_are_not_exchanged(tmp_path: Path) -> None:
    for name, truth in (("one", "{}"), ("two", "{ }")):
        (tmp_path / name / "phantom-61-000").mkdir(parents=True)
        (tmp_path / name / "phantom-61-000" / "truth.json").write_text(truth, encoding="utf8")
    begun = terms(tmp_path / "out")
    keep_terms(begun, None)
    keep_terms(begun, tmp_path / "one")
    keep_terms(begun, None)
    (tmp_path / "one").rename(tmp_path / "moved")
    keep_terms(begun, tmp_path / "moved")
    with pytest.raises(SettingsRefused, match=r"--phantoms 1 of digest \w{16}, not --phantoms 1 of digest \w{16};"):
        keep_terms(begun, tmp_path / "two")


def test_an_older_folder_is_taken_by_its_minutes(tmp_path: Path) -> None:
    for name, minutes in (("lumbago-spine-locator", 4.0), ("svm-disc-grader-spider", 2.0)):
        write_whole(tmp_path / "pace" / f"{name}.json", json.dumps({"minutes": minutes, "steps": 77}))
    assert "--locator-minutes 4, not --locator-minutes 1" in refusal(comparison(terms(tmp_path, locator_minutes=1.0)))
    assert "--minutes 2, not --minutes 3" in refusal(comparison(terms(tmp_path, grader_minutes=3.0)))
    assert not (tmp_path / TERMS).exists()
    keep_terms(terms(tmp_path), None)
    assert json.loads((tmp_path / TERMS).read_text())["--minutes"] == 2.0


def unseen(model: str, run: Path) -> None:
    """A shipped model as a run that has seen no one, so that the test need not train one."""
    shutil.copytree(SHIPPED / model, run / "model")
    path = run / "model" / "card.toml"
    card = tomllib.loads(path.read_text(encoding="utf8"))
    card["proof"] |= {"patients": 0, "steps_done": [1]}
    path.write_text(tomli_w.dumps(card), encoding="utf8")
    (run / "model" / "patients.txt").write_text("# nobody\n", encoding="utf8")
    (run / "training.json").write_text("{}", encoding="utf8")


def test_a_part_that_comes_later_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Phantoms may be given later; what learned from them belongs into the table, and into the time of a study."""
    monkeypatch.setattr("lumbago.learning.score_comparison._milliseconds", lambda models, *_: len(models.graders))
    rows = RowsToScore((SYSTEMS[OURS],), terms(tmp_path), Places(tmp_path, tmp_path), None)
    facts = tmp_path / "scores" / OURS / FACTS

    def told() -> tuple[list[str], int]:
        measure_rows(rows)
        kept = json.loads(facts.read_text(encoding="utf8"))
        return list(kept["parts"]), kept["milliseconds"]

    unseen("spine-locator", tmp_path / "locators" / OURS / "0")
    assert told() == (["spine-locator"], 0)
    unseen("canal-grader", tmp_path / "graders" / OURS / "canal-grader")
    assert told() == (["spine-locator", "canal-grader"], 1)
    made = facts.stat().st_mtime_ns
    assert told() == (["spine-locator", "canal-grader"], 1) and facts.stat().st_mtime_ns == made


@pytest.mark.slow
def test_two_rows_from_training_to_the_page(tmp_path: Path) -> None:
    """On phantoms as a label source, and on others to test on; a second call makes nothing again."""
    out = tmp_path / "out"
    write_studies(tmp_path / "data" / "phantoms", 3, 31)
    write_studies(tmp_path / "test", 1, 61)
    for fold in range(2):
        unseen("spine-locator", out / "locators" / OURS / str(fold))
    wanted = Comparison(
        (SYSTEMS[OURS], SYSTEMS["svm"]),
        terms(out, sources=("phantoms",), folds=2, grader_minutes=0.01, phantoms=3),
        Places(tmp_path / "data", out, threads=1, preparing=Preparation(tmp_path / "cache")),
        tmp_path / "test", 2, "lumbago compare",
    )  # fmt: skip
    told: list[str] = []
    page = run_comparison(wanted, lambda what, *_: told.append(what)).read_text(encoding="utf8")
    assert "computer-made, not patients" in page and "`svm`" in page and "RSNA 2024 score" in page
    assert f"{OURS} {DISCS}, run 0" in told and f"svm {DISCS}, run 1" in told
    assert told.index(f"{OURS} {DISCS}, steps") < told.index(f"{OURS} {DISCS}, run 0")
    assert "What could not be filled" not in page
    made = {path: path.stat().st_mtime_ns for path in out.rglob("model.onnx")}
    assert run_comparison(wanted, lambda *_: None).read_text(encoding="utf8") == page
    assert {path: path.stat().st_mtime_ns for path in out.rglob("model.onnx")} == made


def test_answers_that_nobody_taught_are_not_scored(tmp_path: Path) -> None:
    """Sudirman's readers grade Pfirrmann alone: what a model that learned from them says of bulging is chance."""
    known = {"pfirrmann": (0.1, 0.6, 0.1, 0.1, 0.1), "bulging": (0.4, 0.6)}
    made = {
        "out-of-fold": [("sudirman", "pfirrmann"), ("spider", "pfirrmann"), ("spider", "bulging")],
        "from-sudirman": [("spider", "pfirrmann"), ("spider", "bulging")],
        "from-spider": [("sudirman", "pfirrmann")],
    }
    folder = tmp_path / "scores" / "svm"
    for table, rows in made.items():
        write_cases([
            GradedCase(source, f"{source}:1", f"{source}:1", condition, "L4/L5", None, "2" if len(known[condition]) > 2
                       else "present", known[condition]) for source, condition in rows
        ], folder / f"{table}.csv")  # fmt: skip
    (folder / FACTS).write_text('{"parts": {}, "milliseconds": 1.0}', encoding="utf8")
    (folder / "locator.json").write_text("{}", encoding="utf8")
    wanted = Comparison((SYSTEMS["svm"],), terms(tmp_path), Places(tmp_path, tmp_path), None, 1, "")
    external = [(case.condition, case.split) for case in gathered(wanted).cases["svm"] if "external" in case.split]
    assert sorted(external) == [
        ("pfirrmann", "external, learned on spider"), ("pfirrmann", "external, learned on sudirman"),
    ]  # fmt: skip


def test_a_comparison_of_nothing_says_why(tmp_path: Path) -> None:
    (tmp_path / "svm").mkdir()
    (tmp_path / "svm" / WHY).write_text("svm: no labels; expected some", encoding="utf8")
    wanted = Comparison((SYSTEMS["svm"],), terms(tmp_path), Places(tmp_path, tmp_path), None, 1, "")
    with pytest.raises(SettingsRefused, match=r"nothing was compared .* \(svm: no labels; expected some\)"):
        gathered(wanted)


def test_what_goes_wrong_costs_its_cell_and_says_why(tmp_path: Path) -> None:
    for name, error in (("ours", SettingsRefused("no", "yes")), ("fault", ZeroDivisionError("by zero\nand more"))):
        with or_why_not(tmp_path / name / WHY, name):
            raise error
    assert reasons(tmp_path) == ["fault: our own fault: ZeroDivisionError: by zero", "ours: no; expected yes."]
    with or_why_not(tmp_path / "ours" / WHY, "ours"):
        pass
    assert len(reasons(tmp_path)) == 1


def test_a_reader_of_phantoms_misjudges_a_little(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "spine.json").write_text(sample_spine(61).to_json(), encoding="utf8")
    case = GradedCase("phantoms", "one", "one", "spinal_canal_stenosis", "L4/L5", None, "moderate", None)
    other = replace(case, condition="pfirrmann", truth="3")
    read, unread = with_second_reader([case, other], tmp_path)
    assert read.second_reader in {"normal_mild", "moderate", "severe"} and unread.second_reader is None
