"""A child that ends when its standard input does, and so with the process that started it, however that one ended."""

import os
import threading
from collections.abc import Callable


def end_with_input() -> None:
    """From now on this process ends at once when its standard input does: the pipe to the parent, of which nothing else
    comes, and which the system closes also when the parent is killed."""
    when_input_ends(lambda: os._exit(1))


def when_input_ends(do: Callable[[], object]) -> None:
    """Does something when standard input ends, from a thread of its own."""
    threading.Thread(target=_wait_and, args=(do,), daemon=True).start()


def _wait_and(do: Callable[[], object]) -> None:
    while os.read(0, 1):
        pass
    do()
