"""Worker processes beside the server, started anew when one dies. Each holds the end of a pipe to the server as its
standard input, so that they end also with a server that is killed."""

import subprocess
import sys
import threading
from contextlib import suppress
from typing import Final

_LOOK_SECONDS: Final = 1.0
_END_SECONDS: Final = 5.0


class WorkerProcesses:
    """`count` processes of `lumbago worker`; one that ends is replaced, after a breath."""

    def __init__(self, count: int) -> None:
        self._wanted = count
        self._running: list[subprocess.Popen[bytes]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "WorkerProcesses":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for process in self._running:
            process.terminate()
        for process in self._running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)
            process.kill()
            _close(process)

    def _watch(self) -> None:
        while not self._stop.is_set():
            for process in [process for process in self._running if process.poll() is not None]:
                self._running.remove(process)
                _close(process)
            while len(self._running) < self._wanted:
                command = [sys.executable, "-P", "-m", "lumbago", "worker", "--until-input-ends"]
                self._running.append(subprocess.Popen(command, stdin=subprocess.PIPE))
            self._stop.wait(_LOOK_SECONDS)


def _close(process: subprocess.Popen[bytes]) -> None:
    """Waits for the end of a process, and lets go of the pipe to it."""
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
