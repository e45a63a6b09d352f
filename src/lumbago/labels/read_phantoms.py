"""Phantom studies: the grades that they were made with."""

from collections.abc import Iterator
from pathlib import Path

from lumbago.anatomy.conditions import ROLES
from lumbago.anatomy.findings import Finding, StudyFindings
from lumbago.errors import UnreadableInput
from lumbago.labels.json_files import read_json
from lumbago.labels.label_names import LabelNames
from lumbago.labels.labelled_study import ImageRef, LabelledStudy, Shape
from lumbago.labels.tables import ADVICE, read_text


def read_phantoms(folder: Path, names: LabelNames) -> Iterator[LabelledStudy]:
    """Studies written by `lumbago phantom`: `<name>/dicom/<series>/`, `<name>/truth.json`, `<name>/phantom.json`.

    Where every grade was looked for stands as a point in patient millimetres. What no slice shows has no label.
    """
    for path in sorted(folder.glob("*/truth.json")):
        truth = read_findings(path)
        stamp = path.with_name("phantom.json")
        seed = read_json(stamp, ("seed",))["seed"] if stamp.is_file() else path.parent.name
        yield LabelledStudy(
            source="phantoms",
            patient=f"phantom:{seed}",
            name=path.parent.name,
            images=tuple(_series(place) for place in sorted((path.parent / "dicom").glob("*")) if place.is_dir()),
            truth=truth,
            shapes=tuple(shape for finding in truth.findings for shape in evidence_points(finding)),
        )


def read_findings(path: Path) -> StudyFindings:
    """A findings file.

    Raises:
        UnreadableInput: it is none.
    """
    try:
        return StudyFindings.from_json(read_text(path))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableInput(f"{path} is no findings file ({error})", "JSON of lumbago/findings/1", ADVICE) from error


def _series(place: Path) -> ImageRef:
    role = next((role for role in ROLES if place.name.startswith(role)), None)
    return ImageRef(place.name, place, "dicom", role)


def evidence_points(finding: Finding) -> Iterator[Shape]:
    """Where a finding was seen, as a point of its kind."""
    if finding.evidence is not None and finding.grade is not None:
        yield Shape(
            "point", (finding.evidence.point_lps_mm,), frame="lps_mm", condition=finding.condition,
            level=finding.level, side=finding.side, grade=finding.grade,
        )  # fmt: skip
