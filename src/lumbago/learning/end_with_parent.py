"""A process that works for another ends when that one does, however it ended: a killed one cannot end its own."""

import multiprocessing
import os
from threading import Thread


def end_with_parent() -> None:
    """Called in a process of `multiprocessing`, which from then on ends with its parent. It loses what it is at."""
    Thread(target=_wait, daemon=True).start()


def _wait() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
