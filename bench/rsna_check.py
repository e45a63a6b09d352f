"""Runs the RSNA 2024 kit end to end on phantoms: `make rsna-check`, or `python bench/rsna_check.py [--out DIR]`.

Phantom studies are written in the layout of the challenge, some as test images; the kit's own script trains, evaluates
and submits with few steps; and the submission is scored against the truth, beside an answer that is the same for all.
The score is a phantom score: it says that the kit works, and nothing about patients.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lumbago.evaluation.case_table import read_cases
from lumbago.evaluation.rsna_score import RSNA_SCORE, rsna_scores
from lumbago.evaluation.rsna_submission import SITES, read_submission, submission_cases, training_priors
from lumbago.labels.sources import read_source

ROOT = Path(__file__).parents[1]
KIT = ROOT / "experiments" / "rsna"
LUMBAGO = f"{sys.executable} -m lumbago"
TRAIN_SEED, TEST_SEED = 9000, 9500
PARTS = ("canal", "foramen", "recess")
TINY = {"steps": "40", "batch": "16", "folds": "2", "slices": "3"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=24)
    parser.add_argument("--tests", type=int, default=6)
    parser.add_argument("--steps", default=TINY["steps"])
    parser.add_argument("--out", type=Path, default=None, help="kept, and gone on with when the command is repeated")
    wanted = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        out = (wanted.out or Path(place)).absolute()
        write_data(out, wanted.studies, wanted.tests)
        written = time.perf_counter()
        run_kit(out, wanted.steps)
        lines = score(out)
    print(*lines, sep="\n")
    print(f"{written - started:.0f} s to write phantoms, {time.perf_counter() - written:.0f} s for the kit.")
    return 0


def write_data(out: Path, studies: int, tests: int) -> None:
    """`out/data/rsna` as it would be downloaded, and `out/truth/rsna` with the truth of the test studies."""
    if (out / "data").is_dir():
        return
    for name, count, seed in (("train", studies, TRAIN_SEED), ("test", tests, TEST_SEED)):
        made = f"{LUMBAGO} phantom {out / name} --studies {count} --seed {seed} --layout rsna --workers 2"
        subprocess.run(made.split(), check=True)
    rsna, truth = out / "train" / "rsna", out / "truth" / "rsna"
    shutil.copytree(out / "test" / "rsna" / "train_images", rsna / "test_images")
    shutil.copy(out / "test" / "rsna" / "train_series_descriptions.csv", rsna / "test_series_descriptions.csv")
    truth.parent.mkdir()
    (out / "test" / "rsna").rename(truth)
    part = out / ".part-data"
    part.mkdir()
    rsna.rename(part / "rsna")
    part.rename(out / "data")


def run_kit(out: Path, steps: str) -> None:
    """The kit's script, on its recipes with fewer steps."""
    recipe = out / "recipe"
    recipe.mkdir(exist_ok=True)
    for path in (KIT / "alone").glob("*.toml"):
        changes = {**TINY, "steps": steps}
        rows = [line.partition(" = ") for line in path.read_text(encoding="utf8").splitlines()]
        (recipe / path.name).write_text("".join(f"{a}{b}{changes.get(a, c)}\n" for a, b, c in rows), encoding="utf8")
    settings = {
        "DATA": out / "data", "OUT": out / "runs", "RECIPE": recipe, "FOLDS": "0 1", "LUMBAGO": LUMBAGO,
        "DEVICE": "cpu", "THREADS": 1,
    }  # fmt: skip
    environment = {**os.environ, **{name: str(value) for name, value in settings.items()}}
    subprocess.run([str(KIT / "run.sh")], check=True, cwd=ROOT, env=environment)


def score(out: Path) -> list[str]:
    """The submissions' scores on the truth of the test studies, beside the same answer for all."""
    truth = list(read_source("rsna", out / "truth" / "rsna"))
    priors = training_priors(read_source("rsna", out / "data" / "rsna"))
    same = {f"{study.name}_{column}": priors[site[0], site[1]] for study in truth for column, site in SITES.items()}
    answers = {
        "final models": read_submission(out / "runs" / "submission.csv"),
        "folds, averaged": read_submission(out / "runs" / "submission-folds.csv"),
        "training prior for all": same,
        "1/3 for all": dict.fromkeys(same, (1 / 3, 1 / 3, 1 / 3)),
    }
    lines = [f"RSNA 2024 score on {len(truth)} phantoms, not patients; lower is better:"]
    for name, rows in answers.items():
        score = rsna_scores(list(submission_cases(rows, truth, "phantoms"))).get(RSNA_SCORE, "none: a part is missing")
        lines.append(f"  {name:24} {score}")
    cases = [case for part in PARTS for case in read_cases(out / "runs" / f"scores-{part}" / "predictions.csv")]
    score = rsna_scores(cases).get(RSNA_SCORE, "none: a part is missing")
    return [*lines, f"Out of fold, on the {len({case.study for case in cases})} phantoms of training: {score}"]


if __name__ == "__main__":
    sys.exit(main())
