"""Errors: one sentence each, and the exit code that its place in the tree gives it."""

import pickle

import pytest

from lumbago import errors
from lumbago.errors import LumbagoError

CODES = {
    "LumbagoError": 1, "UsageError": 2, "InputError": 3, "UnreadableInput": 3, "MixedPatients": 3, "NotAGrid": 3,
    "NotALumbarStudy": 4, "PartsMissing": 5, "Refused": 6, "ModelRefused": 6, "SettingsRefused": 6,
    "TrainingDiverged": 6,
    "NotInRecords": 2, "RecordsRefused": 6, "RecordsDamaged": 6, "RecordsFull": 6,
}  # fmt: skip
CLASSES = {
    name: item
    for name, item in vars(errors).items()
    if isinstance(item, type) and issubclass(item, errors.LumbagoError)
}


def test_every_error_has_its_exit_code() -> None:
    assert {name: error.exit_code for name, error in CLASSES.items()} == CODES


@pytest.mark.parametrize("error", CLASSES.values(), ids=CLASSES)
def test_the_drawn_tree_states_the_exit_code_and_the_parent(error: type[LumbagoError]) -> None:
    lines = (errors.__doc__ or "").splitlines()
    (line,) = [line for line in lines if line.strip("│ ├└─").split(" ")[0] == error.__name__]
    codes = [int(word) for word in line.split() if word.isdigit()]
    assert codes in ([], [error.exit_code])
    above = [other for other in CLASSES.values() if other in error.__mro__[1:]]
    depth = len(line) - len(line.lstrip("│ ├└─"))
    assert depth == 4 * (len(above) + 1)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (("no spine", "a spine", "look elsewhere"), "no spine; expected a spine; look elsewhere."),
        (("no spine", "a spine"), "no spine; expected a spine."),
        (("no spine", "", "look elsewhere"), "no spine; look elsewhere."),
        (("no spine",), "no spine."),
        (("no spine.", "a spine.", "look elsewhere."), "no spine; expected a spine; look elsewhere."),
    ],
)
def test_a_message_is_one_sentence(parts: tuple[str, ...], sentence: str) -> None:
    assert str(LumbagoError(*parts)) == sentence


def test_the_parts_of_a_message_can_be_asked_for() -> None:
    error = errors.NotALumbarStudy("a knee", "a spine", "check")
    assert (error.found, error.expected, error.advice) == ("a knee", "a spine", "check")


@pytest.mark.parametrize("error", CLASSES.values(), ids=CLASSES)
def test_an_error_survives_the_way_between_processes(error: type[LumbagoError]) -> None:
    sent = error("no spine", "a spine", "look elsewhere")
    got = pickle.loads(pickle.dumps(sent))
    assert type(got) is error
    assert str(got) == str(sent)
