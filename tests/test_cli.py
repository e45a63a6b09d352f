"""The command line: exit codes as documented, one sentence on stderr, never a traceback."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from lumbago import __version__, cli, cli_learning
from lumbago.anatomy.conditions import ROLES
from lumbago.anatomy.findings import StudyFindings
from lumbago.cli import app, main
from lumbago.inference.weights import SHIPPED
from lumbago.phantom import write_study as writer
from lumbago.phantom.phantom_settings import SETTINGS, USUAL, Setting
from lumbago.phantom.phantom_study import PhantomStudy, phantom_study
from lumbago.phantom.sample_spine import sample_spine
from lumbago.phantom.spine_spec import SpineSpec
from lumbago.pipeline.analyze_study import GRADERS, LOCATOR, TISSUES
from lumbago.settings import Settings
from lumbago.systems import SYSTEMS
from one_slice import write_slice


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("LUMBAGO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LUMBAGO_HOME", str(tmp_path / "home"))


def run(*arguments: str | Path) -> int:
    """The command line in this process; gives its exit code."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as exit_of:
        patch.setattr("sys.argv", ["lumbago", *map(str, arguments)])
        main()
    return int(exit_of.value.code or 0)


Capture = pytest.CaptureFixture[str]


def complaint(capsys: Capture) -> str:
    """The one sentence on stderr."""
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("lumbago: ") and line.endswith(".") and "Traceback" not in line
    return line


# --- help ------------------------------------------------------------------------------------------------------------


def commands(of: Typer, before: tuple[str, ...] = ()) -> dict[tuple[str, ...], Callable[..., object]]:
    own = {(*before, row.name or row.callback.__name__): row.callback for row in of.registered_commands if row.callback}
    for group in of.registered_groups:
        if group.typer_instance and group.name:
            own |= commands(group.typer_instance, (*before, group.name))
    return own


COMMANDS = commands(app)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    words = " ".join(shown.output.split())
    first_sentence = (COMMANDS[command].__doc__ or "").split("\n")[0]
    assert len(first_sentence) > 10 and first_sentence in words
    assert f"lumbago {' '.join(command)}" in words.replace("root", "lumbago")


def test_help_of_all_lists_all() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    assert {command[0] for command in COMMANDS} <= set(shown.split())
    assert "Research use, not a diagnosis" in " ".join(shown.split())


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "lumbago", "info"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.startswith(f"lumbago {__version__}") and done.stderr == ""


@pytest.mark.parametrize(("encoding", "name"), [("ascii", "Größe"), ("utf-8", os.fsdecode(b"gr\xf6\xdfe"))])
def test_what_the_terminal_cannot_show_is_written_out(
    tmp_path: Path, encoding: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "grades.csv").write_text(
        "study,condition,level,side,grade\n1,pfirrmann,L4/L5,,3\n2,pfirrmann,L4/L5,,3\n"
    )
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding, write_through=True))
    assert run("labels", "split", f"csv={tmp_path}", "--folds", "2", "--out", tmp_path / name) == 0
    assert b"\\" in shown.getvalue()


# --- wrong usage -----------------------------------------------------------------------------------------------------

WRONG = {
    "no command": [],
    "unknown command": ["diagnose"],
    "no study": ["analyze", "--out", "x"],
    "no out": ["analyze", "study"],
    "unknown option": ["info", "--loud"],
    "no phantoms": ["phantom", "x", "--studies", "0"],
    "negative seed": ["phantom", "x", "--seed", "-1"],
    "no number": ["phantom", "x", "--studies", "many"],
    "unknown model": ["models", "show", "oracle"],
    "until good without criteria": ["train", "x.toml", "--data", ".", "--out", "run", "--until", "good"],
    "deploy without until good": ["train", "x.toml", "--data", ".", "--out", "run", "--deploy"],
    "tries without until good": ["train", "x.toml", "--data", ".", "--out", "run", "--tries", "3"],
    "unknown models command": ["models", "bless"],
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage(case: str, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*WRONG[case]) == 2
    said = complaint(capsys)
    assert len(said) > 30
    assert re.search(r"[.?] Try: lumbago --help", said) or "Try" not in said, "two sentences"
    assert list(tmp_path.iterdir()) == [], "and nothing was begun"


def test_an_unknown_model_is_answered_with_the_known_ones(capsys: Capture) -> None:
    assert run("models", "show", "oracle") == 2
    assert LOCATOR in complaint(capsys)


# --- info and models -------------------------------------------------------------------------------------------------


def test_info(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMBAGO_THREADS", "11")
    assert run("info") == 0
    shown = capsys.readouterr().out
    assert f"lumbago {__version__}" in shown and "threads = 11" in shown
    assert all(f"{name} = " in shown for name in Settings.__dataclass_fields__)
    assert all(name in shown for name in (LOCATOR, *GRADERS, *TISSUES))


@pytest.mark.parametrize("command", [["info"], ["models", "list"]], ids=" ".join)
def test_settings_that_make_no_sense(command: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMBAGO_THREADS", "many")
    assert run(*command) == 6
    assert "LUMBAGO_THREADS is 'many'" in complaint(capsys)


def test_models_are_listed(capsys: Capture) -> None:
    assert run("models", "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted((LOCATOR, *GRADERS, *TISSUES))
    assert all("trained on" in line for line in lines)


@pytest.mark.parametrize("name", [LOCATOR, *GRADERS, *TISSUES])
def test_a_card_is_shown(name: str, capsys: Capture) -> None:
    assert run("models", "show", name) == 0
    shown = capsys.readouterr().out
    card = tomllib.loads((SHIPPED / name / "card.toml").read_text(encoding="utf8"))
    assert shown.startswith("model") and f"{name} {card['version']}, checksum {card['sha256'][:12]}" in shown


def test_systems_are_listed_and_shown(capsys: Capture) -> None:
    assert run("systems", "list") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(SYSTEMS)
    for system in SYSTEMS.values():
        assert run("systems", "show", system.name) == 0
        shown = capsys.readouterr().out
        assert all(part.name in shown for part in system.parts) and system.source in shown


def test_a_system_that_there_is_not(capsys: Capture, tmp_path: Path) -> None:
    assert run("analyze", str(tmp_path), "--out", str(tmp_path / "out"), "--system", "oracle") == 2
    assert "no system oracle" in complaint(capsys) and not (tmp_path / "out").exists()


def test_shipped_models_hold(capsys: Capture) -> None:
    assert run("models", "verify") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{name}: as on its card" for name in sorted((LOCATOR, *GRADERS, *TISSUES))]


def test_models_of_one_s_own_are_the_ones_in_use(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(SHIPPED / GRADERS[1], tmp_path / "mine")
    monkeypatch.setenv("LUMBAGO_MODELS", str(tmp_path))
    assert run("models", "verify") == 0
    assert capsys.readouterr().out == "mine: as on its card\n"
    with (tmp_path / "mine" / "model.onnx").open("ab") as weights:
        weights.write(b"\0")
    assert run("models", "verify") == 6
    assert "not those of its card" in complaint(capsys)


def test_a_deployed_model_is_in_use_until_it_is_rolled_back(tmp_path: Path, capsys: Capture) -> None:
    shutil.copytree(SHIPPED / GRADERS[1], tmp_path / "mine")
    assert run("models", "deploy", tmp_path / "mine", "--why", "to see") == 0
    place = Path(capsys.readouterr().out.strip().rpartition(" ")[2])
    assert place.is_relative_to(tmp_path / "home" / "models" / GRADERS[1])
    assert run("models", "list") == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "deployed here" in line]
    assert line.startswith(GRADERS[1])
    assert run("models", "rollback", GRADERS[1]) == 0
    assert str(SHIPPED / GRADERS[1]) in capsys.readouterr().out
    assert run("models", "rollback", GRADERS[1]) == 2
    assert f"no model {GRADERS[1]} is deployed" in complaint(capsys)
    assert run("models", "deploy", GRADERS[1]) == 0, "by its name, the one registered before"
    assert str(place) in capsys.readouterr().out


def test_what_is_deployed_beside_a_folder_of_models_is_not_called_in_use(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUMBAGO_MODELS", str(tmp_path))
    for words in (["deploy", SHIPPED / GRADERS[1]], ["rollback", GRADERS[1]]):
        assert run("models", *words) == 0
        assert capsys.readouterr().out.startswith("In use once LUMBAGO_MODELS names no other folder: ")


@pytest.mark.parametrize("command", [["info"], ["models", "list"], ["models", "verify"]], ids=" ".join)
def test_no_models_at_all(command: list[str], tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMBAGO_MODELS", str(tmp_path))
    assert run(*command) == 6
    assert "no models in" in complaint(capsys)


# --- analyze ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, reason",
    [(["--format", "docx"], "unknown format docx"), (["--threads", "0"], "threads is 0")],
    ids=["format", "threads"],
)
def test_analysis_with_refused_settings(options: list[str], reason: str, tmp_path: Path, capsys: Capture) -> None:
    assert run("analyze", tmp_path, "--out", tmp_path / "out", *options) == 6
    assert reason in complaint(capsys)
    assert not (tmp_path / "out").exists()


def test_analysis_without_models(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    monkeypatch.setenv("LUMBAGO_MODELS", str(tmp_path / "models"))
    assert run("analyze", tmp_path, "--out", tmp_path / "out") == 6
    assert "no models in" in complaint(capsys)


def test_a_comma_behind_the_formats_is_let_pass_as_in_the_environment(tmp_path: Path, capsys: Capture) -> None:
    assert run("analyze", tmp_path, "--out", tmp_path / "out", "--format", "json,", "--system", "oracle") == 2
    assert "no system oracle" in complaint(capsys)


def test_the_highest_exit_code_counts_and_every_study_is_tried(tmp_path: Path, capsys: Capture) -> None:
    """Two that cannot be read (3), and one slice that lacks its sister series (5)."""
    (tmp_path / "notes.txt").write_text("not an image")
    good = write_slice(tmp_path / "one.dcm")
    out = tmp_path / "out"
    code = run("analyze", tmp_path / "missing", good, tmp_path / "notes.txt", "--out", out, "--format", "json")
    assert code == 5
    printed = capsys.readouterr()
    assert [line.split(": ")[1] for line in printed.err.splitlines()] == [
        str(tmp_path / "missing"), str(tmp_path / "notes.txt"),
    ]  # fmt: skip
    assert [path.name for path in out.iterdir()] == ["one"]
    assert "L4/L5" in printed.out and str(out / "one") in printed.out


def test_two_inputs_of_one_name_and_one_study_give_two_results(tmp_path: Path) -> None:
    inputs = [tmp_path / patient / "one.dcm" for patient in ("a", "b")]
    for path in inputs:
        path.parent.mkdir()
    shutil.copy(write_slice(inputs[0]), inputs[1])
    out = tmp_path / "out"
    assert run("analyze", *inputs, inputs[0], "--out", out, "--format", "json") == 5
    assert sorted(path.name for path in out.iterdir()) == ["one", "one-2"], "what is given twice is read once"


# --- phantom ---------------------------------------------------------------------------------------------------------


def coarse_study(seed: int, randomised: bool = False, setting: Setting = USUAL) -> PhantomStudy:
    """The study of a seed with a few slices of few pixels, so that a test takes a second."""
    made = phantom_study(seed, randomised, setting)
    scans = {}
    for role in ROLES:
        spec = made.scans[role]
        groups = tuple(replace(group, count=(group.count + 2) // 3, spacing=3 * group.spacing) for group in spec.groups)
        plain = replace(spec.disturbance, sub_slices=0)
        scans[role] = replace(
            spec, groups=groups, rows=64, columns=64, pixel_mm=spec.pixel_mm * spec.rows / 64, acquired_mm=6.0,
            disturbance=plain,
        )  # fmt: skip
    return replace(made, scans=scans)


def test_a_phantom_follows_from_its_seed(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "phantom_study", coarse_study)
    assert run("phantom", tmp_path / "new", "--seed", "31") == 0
    assert "1 phantom study in" in capsys.readouterr().out
    (study,) = (tmp_path / "new").iterdir()
    assert study.name == "phantom-31-000"
    assert SpineSpec.from_json((study / "spine.json").read_text(encoding="utf8")) == sample_spine(31)
    truth = StudyFindings.from_json((study / "truth.json").read_text(encoding="utf8"))
    assert {finding.condition for finding in truth.findings} >= {"pfirrmann", "spinal_canal_stenosis"}
    assert len(list(study.glob("dicom/*/*.dcm"))) > 8


def test_a_phantom_is_drawn_in_another_setting(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "phantom_study", coarse_study)
    assert run("phantom", tmp_path, "--seed", "31", "--setting", "other") == 0
    text = (tmp_path / "phantom-31-000" / "spine.json").read_text(encoding="utf8")
    assert SpineSpec.from_json(text) == sample_spine(31, SETTINGS["other"])
    capsys.readouterr()
    assert run("phantom", tmp_path, "--setting", "strange") == 2
    assert "one of usual, other" in capsys.readouterr().err


def test_phantoms_that_cannot_be_written(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "taken").write_text("a file")
    assert run("phantom", tmp_path / "taken") == 2
    assert "cannot be written" in complaint(capsys)


# --- training --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["train"], ["evaluate", "--runs", "runs"]], ids=lambda words: words[0])
def test_an_experiment_that_is_not_there(command: list[str], tmp_path: Path, capsys: Capture) -> None:
    options = ["--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert run(*command, tmp_path / "missing.toml", *options) == 6
    assert "no experiment" in complaint(capsys)


def test_labels_that_are_not_there(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "mine.toml").write_text('kind = "locator"\nsources = ["spider"]\n')
    assert run("train", tmp_path / "mine.toml", "--data", tmp_path, "--out", tmp_path / "out") == 3
    assert "--data" in complaint(capsys)


def test_training_needs_pytorch_and_says_so() -> None:
    code = "import sys; sys.modules['torch'] = None; sys.argv = ['lumbago', *sys.argv[1:]]; import lumbago.__main__"
    words = ["train", "x.toml", "--data", "x", "--out", "x"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("lumbago: PyTorch is not installed") and len(done.stderr.splitlines()) == 1


TABLE = """source,patient,condition,level,side,truth,probabilities,split
phantoms,phantom-1-000,bulging,L4/L5,,present,0.2 0.8,
phantoms,phantom-1-001,bulging,L4/L5,,absent,0.6 0.4,
phantoms,phantom-1-002,bulging,L4/L5,,absent,,
"""


def test_a_table_made_elsewhere_is_scored(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "cases.csv").write_text(TABLE)
    (tmp_path / "other.csv").write_text(TABLE.replace("0.6 0.4", "0.4 0.6"))
    options = ["--against", tmp_path / "other.csv", "--out", tmp_path / "scores"]
    assert run("evaluate", "--cases", tmp_path / "cases.csv", *options) == 0
    printed = capsys.readouterr().out
    assert "computer-made" in printed and "always commonest" in printed and "report.html" in printed
    written = {path.name for path in (tmp_path / "scores").iterdir()}
    assert written == {"report.html", "scores.csv", "scores.md", "slices.csv", "differences.csv", "figures"}


def test_several_tables_are_compared_with_several(tmp_path: Path) -> None:
    """The others' were taken for one file of a long name."""
    tables = {"a": TABLE, "b": TABLE.replace("bulging", "narrowing")}
    for name, text in tables.items():
        (tmp_path / f"{name}.csv").write_text(text)
        (tmp_path / f"other-{name}.csv").write_text(text.replace("0.6 0.4", "0.4 0.6"))
    mine, theirs = (",".join(str(tmp_path / f"{start}{name}.csv") for name in tables) for start in ("", "other-"))
    assert run("evaluate", "--cases", mine, "--against", theirs, "--out", tmp_path / "scores") == 0
    found = (tmp_path / "scores" / "differences.csv").read_text()
    assert ",bulging,accuracy," in found and ",narrowing,accuracy," in found


def test_tables_that_are_not_scored_together(tmp_path: Path, capsys: Capture) -> None:
    places = "source,patient,image,label,place,unit,score\nclinic,a,1,disc,0 0 9 9,px,\n"
    for name, text in (("cases.CSV", TABLE), ("places.csv", places), ("more.csv", places)):
        (tmp_path / name).write_text(text)
    cases, place, more = (tmp_path / name for name in ("cases.CSV", "places.csv", "more.csv"))
    assert run("evaluate", "--cases", f"{cases},{cases}", "--out", tmp_path / "out") == 3
    assert "grades L4/L5 of phantom-1-000, which" in complaint(capsys)
    for options in (["--cases", f"{place},{more}"], ["--cases", place, "--against", more]):
        assert run("evaluate", *options, "--out", tmp_path / "out") == 2
        assert "scored alone" in complaint(capsys)
    assert not (tmp_path / "out").exists()


def test_options_that_would_change_nothing_are_refused(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "cases.csv").write_text(TABLE)
    table, out = ["--cases", tmp_path / "cases.csv"], ["--out", tmp_path / "out"]
    assert run("evaluate", *table, *out, "--fold", "0", "--card", tmp_path) == 2
    assert "--fold, --card says nothing of a table" in complaint(capsys)
    assert run("evaluate", "e.toml", "--data", tmp_path, "--runs", "r", *out, "--against", tmp_path / "cases.csv") == 2
    assert "--against says nothing of an experiment" in complaint(capsys)
    assert run("evaluate", "e.toml", "--runs", tmp_path, *out) == 2
    assert "an experiment without --data" in complaint(capsys)


def test_nothing_to_score(tmp_path: Path, capsys: Capture) -> None:
    assert run("evaluate", "--cases", f"{tmp_path / 'a.csv'},{tmp_path / 'cases.txt'}", "--out", tmp_path) == 2
    assert f"nothing to score in {tmp_path / 'cases.txt'}; expected tables that end in .csv" in complaint(capsys)
    assert run("evaluate", "--cases", tmp_path / "missing.csv", "--out", tmp_path) == 3
    assert "missing.csv" in complaint(capsys)


def test_calibration_on_what_the_model_was_trained_on_is_refused(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "cases.csv").write_text(TABLE.replace("phantom-1-", "phantom-2000000-").replace("bulging", "modic"))
    model = Path(cli.__file__).parent / "models" / "canal-grader"
    assert run("calibrate", model, "--cases", tmp_path / "cases.csv") == 3
    assert "modic" in complaint(capsys)
    canal = TABLE.replace("phantom-1-", "phantom-2000000-").replace("bulging", "spinal_canal_stenosis")
    canal = canal.replace("present", "severe").replace("absent", "moderate")
    (tmp_path / "cases.csv").write_text(canal.replace("0.2 0.8", "0.1 0.1 0.8").replace("0.6 0.4", "0.3 0.6 0.1"))
    assert run("calibrate", model, "--cases", tmp_path / "cases.csv", "--as-validation") == 6
    assert "trained on phantom-2000000-000" in complaint(capsys)


def test_calibration_on_a_second_reader_who_is_not_there(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "cases.csv").write_text(TABLE)
    model = Path(cli.__file__).parent / "models" / "disc-grader"
    assert run("calibrate", model, "--cases", tmp_path / "cases.csv", "--second-reader") == 2
    assert "has a second reader" in complaint(capsys)


def test_a_card_tells_the_command_without_this_machine_s_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["train", "/home/me/experiments/disc.toml", "--data", "/data/of/mine", "--out", "runs/disc", "--locators"]
    monkeypatch.setattr("sys.argv", ["/usr/bin/lumbago", *words, "../runs/loc-{fold}/model", "--fold", "-1"])
    assert cli_learning._own_command() == (
        "lumbago train experiments/disc.toml --data mine --out runs/disc --locators model --fold -1"
    )


def test_neither_an_equals_sign_nor_a_comma_hides_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "set").mkdir()
    tables = [tmp_path / "set" / name for name in ("mine.csv", "theirs.csv")]
    for table in tables:
        table.touch()
    cases = ",".join(map(str, tables))
    monkeypatch.setattr("sys.argv", ["lumbago", "evaluate", f"--cases={cases}", "--out=/home/me/Smith, J"])
    assert cli_learning._own_command() == "lumbago evaluate --cases=set/mine.csv,set/theirs.csv '--out=Smith, J'"


# --- faults and interruptions ----------------------------------------------------------------------------------------


def test_our_own_fault(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(writer, "write_studies", fail)
    assert run("phantom", tmp_path) == 1
    assert "our own fault: RuntimeError: first line second line; set LUMBAGO_DEBUG=1" in complaint(capsys)
    monkeypatch.setenv("LUMBAGO_DEBUG", "1")
    with pytest.raises(RuntimeError):
        cli_with("phantom", str(tmp_path))


def test_a_full_disk_is_no_fault_of_ours(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", "findings.json")

    monkeypatch.setattr(writer, "write_studies", fail)
    assert run("phantom", tmp_path) == 2
    said = complaint(capsys)
    assert "the disk is full" in said and "findings.json" in said and "fault" not in said


def cli_with(*arguments: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["lumbago", *arguments])
        main()


def test_an_interruption(tmp_path: Path) -> None:
    """Ctrl-C while phantoms are written."""
    python = [sys.executable, "-X", "faulthandler"]
    command = [*python, "-m", "lumbago", "phantom", str(tmp_path / "out"), "--studies", "50"]
    # A test run in the background is deaf to SIGINT, and would pass that on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    with started:
        deadline = time.monotonic() + 60
        while not (tmp_path / "out").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        started.send_signal(signal.SIGINT)
        try:
            _, errors = started.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            started.send_signal(signal.SIGABRT)  # it tells where it is
            pytest.fail(started.communicate()[1])
        finally:
            started.kill()
    assert started.returncode == 130
    assert errors.splitlines() == ["lumbago: interrupted; what was finished is kept."]
