"""Reviewed labels out and in, in the forms of others."""

import tempfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from lumbago.errors import NotInRecords, UsageError
from lumbago.records.audit import Deed, Event, append_line
from lumbago.records.files import find_file
from lumbago.records.jobs import add_job
from lumbago.web.access import Visitor
from lumbago.web.import_labels import Form, import_labels
from lumbago.web.live import job_view
from lumbago.web.site import Site
from lumbago.web.uploads import cancel_upload, find_upload
from lumbago.web.visitors import Here, Reader

router = APIRouter(prefix="/api/v1/labels", tags=["labels"])


class ExportWanted(BaseModel):
    """The form of others that is wanted."""

    form: Form


@router.post("/export", status_code=202)
def export(wanted: ExportWanted, visitor: Reader, site: Here) -> dict[str, Any]:
    """Queues an archive of all reviewed labels with their pictures; the job's `file` names it when done."""
    with site.store.write() as records:
        job = add_job(records, "export", None, {"form": wanted.form})
        append_line(records, visitor.actor, Deed(Event.EXPORT, "export labels", detail={"form": wanted.form}))
    return job_view(job)


@router.get("/exports/{file_id}", response_class=FileResponse)
def exported(file_id: str, visitor: Reader, site: Here) -> FileResponse:
    """An archive that was exported."""
    with site.store.write() as records:
        file = find_file(records, file_id)
        if file.kind != "export":
            raise NotInRecords("no export of that id is kept")
        append_line(records, visitor.actor, Deed(Event.EXPORT, "download labels", detail={"file": file_id}))
    path = site.store.blobs.checked(file.sha256)
    return FileResponse(path, media_type="application/zip", filename=file.name)


@router.post("/import", status_code=201)
async def bring_in(request: Request, form: Form, visitor: Reader, site: Here, upload: str = "") -> dict[str, int]:
    """Reads a zip of labels: the body (2 MiB at most), or, of any size, the one file of an `upload` that was sent in
    pieces and not finished. What differs becomes reviews of one's own; pictures in it are passed over."""
    with tempfile.TemporaryDirectory() as place:
        if upload:
            work = partial(_import_upload, site, visitor, form, upload)
        else:
            archive = Path(place) / "labels.zip"
            archive.write_bytes(await request.body())
            work = partial(import_labels, site, visitor, form, archive)
        done = await run_in_threadpool(work)
    with site.store.write() as records:
        append_line(records, visitor.actor, Deed(Event.IMPORT, "import labels", detail=dict(done)))
    return dict(done)


def _import_upload(site: Site, visitor: Visitor, form: Form, upload_id: str) -> Counter[str]:
    upload = find_upload(site.uploads, upload_id, visitor.user.id)
    if upload.received != upload.bytes:
        raise UsageError(f"{upload.received} of {upload.bytes} bytes are here", "all of them", "send the rest")
    try:
        return import_labels(site, visitor, form, site.uploads / upload.id / "data")
    finally:
        cancel_upload(site.uploads, upload)
