"""The processes of a comparison do not outlive it, however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

WORK = """
import sys
text = f"open({sys.argv[1]!r}, 'w').write(str(__import__('os').getpid())), __import__('time').sleep(60)"
"""
"""Leaves the number of its process in a file and then takes a minute."""

POOL = f"""{WORK}
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from lumbago.learning.end_with_parent import end_with_parent

ProcessPoolExecutor(1, get_context("spawn"), end_with_parent).submit(eval, text).result()
"""
COMPARISON = f"""{WORK}
from types import SimpleNamespace
from lumbago.learning import run_comparison

run_comparison._do_all(eval, [text], SimpleNamespace(processes=1), print)
"""


def is_alive(process: int) -> bool:
    """Whether it runs; one that ended and was not asked for is a zombie where nobody asks."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("text", [POOL, pytest.param(COMPARISON, marks=pytest.mark.slow)], ids=["pool", "comparison"])
def test_a_killed_comparison_takes_its_processes_along(text: str, tmp_path: Path) -> None:
    """They trained on alone, and a comparison that was started again wrote beside them."""
    left = tmp_path / "pid"
    main = subprocess.Popen([sys.executable, "-c", text, str(left)])
    try:
        limit = time.monotonic() + 60
        while not (left.exists() and left.read_text()) and main.poll() is None and time.monotonic() < limit:
            time.sleep(0.05)
        worker = int(left.read_text())
        assert is_alive(worker)
    finally:
        main.kill()
        main.wait()
    limit = time.monotonic() + 10
    while is_alive(worker) and time.monotonic() < limit:
        time.sleep(0.05)
    was_left = is_alive(worker)
    if was_left:
        os.kill(worker, signal.SIGKILL)
    assert not was_left
