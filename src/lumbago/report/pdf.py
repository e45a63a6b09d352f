"""The report as a PDF of two A4 pages: the first is read in ten seconds, the second is for those who ask why.

Typeset by typst after `report.typ`. Whatever comes from the files goes in as data, so no text can act as markup.
The result depends on findings and pictures alone, byte by byte. It is tagged for screen readers (PDF/UA-1, ISO
14289-1) unless its text needs glyphs that no font at hand has.
"""

import json
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import typst

from lumbago.anatomy.findings import StudyFindings
from lumbago.errors import LumbagoError
from lumbago.report.page_content import Json, page_content, wanted_pictures
from lumbago.report.picture_files import own_pictures

REPORT_NAME: Final = "report.pdf"

_NO_GLYPH: Final = "Some characters cannot be shown with the fonts of this machine; they stand as empty boxes."
_ATTEMPTS: Final[tuple[tuple[dict[str, Any], tuple[str, ...]], ...]] = (
    ({"ignore_system_fonts": True, "pdf_standards": "ua-1"}, ()),
    ({"ignore_system_fonts": False, "pdf_standards": "ua-1"}, ()),
    ({"ignore_system_fonts": False}, (_NO_GLYPH,)),
)
"""Options of the typesetter, and what the report then says of itself: with the fonts that it brings; with those of the
machine, for names that need them; at last without the promise of PDF/UA, which refuses characters without a glyph."""


def write_pdf(findings: StudyFindings, folder: Path, created: datetime | None = None) -> Path:
    """Writes `report.pdf` into the folder in which `write_pictures` put the pictures of the same findings.

    Pictures that belong to other findings are left out. `created` is the date that the file carries; without one it
    is the date of the study, so that the same findings give the same bytes.

    Raises:
        OSError: the folder cannot be written.
        LumbagoError: the typesetter refuses; our own fault.
    """
    names = own_pictures(findings, folder, wanted_pictures(findings))
    date = created or _study_date(findings)
    content = page_content(findings, names)
    content["date"] = date and {"year": date.year, "month": date.month, "day": date.day}
    path = folder / REPORT_NAME
    path.write_bytes(_typeset(content, folder, date))
    return path


def _study_date(findings: StudyFindings) -> datetime | None:
    try:
        return datetime.strptime(findings.study.study_date, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None


@cache
def _template() -> bytes:
    return files("lumbago.report").joinpath("report.typ").read_bytes()


def _typeset(content: Json, folder: Path, date: datetime | None) -> bytes:
    """The PDF, by the first attempt that succeeds."""
    refusal: typst.TypstError | None = None
    for options, remarks in _ATTEMPTS:
        data = json.dumps(content | {"limits": (*content["limits"], *remarks)})
        try:
            return bytes(typst.compile(_template(), root=folder, sys_inputs={"data": data}, timestamp=date, **options))
        except typst.TypstError as error:
            refusal = error
    raise LumbagoError("the report could not be typeset", advice=f"report this as a bug: {refusal}") from refusal
