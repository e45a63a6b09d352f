"""The machine's own PDF of a study whose levels a reader has renumbered: it has the old names, and says so."""

from dashboard import Dashboard

from lumbago.anatomy.findings import StudyFindings
from lumbago.batch.analyze_job import report_name
from lumbago.records.files import add_file
from lumbago.records.findings import newest_findings


def keep_report(dashboard: Dashboard, study: str) -> None:
    blob = dashboard.store.blobs.keep([b"a report"])
    with dashboard.store.write() as records:
        newest = newest_findings(records, study)
        assert newest is not None
        add_file(records, blob, "report", report_name(newest.id), study)


def told(dashboard: Dashboard, study: str) -> tuple[bool, bool]:
    """Whether the button and the file's name say that the levels are not renumbered."""
    reader = dashboard.signed_in("reader")
    name = reader.get(f"/api/v1/studies/{study}/report.pdf").headers["content-disposition"]
    return "not signed nor renumbered<" in reader.get(f"/studies/{study}").text, "not-signed-nor-renumbered" in name


def test_the_machine_s_report_says_that_its_levels_are_not_renumbered(
    dashboard: Dashboard, found: StudyFindings
) -> None:
    study, reader = dashboard.add_study(found), dashboard.signed_in("reader")
    keep_report(dashboard, study)
    assert told(dashboard, study) == (False, False)
    dashboard.review(reader, study, "numbering", shift=1)
    assert told(dashboard, study) == (True, True)
    dashboard.review(reader, study, "sign")
    keep_report(dashboard, study)
    assert told(dashboard, study) == (False, False), "what is signed has the reader's names"
