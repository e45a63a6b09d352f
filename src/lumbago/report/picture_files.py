"""Names of the pictures in a result folder, and the mark that ties them to their findings."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from lumbago.anatomy.conditions import Role
from lumbago.anatomy.findings import Finding, StudyFindings
from lumbago.anatomy.levels import Side

OVERVIEW_ROLES: Final[tuple[Role, ...]] = ("sagittal_t2", "sagittal_t1")
"""Series that the overview is taken from, the better one first."""

_MARK: Final = "lumbago-findings"
_COMPRESSION: Final = 2
"""Of zlib: a third of the time of its default for a tenth more bytes."""


def overview_name(role: Role) -> str:
    """File name of the picture of the whole spine."""
    return f"{role}.png"


def side_name(role: Role, side: Side) -> str:
    """File name of the parasagittal picture of a side."""
    return f"{role}_{side}.png"


def axial_name(level: str) -> str:
    """File name of the axial picture of a level."""
    return f"axial_{_dashed(level)}.png"


def evidence_name(finding: Finding) -> str:
    """File name of the small picture of one finding."""
    parts = ("evidence", _dashed(finding.level), finding.condition, finding.side)
    return "_".join(part for part in parts if part) + ".png"


def _dashed(level: str) -> str:
    return level.replace("/", "-")


def fingerprint(findings: StudyFindings) -> str:
    """SHA-256 of the findings as JSON: what pictures and findings of one run share."""
    return hashlib.sha256(findings.to_json().encode(errors="backslashreplace")).hexdigest()


def save_picture(image: Image.Image, path: Path, mark: str) -> None:
    """Writes a PNG that carries the fingerprint of its findings.

    Raises:
        OSError: the file cannot be written.
    """
    note = PngInfo()
    note.add_text(_MARK, mark)
    image.save(path, compress_level=_COMPRESSION, pnginfo=note)


def own_pictures(findings: StudyFindings, folder: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Those of the named pictures that are in the folder and were drawn from these very findings."""
    mark = fingerprint(findings)
    return tuple(name for name in names if _mark_of(folder / name) == mark)


def _mark_of(path: Path) -> str | None:
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            mark = picture.info.get(_MARK)
    except (FileNotFoundError, UnidentifiedImageError):
        return None
    return mark if isinstance(mark, str) else None
