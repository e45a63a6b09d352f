"""What the viewer asks of the server: a study's slices and findings, its frames, its heat maps.

Access is the business of whoever mounts the router: both functions handed to `viewer_router` are dependencies, which
may ask for the request and the user, and raise what refuses them.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from lumbago.dicom.decoder import Damaged
from lumbago.errors import InputError
from lumbago.web.viewer_data import Address, Reading, describe_for_viewer, without_grades
from lumbago.web.viewer_frames import OpenedStudy, StudyImages

_KEEP: Final = "private, no-cache"
"""A browser asks again each time, and is told that nothing changed."""


@dataclass(frozen=True, slots=True)
class ImagesOf:
    """Where the images of a study lie, and which study among them is meant; `version` names these images among those
    that it had or will have, "" when they stay as they are. Frames are asked for with it, as `images`."""

    images: Path
    study_instance_uid: str
    version: str = ""


def _open(shelf: StudyImages, where: ImagesOf) -> OpenedStudy:
    try:
        return shelf.open(where.images, where.study_instance_uid)
    except InputError as error:
        raise HTTPException(410, str(error)) from error


def _picture(request: Request, content: bytes, etag: str, headers: dict[str, str]) -> Response:
    headers = {**headers, "ETag": etag, "Cache-Control": _KEEP}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers)


def viewer_router(
    shelf: StudyImages, images_of: Callable[..., ImagesOf], reading_of: Callable[..., Reading]
) -> APIRouter:
    """Routes below `/api/v1/studies/{study_id}`; both dependencies take `study_id` and raise 404 for an unknown one."""
    router = APIRouter(prefix="/api/v1/studies/{study_id}", tags=["viewer"])
    where_it_lies = Annotated[ImagesOf, Depends(images_of)]
    what_is_known = Annotated[Reading, Depends(reading_of)]

    @router.get("/viewer", response_class=Response)
    def viewer(study_id: str, where: where_it_lies, reading: what_is_known, blind: bool = False) -> Response:
        """A study's slices, where they lie, and what was found on them; `blind` leaves out every grade."""
        reading = without_grades(reading) if blind else reading
        place = Address(f"/api/v1/studies/{study_id}", where.version)
        described = describe_for_viewer(_open(shelf, where), reading, shelf, place)
        return Response(json.dumps(described), media_type="application/json", headers={"Cache-Control": "no-store"})

    @router.get("/frames/{series}/{index}", response_class=Response)
    def frame(request: Request, where: where_it_lies, series: int, index: int) -> Response:
        """A slice as 16-bit little-endian pixels; intensity is `pixel * X-Slope + X-Intercept`."""
        try:
            found = shelf.frame(_open(shelf, where), series, index)
        except IndexError as error:
            raise HTTPException(404, "there is no such slice") from error
        if isinstance(found, Damaged):
            raise HTTPException(422, f"this slice cannot be decoded: {found.reason}")
        headers = {
            "Content-Type": "application/octet-stream",
            "X-Type": found.kind,
            "X-Rows": str(found.rows),
            "X-Columns": str(found.columns),
            "X-Slope": repr(found.slope),
            "X-Intercept": repr(found.intercept),
        }
        return _picture(request, found.pixels, found.etag, headers)

    @router.get("/heat-maps/{name}", response_class=Response)
    def heat_map(name: str, reading: what_is_known) -> Response:
        """What a grade rests on, as an 8-bit grey PNG."""
        if (content := reading.heat_maps.get(name)) is None:
            raise HTTPException(404, "there is no such heat map")
        return Response(content.read_bytes(), media_type="image/png", headers={"Cache-Control": _KEEP})

    return router
