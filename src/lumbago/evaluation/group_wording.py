"""What groups of cases are called wherever their scores stand."""

from collections.abc import Sequence

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.evaluation.cases import GradedCase, Group


def condition_title(name: str) -> str:
    """A condition as a heading."""
    title = CONDITIONS[name].title
    return title[:1].upper() + title[1:]


def said_split(split: str) -> str:
    """The split, or that it is not said."""
    return split or "not said"


def counted(cases: Sequence[GradedCase]) -> str:
    """How many places of how many patients; a phantom is none."""
    owners = len({case.patient for case in cases})
    noun = "phantom" if cases[0].is_phantom else "patient"
    places = f"{len(cases)} place{'' if len(cases) == 1 else 's'}"
    return f"{places} of {owners} {noun}{'' if owners == 1 else 's'}"


def group_title(place: Group, cases: Sequence[GradedCase]) -> str:
    """What a figure must say of its data."""
    data, split, condition = place
    return f"{condition_title(condition)}: {data}, split: {said_split(split)}; {counted(cases)}"


def file_stem(place: Group) -> str:
    """The group as a file name."""
    text = "-".join(part for part in (place[2], place[0].split(" (")[0], place[1]) if part)
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in text)
