"""Workers: one that is killed loses nothing; a child that dies costs one study, tried once more, then told of."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from lumbago.anatomy.findings import StudyFindings, StudySummary
from lumbago.batch import analyze_job, worker
from lumbago.batch import run_child as child
from lumbago.batch.analyze_job import analyze_study_job
from lumbago.batch.run_child import ChildFailed, run_child
from lumbago.errors import LumbagoError
from lumbago.records.files import add_file
from lumbago.records.findings import add_findings, findings_of_study
from lumbago.records.jobs import Job, add_job, find_job, finish_job, take_job
from lumbago.records.patients import PatientFacts
from lumbago.records.reviews import Remark, add_review
from lumbago.records.store import Store, open_store
from lumbago.records.studies import StudyFacts, add_study, find_study, set_state
from lumbago.records.tables import JOBS, now
from lumbago.records.users import add_user
from lumbago.settings import Settings

Tell = Callable[[float, str], None]


def silent(_progress: float, _message: str) -> None:
    """Tells nobody."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=str(tmp_path), threads=1, job_seconds=60)


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(f"sqlite:///{settings.home_folder / 'records.db'}", settings.home_folder / "files")


@pytest.fixture
def study(store: Store) -> str:
    """A study whose images are none."""
    blob = store.blobs.keep([b"no zip"])
    with store.write() as records:
        made = add_study(records, PatientFacts("P"), StudyFacts("2.25.1"))
        add_file(records, blob, "received", "images.zip", made.id)
        set_state(records, made.id, "waiting")
    return made.id


def queued(store: Store, study: str) -> str:
    with store.write() as records:
        return add_job(records, "analyze", study).id


def work_once(store: Store, settings: Settings) -> None:
    with store.write() as records:
        job = take_job(records, "test", 60.0)
    assert job is not None
    worker.do_job(store, settings, job)


def state(store: Store, study: str, job: str) -> tuple[str, str]:
    with store.read() as records:
        return find_study(records, study).state, find_job(records, job).state


def stand_in(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Lets another program stand in for the child: how a crash of native code is made."""
    popen = subprocess.Popen

    def other(command: list[str], **options: object) -> object:
        return popen([sys.executable, "-c", code, *command[4:]], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(child.subprocess, "Popen", other)


def test_what_cannot_be_read_is_told_and_not_tried_again(store: Store, settings: Settings, study: str) -> None:
    job = queued(store, study)
    work_once(store, settings)
    assert state(store, study, job) == ("failed", "failed")
    with store.read() as records:
        assert find_study(records, study).reason.endswith(".") and find_job(records, job).attempts == 1


def test_a_crash_costs_one_more_try_and_is_then_told(
    store: Store, settings: Settings, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    job = queued(store, study)
    work_once(store, settings)
    assert state(store, study, job) == ("waiting", "waiting")
    work_once(store, settings)
    assert state(store, study, job) == ("failed", "failed")
    with store.read() as records:
        assert "signal 11" in find_study(records, study).reason
        assert take_job(records, "test", 1.0) is None


FOUND = StudyFindings(StudySummary("s", "2.25.1"), (), ())


def found_in(out: Path) -> dict[str, str]:
    """What an analysis leaves behind, and what it answers."""
    folder = out / "done"
    folder.mkdir()
    (folder / "findings.json").write_text(FOUND.to_json())
    (folder / "manifest.json").write_text("{}")
    return {"folder": str(folder)}


@pytest.mark.parametrize("said", ["analyzed", "reviewed", "signed", "changed"])
@pytest.mark.parametrize("how", ["crashed", "killed"])
def test_what_holds_of_a_study_outlasts_a_new_analysis_that_fails(
    store: Store, settings: Settings, study: str, monkeypatch: pytest.MonkeyPatch, *, said: str, how: str
) -> None:
    with store.write() as records:
        user = add_user(records, "anna", "reader", password_hash="x").id
        machine = add_findings(records, study, FOUND, {})
        if said == "signed":
            add_review(records, (study, machine.id), user, Remark("grade", "pfirrmann", "L4/L5"))
        if said in {"signed", "changed"}:
            add_findings(records, study, FOUND, {}, user)
        if said in {"reviewed", "changed"}:
            add_review(records, (study, machine.id), user, Remark("grade", "pfirrmann", "L4/L5"))
    job = queued(store, study)
    stand_in(monkeypatch, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    if how == "crashed":
        work_once(store, settings)
        work_once(store, settings)
    else:
        with store.write() as records:
            assert [take_job(records, "doomed", -1.0) is None for _ in range(4)] == [False, False, False, True]
    assert state(store, study, job) == ("reviewed" if said == "changed" else said, "failed")
    with store.read() as records:
        reason, error = find_study(records, study).reason, find_job(records, job).error
    assert reason.startswith("The newest analysis failed") and reason.endswith(error)


@pytest.mark.parametrize("said", ["analyzed", "signed", "changed"])
def test_a_new_analysis_of_what_was_signed_says_so(
    store: Store, settings: Settings, study: str, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    with store.write() as records:
        user = add_user(records, "anna", "reader", password_hash="x").id
        machine = add_findings(records, study, FOUND, {})
        if said != "analyzed":
            add_findings(records, study, FOUND, {}, user)
        if said == "changed":
            add_review(records, (study, machine.id), user, Remark("grade", "pfirrmann", "L4/L5"))
    monkeypatch.setattr(analyze_job, "run_child", lambda _task, request, *_: found_in(Path(request["out"])))
    job = queued(store, study)
    work_once(store, settings)
    assert state(store, study, job) == ("analyzed", "done")
    with store.read() as records:
        assert ("had signed" in find_study(records, study).reason) is (said == "signed")


def test_a_report_that_cannot_be_drawn_changes_nothing_at_its_study(
    store: Store, settings: Settings, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with store.write() as records:
        made = add_findings(records, study, FOUND, {})
        set_state(records, study, "signed")
        job = add_job(records, "report", study, {"findings": made.id}).id
    for left in ("waiting", "failed"):
        work_once(store, settings)
        assert state(store, study, job) == ("signed", left)


def test_a_child_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "import time; time.sleep(60)")
    start = time.monotonic()
    with pytest.raises(ChildFailed, match="longer than 1 s"):
        run_child("analyze", {}, 1, silent)
    assert time.monotonic() - start < 20


def test_a_child_ends_with_a_worker_that_is_killed() -> None:
    """Else it takes a processor for as long as its analysis lasts, and nobody wants what it finds."""
    task = (
        "import os, sys, time; from lumbago.batch.end_with_input import end_with_input; end_with_input(); "
        "print(os.getpid(), flush=True); [sum(range(10000)) for _ in iter(int, 1)]"
    )
    code = (
        "import subprocess, sys; from lumbago.batch import run_child as child; popen = subprocess.Popen\n"
        f"other = lambda command, **how: popen([sys.executable, '-c', {task!r}], **how | {{'stdout': None}})\n"
        "child.subprocess.Popen = other; child.run_child('analyze', {}, 60, print)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as doomed:
        assert doomed.stdout is not None
        orphan = int(doomed.stdout.readline())
        os.kill(doomed.pid, signal.SIGKILL)
        has_ended, _, _ = select.select([doomed.stdout], [], [], 10.0)  # nobody is left who might write
        with suppress(ProcessLookupError):
            os.kill(orphan, signal.SIGKILL)
    assert has_ended


def test_workers_end_with_a_server_that_is_killed(settings: Settings) -> None:
    """Else each server that is started after one that was killed has more of them beside it."""
    code = (
        "import time; from lumbago.batch.processes import WorkerProcesses\n"
        "with WorkerProcesses(1) as workers:\n"
        "    while not workers._running: time.sleep(0.01)\n"
        "    print('begun', flush=True); time.sleep(60)"
    )
    home = os.environ | {"LUMBAGO_HOME": str(settings.home_folder)}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=home, start_new_session=True) as doomed:
        assert doomed.stdout is not None and doomed.stdout.readline() == "begun\n"
        os.kill(doomed.pid, signal.SIGKILL)
        have_ended, _, _ = select.select([doomed.stdout], [], [], 20.0)  # nobody is left who might write
        with suppress(ProcessLookupError):
            os.killpg(doomed.pid, signal.SIGKILL)
    assert have_ended


def test_progress_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [{"progress": 0.5, "message": "half"}, {"result": {"a": 1}}]
    code = "\n".join(f"print({json.dumps(json.dumps(line))}, flush=True)" for line in lines)
    stand_in(monkeypatch, f"print('noise')\n{code}")
    heard: list[tuple[float, str]] = []
    assert run_child("analyze", {}, 30, lambda *said: heard.append(said)) == {"a": 1}
    assert heard == [(0.5, "half")]


def test_an_error_of_the_input_keeps_its_sentence_and_code(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, """import sys; print('{"error": "No spine.", "code": 4}'); sys.exit(4)""")
    with pytest.raises(LumbagoError, match="No spine") as caught:
        run_child("analyze", {}, 30, silent)
    assert caught.value.exit_code == 4 and not isinstance(caught.value, ChildFailed)


def test_a_lease_is_renewed_while_the_job_lasts(
    store: Store, settings: Settings, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "LEASE_SECONDS", 2.0)
    monkeypatch.setattr(worker, "_RENEW_SECONDS", 0.3)

    def slow(job: Job, shop: object) -> dict[str, str]:
        time.sleep(4.0)
        return {}

    monkeypatch.setattr(worker, "DOERS", {"analyze": slow})
    job = queued(store, study)
    doing = threading.Thread(target=work_once, args=(store, settings))
    doing.start()
    time.sleep(3.0)
    with store.write() as records:
        assert take_job(records, "another", 60.0) is None
    doing.join()
    with store.read() as records:
        assert find_job(records, job).state == "done"


def test_a_worker_killed_in_the_middle_loses_nothing(store: Store, settings: Settings, study: str) -> None:
    """Its lease runs out, and the next one takes the job."""
    job = queued(store, study)
    code = (
        "import time, sys; from pathlib import Path; from lumbago.records.store import open_store; "
        "from lumbago.records.jobs import take_job; "
        f"home = Path(r'{settings.home_folder}')\n"
        "store = open_store(f'sqlite:///{home}/records.db', home / 'files')\n"
        "with store.write() as records: take_job(records, 'doomed', 1.0)\n"
        "print('taken', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "taken\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    time.sleep(1.2)
    with store.write() as records:
        again = take_job(records, "next", 60.0)
    assert again is not None and (again.id, again.attempts) == (job, 2)


def test_findings_are_kept_once_when_another_worker_has_the_job_by_now(
    store: Store, settings: Settings, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a machine slept in the middle of an analysis."""
    job = queued(store, study)

    def other_finishes(_task: str, request: dict[str, str], *_: object) -> dict[str, str]:
        with store.write() as records:
            records.execute(JOBS.update().values(lease_until=now()))
            other = take_job(records, "another", 60.0)
            assert other is not None
            finish_job(records, other)
        return found_in(Path(request["out"]))

    monkeypatch.setattr(analyze_job, "run_child", other_finishes)
    work_once(store, settings)
    with store.read() as records:
        assert findings_of_study(records, study) == [] and find_job(records, job).state == "done"


def test_a_database_that_is_away_for_a_moment_costs_no_analysis(
    store: Store, settings: Settings, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, tries = threading.Event(), []

    def cut_off(job: Job, shop: object) -> dict[str, str]:
        tries.append(job.attempts)
        if len(tries) > 1:
            stop.set()
            return {}
        with store.write() as records:
            records.execute(JOBS.update().values(lease_until=now()))
        raise OperationalError("INSERT", {}, Exception("server closed the connection"))

    monkeypatch.setattr(worker, "DOERS", {"analyze": cut_off})
    monkeypatch.setattr(worker, "_IDLE_SECONDS", 0.01)
    job = queued(store, study)
    worker.work(store, settings, stop)
    assert tries == [1, 2] and state(store, study, job) == ("waiting", "done")


def test_what_a_killed_worker_left_of_a_patient_goes_with_the_next_job(
    store: Store, settings: Settings, study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, in_use, begun = (tmp_path / f"lumbago-job-{name}" for name in ("left", "in_use", "begun"))
    for folder in (left, in_use, begun):
        folder.mkdir()
        (folder / "slice.png").write_bytes(b"of a patient")
    for folder in (left, in_use):
        os.utime(folder, (time.time() - 120,) * 2)
    queued(store, study)
    with worker._locked(in_use):
        work_once(store, settings)
    assert set(tmp_path.glob("lumbago-job-*")) == {in_use, begun}


def test_a_fault_of_our_own_ends_its_job_and_not_the_worker(
    store: Store, settings: Settings, study: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stop, done = threading.Event(), []

    def faulty(job: Job, shop: object) -> dict[str, str]:
        if job.id == first:
            raise KeyError("a secret of the input")
        done.append(job.id)
        stop.set()
        return {}

    monkeypatch.setattr(worker, "DOERS", {"analyze": faulty})
    first = queued(store, study)
    second = queued(store, study)
    worker.work(store, settings, stop)
    assert done == [second]
    with store.read() as records:
        failed, reason = find_job(records, first), find_study(records, study).reason
    assert (failed.state, failed.attempts) == ("failed", 1) and failed.error == reason
    assert "KeyError" in failed.error and "secret" not in failed.error and failed.error.endswith("where.")
    assert "Traceback" in caplog.text and "in faulty" in caplog.text


def test_what_is_done_is_known() -> None:
    assert worker.DOERS["analyze"] is analyze_study_job and set(worker.DOERS) == {
        "receive",
        "analyze",
        "report",
        "export",
    }
