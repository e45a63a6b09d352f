"""Prepared samples are the same whether they are made or kept; what goes wrong with the cache costs a sentence."""

import errno
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_up_patches import made_up_patches

from lumbago.errors import UnreadableInput
from lumbago.learning import sample_cache
from lumbago.learning.array_files import StoredArray, is_whole, read_arrays, write_arrays
from lumbago.learning.disc_samples import GradedPatch
from lumbago.learning.experiment import Experiment
from lumbago.learning.grader_task import GraderTask
from lumbago.learning.phantom_patches import phantom_patches
from lumbago.learning.phantom_slices import phantom_samples
from lumbago.learning.sample_cache import ALONE, Piece, Preparation, kept_samples
from lumbago.learning.train import Course, train

EXPERIMENT = Experiment(
    "small", "grader", conditions=("pfirrmann", "bulging"), patch=(32, 32), slices=3, steps=2, batch=4, pretrained=False
)


class Maker:
    """Makes the patch of a number, and remembers for which it was asked; some cannot be made."""

    def __init__(self, *broken: int, stop_at: int = -1) -> None:
        self.asked: list[int] = []
        self.broken, self.stop_at = broken, stop_at

    def patch(self, number: int) -> Iterator[GradedPatch]:
        if number == self.stop_at:
            raise KeyboardInterrupt
        if number in self.broken:
            raise UnreadableInput(f"picture {number} is broken")
        self.asked.append(number)
        yield made_up_patches()[number]

    def samples(self, how: Preparation, count: int = 6) -> list[GradedPatch]:
        pieces = [Piece(self.patch, (number,), (number,)) for number in range(count)]
        return kept_samples(pieces, GradedPatch.of_parts, how, "patches")


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def assert_same(first: list[GradedPatch], second: list[GradedPatch]) -> None:
    """Bit for bit, all of it."""
    for one, other in zip(first, second, strict=True):
        (facts, arrays), (others_facts, others_arrays) = one.parts(), other.parts()
        assert facts == others_facts and list(facts["grades"]) == list(others_facts["grades"])
        assert arrays["volume"].dtype == others_arrays["volume"].dtype
        assert arrays["volume"].tobytes() == others_arrays["volume"].tobytes()
        assert one.frame.center_lps_mm.dtype == other.frame.center_lps_mm.dtype == np.float64


def trained(samples: list[GradedPatch], folder: Path) -> dict[str, torch.Tensor]:
    task = GraderTask(EXPERIMENT, samples)
    return train(EXPERIMENT, task, folder, lambda *_: None, Course(workers=1)).mean.state_dict()


def test_samples_and_weights_are_the_same_off_cold_and_warm(tmp_path: Path) -> None:
    how = Preparation(tmp_path / "cache")
    ways = [Maker().samples(ALONE), Maker().samples(how)]
    warm = Maker()
    ways.append(warm.samples(how))
    assert warm.asked == [] and len(files(tmp_path / "cache")) == 6
    weights = [trained(samples, tmp_path / str(number)) for number, samples in enumerate(ways)]
    for samples, values in zip(ways, weights, strict=True):
        assert_same(ways[0], samples)
        assert all(torch.equal(values[name], weights[0][name]) for name in values)


def test_what_is_kept_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    samples = Maker().samples(Preparation(tmp_path))
    assert isinstance(samples[0].held, type(samples[1].held)) and samples[0].grades == {"pfirrmann": 0, "bulging": 0}
    for path in files(tmp_path):
        path.unlink()
    assert GraderTask(EXPERIMENT, samples).sample_counts() == {"sudirman": 4, "spider": 2}
    with pytest.raises(UnreadableInput, match=r"can no longer be read .*--resume"):
        _ = samples[0].volume


def test_a_volume_that_several_share_is_kept_once(tmp_path: Path) -> None:
    def both() -> list[GradedPatch]:
        first = made_up_patches()[0]
        return [first, replace(first, level="L5/S1")]

    samples = kept_samples([Piece(both, (), ())], GradedPatch.of_parts, Preparation(tmp_path), "patches")
    assert_same(samples, both())
    (path,) = files(tmp_path)
    assert set(read_arrays(path) or ()) == {"facts", "array-0"}


@pytest.mark.parametrize("make", [phantom_patches, phantom_samples])
def test_phantoms_are_the_same_from_any_number_of_processes(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_cache, "_WORTH", 2)
    given: tuple[Any, ...] = (11, 2)
    if make is phantom_patches:
        given = (Experiment("x", "grader", conditions=("pfirrmann",), phantoms=2, phantom_seed=11),)
    shown: list[tuple[str, int, int]] = []
    alone = make(*given)
    many = make(*given, Preparation(tmp_path, processes=2, show=lambda *row: shown.append(row)))
    assert [done for _, done, _ in shown] == [1, 2] and len(files(tmp_path)) == 2
    assert len(alone) == len(many) > 0
    for one, other in zip(alone, many, strict=True):
        held = other.open() if make is phantom_samples else other
        (facts, arrays), (others, others_arrays) = one.parts(), held.parts()
        assert facts == others
        assert all(arrays[name].tobytes() == others_arrays[name].tobytes() for name in arrays)


def test_an_interrupted_preparation_goes_on_where_it_was(tmp_path: Path) -> None:
    how = Preparation(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        Maker(stop_at=3).samples(how)
    again = Maker()
    assert_same(again.samples(how), Maker().samples(ALONE))
    assert again.asked == [3, 4, 5]


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "other"])
def test_a_damaged_file_is_one_sentence_and_made_anew(damage: str, tmp_path: Path) -> None:
    told: list[str] = []
    how = Preparation(tmp_path, tell=told.append)
    Maker().samples(how)
    path = files(tmp_path)[2]
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        {
            "cut": whole[:middle],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "emptied": b"",
            "other": b"not an archive",
        }[damage]
    )
    again = Maker()
    assert_same(again.samples(how), Maker().samples(ALONE))
    assert len(again.asked) == 1 and told == [f"{path} is damaged and made anew."]
    assert is_whole(path)


def test_a_full_disk_is_one_sentence_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    savez, written = np.savez, 0

    def savez_until_full(file: Any, **arrays: Any) -> None:
        nonlocal written
        written += 1
        if written > 2:
            file.write(b"some")
            raise OSError(errno.ENOSPC, "No space left on device")
        savez(file, **arrays)

    monkeypatch.setattr(np, "savez", savez_until_full)
    told: list[str] = []
    how = Preparation(tmp_path, tell=told.append)
    assert_same(Maker().samples(how), Maker().samples(ALONE))
    assert told == [
        "The cache cannot be written to (No space left on device); what is not in it stays in memory for this run."
    ]
    assert len(files(tmp_path)) == 2, "nothing half written is left"
    monkeypatch.undo()
    later = Maker()
    later.samples(how)
    assert later.asked == [2, 3, 4, 5]


def test_a_folder_that_is_none_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    told: list[str] = []
    assert len(Maker().samples(Preparation(tmp_path / "cache", tell=told.append))) == 6
    assert len(told) == 1 and told[0].startswith("The cache cannot be written to (")


def test_an_input_that_cannot_be_used_costs_itself(tmp_path: Path) -> None:
    told: list[str] = []
    how = Preparation(tmp_path, tell=told.append)
    maker = Maker(1, 4)
    assert [sample.name for sample in maker.samples(how)] == ["sudirman:0", "sudirman:2", "sudirman:3", "spider:5"]
    assert told == ["Left out: picture 1 is broken.", "Left out: picture 4 is broken."]
    with pytest.raises(UnreadableInput, match=r"none of 6 .* picture 0 is broken"):
        Maker(*range(6)).samples(replace(how, cache=None))


def test_the_name_follows_from_what_went_in() -> None:
    maker = Maker()
    keys = [
        Piece(maker.patch, (1,), (1, 0.1)).key,
        Piece(maker.patch, (1,), (1, 0.1 + 1e-16)).key,
        Piece(maker.patch, (1,), (2, 0.1)).key,
        Piece(maker.samples, (1,), (1, 0.1)).key,
    ]
    assert len(set(keys)) == 4 - (0.1 == 0.1 + 1e-16)
    assert keys[0] == Piece(Maker().patch, (1,), (1, 0.1)).key


def test_the_code_is_part_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Piece(made_up_patches, (), ()).key
    monkeypatch.setattr(sample_cache, "source_digest", lambda *_: "other code")
    assert Piece(made_up_patches, (), ()).key != before


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.npz"
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros((0, 2), np.uint8)}
    write_arrays(path, arrays)
    read = read_arrays(path)
    assert read is not None and list(read) == ["a", "b"]
    assert all(read[name].dtype == arrays[name].dtype and np.array_equal(read[name], arrays[name]) for name in arrays)
    assert np.array_equal(StoredArray(path, "a").read(), arrays["a"])
    assert read_arrays(tmp_path / "none.npz") is None
