"""The registry of systems by enumeration: every row can be listed, shown, and says whole things."""

from pathlib import Path

import pytest

from lumbago.anatomy.conditions import CONDITIONS, ROLES
from lumbago.errors import ModelRefused, UsageError
from lumbago.inference.deployed import models_in_use, models_of
from lumbago.inference.weights import SHIPPED, read_card
from lumbago.settings import Settings
from lumbago.systems import OURS, SYSTEMS, Part, System, find_system

EVERY = pytest.mark.parametrize("system", SYSTEMS.values(), ids=lambda row: row.name)


@EVERY
def test_a_row_says_what_there_is(system: System) -> None:
    assert find_system(system.name) is system
    assert set(system.grades) <= set(CONDITIONS) and system.grades
    assert set(system.inputs) <= set(ROLES) and system.inputs
    assert len({part.name for part in system.parts}) == len(system.parts) > 0
    assert all((system.title, system.source, system.finds, system.licence))


def test_ours_is_what_is_shipped() -> None:
    assert set(models_of(SYSTEMS[OURS], Settings())) == {folder.parent.name for folder in SHIPPED.glob("*/card.toml")}


@pytest.mark.parametrize("row", sorted({path.parents[1].name for path in SHIPPED.glob("*/*/card.toml")}))
def test_other_rows_are_shipped_whole(row: str) -> None:
    for part in SYSTEMS[row].parts:
        if part.is_own:
            assert read_card(SHIPPED / row / part.name).proof["network"]["name"] == part.network


def test_a_row_that_there_is_not() -> None:
    with pytest.raises(UsageError, match="no system oracle"):
        find_system("oracle")


def made_up(*parts: Part) -> System:
    return System("made-up", "t", "s", "f", ("pfirrmann",), ("sagittal_t2",), parts)


def test_models_of_another_system_lie_in_the_home(tmp_path: Path) -> None:
    system = made_up(Part("spine-locator", "finds", borrowed=True), Part("own-grader", "grades"))
    settings = Settings(home=str(tmp_path))
    with pytest.raises(ModelRefused, match="own-grader of the system made-up is not here"):
        models_of(system, settings)
    own = tmp_path / "systems" / "made-up" / "own-grader"
    own.mkdir(parents=True)
    (own / "card.toml").touch()
    borrowed = models_in_use(settings)["spine-locator"]
    assert list(models_of(system, settings).items()) == [("spine-locator", borrowed), ("own-grader", own)]


def test_a_part_that_is_the_same_as_another_has_its_folder(tmp_path: Path) -> None:
    one, same = Part("spine-locator", "finds", network="boxes"), Part("own-grader", "grades", same_as="spine-locator")
    place = tmp_path / "systems" / "made-up" / "spine-locator"
    place.mkdir(parents=True)
    (place / "card.toml").touch()
    assert models_of(made_up(one, same), Settings(home=str(tmp_path))) == {one.name: place, same.name: place}


@EVERY
def test_a_part_is_the_same_as_one_before_it(system: System) -> None:
    for number, part in enumerate(system.parts):
        before = {other.name: other for other in system.parts[:number]}
        assert not part.same_as or before[part.same_as].network == part.network
