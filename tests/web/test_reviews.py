"""What readers do: nothing is overwritten, the machine's grade stays, corrections become training labels."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from dashboard import Dashboard
from sqlalchemy import Connection
from typer.testing import CliRunner

from lumbago.anatomy.findings import Outline, StudyFindings
from lumbago.batch.analyze_job import report_name
from lumbago.cli import app
from lumbago.labels.sources import read_source
from lumbago.records.audit import Actor, Deed, Event, Head, append_line, verify_audit
from lumbago.records.files import add_file
from lumbago.records.findings import add_findings, findings_of_study, newest_findings
from lumbago.records.jobs import fail_job, finish_job, take_job
from lumbago.records.reviews import reviews_of_study
from lumbago.report.added_places import PLACED
from lumbago.review.readings import renumbered
from lumbago.web.pages import administration

PLACE = ("pfirrmann", "L4/L5", "")


@pytest.fixture
def study(dashboard: Dashboard, found: StudyFindings) -> str:
    return dashboard.add_study(found)


def other_grade(found: StudyFindings) -> tuple[str, str]:
    """The machine's grade of PLACE, and another."""
    finding = found.find("pfirrmann", "L4/L5")
    assert finding is not None and finding.grade is not None
    return finding.grade, "1" if finding.grade != "1" else "2"


def grade_shown(dashboard: Dashboard, study: str, place: tuple[str, ...] = PLACE) -> dict[str, object]:
    rows = dashboard.signed_in("reader").get(f"/api/v1/studies/{study}/places").json()["places"]
    key = (place[0], place[1], place[2] or None)
    return next(row for row in rows if (row["condition"], row["level"], row["side"]) == key)


def test_a_correction_becomes_a_label_and_the_machine_s_grade_stays(
    dashboard: Dashboard, study: str, found: StudyFindings
) -> None:
    machine, corrected = other_grade(found)
    reader = dashboard.signed_in("reader")
    assert dashboard.review(reader, study, "grade", PLACE, grade=corrected).status_code == 201
    (row,) = dashboard.review_file(study)["corrections"]
    assert (row["grade"], row["machine_grade"], row["reader"]) == (corrected, machine, "reader")
    (labelled,) = read_source("reviewed", dashboard.settings.home_folder)
    assert labelled.grade("pfirrmann", "L4/L5") == corrected and labelled.patient == "patient:PAT-1"
    shown = grade_shown(dashboard, study)
    assert (shown["grade"], shown["machine_grade"], shown["state"]) == (corrected, machine, "changed")
    page = reader.get(f"/studies/{study}").text
    assert f"machine: {machine}" in page and "changed" in page


def test_reviews_are_rows_added(dashboard: Dashboard, study: str, found: StudyFindings) -> None:
    machine, corrected = other_grade(found)
    reader = dashboard.signed_in("reader")
    dashboard.review(reader, study, "grade", PLACE, grade=corrected)
    dashboard.review(reader, study, "accept", PLACE)
    dashboard.review(reader, study, "comment", text="looks the same as last year")
    with dashboard.store.read() as records:
        assert [row.kind for row in reviews_of_study(records, study)] == ["grade", "accept", "comment"]
    assert grade_shown(dashboard, study)["grade"] == machine
    assert "looks the same as last year" in reader.get(f"/studies/{study}").text


def test_signing_settles_a_version_and_a_later_change_takes_it_back(
    dashboard: Dashboard, study: str, found: StudyFindings
) -> None:
    _, corrected = other_grade(found)
    reader = dashboard.signed_in("reader")
    dashboard.review(reader, study, "grade", PLACE, grade=corrected)
    dashboard.review(reader, study, "sign")
    with dashboard.store.read() as records:
        signed, machine = findings_of_study(records, study)
    assert machine.made_by == "machine" and machine.findings == found
    settled = signed.findings.find("pfirrmann", "L4/L5")
    assert settled is not None and settled.grade == corrected
    assert settled.details["machine_grade"] == other_grade(found)[0]
    said = r"signed by reader on \d{4}-\d\d-\d\d \d\d:\d\d UTC:"
    assert re.search(said, signed.findings.quality[0].text), "in words that mean one time wherever it is read"
    assert reader.get(f"/api/v1/studies/{study}").json()["state"] == "signed"
    assert dashboard.review_file(study)["rest_confirmed"] is True
    dashboard.review(reader, study, "accept", PLACE)
    assert reader.get(f"/api/v1/studies/{study}").json()["state"] == "reviewed"
    assert dashboard.review_file(study)["rest_confirmed"] is False


def test_two_readers_differ_and_a_third_decides(dashboard: Dashboard, study: str, found: StudyFindings) -> None:
    machine, corrected = other_grade(found)
    first, second = dashboard.signed_in("reader"), dashboard.signed_in("reader", "second")
    early = dashboard.review(first, study, "adjudicate", PLACE, grade=corrected)
    assert early.status_code == 400 and "two readings" in early.json()["detail"]
    dashboard.review(first, study, "grade", PLACE, grade=corrected)
    dashboard.review(first, study, "sign")
    dashboard.review(second, study, "sign")
    shown = grade_shown(dashboard, study)
    assert (shown["state"], shown["grade"]) == ("disputed", None)
    assert ["pfirrmann", "L4/L5", None] in dashboard.review_file(study)["disputed"]
    page = first.get(f"/studies/{study}").text
    assert "kappa" in page and "1 place to decide" in page
    assert "readers differ" in first.get("/evaluation").text or first.get("/evaluation").status_code == 200
    dashboard.review(dashboard.signed_in("reader", "third"), study, "adjudicate", PLACE, grade=machine)
    assert grade_shown(dashboard, study)["state"] == "adjudicated"
    assert grade_shown(dashboard, study)["grade"] == machine


def keep_report(dashboard: Dashboard, study: str, content: bytes) -> None:
    """What a worker would have made of the newest findings."""
    blob = dashboard.store.blobs.keep([content])
    with dashboard.store.write() as records:
        newest = newest_findings(records, study)
        assert newest is not None
        add_file(records, blob, "report", report_name(newest.id), study)
        while (job := take_job(records, "test", 60.0)) is not None:
            finish_job(records, job)


def offered(dashboard: Dashboard, study: str) -> tuple[bytes, bool]:
    """The PDF that is given out, and whether its name and the page call it signed."""
    client = dashboard.signed_in("reader")
    answer = client.get(f"/api/v1/studies/{study}/report.pdf")
    is_signed = "not-signed" not in answer.headers["content-disposition"]
    assert ("PDF, not signed" not in client.get(f"/studies/{study}").text) is is_signed
    settled = client.get(f"/api/v1/studies/{study}/findings.json").json()["quality"]
    assert any("signed by" in remark["text"] for remark in settled) is is_signed
    return answer.content, is_signed


CHANGES = {
    "a grade": ("grade", PLACE, {"grade": "1"}),
    "the numbering": ("numbering", (), {"shift": 1}),
    "a lesion": ("add", ("high_intensity_zone", "L5/S1", ""), {"grade": "present"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_pdf_given_out_is_of_what_stands(dashboard: Dashboard, study: str, change: str) -> None:
    reader, (kind, place, payload) = dashboard.signed_in("reader"), CHANGES[change]
    keep_report(dashboard, study, b"the machine's")
    assert offered(dashboard, study) == (b"the machine's", False)
    dashboard.review(reader, study, "sign")
    early = reader.get(f"/api/v1/studies/{study}/report.pdf")
    assert early.status_code == 404 and "being made" in early.json()["detail"]
    keep_report(dashboard, study, b"the reader's")
    dashboard.review(reader, study, "comment", text="nothing new")
    assert offered(dashboard, study) == (b"the reader's", True)
    assert dashboard.review(dashboard.signed_in("reader", "other"), study, kind, place, **payload).status_code == 201
    assert offered(dashboard, study) == (b"the machine's", False)
    dashboard.review(reader, study, "sign")
    keep_report(dashboard, study, b"the reader's")
    assert offered(dashboard, study) == (b"the reader's", True)


def test_a_signed_report_that_was_not_made_says_so(dashboard: Dashboard, study: str) -> None:
    keep_report(dashboard, study, b"the machine's")
    reader = dashboard.signed_in("reader")
    dashboard.review(reader, study, "sign")
    with dashboard.store.write() as records:
        job = take_job(records, "test", 60.0)
        assert job is not None
        fail_job(records, job, "the drawing crashed", retry=False)
    answer = reader.get(f"/api/v1/studies/{study}/report.pdf")
    assert answer.status_code == 404 and "the drawing crashed" in answer.json()["detail"]
    assert "was not made (the drawing crashed): sign again" in reader.get(f"/studies/{study}").text


def test_a_new_analysis_takes_a_signature_back(dashboard: Dashboard, study: str, found: StudyFindings) -> None:
    reader = dashboard.signed_in("reader")
    dashboard.review(reader, study, "sign")
    keep_report(dashboard, study, b"the reader's")
    with dashboard.store.write() as records:
        add_findings(records, study, found, {"again": 1})
    keep_report(dashboard, study, b"the machine's new one")
    assert offered(dashboard, study) == (b"the machine's new one", False)
    assert grade_shown(dashboard, study)["state"] == "machine"
    assert "Nobody has reviewed" in reader.get(f"/studies/{study}").text


def test_who_accepted_a_grade_has_not_accepted_another_one(
    dashboard: Dashboard, study: str, found: StudyFindings
) -> None:
    machine, other = other_grade(found)
    dashboard.review(dashboard.signed_in("reader"), study, "accept", PLACE)
    assert grade_shown(dashboard, study)["state"] == "accepted"
    rows = tuple(
        replace(row, grade=other) if (row.condition, row.level) == PLACE[:2] else row for row in found.findings
    )
    with dashboard.store.write() as records:
        add_findings(records, study, replace(found, findings=rows), {})
    shown = grade_shown(dashboard, study)
    assert (shown["grade"], shown["machine_grade"], shown["state"]) == (machine, other, "changed")


def test_numbering_moves_every_level_and_every_label(dashboard: Dashboard, study: str, found: StudyFindings) -> None:
    _, corrected = other_grade(found)
    reader = dashboard.signed_in("reader")
    dashboard.review(reader, study, "grade", PLACE, grade=corrected)
    assert dashboard.review(reader, study, "numbering", shift=1).status_code == 201
    assert grade_shown(dashboard, study, ("pfirrmann", "L3/L4", ""))["grade"] == corrected
    (labelled,) = read_source("reviewed", dashboard.settings.home_folder)
    assert labelled.grade("pfirrmann", "L3/L4") == corrected and labelled.grade("pfirrmann", "L4/L5") is None
    viewer_levels = {row["level"] for row in dashboard.review_file(study)["corrections"]}
    assert viewer_levels == {"L3/L4"}
    dashboard.review(reader, study, "numbering", shift=0)
    assert grade_shown(dashboard, study)["grade"] == corrected


@pytest.mark.parametrize("kind", ["grade", "sign"])
def test_who_saw_another_numbering_says_nothing_of_the_disc_beside(dashboard: Dashboard, study: str, kind: str) -> None:
    reader = dashboard.signed_in("reader")
    with dashboard.store.read() as records:
        seen = newest_findings(records, study)
    assert seen is not None
    said = {"findings_id": seen.id, "numbering_shift": 0, "kind": kind}
    said |= {"condition": "pfirrmann", "level": "L4/L5", "payload": {"grade": "5"}} if kind == "grade" else {}
    dashboard.review(dashboard.signed_in("reader", "second"), study, "numbering", shift=1)
    late = reader.post(f"/api/v1/studies/{study}/reviews", json=said)
    assert late.status_code == 400 and "renumbered meanwhile" in late.json()["detail"]
    assert grade_shown(dashboard, study)["readers"] == []
    assert reader.post(f"/api/v1/studies/{study}/reviews", json=said | {"numbering_shift": 1}).status_code == 201


def test_numbering_moves_what_was_outlined(found: StudyFindings) -> None:
    drawn = tuple(Outline(level, "sac", "1", "1.1", None, ((0.0, 0.0, 0.0),)) for level in ("L1/L2", "L4/L5"))
    for shift, levels in ((0, ["L1/L2", "L4/L5"]), (1, ["T12/L1", "L3/L4"]), (-1, ["L2/L3", "L5/S1"])):
        assert [one.level for one in renumbered(replace(found, outlines=drawn), shift).outlines] == levels


def test_a_moved_point_and_an_added_lesion_are_labels_with_their_place(dashboard: Dashboard, study: str) -> None:
    reader = dashboard.signed_in("reader")
    moved = dashboard.review(reader, study, "move", PLACE, point_lps_mm=[1.0, 2.0, 3.0])
    added = dashboard.review(
        reader, study, "add", ("high_intensity_zone", "T12/L1", ""), grade="present", point_lps_mm=[4.0, 5.0, 6.5]
    )
    assert (moved.status_code, added.status_code) == (201, 201)
    (labelled,) = read_source("reviewed", dashboard.settings.home_folder)
    places = {(shape.condition, shape.points) for shape in labelled.shapes}
    assert ("pfirrmann", ((1.0, 2.0, 3.0),)) in places and ("high_intensity_zone", ((4.0, 5.0, 6.5),)) in places
    assert dashboard.review(reader, study, "sign").status_code == 201
    signed = reader.get(f"/api/v1/studies/{study}/findings.json").json()["findings"]
    lesion = next(one for one in signed if (one["condition"], one["level"]) == ("high_intensity_zone", "T12/L1"))
    assert lesion["details"][PLACED] == [4.0, 5.0, 6.5]  # of which the report makes its slice


def test_long_grades_stand_short_in_the_table_and_whole_in_its_words(dashboard: Dashboard, study: str) -> None:
    reader, place = dashboard.signed_in("reader"), ("neural_foraminal_narrowing", "L4/L5", "left")
    for grade, title, brief in (("normal_mild", "normal/mild", "N/M"), ("severe", "severe", "Sev")):
        assert dashboard.review(reader, study, "grade", place, grade=grade).status_code == 201
        cell = grade_shown(dashboard, study, place)["cell"]
        assert isinstance(cell, dict) and (cell["title"], cell["brief"]) == (title, brief)
        page = reader.get(f"/studies/{study}").text
        button = page.split('data-condition="neural_foraminal_narrowing" data-level="L4/L5" data-side="left"')
        words = f"L4/L5 left neural foraminal narrowing: {title}"
        assert f'<span class="grade">{brief}</span>' in button[1].split("</button>")[0]
        assert f'aria-label="{words}' in button[0][-400:] and f'title="{words}' in button[0][-400:]


def test_both_sides_of_a_condition_stand_under_one_head(dashboard: Dashboard, study: str) -> None:
    table = dashboard.signed_in("reader").get(f"/studies/{study}").text.split('<table class="grid"')[1]
    first, second = table.split("</thead>")[0].split("</tr>")[:2]
    assert first.count('scope="colgroup" colspan="2"') == 2
    assert [part.split(">")[1].split("<")[0] for part in second.split("<th ")[1:]] == ["right", "left"] * 2
    columns = first.count('rowspan="2"') - 1 + second.count("<th ")
    body = table.split("<tbody>")[1].split("</tbody>")[0]
    assert {row.count("<td>") for row in body.split("</tr>")[:-1]} == {columns}


def test_a_moved_box_keeps_how_it_is_turned(dashboard: Dashboard, study: str) -> None:
    reader, box = dashboard.signed_in("reader"), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    turned = {"point_lps_mm": [2.0, 3.0, 4.0], "box_lps_mm": box, "box_down_lps": [0.0, 0.6, -0.8]}
    assert dashboard.review(reader, study, "move", PLACE, **turned).status_code == 201
    assert dashboard.review(reader, study, "grade", PLACE, grade="5").status_code == 201
    places = reader.get(f"/api/v1/studies/{study}/places").json()["places"]
    shown = next(one for one in places if (one["condition"], one["level"]) == PLACE[:2])
    (correction,) = dashboard.review_file(study)["corrections"]
    assert dashboard.review(reader, study, "sign").status_code == 201
    signed = reader.get(f"/api/v1/studies/{study}/findings.json").json()["findings"]
    evidence = next(one["evidence"] for one in signed if (one["condition"], one["level"]) == PLACE[:2])
    for kept in (shown, correction, evidence):
        assert {name: kept[name] for name in turned} == turned
    assert evidence["heat_map"] is None


REFUSED = {
    "no such place": ("grade", ("pfirrmann", "L9/S1", ""), {"grade": "1"}, "no place"),
    "no such condition": ("grade", ("beauty", "L4/L5", ""), {"grade": "1"}, "no place"),
    "a side too many": ("accept", ("pfirrmann", "L4/L5", "left"), {}, "no side"),
    "a side too few": ("accept", ("subarticular_stenosis", "L4/L5", ""), {}, "left or right"),
    "no such grade": ("grade", PLACE, {"grade": "9"}, "no grade 9"),
    "no point": ("move", PLACE, {}, "nothing was moved"),
    "half a point": ("move", PLACE, {"point_lps_mm": [1.0, "x"]}, "no point"),
    "a wild shift": ("numbering", (), {"shift": 99}, "cannot be moved"),
    "words on no place": ("comment", ("pfirrmann", "neck", ""), {"text": "so"}, "no place"),
    "no words": ("comment", (), {"text": "  "}, "empty"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused_and_nothing_kept(dashboard: Dashboard, study: str, case: str) -> None:
    kind, place, payload, sentence = REFUSED[case]
    answer = dashboard.review(dashboard.signed_in("reader"), study, kind, place, **payload)
    assert answer.status_code == 400 and sentence in answer.json()["detail"]
    with dashboard.store.read() as records:
        assert reviews_of_study(records, study) == []


def test_a_review_of_findings_that_are_no_longer_the_newest_is_refused(dashboard: Dashboard, study: str) -> None:
    body = {"findings_id": "0" * 32, "kind": "sign"}
    answer = dashboard.signed_in("reader").post(f"/api/v1/studies/{study}/reviews", json=body)
    assert answer.status_code == 400 and "reload" in answer.json()["detail"]


def test_history_shows_three_dates(dashboard: Dashboard, found: StudyFindings) -> None:
    for date in ("2024-01-02", "2025-01-02", "2026-01-02"):
        study = dashboard.add_study(found, date=date)
    client = dashboard.signed_in("viewer")
    patient = client.get(f"/api/v1/studies/{study}").json()["patient"]["id"]
    page = client.get(f"/patients/{patient}").text
    assert page.count("<svg") > 10 and "2024-01-02" in page and "/beside/" in page
    assert all(len(course["points"]) == 3 and not course["changed"]
               for course in client.get(f"/api/v1/patients/{patient}").json()["courses"])  # fmt: skip


def test_grading_blind_is_compared_and_is_no_review(dashboard: Dashboard, study: str, found: StudyFindings) -> None:
    machine, other = other_grade(found)
    client = dashboard.signed_in("viewer")
    grades = [{"condition": "pfirrmann", "level": "L4/L5", "grade": other},
              {"condition": "pfirrmann", "level": "L3/L4", "grade": str(found.find("pfirrmann", "L3/L4").grade)}]  # type: ignore[union-attr]  # fmt: skip
    answer = client.post(f"/api/v1/studies/{study}/teaching", json={"grades": grades}).json()
    assert answer["against"] == "the machine"
    assert (answer["agreement"][0]["pairs"], answer["agreement"][0]["equal"]) == (2, 1)
    page = client.get(f"/teaching/{study}?compare=1").text
    assert "Compared with the machine" in page
    assert "1 time" in client.get("/teaching").text
    blind = client.get(f"/teaching/{study}").text
    assert "Compared with" not in blind and "machine" not in blind.lower().replace("the machine's", "")
    assert grade_shown(dashboard, study)["state"] == "machine"
    assert not (dashboard.site.reviewed / study).exists()
    assert client.get(f"/api/v1/studies/{study}/viewer?blind=1").status_code in {200, 404, 410}
    wrong = client.post(f"/api/v1/studies/{study}/teaching", json={"grades": [{**grades[0], "grade": "9"}]})
    assert wrong.status_code == 400 and machine


def test_names_from_files_are_text_and_nothing_else(dashboard: Dashboard, found: StudyFindings, tmp_path: Path) -> None:
    from lumbago.records.patients import PatientFacts
    from lumbago.records.studies import StudyFacts, add_study

    evil = "<script>alert(1)</script>\"'{{7*7777}}"
    with dashboard.store.write() as records:
        study = add_study(records, PatientFacts(evil, name=evil), StudyFacts("2.25.9", "2026-01-01", evil))
    client = dashboard.signed_in("admin")
    for path in ("/", f"/studies/{study.id}", f"/patients/{study.patient.id}", "/audit", f"/?search={evil}"):
        page = client.get(path).text
        assert "<script>alert" not in page and "54439" not in page


def test_nobody_who_writes_waits_while_the_audit_is_verified(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def while_written(records: Connection) -> Head:
        before = verify_audit(records)
        with dashboard.store.write() as writing:
            append_line(writing, Actor("", "other"), Deed(Event.EXPORT, "meanwhile"))
        assert verify_audit(records) == before
        return before

    monkeypatch.setattr(administration, "verify_audit", while_written)
    admin = dashboard.signed_in("admin")
    assert "holds together" in admin.get("/audit?verify=1").text
    assert "meanwhile" in admin.get("/audit").text


def test_a_backup_brings_the_training_labels_back(
    dashboard: Dashboard, study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = dashboard.signed_in("reader")
    assert dashboard.review(reader, study, "grade", PLACE, grade="5").status_code == 201
    assert dashboard.review(reader, study, "sign").status_code == 201
    homes = (dashboard.settings.home_folder, tmp_path / "elsewhere")
    said = []
    for home, command in zip(homes, ("backup", "restore"), strict=True):
        monkeypatch.setenv("LUMBAGO_HOME", str(home))
        done = CliRunner().invoke(app, ["records", command, str(tmp_path / "b.zip")], catch_exceptions=False)
        said.append(done.output)
    assert "Training labels of 1 reviewed studies" in said[1]
    before, after = ((home / "reviewed" / study) for home in homes)
    for name in ("findings.json", "review.json"):
        assert (after / name).read_bytes() == (before / name).read_bytes()
    ((old,), (new,)) = (tuple(read_source("reviewed", home)) for home in homes)
    assert new.grade("pfirrmann", "L4/L5") == old.grade("pfirrmann", "L4/L5") == "5" and new.images
    assert new.images[0].path.is_relative_to(homes[1])
