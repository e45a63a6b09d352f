"""A log tells each step once, whatever was interrupted; pictures show what it tells."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lumbago.learning.run_log import open_log, read_log
from lumbago.learning.run_pictures import draw_confusion, draw_curves


def test_a_step_that_is_done_again_stands_there_once(tmp_path: Path) -> None:
    with open_log(tmp_path, 0, is_kept=True) as log:
        for step in (1, 2, 3):
            log.write(step, {"loss": 1.0 / step})
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    with open_log(tmp_path, 2, is_kept=True) as log:
        log.write(3, {"loss": 0.25, "validation_loss": 0.5})
    lines = read_log(tmp_path)
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert lines[-1] == {"step": 3, "loss": 0.25, "validation_loss": 0.5}


def test_other_processes_write_nothing(tmp_path: Path) -> None:
    with open_log(tmp_path, 0, is_kept=False) as log:
        log.write(1, {"loss": 1.0})
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_can_read_the_events(tmp_path: Path) -> None:
    with open_log(tmp_path, 0, is_kept=True) as log:
        for step in (1, 2):
            log.write(step, {"loss": 1.0 / step})
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 1.0), (2, 0.5)]


@pytest.mark.parametrize("steps", [0, 1, 50])
def test_curves_are_drawn(tmp_path: Path, steps: int) -> None:
    lines: list[dict[str, int | float]] = [{"step": step, "loss": 2.0 / step} for step in range(1, steps + 1)]
    if lines:
        lines[-1]["validation_loss"] = 0.5
    draw_curves(lines, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        pixels = np.asarray(picture)
    blue = (pixels == (40, 90, 160)).all(-1)
    assert blue.any() == (steps > 1)
    if steps > 1:
        rows = [np.nonzero(blue[:, column])[0].mean() for column in (100, 800)]
        assert rows[0] < rows[1], "the loss falls"


def test_a_confusion_table_is_darkest_where_most_is(tmp_path: Path) -> None:
    draw_confusion(np.array([[9, 1], [5, 5]]), ("absent", "present"), tmp_path / "table.png")
    with Image.open(tmp_path / "table.png") as picture:
        pixels = np.asarray(picture)[..., 0]
    assert pixels[75, 135] < pixels[161, 135] < pixels[75, 221]
