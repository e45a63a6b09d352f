"""Batches come in their order however many threads make them, and the wait for them is counted."""

import threading
import time

import pytest
import torch

from lumbago.learning.feed import Batch, Waiting, feed


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_come_in_order(workers: int) -> None:
    def make(step: int) -> Batch:
        time.sleep(0.01 if step % 2 else 0.0)
        return (torch.tensor([step]),)

    assert [int(batch[0]) for batch in feed(make, range(9), workers, Waiting())] == list(range(9))


def test_made_ahead_costs_no_wait() -> None:
    """Slow batches: with a thread they are made while the trainer works, without one it waits for each."""
    waits = {}
    for workers in (0, 1):
        waiting = Waiting()
        for _ in feed(lambda step: (time.sleep(0.03), (torch.tensor([step]),))[1], range(6), workers, waiting):
            time.sleep(0.06)
        waits[workers] = waiting.seconds
    assert waits[0] >= 6 * 0.03
    assert waits[1] < waits[0] / 2


def test_no_more_than_needed_is_made_ahead() -> None:
    made = []
    batches = feed(lambda step: (made.append(step), (torch.tensor([step]),))[1], range(100), 2, Waiting())
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert len(made) <= 4
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batch")]


def test_a_fault_in_a_thread_is_the_trainer_s() -> None:
    def make(step: int) -> Batch:
        raise ValueError(f"step {step}")

    with pytest.raises(ValueError, match="step 0"):
        list(feed(make, range(3), 1, Waiting()))
