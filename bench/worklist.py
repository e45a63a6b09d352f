"""Times the worklist over many studies: `python bench/worklist.py [--studies N] [--runs N] [--database URL]`.

Fills new records (SQLite in a temporary folder, unless an empty database is named) with made-up patients, studies and
findings, then asks for pages as the dashboard does: searched, filtered, ordered by severity, by uncertainty. A second
round asks while another process goes on writing. Figures are milliseconds of one page, read from the records with the
count of all; drawing the page is not in them.
"""

import argparse
import json
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

from sqlalchemy import Connection

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.findings import Finding, StudyFindings, StudySummary
from lumbago.anatomy.levels import LEVELS
from lumbago.records.audit import Actor, Deed, Event, append_line
from lumbago.records.findings import add_findings
from lumbago.records.patients import PatientFacts
from lumbago.records.store import Store, open_store
from lumbago.records.studies import STATES, StudyFacts, add_study, set_state
from lumbago.records.worklist import WorklistQuery, worklist

NAMES = ("Doe", "Roe", "Ångström", "Müller", "García", "Nguyễn", "Smith", "Ivanov", "Yılmaz", "O'Neill", "Sato", "Khan")
BATCH = 200
QUERIES = {
    "newest first": WorklistQuery(),
    "by severity": WorklistQuery(order="severity"),
    "by uncertainty": WorklistQuery(order="uncertainty"),
    "by severity, page 100": WorklistQuery(order="severity", offset=5000),
    "by name": WorklistQuery(order="name"),
    "search a name": WorklistQuery(search="müller 77", order="severity"),
    "search nothing": WorklistQuery(search="nobody at all", order="uncertainty"),
    "search, filter, order": WorklistQuery(
        search="sm", states=("analyzed",), first_date="2024-01-01", least_severity=0.5, order="severity"
    ),
}


def made_up(draw: random.Random) -> StudyFindings:
    """As many findings as a study has, with probabilities of any kind."""
    rows = []
    for condition in CONDITIONS.values():
        for level in LEVELS:
            for side in condition.sides:
                weights = [draw.random() ** 3 for _ in condition.scale.grades]
                shares = {g: w / sum(weights) for g, w in zip(condition.scale.grades, weights, strict=True)}
                rows.append(Finding(condition.name, level, side, max(shares, key=shares.__getitem__), shares))
    return StudyFindings(StudySummary("made up", "1.2"), (), tuple(rows))


def fill(store: Store, studies: int) -> None:
    draw = random.Random(5)
    kinds = [made_up(draw) for _ in range(50)]
    for first in range(0, studies, BATCH):
        with store.write() as db:
            for number in range(first, min(first + BATCH, studies)):
                add_one(db, draw, number, draw.choice(kinds))


def add_one(db: Connection, draw: random.Random, number: int, findings: StudyFindings) -> None:
    patient = PatientFacts(f"P{number % 7000:06}", name=f"{draw.choice(NAMES)}^{draw.choice(NAMES)} {number % 100}")
    date = f"{draw.randint(2019, 2026)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}"
    study = add_study(db, patient, StudyFacts(f"1.2.826.{number}", date, "MRI LUMBAR SPINE", f"A{number}"))
    add_findings(db, study.id, findings, {})
    set_state(db, study.id, draw.choice(STATES))


def write_on(url: str, files: Path) -> None:
    """Ten small transactions a second, until killed."""
    store = open_store(url, files)
    while True:
        with store.write() as db:
            append_line(db, Actor(), Deed(Event.QUERY, "search"))
        time.sleep(0.1)


def measure(store: Store, runs: int) -> dict[str, list[float]]:
    """Milliseconds of each query, all runs, in turns."""
    found: dict[str, list[float]] = {name: [] for name in QUERIES}
    for _ in range(runs):
        for name, query in QUERIES.items():
            start = time.perf_counter()
            with store.read() as db:
                worklist(db, query)
            found[name].append((time.perf_counter() - start) * 1000)
    return found


def show(title: str, found: dict[str, list[float]]) -> dict[str, float]:
    print(f"{title} (milliseconds: median, 95th percentile, longest)")
    tails = {}
    whole = {"all": [one for row in found.values() for one in row]}
    for name, times in {**found, **whole}.items():
        tails[name] = statistics.quantiles(times, n=100)[94]
        print(f"  {name:24} {statistics.median(times):7.1f} {tails[name]:7.1f} {max(times):7.1f}")
    return tails


def main() -> None:
    parser = argparse.ArgumentParser(description="Times the worklist over many studies.")
    parser.add_argument("--studies", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--database", help="an empty database; by default SQLite in a temporary folder")
    parser.add_argument("--json", type=Path, help="write the 95th percentiles to a file as well")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url, files = options.database or f"sqlite:///{folder}/records.db", Path(folder) / "files"
        store = open_store(url, files)
        start = time.perf_counter()
        fill(store, options.studies)
        print(f"{options.studies} studies kept in {time.perf_counter() - start:.0f} s, {store.engine.dialect.name}")
        print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
        tails = {"alone": show("alone", measure(store, options.runs))}
        writer = multiprocessing.get_context("spawn").Process(target=write_on, args=(url, files), daemon=True)
        writer.start()
        time.sleep(2)
        tails["beside a writer"] = show("beside a writer", measure(store, options.runs))
        writer.kill()
        store.close()
    if options.json:
        options.json.write_text(json.dumps(tails, indent=1) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
