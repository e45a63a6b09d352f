"""Uploads: whole, resumed, hostile. What cannot be used costs one sentence and nothing else."""

import asyncio
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from dashboard import Dashboard, open_dashboard, upload, zipped

from lumbago.batch.worker import do_job
from lumbago.records.blobs import Blob
from lumbago.records.files import add_file, files_of_study
from lumbago.records.jobs import find_job, take_job
from lumbago.records.studies import find_study, studies_with_uid


def begin(client: Any, size: int, name: str = "a.zip") -> Any:
    return client.post("/api/v1/uploads", json={"name": name, "files": [{"name": name, "bytes": size}]})


def work_once(dashboard: Dashboard) -> dict[str, Any]:
    """Does the next job as a worker would; gives how it ended."""
    with dashboard.store.write() as records:
        job = take_job(records, "test", 60.0)
    assert job is not None
    do_job(dashboard.store, dashboard.settings, job)
    return dashboard.signed_in("reader").get(f"/api/v1/jobs/{job.id}").json()


def test_an_upload_goes_on_where_it_broke_off(dashboard: Dashboard) -> None:
    client = dashboard.signed_in("reader")
    first = begin(client, 10).json()
    place = f"/api/v1/uploads/{first['id']}"
    assert client.put(place, params={"offset": 0}, content=b"01234").json()["received"] == 5
    again = begin(client, 10).json()
    assert (again["id"], again["received"]) == (first["id"], 5)
    assert client.put(place, params={"offset": 3}, content=b"3456789").json()["received"] == 10
    assert client.put(place, params={"offset": 0}, content=b"01234").json()["received"] == 10
    assert (dashboard.site.uploads / first["id"] / "data").read_bytes() == b"0123456789"
    jobs = [client.post(f"{place}/finish", json={}).json()["id"] for _ in range(2)]
    assert jobs[0] == jobs[1], "asked again as the answer was lost"


def test_an_upload_of_other_files_does_not_go_on_with_these(dashboard: Dashboard) -> None:
    """Two patients' slices: the same names and sizes."""
    client, ids = dashboard.signed_in("reader"), []
    for day in (1, 2, 1):
        files = [{"name": name, "bytes": 4, "modified": day} for name in ("IM1", "IM2")]
        ids.append(client.post("/api/v1/uploads", json={"name": "DICOM", "files": files}).json()["id"])
    assert ids[0] == ids[2] != ids[1]
    place = f"/api/v1/uploads/{ids[0]}"
    client.put(place, params={"offset": 0}, content=b"JANE")
    others = client.put(place, params={"offset": 0}, content=b"JOHNJOHN")
    assert others.status_code == 400 and "other bytes" in others.json()["detail"]
    assert (dashboard.site.uploads / ids[0] / "data").read_bytes() == b"JANE"


def test_an_upload_cut_off_at_its_beginning_holds_up_nobody(dashboard: Dashboard) -> None:
    torn = dashboard.site.uploads / ("0" * 32)
    torn.mkdir()
    for name in ("data", "session.json"):
        (torn / name).touch()
    assert begin(dashboard.signed_in("reader"), 10).status_code == 201


REFUSED = {
    "a gap": ({"offset": 4}, b"x", "go on there"),
    "more than announced": ({"offset": 0}, b"x" * 11, "more bytes"),
    "another checksum": ({"offset": 0, "sha256": "0" * 64}, b"x", "not those that were sent"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bytes_that_do_not_fit_are_refused(dashboard: Dashboard, case: str) -> None:
    where, content, sentence = REFUSED[case]
    client = dashboard.signed_in("reader")
    place = f"/api/v1/uploads/{begin(client, 10).json()['id']}"
    answer = client.put(place, params=where, content=content)
    assert answer.status_code == 400 and sentence in answer.json()["detail"]
    assert client.get(place).json()["received"] == 0
    assert "of 10 bytes" in client.post(f"{place}/finish", json={}).json()["detail"]


def test_uploads_are_their_owners_alone(dashboard: Dashboard) -> None:
    place = f"/api/v1/uploads/{begin(dashboard.signed_in('reader'), 10).json()['id']}"
    other = dashboard.signed_in("reader", "another")
    assert other.get(place).status_code == 404
    assert other.put(place, params={"offset": 0}, content=b"x").status_code == 404
    assert dashboard.signed_in("reader").delete(place).status_code == 200
    assert list(dashboard.site.uploads.iterdir()) == []


def test_too_large_is_refused_before_a_byte_is_sent(dashboard: Dashboard) -> None:
    client = dashboard.signed_in("reader")
    assert "at most" in begin(client, 5 << 30).json()["detail"]
    assert begin(client, 0).status_code == 400
    assert begin(client, -1).status_code == 422
    place = f"/api/v1/uploads/{begin(client, 1 << 30).json()['id']}"
    assert client.put(place, params={"offset": 0}, content=b"x" * ((16 << 20) + 1)).status_code == 413
    assert client.post("/api/v1/uploads", content=b"x" * (3 << 20)).status_code == 413
    files = [{"name": str(n), "bytes": 1} for n in range(50_001)]
    assert client.post("/api/v1/uploads", json={"name": "a", "files": files}).status_code in {413, 422}


def test_who_sends_too_many_long_names_is_told_to_send_parts_or_a_zip(dashboard: Dashboard) -> None:
    files = [{"name": f"{number:06}{'x' * 250}", "bytes": 1} for number in range(9_000)]
    answer = dashboard.signed_in("reader").post("/api/v1/uploads", json={"name": "a", "files": files})
    told = "The list of the files' names is larger than the 2 MiB allowed; send them in parts, or as a zip."
    assert (answer.status_code, answer.json()["detail"]) == (413, told)


def overlapping_zip() -> bytes:
    """One member's bytes listed a thousand times."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("a.dcm", bytes(50 << 20))
        target.filelist *= 1000
    return archive.getvalue()


def zip_of(**members: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return archive.getvalue()


HOSTILE = {
    "a text": b"not an image",
    "a damaged zip": b"PK\x03\x04" + b"x" * 100,
    "a bomb": zip_of(**{"a.dcm": bytes(100 << 20)}),
    "names that lead elsewhere": zip_of(**{"../../escaped.dcm": b"x", "/etc/lumbago.dcm": b"x", "C:\\x.dcm": b"x"}),
    "a DICOM head alone": bytes(128) + b"DICM" + b"\xff" * 50,
}


def test_hostile_uploads_cost_one_sentence(dashboard: Dashboard, tmp_path: Path) -> None:
    client = dashboard.signed_in("reader")
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    for what, content in HOSTILE.items():
        assert upload(client, "../../odd name\r\n.zip", content).status_code == 202, what
        job = work_once(dashboard)
        assert job["state"] == "failed" and job["attempts"] == 1, what
        assert job["error"].endswith(".") and "Traceback" not in job["error"], what
    assert client.get("/api/v1/studies").json()["total"] == 0
    assert not list(tmp_path.parent.rglob("escaped.dcm")) and not Path("/etc/lumbago.dcm").exists()
    made = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert {path.relative_to(tmp_path).parts[0] for path in made} <= {"records.db", "records.db-journal"}
    assert client.get("/").status_code == 200


def test_a_study_from_upload_to_report(phantom: Path, tmp_path: Path) -> None:
    """All of it, by real workers' steps: received, analyzed, its outputs kept, its phantom's truth beside it."""
    dashboard = open_dashboard(tmp_path)
    client = dashboard.signed_in("reader")
    (phantom / "dicom" / "notes.txt").write_text("not an image")
    files = [path for path in sorted(phantom.rglob("*")) if path.is_file()]
    listed = [{"name": str(path.relative_to(phantom)), "bytes": path.stat().st_size} for path in files]
    begun = client.post("/api/v1/uploads", json={"name": "phantom", "files": listed}).json()
    content = b"".join(path.read_bytes() for path in files)
    for start in range(0, len(content), 4 << 20):
        chunk = content[start : start + (4 << 20)]
        assert client.put(f"/api/v1/uploads/{begun['id']}", params={"offset": start}, content=chunk).status_code == 200
    client.post(f"/api/v1/uploads/{begun['id']}/finish", json={})
    received = work_once(dashboard)
    assert received["state"] == "done", received
    (study,) = received["studies"]
    assert any("notes" in skip["name"] for skip in received["skipped"])
    analyzed = work_once(dashboard)
    assert analyzed["state"] == "done", analyzed
    with dashboard.store.read() as records:
        kept = find_study(records, study)
        kinds = {file.kind for file in files_of_study(records, study)}
    assert kept.state == "analyzed" and kept.severity is not None and kept.patient.patient_id
    assert {"received", "truth", "report", "picture"} <= kinds
    assert list(dashboard.site.uploads.iterdir()) == []
    assert client.get(f"/api/v1/studies/{study}/report.pdf").content.startswith(b"%PDF")
    found = client.get(f"/api/v1/studies/{study}/findings.json").json()
    assert found["schema"] == "lumbago/findings/1"
    assert "viewer.js" in client.get(f"/studies/{study}").text
    viewer = client.get(f"/api/v1/studies/{study}/viewer").json()
    assert len(viewer["series"]) >= 3 and client.get(viewer["series"][0]["slices"][0]["url"]).status_code == 200
    signed = dashboard.review(client, study, "sign")
    early = client.get(f"/api/v1/studies/{study}/report.pdf")
    assert early.status_code == 404 and "is being made" in early.json()["detail"]
    assert "The signed PDF is being made" in client.get(f"/studies/{study}").text
    assert signed.status_code == 201 and work_once(dashboard)["state"] == "done"
    assert client.get(f"/api/v1/studies/{study}/report.pdf").content.startswith(b"%PDF")
    assert "is being made" not in client.get(f"/studies/{study}").text
    assert "signed by reader" in json.dumps(client.get(f"/api/v1/studies/{study}/findings.json").json())
    again = upload(client, "again.zip", zipped(phantom / "dicom"))
    assert again.status_code == 202 and work_once(dashboard)["studies"] == [study]
    with dashboard.store.read() as records:
        assert len(studies_with_uid(records, kept.study_instance_uid)) == 1
        assert find_study(records, study).state == "signed"
    dashboard.site.images.close()
    dashboard.store.close()


def test_a_job_is_told_as_it_goes(dashboard: Dashboard) -> None:
    client = dashboard.signed_in("reader")
    job = upload(client, "a.zip", b"not an image").json()
    work_once(dashboard)
    with client.stream("GET", f"/api/v1/jobs/{job['id']}/events") as events:
        text = "".join(events.iter_text())
    assert text.startswith("event: job\ndata: ") and '"state": "failed"' in text
    with dashboard.store.read() as records:
        assert find_job(records, job["id"]).error


def fill(dashboard: Dashboard, size: int) -> None:
    """Says that so many bytes are kept."""
    with dashboard.store.write() as records:
        add_file(records, Blob("0" * 64, size), "received", "images.zip")


def test_a_full_quota_is_told_before_a_byte_is_sent_and_before_one_is_kept(phantom: Path, tmp_path: Path) -> None:
    dashboard = open_dashboard(tmp_path, quota_gb=1)
    client = dashboard.signed_in("reader")
    content = zipped(phantom / "dicom")
    assert upload(client, "fits.zip", content).status_code == 202
    open_still = begin(client, 5).json()["id"]
    client.put(f"/api/v1/uploads/{open_still}", params={"offset": 0}, content=b"01234")
    fill(dashboard, 10**9 - 1)
    for answer in (begin(client, 10), client.post(f"/api/v1/uploads/{open_still}/finish", json={})):
        assert answer.status_code == 507 and "quota" in answer.json()["detail"] and answer.json()["detail"][-1] == "."
    job = work_once(dashboard)
    assert job["state"] == "failed" and job["attempts"] == 1 and "more than the quota" in job["error"]
    assert client.get("/api/v1/studies").json()["total"] == 0
    dashboard.site.images.close()
    dashboard.store.close()


def test_a_client_that_goes_away_while_it_sends_is_no_fault_of_the_server(dashboard: Dashboard) -> None:
    client = dashboard.signed_in("reader")
    place = f"/api/v1/uploads/{begin(client, 9).json()['id']}"
    request = client.build_request("PUT", place, params={"offset": 0}, content=b"123456789")
    headers = [(name.lower(), value) for name, value in request.headers.raw]
    scope = {
        "type": "http", "http_version": "1.1", "method": "PUT", "scheme": "http", "path": request.url.path,
        "raw_path": request.url.raw_path, "query_string": request.url.query, "headers": headers,
        "client": ("testclient", 1), "server": ("testserver", 80), "root_path": "",
    }  # fmt: skip
    coming = iter([{"type": "http.request", "body": b"1234", "more_body": True}])

    async def receive() -> dict[str, Any]:
        return next(coming, {"type": "http.disconnect"})

    async def send(_: Any) -> None: ...

    asyncio.run(dashboard.app(scope, receive, send))
    assert begin(client, 9).json()["received"] == 0
