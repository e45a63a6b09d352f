"""Findings: every version of every study, by the machine or a person; none is ever changed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, func, select

from lumbago.anatomy.findings import StudyFindings
from lumbago.records.moments import time_to_say
from lumbago.records.priority import severity, uncertainty
from lumbago.records.rows import built, checksum, only
from lumbago.records.tables import FINDINGS, STUDIES, new_id

MACHINE: Final = "machine"


@dataclass(frozen=True, slots=True)
class FindingsVersion:
    """Findings of a study as they were made once.

    Attributes:
        version: counts from 1 in each study; made_by: MACHINE or a user's id.
        content: findings.json; manifest: manifest.json, or empty.
    """

    id: str
    study_id: str
    version: int
    made_by: str
    made_at: datetime
    content: Mapping[str, Any]
    manifest: Mapping[str, Any]

    @property
    def findings(self) -> StudyFindings:
        """The findings themselves."""
        return StudyFindings.from_json(json.dumps(self.content))


def add_findings(
    db: Connection, study: str, findings: StudyFindings, manifest: Mapping[str, Any], made_by: str = MACHINE
) -> FindingsVersion:
    """Keeps findings as the study's next version; the worklist goes by them from now on."""
    newest = db.execute(select(func.max(FINDINGS.c.version)).where(FINDINGS.c.study_id == study)).scalar()
    made_at = time_to_say(db, study)
    made = FindingsVersion(
        new_id(), study, (newest or 0) + 1, made_by, made_at, json.loads(findings.to_json()), dict(manifest)
    )
    values = {name: getattr(made, name) for name in FindingsVersion.__slots__}
    db.execute(FINDINGS.insert().values(**values, sha256=findings_checksum(made)))
    order = {"severity": severity(findings), "uncertainty": uncertainty(findings)}
    db.execute(STUDIES.update().where(STUDIES.c.id == study).values(**order))
    return made


def findings_checksum(made: FindingsVersion) -> str:
    """What stands beside a version, so that damage is seen."""
    return checksum({"content": made.content, "manifest": made.manifest, "by": made.made_by, "version": made.version})


def newest_findings(db: Connection, study: str) -> FindingsVersion | None:
    """The last version of a study's findings; None before the first."""
    row = db.execute(_of_study(study).limit(1)).first()
    return None if row is None else built(FindingsVersion, row)


def machine_findings(db: Connection, study: str) -> FindingsVersion | None:
    """The last version that the machine made; None before the first."""
    row = db.execute(_of_study(study).where(FINDINGS.c.made_by == MACHINE).limit(1)).first()
    return None if row is None else built(FindingsVersion, row)


def findings_of_study(db: Connection, study: str) -> Sequence[FindingsVersion]:
    """All versions of a study's findings, the newest first."""
    return [built(FindingsVersion, row) for row in db.execute(_of_study(study))]


def find_findings(db: Connection, findings: str) -> FindingsVersion:
    """The version of an id.

    Raises:
        NotInRecords: there is none.
    """
    return built(FindingsVersion, only(db, select(FINDINGS).where(FINDINGS.c.id == findings), "findings"))


def _of_study(study: str) -> Select[Any]:
    return select(FINDINGS).where(FINDINGS.c.study_id == study).order_by(FINDINGS.c.version.desc())
