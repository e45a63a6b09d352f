"""Batches made in the background while the network computes, and how long it had to wait for them."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from torch import Tensor

Batch = tuple[Tensor, ...]
"""First what the network is given, then what its outputs are judged by; the first axis counts samples."""


@dataclass(slots=True)
class Waiting:
    """Seconds that the trainer stood still for want of a batch."""

    seconds: float = 0.0


def feed(make: Callable[[int], Batch], steps: Iterable[int], workers: int, waiting: Waiting) -> Iterator[Batch]:
    """The batches of the steps, in their order, made by `workers` threads at most `workers + 1` steps ahead.

    `make` draws a batch from its step alone, so neither the number of threads nor a break changes what comes. Threads
    do: resampling and filtering leave the interpreter to others while they work. Without workers each batch is made
    when it is asked for.
    """
    if not workers:
        for step in steps:
            yield _timed(lambda step=step: make(step), waiting)  # type: ignore[misc]
        return
    coming: deque[Future[Batch]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="batch")
    try:
        for step in steps:
            coming.append(pool.submit(make, step))
            if len(coming) > workers:
                yield _timed(coming.popleft().result, waiting)
        while coming:
            yield _timed(coming.popleft().result, waiting)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _timed(give: Callable[[], Batch], waiting: Waiting) -> Batch:
    start = time.perf_counter()
    batch = give()
    waiting.seconds += time.perf_counter() - start
    return batch
