"""Loads the dashboard: N users at once for some seconds, and the worklist over 10,000 studies; times and memory.

    python bench/dashboard.py [--users 50] [--seconds 120] [--studies 10000]

It makes records of its own in a folder that goes away, starts `lumbago serve` on them, and asks as people do: the
worklist in every order, a search, a study, its places, its history. No figure here says anything about reading images.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

import httpx2
from sqlalchemy import insert, update

from lumbago.anatomy.conditions import CONDITIONS, expected_sites
from lumbago.anatomy.findings import Finding, StudyFindings, StudySummary
from lumbago.records.findings import add_findings
from lumbago.records.store import Store, open_records
from lumbago.records.tables import PATIENTS, STUDIES, new_id, now
from lumbago.records.users import add_user
from lumbago.settings import Settings
from lumbago.web.passwords import hash_password

PASSWORD = "seven vertebrae walk by"
PORT = 8321
PATHS = ("/", "/?order=severity", "/?order=uncertainty", "/?search=name 77", "/?state=analyzed&order=date")


def made_findings(rng: random.Random) -> StudyFindings:
    """Grades by chance at every place."""
    rows = []
    for row in CONDITIONS.values():
        for level, side in expected_sites(row):
            grade = rng.choice(row.scale.grades)
            shares = {name: 0.8 if name == grade else 0.2 / (len(row.scale.grades) - 1) for name in row.scale.grades}
            rows.append(Finding(row.name, level, side, grade, shares, row.scale.expected_grade(shares)))
    return StudyFindings(StudySummary("made", "2.25.1"), (), tuple(rows))


def fill(store: Store, count: int) -> list[str]:
    """Patients and studies by chance; the first fifty have findings. Gives the ids of those."""
    rng, moment = random.Random(1), now()
    with store.write() as records:
        people = [{"id": new_id(), "key": f"P{n}\\", "patient_id": f"P{n}", "issuer": "", "name": f"NAME {n}^GIVEN",
                   "sex": "F", "birth_date": "", "created_at": moment} for n in range(count // 2)]  # fmt: skip
        records.execute(insert(PATIENTS), people)
        rows = []
        for n in range(count):
            person = rng.choice(people)
            day = f"20{rng.randrange(10, 27)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 28):02}"
            rows.append({
                "id": new_id(), "patient_id": person["id"], "study_instance_uid": f"2.25.{n}", "accession_number": "",
                "date": day, "description": "LUMBAR SPINE", "received_at": moment, "received_from": "bench",
                "state": rng.choice(("analyzed", "signed", "failed")), "reason": "", "severity": rng.random(),
                "uncertainty": rng.random(), "search": f"{person['name']}\n{person['patient_id']}\nlumbar".casefold(),
            })  # fmt: skip
        records.execute(insert(STUDIES), rows)
        kept = [row["id"] for row in rows[:50]]
        records.execute(update(STUDIES).where(STUDIES.c.id.in_(kept)).values(state="analyzed"))
        for study in kept:
            add_findings(records, study, made_findings(rng), {})
    return kept


def signed_in(name: str) -> httpx2.Client:
    client = httpx2.Client(base_url=f"http://127.0.0.1:{PORT}", timeout=60.0)
    client.headers["Origin"] = str(client.base_url).rstrip("/")
    answer = client.post("/sign-in", data={"name": name, "password": PASSWORD})
    assert answer.status_code == 303, answer.text
    return client


def memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


class Crowd:
    """Users who ask for pages, with a breath between them."""

    def __init__(self, studies: list[str], pause: float) -> None:
        self.studies, self.pause = studies, pause
        self.times: defaultdict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []

    def ask(self, client: httpx2.Client, rng: random.Random, until: float) -> None:
        while time.monotonic() < until:
            study = rng.choice(self.studies)
            path = rng.choice((*PATHS, f"/studies/{study}", f"/api/v1/studies/{study}/places", "/teaching", "/models"))
            kind = "study" if study in path else path
            start = time.perf_counter()
            try:
                answer = client.get(path)
                self.times[kind].append(time.perf_counter() - start)
                if answer.status_code != 200:
                    self.errors.append(f"{path}: {answer.status_code}")
            except httpx2.HTTPError as error:
                self.errors.append(f"{path}: {error!r}")
            time.sleep(self.pause * rng.random() * 2)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def told(values: list[float]) -> str:
    """Times in words."""
    return f"median {1000 * percentile(values, 0.5):.0f} ms, p95 {1000 * percentile(values, 0.95):.0f} ms"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--users", type=int, default=50)
    options.add_argument("--seconds", type=float, default=120.0)
    options.add_argument("--studies", type=int, default=10_000)
    options.add_argument("--pause", type=float, default=2.0, help="seconds between two requests of a user, on average")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as home:
        store = open_records(Settings(home=home))
        studies = fill(store, given.studies)
        kept = hash_password(PASSWORD)
        with store.write() as records:
            for n in range(given.users):
                add_user(records, f"user{n}", "admin" if n == 0 else "reader", password_hash=kept)
        environment = os.environ | {"LUMBAGO_HOME": home, "LUMBAGO_WORKERS": "0"}
        command = [sys.executable, "-m", "lumbago", "serve", "--port", str(PORT)]
        server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        try:
            wait_for_server()
            report(given, server.pid, studies)
        finally:
            server.terminate()
            server.wait()


def wait_for_server() -> None:
    for _ in range(300):
        try:
            httpx2.get(f"http://127.0.0.1:{PORT}/sign-in")
            return
        except httpx2.HTTPError:
            time.sleep(0.5)
    raise SystemExit("the server does not answer")


def report(given: argparse.Namespace, pid: int, studies: list[str]) -> None:
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    print(f"server at rest: {memory_mb(pid):.0f} MB")
    first = signed_in("user0")
    alone: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(20):
        for path in PATHS:
            start = time.perf_counter()
            assert first.get(path).status_code == 200
            alone[path].append(time.perf_counter() - start)
    for path, values in alone.items():
        print(f"one user, {path}: {told(values)}")
    clients = [first, *(signed_in(f"user{n}") for n in range(1, given.users))]
    crowd = Crowd(studies, given.pause)
    until = time.monotonic() + given.seconds
    threads = [threading.Thread(target=crowd.ask, args=(client, random.Random(n), until))
               for n, client in enumerate(clients)]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [value for values in crowd.times.values() for value in values]
    print(f"{given.users} users, {given.seconds:g} s: {len(every)} requests")
    print(f"errors: {len(crowd.errors)} {crowd.errors[:3]}")
    for kind, values in sorted(crowd.times.items()):
        print(f"  {kind}: {len(values)}, {told(values)}")
    print(f"server afterwards: {memory_mb(pid):.0f} MB")


if __name__ == "__main__":
    main()
