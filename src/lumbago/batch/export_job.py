"""Reviewed labels as an archive in a form of others."""

import zipfile
from collections.abc import Mapping
from typing import Any

from lumbago.batch.run_child import run_child
from lumbago.batch.workshop import Workshop
from lumbago.records.blobs import file_chunks
from lumbago.records.files import add_file
from lumbago.records.jobs import Job


def export_labels_job(job: Job, shop: Workshop) -> Mapping[str, Any]:
    """Writes, packs and keeps the labels; gives the id of the file.

    Raises:
        ChildFailed: it crashed; LumbagoError: nothing is reviewed yet.
    """
    folder = shop.folder / "labels"
    folder.mkdir()
    request = {"home": str(shop.settings.home_folder), "out": str(folder), "form": job.payload["form"]}
    result = run_child("export", request, shop.settings.job_seconds, shop.progress)
    archive = shop.folder / "labels.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(folder.rglob("*")):
            target.write(path, path.relative_to(folder))
    blob = shop.store.blobs.keep(file_chunks(archive))
    with shop.store.write() as records:
        file = add_file(records, blob, "export", f"labels-{job.payload['form']}.zip")
    return {"file": file.id, **result}
