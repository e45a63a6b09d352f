"""Uploads, in pieces."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from lumbago.errors import UsageError
from lumbago.records.audit import Deed, Event, append_line
from lumbago.records.jobs import add_job, open_jobs
from lumbago.records.tidy import refuse_when_full
from lumbago.web.live import job_view
from lumbago.web.site import Site
from lumbago.web.uploads import (
    MAX_FILES,
    Upload,
    UploadedFile,
    append_chunk,
    begin_upload,
    cancel_upload,
    find_upload,
)
from lumbago.web.visitors import Here, Uploader

router = APIRouter(prefix="/api/v1/uploads", tags=["uploads"])


class FileListed(BaseModel):
    """A file of an upload; `modified` is when it was last changed, as a number: an upload of other files is another."""

    name: Annotated[str, Field(max_length=1024)]
    bytes: Annotated[int, Field(ge=0, le=1 << 40)]
    modified: Annotated[int, Field(ge=-(1 << 53), le=1 << 53)] = 0


class UploadWanted(BaseModel):
    """What is to be sent: the bytes of the files follow one after the other, in this order."""

    name: Annotated[str, Field(max_length=255)]
    files: Annotated[list[FileListed], Field(min_length=1, max_length=MAX_FILES)]


def own_upload(upload_id: str, visitor: Uploader, site: Here) -> Upload:
    """An upload of this visitor."""
    return find_upload(site.uploads, upload_id, visitor.user.id)


Own = Annotated[Upload, Depends(own_upload)]


@router.post("", status_code=201)
def begin(wanted: UploadWanted, visitor: Uploader, site: Here) -> dict[str, Any]:
    """Begins an upload, or finds the same one, begun before: `received` says where to go on."""
    files = [UploadedFile(file.name, file.bytes, file.modified) for file in wanted.files]
    refuse_when_full(site.store, site.settings, sum(file.bytes for file in files))
    return asdict(begin_upload(site.uploads, visitor.user.id, wanted.name, files, site.settings.upload_gb << 30))


@router.get("/{upload_id}")
def state(upload: Own) -> dict[str, Any]:
    """How much of an upload is here."""
    return asdict(upload)


@router.put("/{upload_id}")
async def send(request: Request, upload: Own, site: Here, offset: int, sha256: str = "") -> dict[str, Any]:
    """Adds bytes, 16 MiB at most, from `offset` on; `sha256` is the checksum of these bytes."""
    return asdict(append_chunk(site.uploads, upload, offset, await request.body(), sha256))


@router.delete("/{upload_id}")
def cancel(upload: Own, site: Here) -> dict[str, str]:
    """Forgets an upload."""
    cancel_upload(site.uploads, upload)
    return {"id": upload.id}


@router.post("/{upload_id}/finish", status_code=202)
def finish(upload: Own, visitor: Uploader, site: Here) -> dict[str, Any]:
    """Says that all is sent; gives the job that reads it."""
    if upload.received != upload.bytes:
        raise UsageError(f"{upload.received} of {upload.bytes} bytes are here", "all of them", "send the rest")
    refuse_when_full(site.store, site.settings, upload.bytes)
    return queue_upload(site, upload, visitor)


def queue_upload(site: Site, upload: Upload, visitor: Uploader) -> dict[str, Any]:
    """Hands a whole upload to the workers; asked again before they are done, it gives the same job."""
    with site.store.write() as records:
        for job in open_jobs(records):
            if job.kind == "receive" and job.payload["upload"] == upload.id:
                return job_view(job)
        payload = {"upload": upload.id, "user": visitor.user.name, "name": upload.name}
        job = add_job(records, "receive", None, payload, priority=1)
        detail = {"upload": upload.id, "bytes": upload.bytes}
        append_line(records, visitor.actor, Deed(Event.IMPORT, "upload", detail=detail))
    return job_view(job)
