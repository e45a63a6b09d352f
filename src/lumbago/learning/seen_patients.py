"""Whether a model has seen a patient: by the list beside its card, or, for older models, by what the card says.

`patients.txt` names no one: a line for each patient that the model was trained or validated on, the first 16 digits of
the SHA-256 of his key, so that whoever holds a patient can ask for him; and phantoms by their range of seeds. Keys that
can be guessed can be asked for too: the list keeps names out of shared models, it is no secret.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lumbago.errors import ModelRefused
from lumbago.inference.weights import Card, read_card
from lumbago.learning.label_tables import fold_of
from lumbago.learning.splits import HELD_OUT, Membership

_FILE: Final = "patients.txt"
_DIGITS: Final = 16
_HEAD: Final = (
    "# Trained or validated on: phantoms by seed, patients by the first digits of the SHA-256 of their keys.\n"
)
_LINE: Final = re.compile(rf"phantoms (\d+)-(\d+)|([0-9a-f]{{{_DIGITS}}})")
_RANGE: Final = re.compile(r"phantom:(\d+)-(\d+)")
_PHANTOM: Final = re.compile(r"phantom:(\d+)|(?:phantom:)?phantom-(\d+)-(\d+)")
"""Key of a phantom by its seed; or name of its study: the first seed of a series, and its number in that."""

_KEYS_OF: Final = {"spider_space": "spider", "spider_original": "spider", "phantoms": "phantom"}
"""What patients' keys begin with, where that is not the name of their source."""


@dataclass(frozen=True)
class Seen:
    """What a model has seen: digests of patients' keys, seeds of phantoms, and the settings of trainings of which only
    the card can say whom they saw."""

    card: Card
    patients: frozenset[str]
    phantoms: tuple[range, ...]
    listless: tuple[Mapping[str, Any], ...] = ()

    def has_seen(self, patient: str) -> bool:
        """Whether the model was trained or validated on a patient, or on a phantom, by key."""
        seed = _seed(patient)
        if seed is not None:
            return any(seed in seeds for seeds in self.phantoms)
        return _digest(patient) in self.patients or any(_by_settings(settings, patient) for settings in self.listless)

    def require_unseen(self, patient: str) -> None:
        """Refuses a patient that the model has seen.

        Raises:
            ModelRefused: the model was trained or validated on the patient, or on the phantom of that seed.
        """
        if self.has_seen(patient):
            raise ModelRefused(
                f"the model {self.card.name} was trained on {patient}",
                "a model that has not seen the patients that it is used on, not even to validate",
                "name the folders of the folds' models, with {fold} for the number of the fold",
            )


def seen_by(folder: Path) -> Seen:
    """What the model in a folder has seen.

    Raises:
        ModelRefused: no readable card, or a list that is not the one which the card counts.
    """
    card = read_card(folder)
    path, count, listless = folder / _FILE, card.proof.get("patients"), tuple(_listless(card.proof))
    phantoms = [_phantoms_by_settings(settings) for settings in listless]
    if count is None:
        return Seen(card, frozenset(), tuple(phantoms), listless)
    try:
        lines = path.read_text(encoding="utf8").splitlines()[1:]
    except (OSError, ValueError):
        lines = []
    matches = [match for match in map(_LINE.fullmatch, lines) if match]
    if len(lines) != count or len(matches) != count:
        raise ModelRefused(
            f"{path} is not the list of {count} lines that belongs to the model {card.name}", "who it has seen",
            "copy the whole folder of the model again",
        )  # fmt: skip
    phantoms += [range(int(match[1]), int(match[2]) + 1) for match in matches if match[1]]
    return Seen(card, frozenset(match[3] for match in matches if match[3]), tuple(phantoms), listless)


def _listless(proof: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Settings of the training, and of those that its frozen weights come from, where no list says whom they saw."""
    if "patients" not in proof:
        yield proof.get("settings", {})
    if "start" in proof:
        yield from _listless(proof["start"])


def write_seen(folder: Path, rows: Sequence[Membership], start: Seen | None = None) -> int:
    """Writes `patients.txt` beside the card from a run's parts, and from what its frozen weights have seen; gives its
    number of lines, for the card."""
    lines = {_line(row.patient) for row in rows if row.part != HELD_OUT}
    if start is not None:
        lines |= start.patients | {f"phantoms {seeds.start}-{seeds.stop - 1}" for seeds in start.phantoms if seeds}
    (folder / _FILE).write_text(_HEAD + "".join(f"{line}\n" for line in sorted(lines)), encoding="utf8")
    return len(lines)


def _line(patient: str) -> str:
    seeds, seed = _RANGE.fullmatch(patient), _seed(patient)
    if seeds:
        return f"phantoms {seeds[1]}-{seeds[2]}"
    return _digest(patient) if seed is None else f"phantoms {seed}-{seed}"


def _digest(patient: str) -> str:
    return hashlib.sha256(patient.encode()).hexdigest()[:_DIGITS]


def _seed(patient: str) -> int | None:
    match = _PHANTOM.fullmatch(patient)
    if match is None:
        return None
    return int(match[1]) if match[1] else int(match[2]) + int(match[3])


def _by_settings(settings: Mapping[str, Any], patient: str) -> bool:
    prefixes = {_KEYS_OF.get(source, source) for source in settings.get("sources", ())}
    return patient.partition(":")[0] in prefixes and fold_of(patient, settings["folds"]) != settings["fold"]


def _phantoms_by_settings(settings: Mapping[str, Any]) -> range:
    first = settings.get("phantom_seed", 0)
    return range(first, first + settings.get("phantoms", 0) + settings.get("validation_phantoms", 0))
