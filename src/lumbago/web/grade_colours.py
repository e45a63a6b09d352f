"""The colours of grades as a style sheet, made of the rows of the conditions."""

from collections.abc import Iterator
from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response

from lumbago.anatomy.conditions import CONDITIONS, Scale

router = APIRouter(include_in_schema=False)
_PALEST: Final = 8
_DARKEST: Final = 34


def _rules(scale: Scale) -> Iterator[str]:
    """Better grades are paler, so that their order survives for those who see no colours."""
    for place, (grade, colour) in enumerate(zip(scale.grades, scale.colours, strict=True)):
        tint = _PALEST + (_DARKEST - _PALEST) * place // (len(scale.grades) - 1)
        yield f".g-{scale.name}-{grade} {{ --grade: {colour}; --tint: {tint}%; }}"


SHEET: Final = "\n".join(
    rule for scale in {row.scale.name: row.scale for row in CONDITIONS.values()}.values() for rule in _rules(scale)
)


@router.get("/static/grades.css")
def grades() -> Response:
    """The style sheet."""
    return Response(SHEET, media_type="text/css", headers={"Cache-Control": "public, max-age=86400"})
