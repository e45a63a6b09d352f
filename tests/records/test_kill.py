"""A writer killed at any moment loses nothing that it was told is kept, and leaves nothing half done."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lumbago.records.files import sweep
from lumbago.records.store import open_store
from lumbago.records.studies import studies_with_uid
from lumbago.records.verify import verify_records

WRITER = """
import sys
from pathlib import Path
from lumbago.records.audit import Actor, Deed, Event, append_line
from lumbago.records.files import add_file
from lumbago.records.patients import PatientFacts
from lumbago.records.store import open_store
from lumbago.records.studies import StudyFacts, add_study
home, start = Path(sys.argv[1]), int(sys.argv[2])
store = open_store(f"sqlite:///{home / 'records.db'}", home / "files")
for number in range(start, start + 10**6):
    blob = store.blobs.keep([f"images {number}".encode()])
    with store.write() as db:
        study = add_study(db, PatientFacts(str(number)), StudyFacts(f"1.2.{number}"))
        add_file(db, blob, "received", "x.zip", study.id)
        append_line(db, Actor(), Deed(Event.IMPORT, "receive", study_id=study.id))
    print(number, flush=True)  # acknowledged: from here on it must be there
"""


def killed_run(home: Path, start: int, wait: random.Random) -> list[int]:
    """What a writer acknowledged before it was killed, somewhere after its first few commits."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(home), str(start)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(wait.randint(1, 6))]
        try:
            process.wait(wait.uniform(0.0, 0.05))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        told += [int(line) for line in process.stdout if line.endswith("\n")]
    return told


@pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_nothing_acknowledged_is_lost(tmp_path: Path, rounds: int) -> None:
    wait, told = random.Random(7), []
    for number in range(rounds):
        told += killed_run(tmp_path, number * 1000, wait)
        store = open_store(f"sqlite:///{tmp_path / 'records.db'}", tmp_path / "files")
        found = verify_records(store)
        assert found.damages == () and found.head is not None and found.head.number >= len(told)
        with store.write() as db:
            assert [number for number in told if not studies_with_uid(db, f"1.2.{number}")] == []
            sweep(db, store.blobs, 0.0)
            assert len(list(store.blobs)) == found.head.number, "each study has its file, and no file is left over"
        store.close()
    assert len(told) > rounds
