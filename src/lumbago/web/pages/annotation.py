"""Reviewed studies as training labels: where they lie, out and in."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from lumbago.records.worklist import counts_by_state
from lumbago.web.import_labels import FORMS
from lumbago.web.label_archives import MOST_BYTES
from lumbago.web.rendering import page
from lumbago.web.uploads import CHUNK_BYTES
from lumbago.web.visitors import Here, Reader

router = APIRouter(include_in_schema=False)
_TITLES = {"labelme": "Labelme", "coco": "COCO", "yolo": "YOLO", "csv": "Tables (CSV)"}


@router.get("/labels")
def labels_page(request: Request, visitor: Reader, site: Here) -> Response:
    """How many labels there are, and their ways out and in."""
    with site.store.read() as records:
        counts = counts_by_state(records)
    count = sum(1 for _ in site.reviewed.glob("*/review.json"))
    return page(
        request, "labels.html", visitor, count=count, counts=counts, home=site.settings.home_folder, forms=FORMS,
        titles=_TITLES, chunk_bytes=CHUNK_BYTES, most_mib=MOST_BYTES >> 20,
    )  # fmt: skip
