"""Starts, asks and, when it must, ends a limited child process."""

import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BufferedIOBase
from typing import Any, Final, cast

from lumbago.dicom.wire import WireError, read_message, write_message
from lumbago.errors import LumbagoError

REQUEST_SECONDS: Final = 20.0
_START_SECONDS: Final = 60.0
_WATCH_SECONDS: Final = 0.2
_PIPE_BYTES: Final = 1 << 20
_PASSED_ON: Final = frozenset((
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "VIRTUAL_ENV", "LD_LIBRARY_PATH",
    "PYTHONPATH", "PYTHONHOME", "PYTHONUTF8", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX",
))  # fmt: skip


class ChildDiedError(Exception):
    """The child ended while it worked on a request; its text says how."""


def _environment() -> dict[str, str]:
    """No more of the environment than Python needs (it may hold passwords), and one thread for each library."""
    kept = {name: value for name, value in os.environ.items() if name in _PASSED_ON}
    return kept | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class _WatchedProcess:
    """A process that is killed when a deadline passes. One thread watches; a timer per request would cost more."""

    def __init__(self, command: list[str]) -> None:
        self.popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,
            pipesize=_PIPE_BYTES,
        )
        self.is_ready = self.was_overdue = False
        self._deadline = math.inf
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while not self._ended.wait(_WATCH_SECONDS):
            if time.monotonic() > self._deadline:
                self.was_overdue = True
                self.popen.kill()
                return

    @contextmanager
    def time_limit(self, seconds: float) -> Iterator[None]:
        """Kills the process after so many seconds; whoever waits for its reply then sees its end."""
        self._deadline = time.monotonic() + seconds
        try:
            yield
        finally:
            self._deadline = math.inf

    def send(self, request: Mapping[str, Any]) -> None:
        """Raises BrokenPipeError when the process is dead."""
        write_message(cast(BufferedIOBase, self.popen.stdin), request)

    def receive(self) -> tuple[dict[str, Any], bytes] | None:
        """The next message; None, or a WireError, when the process is dead."""
        return read_message(cast(BufferedIOBase, self.popen.stdout))

    def end(self) -> None:
        """Ends it."""
        self._ended.set()
        self.popen.kill()
        for pipe in (self.popen.stdin, self.popen.stdout):
            with suppress(BrokenPipeError):
                cast(BufferedIOBase, pipe).close()
        self.popen.wait()


class LimitedChild:
    """One child process that runs a module, started at once so that its start-up overlaps other work.

    A dead child is replaced at the next request. Not for use by several threads at a time.
    """

    def __init__(self, module: str, seconds: float = REQUEST_SECONDS) -> None:
        self._module, self._seconds = module, seconds
        self._process: _WatchedProcess | None = self._start()

    def _start(self) -> _WatchedProcess:
        """`-P` keeps the current folder, maybe one of unknown files, off the child's path."""
        return _WatchedProcess([sys.executable, "-P", "-m", self._module])

    def _ready_process(self) -> _WatchedProcess:
        process = self._process = self._process or self._start()
        if not process.is_ready:
            with process.time_limit(_START_SECONDS), suppress(WireError):
                process.is_ready = process.receive() is not None
        if not process.is_ready:
            self.close()
            raise LumbagoError(
                "the process that decodes images does not start",
                advice=f"run `{sys.executable} -m {self._module}` to see why",
            )
        return process

    def ask(self, request: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        """The reply to a request.

        Raises:
            ChildDiedError: it crashed, or took too long and was killed.
            LumbagoError: the child cannot be started at all.
        """
        process, reply = self._ready_process(), None
        with process.time_limit(self._seconds), suppress(WireError, BrokenPipeError):
            process.send(request)
            reply = process.receive()
        if reply is None:
            raise ChildDiedError(self._how_it_died(process))
        return reply

    def _how_it_died(self, process: _WatchedProcess) -> str:
        with suppress(subprocess.TimeoutExpired):
            process.popen.wait(timeout=1.0)
        self.close()
        if process.was_overdue:
            return f"took longer than {self._seconds:g} s to decode"
        code = process.popen.returncode
        return f"made its decoder crash (signal {-code})" if code < 0 else f"made its decoder stop (code {code})"

    def close(self) -> None:
        """Ends the process."""
        process, self._process = self._process, None
        if process is not None:
            process.end()
