"""Worker processes beside the server, started anew when one dies."""

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
            process.wait()

    def _watch(self) -> None:
        while not self._stop.is_set():
            self._running = [process for process in self._running if process.poll() is None]
            while len(self._running) < self._wanted:
                command = [sys.executable, "-P", "-m", "lumbago", "worker"]
                self._running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
            self._stop.wait(_LOOK_SECONDS)
