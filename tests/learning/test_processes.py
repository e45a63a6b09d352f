"""Real processes: two of them train as one would, and one that is killed without warning goes on to the same bits."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parent / "one_process.py"


def start(
    folder: Path, steps: int, kill_at: int = 0, dtype: str = "float32", **environment: str
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), str(steps), str(kill_at), dtype],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment}, stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(child: subprocess.Popen[bytes], code: int = 0) -> None:
    _, complaint = child.communicate(timeout=120)
    assert child.returncode == code, complaint.decode()


def log(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_two_processes_train_as_one_does(tmp_path: Path) -> None:
    """Batch norm and dropout among it: each process sees half of the batch, and the loss is that of the whole.

    In float64, in which rounding is too small to be told from nothing; in float32 AdamW makes it grow with every step.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    children = [start(tmp_path / "one", 6, dtype="float64")]
    for rank in "01":
        place = {"RANK": rank, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        children.append(start(tmp_path / "two", 6, dtype="float64", **place))
    for child in children:
        finish(child)
    one, two = log(tmp_path / "one"), log(tmp_path / "two")
    assert [line["step"] for line in one] == [line["step"] for line in two] == list(range(1, 7))
    assert [line["loss"] for line in two] == pytest.approx([line["loss"] for line in one], rel=1e-5)
    seen = [[line["validation_loss"] for line in lines if "validation_loss" in line] for lines in (one, two)]
    assert len(seen[0]) == 2 and seen[1] == pytest.approx(seen[0], rel=1e-5)


@pytest.mark.slow
def test_killed_ten_times_and_resumed_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole = start(tmp_path / "whole", 30)
    for step in sorted(random.Random(1).sample(range(1, 30), 10)):
        finish(start(tmp_path / "broken", 30, kill_at=step), -signal.SIGKILL)
    finish(start(tmp_path / "broken", 30))
    finish(whole)
    first, second = (torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("whole", "broken"))
    for part in ("network", "mean", "best"):
        for name, value in first[part].items():
            assert torch.equal(value, second[part][name]), f"{part} {name}"
    assert log(tmp_path / "whole") == log(tmp_path / "broken")
