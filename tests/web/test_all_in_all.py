"""What the page says all in all follows a correction: its script asks for it after each."""

from dataclasses import replace

from dashboard import Dashboard

from lumbago.anatomy.findings import StudyFindings

PLACE = ("pfirrmann", "L4/L5", "")


def test_a_correction_changes_the_headline_and_the_abnormal_places(dashboard: Dashboard, found: StudyFindings) -> None:
    rows = [replace(row, grade="5") for row in found.findings if (row.condition, row.level) == PLACE[:2]]
    study, reader = dashboard.add_study(replace(found, findings=tuple(rows))), dashboard.signed_in("reader")
    before = reader.get(f"/api/v1/studies/{study}/places").json()
    (chip,) = before["abnormal"]["shown"]
    assert before["headline"].startswith("Most severe") and chip["text"] == "L4/L5 Pfirrmann: 5"
    dashboard.review(reader, study, "grade", PLACE, grade="1")
    after = reader.get(f"/api/v1/studies/{study}/places").json()
    page = reader.get(f"/studies/{study}").text
    assert after["headline"].startswith("Nothing abnormal") and after["abnormal"] == {"shown": [], "more": 0}
    assert f'<span id="headline">{after["headline"]}.</span>' in page and 'class="chip' not in page
    dashboard.review(reader, study, "grade", PLACE, grade="4")
    (chip,) = reader.get(f"/api/v1/studies/{study}/places").json()["abnormal"]["shown"]
    assert chip["place"] == "pfirrmann|L4/L5|" and chip["text"] in reader.get(f"/studies/{study}").text
