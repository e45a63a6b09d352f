"""The report of a signed reading."""

from collections.abc import Mapping
from typing import Any

from lumbago.batch.analyze_job import keep_outputs, source_of
from lumbago.batch.run_child import run_child
from lumbago.batch.workshop import Workshop
from lumbago.records.blobs import file_chunks
from lumbago.records.files import files_of_study
from lumbago.records.findings import find_findings
from lumbago.records.jobs import Job


def report_study_job(job: Job, shop: Workshop) -> Mapping[str, Any]:
    """Draws and keeps the report of the findings that the job names.

    Raises:
        ChildFailed: the drawing crashed; LumbagoError: the images cannot be read any more.
    """
    study, source = source_of(job, shop.store)
    with shop.store.read() as records:
        made = find_findings(records, str(job.payload["findings"]))
        heat_maps = files_of_study(records, study.id, ("heat_map",))
    (shop.folder / "findings.json").write_text(made.findings.to_json(), encoding="utf8")
    for file in heat_maps:
        (shop.folder / file.name).write_bytes(shop.store.blobs.read(file.sha256))
    request = {"source": str(source), "out": str(shop.folder), "study_instance_uid": study.study_instance_uid}
    run_child("report", request, shop.settings.job_seconds, shop.progress)
    blobs = {path.name: shop.store.blobs.keep(file_chunks(path)) for path in sorted(shop.folder.iterdir())}
    with shop.store.write() as records:
        keep_outputs(records, made, blobs)
    return {}
