"""The upload page; its script speaks to the API."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from lumbago.web.rendering import page
from lumbago.web.uploads import CHUNK_BYTES
from lumbago.web.visitors import Here, Uploader

router = APIRouter(include_in_schema=False)


@router.get("/upload")
def upload_page(request: Request, visitor: Uploader, site: Here) -> Response:
    """Choose or drop files and folders."""
    limit = site.settings.upload_gb << 30
    return page(request, "upload.html", visitor, chunk_bytes=CHUNK_BYTES, limit_bytes=limit)
