"""What is known of a study, put together for a page or a program."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from lumbago.records.files import KeptFile, files_of_study
from lumbago.records.findings import FindingsVersion, findings_of_study, machine_findings
from lumbago.records.jobs import Job, jobs_of_study
from lumbago.records.reviews import Review, reviews_of_study
from lumbago.records.studies import SeriesFacts, Study, find_study, series_of
from lumbago.records.users import all_users
from lumbago.review.readings import StudyReading, read_together

TEACHING: Final = "teaching"


@dataclass(frozen=True)
class StudyRecord:
    """A study with all that belongs to it.

    Attributes:
        machine: its newest findings by the machine, None before the first; versions: how many versions are kept.
        whole: what is said of it all in all; None without findings.
        job: its newest job.
    """

    study: Study
    machine: FindingsVersion | None
    versions: int
    reviews: Sequence[Review]
    whole: StudyReading | None
    job: Job | None
    series: Sequence[SeriesFacts]
    files: Sequence[KeptFile]

    @property
    def is_report_pending(self) -> bool:
        """Whether the report of a signed reading is still being made; the newest that is kept is then an older one."""
        return self.job is not None and self.job.kind == "report" and self.job.state in {"waiting", "running"}

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
    machine = next((one for one in versions if one.made_by == "machine"), None)
    reviews = reviews_of_study(records, study_id)
    return StudyRecord(
        study, machine, len(versions), reviews, reading_of(machine, reviews),
        next(iter(jobs_of_study(records, study_id)), None), series_of(records, study_id),
        files_of_study(records, study_id),
    )  # fmt: skip


def reading_of(machine: FindingsVersion | None, reviews: Sequence[Review]) -> StudyReading | None:
    """Findings and what readers did to them; what was graded blind to learn is no reading."""
    if machine is None:
        return None
    return read_together(machine.findings, [review for review in reviews if review.kind != TEACHING])


def reading_in(records: Connection, study_id: str) -> StudyReading | None:
    """What is said of a study all in all."""
    return reading_of(machine_findings(records, study_id), reviews_of_study(records, study_id))


def user_names(records: Connection) -> Mapping[str, str]:
    """How users are shown, by id."""
    return {user.id: user.shown_name for user in all_users(records)}
