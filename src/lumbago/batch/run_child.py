"""Runs a task in a child process, hears its progress, and ends it when it takes too long."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from lumbago.errors import InputError, LumbagoError, NotALumbarStudy, Refused

Progress = Callable[[float, str], None]
_ERRORS: Final[Mapping[int, type[LumbagoError]]] = {3: InputError, 4: NotALumbarStudy, 6: Refused}
_LAST_WORDS: Final = 2000


class ChildFailed(LumbagoError):
    """The process died or took too long: our fault, or the machine's; worth another try."""


def run_child(task: str, request: Mapping[str, Any], seconds: int, progress: Progress) -> dict[str, Any]:
    """The result of a task of `study_child`, which ends with this process.

    Raises:
        ChildFailed: it crashed, or was ended after `seconds`.
        LumbagoError: the input is to blame; one sentence says how.
    """
    command = [sys.executable, "-P", "-m", "lumbago.batch.study_child", task, json.dumps(request)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        errors="replace", start_new_session=True,
    )  # fmt: skip
    overdue = threading.Event()
    timer = threading.Timer(seconds, _end_late, (process, overdue))
    words: list[str] = []
    listener = threading.Thread(target=lambda: words.append(process.stderr.read() if process.stderr else ""))
    timer.start()
    listener.start()
    try:
        last = _listen(process, progress)
        code = process.wait()
    finally:
        timer.cancel()
        _end(process)
        listener.join(5)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    return _outcome(last, code, seconds if overdue.is_set() else None, "".join(words))


def _listen(process: subprocess.Popen[str], progress: Progress) -> dict[str, Any]:
    """Passes progress on; gives the last line."""
    last: dict[str, Any] = {}
    for line in process.stdout or ():
        with suppress(ValueError):
            last = json.loads(line)
            if "progress" in last:
                progress(last["progress"], last["message"])
    return last


def _outcome(last: dict[str, Any], code: int, overdue: int | None, words: str) -> dict[str, Any]:
    if overdue is not None:
        raise ChildFailed(f"the analysis took longer than {overdue} s and was ended")
    if "error" in last:
        raise _Told(last["error"], _ERRORS.get(code, LumbagoError))
    if code or "result" not in last:
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        cause = words.strip().splitlines()[-1][:_LAST_WORDS] if words.strip() else ""
        raise ChildFailed(f"the analysis ended {how}" + (f" ({cause})" if cause else ""))
    result: dict[str, Any] = last["result"]
    return result


class _Told(LumbagoError):
    """An error that a child told: its sentence is complete."""

    def __init__(self, sentence: str, kind: type[LumbagoError]) -> None:
        super().__init__(sentence)
        self.exit_code = kind.exit_code


def _end_late(process: subprocess.Popen[str], overdue: threading.Event) -> None:
    overdue.set()
    _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Ends the process and its own children."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)
