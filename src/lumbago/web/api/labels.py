"""Reviewed labels out and in, in the forms of others."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from lumbago.errors import NotInRecords
from lumbago.records.audit import Deed, Event, append_line
from lumbago.records.files import find_file
from lumbago.records.jobs import add_job
from lumbago.web.import_labels import Form, import_labels
from lumbago.web.live import job_view
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
async def bring_in(request: Request, form: Form, visitor: Reader, site: Here) -> dict[str, int]:
    """Reads an archive of labels (the body; 2 MiB at most, pictures left out): what differs becomes reviews of one's
    own."""
    body = await request.body()
    done = await run_in_threadpool(import_labels, site, visitor.user, form, body)
    with site.store.write() as records:
        append_line(records, visitor.actor, Deed(Event.IMPORT, "import labels", detail=dict(done)))
    return dict(done)
