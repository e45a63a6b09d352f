"""What do the models say of real slices that carry no grade of that kind? `make real-check ARGS="DATA --locators ..."`.

The heads of the conditions of RSNA 2024 learned from phantoms alone: this is what they say of patients. DATA holds
`sudirman/`, `spider/` and `spider_space/`; `sudirman/finding_boxes.csv` is judged by, never learned from. Each patient
is read by the locator and the canal grader of the fold that has not seen him. DIR gets `real-check.md`, its figures as
`real-check.csv`, and sheets of pictures: stenosis of the canal against a reader's boxes, with the worst misses; the
prevalence of grades by level beside the published one, and their rank correlation with the canal's measured width; the
overlap of disc, vertebra and canal with masks; sizes as an analysis states them against those measured in masks; every
picture on which a disc was missed or misnamed. Answers are kept there too, by model, and what is there is not asked
again. An hour on one core; `--only sizes` takes a minute.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from real.answers import CANAL, FOLDS, Models, ask, draw_tissues
from real.faults import tell_faults
from real.overlap import tell_overlap
from real.page import SPLIT, Page
from real.prevalence import role_of, severity_heads, show_pictures, tell_prevalence
from real.sizes import tell_sizes
from real.stenosis import tell_stenosis

from lumbago.inference.weights import SHIPPED, Card, read_card
from lumbago.learning.label_tables import read_labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--locators", required=True, help="folder of a locator's model, {fold} for the patient's fold")
    parser.add_argument("--models", type=Path, default=SHIPPED, help="folder of the graders' models")
    parser.add_argument("--canal", default="", help="its canal grader, {fold} for the patient's fold")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=20, help="of the pictures shown")
    parser.add_argument("--only", choices=PARTS, help="one part alone: labelled pictures, or masks' overlap or sizes")
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    heads = severity_heads([read_card(path.parent) for path in sorted(wanted.models.glob("*/card.toml"))])
    graders = {name: str(wanted.models / name) for name in canal_heads(heads)}
    if wanted.canal:
        graders["canal-grader"] = wanted.canal
    models = Models.of(wanted.locators, list(graders.values()))
    page = Page(wanted.out)
    command = shlex.join(["python", "bench/real_check.py", *sys.argv[1:]])
    tell_models(page, models, command)
    for name, part in PARTS.items():
        if wanted.only in (None, name):
            part(page, models, heads, wanted)
    page.write("real-check", command)


def tell_labelled(page: Page, models: Models, heads: Sequence[Card], wanted: argparse.Namespace) -> None:
    """What is said of pictures with boxes and gradings."""
    rows = read_labels(wanted.data, ("sudirman", "spider"))
    answers = ask(models, rows, wanted.out / f"answers-{models.digest}.csv")
    tell_stenosis(page, answers, rows, wanted.data / "sudirman" / "finding_boxes.csv")
    tell_prevalence(page, answers, rows, heads)
    show_pictures(page, answers, rows, wanted.seed)
    tell_faults(page, answers, rows)


def tell_drawn(page: Page, models: Models, heads: Sequence[Card], wanted: argparse.Namespace) -> None:
    """How what is drawn overlaps with masks."""
    masked, folder = read_labels(wanted.data, ("spider_space",)), wanted.out / f"drawn-{models.digest}"
    draw_tissues(models, masked, folder)
    tell_overlap(page, masked, folder)


def tell_measured(page: Page, models: Models, heads: Sequence[Card], wanted: argparse.Namespace) -> None:
    """How far the sizes stated are from those of masks."""
    tell_sizes(page, models, read_labels(wanted.data, ("spider_space",)), wanted.data, wanted.seed)


PARTS = {"pictures": tell_labelled, "overlap": tell_drawn, "sizes": tell_measured}


def canal_heads(heads: Sequence[Card]) -> list[str]:
    """The graders of canals on sagittal T2."""
    return [head.name for head in heads if CANAL in head.conditions and role_of(head) == "sagittal_t2"]


def tell_models(page: Page, models: Models, command: str) -> None:
    page.say("# What the models say of real slices that carry no grade of that kind")
    page.say(
        f"Command: `{command}`. Split: {SPLIT}, {FOLDS} folds by patient: each patient is read by the locator that "
        "has not seen him. Brackets: 95 % bootstrap over patients."
    )
    cards = [
        f"- {card.name} {card.version} ({card.sha256[:12]}), learned from {card.trained_on}" for card in models.cards
    ]
    page.say("\n".join(cards))


if __name__ == "__main__":
    main()
