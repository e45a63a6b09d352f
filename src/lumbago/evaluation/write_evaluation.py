"""An evaluation as files: tables, figures, gallery, and one page that holds them all."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from lumbago.errors import UsageError
from lumbago.evaluation.cases import GradedCase, by_group
from lumbago.evaluation.draw_scores import draw_group, picture_bytes
from lumbago.evaluation.evaluate_cases import Evaluation
from lumbago.evaluation.gallery import PictureOf, choose_shelves
from lumbago.evaluation.group_wording import file_stem
from lumbago.evaluation.html_report import Illustrated, html_report
from lumbago.evaluation.score_tables import markdown, write_csv, write_differences, write_slices


def write_evaluation(evaluation: Evaluation, folder: Path, command: str, picture_of: PictureOf) -> Path:
    """Writes `report.html`, `scores.csv`, `scores.md`, `slices.csv`, `differences.csv` and `figures/`; gives the page.

    Args:
        command: what made the scores; it stands beside each of them.
        picture_of: gives the slice of a case for the gallery.

    Raises:
        UsageError: the folder cannot be written.
    """
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        write_csv(evaluation, command, folder / "scores.csv")
        write_slices(evaluation, folder / "slices.csv")
        (folder / "scores.md").write_text(markdown(evaluation, command), encoding="utf8")
        if evaluation.differences:
            write_differences(evaluation, command, folder / "differences.csv")
        else:
            (folder / "differences.csv").unlink(missing_ok=True)
        shown = {
            place: _illustrate(evaluation, cases, folder, picture_of)
            for place, cases in by_group(evaluation.cases).items()
            if any(case.probabilities for case in cases)
        }
        page = folder / "report.html"
        page.write_text(html_report(evaluation, command, shown), encoding="utf8")
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written ({error.strerror})", "a folder", "choose another --out"
        ) from error
    return page


def _illustrate(
    evaluation: Evaluation, cases: Sequence[GradedCase], folder: Path, picture_of: PictureOf
) -> Illustrated:
    place = (cases[0].data, cases[0].split, cases[0].condition)
    picture, stem = draw_group(evaluation, place, cases), file_stem(place)
    drawn = {kind: picture_bytes(picture, kind) for kind in ("svg", "png")}
    for kind, content in drawn.items():
        (folder / "figures" / f"{stem}.{kind}").write_bytes(content)
    shelves = [(shelf, [picture_of(case) for case in shelf.cases]) for shelf in choose_shelves(cases)]
    return Illustrated(drawn["svg"], shelves)


def pictures_beside(folder: Path) -> PictureOf:
    """Pictures that the cases name themselves, as files in a folder; None where no such file can be read."""

    def picture(case: GradedCase) -> Image.Image | None:
        path = folder / case.picture
        if not case.picture or not path.is_file():
            return None
        try:
            with Image.open(path) as image:
                return image.convert("RGB")
        except (OSError, ValueError, Image.DecompressionBombError):
            return None

    return picture
