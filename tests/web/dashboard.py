"""A dashboard over new records with a coarse phantom study in it, and browsers that have signed in."""

import hashlib
import json
import zipfile
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from lumbago.anatomy.findings import StudyFindings
from lumbago.records.files import add_file
from lumbago.records.findings import add_findings, machine_findings
from lumbago.records.patients import PatientFacts
from lumbago.records.store import Store, open_store
from lumbago.records.studies import StudyFacts, add_study, set_state
from lumbago.records.users import Role, add_user
from lumbago.settings import Settings
from lumbago.web.access import open_access
from lumbago.web.app import create_app
from lumbago.web.passwords import hash_password
from lumbago.web.site import Site
from lumbago.web.viewer_frames import StudyImages

HERE = "http://testserver"
PASSWORD = "seven vertebrae walk by"
HASH = hash_password(PASSWORD)
FIRST = "printed by the server"


@dataclass
class Dashboard:
    """The app, its records, and the browsers of its users by name."""

    store: Store
    settings: Settings
    site: Site
    app: Any
    browsers: dict[str, TestClient] = field(default_factory=dict)

    def browser(self) -> TestClient:
        """Nobody's."""
        return TestClient(self.app, base_url=HERE, headers={"Origin": HERE}, follow_redirects=False)

    def signed_in(self, role: Role, name: str = "") -> TestClient:
        """That of a user of a role, who sends the token against forged requests."""
        name = name or role
        if name not in self.browsers:
            with self.store.write() as records:
                add_user(records, name, role, password_hash=HASH)
            client = self.browser()
            assert client.post("/sign-in", data={"name": name, "password": PASSWORD}).status_code == 303
            client.headers["X-CSRF-Token"] = token_of(client)
            self.browsers[name] = client
        return self.browsers[name]

    def add_study(self, findings: StudyFindings | None, images: bytes = b"", date: str = "2026-01-02") -> str:
        """A study of the one patient, as if it had been received and analyzed."""
        uid = f"{findings.study.study_instance_uid if findings else '2.25.1'}.{date.replace('-', '')}"
        patient = PatientFacts("PAT-1", name="Doe^Jane", sex="F", birth_date="1970-05-06")
        blob = self.store.blobs.keep([images or b"no images"])
        with self.store.write() as records:
            study = add_study(records, patient, StudyFacts(uid, date, "LUMBAR SPINE", received_from="anna"))
            add_file(records, blob, "received", "images.zip", study.id)
            if findings is not None:
                add_findings(records, study.id, findings, {})
                set_state(records, study.id, "analyzed")
        return study.id

    def review(self, client: TestClient, study: str, kind: str, place: tuple[str, ...] = (), **payload: Any) -> Any:
        """What a browser sends when its user says something of the newest findings."""
        with self.store.read() as records:
            found = machine_findings(records, study)
        names = dict(zip(("condition", "level", "side"), place, strict=False))
        body = {"findings_id": found.id if found else "", "kind": kind, "payload": payload} | names
        return client.post(f"/api/v1/studies/{study}/reviews", json=body)

    def review_file(self, study: str) -> dict[str, Any]:
        """The training labels of a study."""
        return json.loads((self.site.reviewed / study / "review.json").read_text(encoding="utf8"))


def token_of(client: TestClient) -> str:
    """What a page gives its scripts to send along."""
    return client.get("/").text.split('name="csrf-token" content="')[1].split('"')[0]


def open_dashboard(home: Path, **settings: Any) -> Dashboard:
    """A dashboard whose home is new."""
    store = open_store(f"sqlite:///{home / 'records.db'}", home / "files")
    made = Settings(home=str(home), workers=0, threads=1, **settings)
    site = Site(store, made, StudyImages(decoders=1))
    return Dashboard(store, made, site, create_app(site, open_access(store, made, FIRST)))


def zipped(folder: Path) -> bytes:
    """A folder as an archive."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                target.write(path, path.relative_to(folder))
    return archive.getvalue()


def upload(client: TestClient, name: str, content: bytes) -> Any:
    """Sends one file in one piece; gives the answer of the last step."""
    begun = client.post("/api/v1/uploads", json={"name": name, "files": [{"name": name, "bytes": len(content)}]})
    if begun.status_code != 201:
        return begun
    place = f"/api/v1/uploads/{begun.json()['id']}"
    sent = client.put(place, params={"offset": 0, "sha256": hashlib.sha256(content).hexdigest()}, content=content)
    return client.post(f"{place}/finish", json={}) if sent.status_code == 200 else sent
