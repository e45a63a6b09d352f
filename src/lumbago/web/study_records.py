"""What is known of a study, put together for a page or a program."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from lumbago.anatomy.findings import QualityRemark
from lumbago.batch.analyze_job import report_name
from lumbago.records.files import KeptFile, files_of_study
from lumbago.records.findings import MACHINE, FindingsVersion, findings_of_study, machine_findings
from lumbago.records.jobs import Job, jobs_of_study
from lumbago.records.reviews import Review, reviews_of_study
from lumbago.records.standing import standing_version
from lumbago.records.studies import SeriesFacts, Study, find_study, series_of
from lumbago.records.users import all_users
from lumbago.review.acts import shift_of
from lumbago.review.earlier_findings import counted_otherwise, counted_up
from lumbago.review.readings import StudyReading, read_together

TEACHING: Final = "teaching"
_CHECKED_LEVELS: Final = frozenset({"numbering", "sign"})
"""By which a reader has said how the levels of findings are named."""


@dataclass(frozen=True)
class StudyRecord:
    """A study with all that belongs to it.

    Attributes:
        machine: its newest findings by the machine, None before the first; versions: how many versions are kept.
        standing: the version that holds: as signed while nobody has changed anything since, else the machine's.
        whole: what is said of it all in all; None without findings.
        job: its newest job; report_job: the newest that makes the report of what stands.
    """

    study: Study
    machine: FindingsVersion | None
    standing: FindingsVersion | None
    versions: int
    reviews: Sequence[Review]
    whole: StudyReading | None
    job: Job | None
    report_job: Job | None
    series: Sequence[SeriesFacts]
    files: Sequence[KeptFile]

    @property
    def is_signed(self) -> bool:
        """Whether what stands was signed by a reader."""
        return self.standing is not None and self.standing.made_by != MACHINE

    @property
    def report_follows_numbering(self) -> bool:
        """Whether the report of what stands names levels as the page does: the machine's keeps the machine's names."""
        return self.is_signed or self.whole is None or self.whole.shift == 0

    @property
    def report(self) -> KeptFile | None:
        """The report of what stands; None while it is not made: that of anything else is not given out."""
        name = report_name(self.standing.id) if self.standing is not None else ""
        found = [file for file in self.files if file.kind == "report" and file.name == name]
        return found[-1] if found else None

    @property
    def is_report_pending(self) -> bool:
        """Whether the report of what stands is being made."""
        return self.report is None and self.report_job is not None and self.report_job.state in {"waiting", "running"}

    def newest(self, kind: str) -> KeptFile | None:
        """The newest file of a kind."""
        found = [file for file in self.files if file.kind == kind]
        return found[-1] if found else None


def study_record(records: Connection, study_id: str) -> StudyRecord:
    """All of a study.

    Raises:
        NotInRecords: there is none of that id.
    """
    study = find_study(records, study_id)
    versions = findings_of_study(records, study_id)
    machine = next((one for one in versions if one.made_by == MACHINE), None)
    reviews, jobs = reviews_of_study(records, study_id), jobs_of_study(records, study_id)
    standing = standing_version(versions, reviews)
    reported = (job for job in jobs if standing is not None and job.payload.get("findings") == standing.id)
    return StudyRecord(
        study, machine, standing, len(versions), reviews, _reading(machine, versions, reviews),
        next(iter(jobs), None), next((job for job in reported if job.kind == "report"), None),
        series_of(records, study_id), files_of_study(records, study_id),
    )  # fmt: skip


def reading_in(records: Connection, study_id: str) -> StudyReading | None:
    """What is said of a study all in all."""
    machine, reviews = machine_findings(records, study_id), reviews_of_study(records, study_id)
    is_new = machine is not None and any(review.findings_id != machine.id for review in reviews)
    versions = findings_of_study(records, study_id) if is_new else ()
    return _reading(machine, versions, reviews)


def _reading(
    machine: FindingsVersion | None, versions: Sequence[FindingsVersion], reviews: Sequence[Review]
) -> StudyReading | None:
    """Findings and what readers did to them; what was graded blind to learn is no reading, and who signed earlier
    findings has not signed these. Names that readers gave to discs of earlier findings stay with the discs."""
    if machine is None:
        return None
    said = [review for review in reviews if review.kind != TEACHING]
    said = [review for review in said if review.kind != "sign" or review.findings_id == machine.id]
    earlier = {review.findings_id for review in said} - {machine.id}
    moved = {one.id: counted_up(one.findings, machine.findings) for one in versions if one.id in earlier}
    findings = machine.findings
    if not any(review.kind in _CHECKED_LEVELS and review.findings_id == machine.id for review in said):
        told = dict.fromkeys(counted_otherwise(places) for places in moved.values() if places != 0)
        findings = replace(findings, quality=(*(QualityRemark("warning", text) for text in told), *findings.quality))
    return read_together(findings, _carried(said, moved))


def _carried(reviews: Sequence[Review], moved: Mapping[str, int | None]) -> list[Review]:
    """Reviews whose `shift` is counted from the newest findings: those of findings that counted every disc otherwise
    (see `counted_up`) move along, and where that is not known a renumbering is left out, and names stay as they are."""
    kept = [one for one in reviews if one.kind != "numbering" or moved.get(one.findings_id, 0) is not None]
    counted = [_with_shift(one, _shift(one) - (moved.get(one.findings_id, 0) or 0)) for one in kept]
    now = shift_of(counted)
    return [_with_shift(one, now) if moved.get(one.findings_id, 0) is None else one for one in counted]


def _shift(review: Review) -> int:
    return int(review.payload.get("shift", 0))


def _with_shift(review: Review, shift: int) -> Review:
    return review if _shift(review) == shift else replace(review, payload={**review.payload, "shift": shift})


def user_names(records: Connection) -> Mapping[str, str]:
    """How users are shown, by id."""
    return {user.id: user.shown_name for user in all_users(records)}
