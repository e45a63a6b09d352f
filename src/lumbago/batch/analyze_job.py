"""The analysis of a study of the records: its images go in, a new version of its findings comes out."""

import json
from collections.abc import Mapping, Set
from pathlib import Path

from sqlalchemy import Connection

from lumbago.anatomy.findings import StudyFindings
from lumbago.batch.receive_job import RECEIVED
from lumbago.batch.run_child import run_child
from lumbago.batch.workshop import Workshop
from lumbago.errors import LumbagoError, NotALumbarStudy, UnreadableInput
from lumbago.records.blobs import Blob, file_chunks
from lumbago.records.files import FileKind, add_file, files_of_study
from lumbago.records.findings import FindingsVersion, add_findings
from lumbago.records.jobs import Job, finish_job
from lumbago.records.standing import set_analyzed, set_failed
from lumbago.records.store import Store
from lumbago.records.studies import SeriesFacts, State, Study, find_study, put_series, series_of, set_state
from lumbago.report.pdf import REPORT_NAME


def analyze_study_job(job: Job, shop: Workshop) -> None:
    """Analyzes a study, keeps what was found and finishes the job, all of it or nothing: findings that came twice would
    take a signature back.

    Raises:
        ChildFailed: the analysis crashed; LumbagoError: the study cannot be analyzed.
        NotInRecords: another worker has the job by now.
    """
    study, source = source_of(job, shop.store)
    with shop.store.write() as records:
        set_state(records, study.id, "running")
    request = {"source": str(source), "out": str(shop.folder), "study_instance_uid": study.study_instance_uid,
               "name": study.id}  # fmt: skip
    folder = Path(run_child("analyze", request, shop.settings.job_seconds, shop.progress)["folder"])
    findings = StudyFindings.from_json((folder / "findings.json").read_text(encoding="utf8"))
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf8"))
    blobs = {path.name: shop.store.blobs.keep(file_chunks(path)) for path in sorted(folder.iterdir())}
    with shop.store.write() as records:
        made = add_findings(records, study.id, findings, manifest)
        keep_outputs(records, made, blobs)
        put_series(records, study.id, _with_roles(records, study.id, findings))
        set_analyzed(records, study.id)
        finish_job(records, job, {"findings": made.id})


def source_of(job: Job, store: Store) -> tuple[Study, Path]:
    """The study of a job, and the zip of its images.

    Raises:
        UnreadableInput: they are not kept.
        RecordsDamaged: they are no longer what was kept.
    """
    with store.read() as records:
        study = find_study(records, str(job.study_id))
        received = files_of_study(records, study.id, (RECEIVED,))
    if not received:
        raise UnreadableInput("the images of this study are not kept", advice="upload it again")
    return study, store.blobs.checked(received[-1].sha256)


def report_name(findings_id: str) -> str:
    """How the report of these findings is called among a study's files: none is taken for that of others."""
    return f"{findings_id}-{REPORT_NAME}"


def keep_outputs(records: Connection, made: FindingsVersion, blobs: Mapping[str, Blob]) -> None:
    """Says whose the outputs of an analysis are."""
    heat_maps = {row.evidence.heat_map for row in made.findings.findings if row.evidence is not None}
    for name, blob in blobs.items():
        kind = _kind_of(name, heat_maps)
        if kind is not None:
            add_file(records, blob, kind, report_name(made.id) if kind == "report" else name, made.study_id)


def _kind_of(name: str, heat_maps: Set[str | None]) -> FileKind | None:
    if name in heat_maps:
        return "heat_map"
    if name.endswith(".png"):
        return "picture"
    return "report" if name == REPORT_NAME else None


def _with_roles(records: Connection, study: str, findings: StudyFindings) -> list[SeriesFacts]:
    """The series, as the analysis judged them."""
    judged = {one.series_instance_uid: one for one in findings.study.series}
    rows = [SeriesFacts(uid, one.description, one.role or "", one.plane, one.weighting, one.slices, one.reason)
            for uid, one in judged.items()]  # fmt: skip
    return rows + [row for row in series_of(records, study) if row.series_instance_uid not in judged]


def note_failure(records: Connection, job: Job, error: LumbagoError, *, again: bool) -> None:
    """Says at the study that its analysis failed, and why; or that it is tried once more. Other jobs of a study say it
    of themselves."""
    if job.study_id is None or job.kind != "analyze":
        return
    if again:
        set_state(records, job.study_id, "waiting", f"{error} It is tried once more.")
    else:
        state: State = "refused" if error.exit_code == NotALumbarStudy.exit_code else "failed"
        set_failed(records, job.study_id, state, str(error))
