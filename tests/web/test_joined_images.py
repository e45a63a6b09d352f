"""Images that come while a study is open on somebody's screen."""

from pathlib import Path

from dashboard import Dashboard, zipped

from compass import DIRECTIONS, write_compass
from lumbago.records.files import add_file
from lumbago.records.patients import PatientFacts
from lumbago.records.studies import StudyFacts, add_study


def keep(dashboard: Dashboard, folder: Path) -> str:
    blob = dashboard.store.blobs.keep([zipped(folder)])
    with dashboard.store.write() as records:
        study = add_study(records, PatientFacts("P"), StudyFacts("1.2.3"))
        add_file(records, blob, "received", "images.zip", study.id)
    return study.id


def test_a_page_that_is_open_goes_on_with_the_slices_it_was_told_of(dashboard: Dashboard, tmp_path: Path) -> None:
    """They are asked for one by one, by number, and are others when a series has come before them."""
    client, folder = dashboard.signed_in("viewer"), tmp_path / "images"
    write_compass(folder / "first", *DIRECTIONS[8], "I")
    study = keep(dashboard, folder)
    told = client.get(f"/api/v1/studies/{study}/viewer").json()["series"]
    before = {one["url"]: client.get(one["url"]).content for series in told for one in series["slices"]}
    for number in (12, 13, 14):
        write_compass(folder / str(number), *DIRECTIONS[number], chr(65 + number))
    assert keep(dashboard, folder) == study
    assert {url: client.get(url).content for url in before} == before and len(set(before.values())) > 1
    assert len(client.get(f"/api/v1/studies/{study}/viewer").json()["series"]) == 4
    assert client.get(f"/api/v1/studies/{study}/frames/3/0").status_code == 200
