"""Spellings of others: each means what the table says, and what we write is understood as what was meant."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from lumbago.anatomy.conditions import CONDITIONS, ROLES
from lumbago.anatomy.levels import LEVELS
from lumbago.errors import SettingsRefused, UnreadableInput
from lumbago.labels.label_names import DEFAULT_NAMES, ClassMeaning, class_name, read_names, words

NAMES = read_names()


@pytest.mark.parametrize(
    "text, meaning",
    {
        "L4-L5": ClassMeaning(level="L4/L5"),
        "l4_l5": ClassMeaning(level="L4/L5"),
        "Pfirrmann 4": ClassMeaning("pfirrmann", "4"),
        "L5/S1 Pfirrmann grade IV": ClassMeaning("pfirrmann", "4", "L5/S1"),
        "HIZ": ClassMeaning("high_intensity_zone", "present"),
        "SS L4-L5": ClassMeaning("spinal_canal_stenosis", None, "L4/L5"),
        "left SS severe": ClassMeaning("subarticular_stenosis", "severe", None, "left"),
        "Right Neural Foraminal Narrowing": ClassMeaning("neural_foraminal_narrowing", None, None, "right"),
        "Normal_IVD": ClassMeaning(structure="disc"),
        "L5": ClassMeaning(structure="L5"),
        "LDB": ClassMeaning("bulging", "present"),
        "Modic type 2 l5-s1": ClassMeaning("modic", "2", "L5/S1"),
        "hernia L3-4": ClassMeaning("herniation", "present", "L3/L4"),
        "disc L2-L3 uncertain": ClassMeaning(structure="disc", level="L2/L3", is_certain=False),
        "banana L2-L3": ClassMeaning(level="L2/L3", unknown=("banana",)),
    }.items(),
)
def test_class_names(text: str, meaning: ClassMeaning) -> None:
    assert NAMES.read_class(text) == meaning


@pytest.mark.parametrize("condition", CONDITIONS)
def test_what_is_written_is_read_as_it_was_meant(condition: str) -> None:
    row = CONDITIONS[condition]
    plain = (None,) if row.scale.name != "presence" else ()
    grades, levels = (*row.scale.grades, *plain), (None, *LEVELS, "T12/L1")
    structures = (None, "disc", "L5", "dural sac")
    for grade, level, side, structure in product(grades, levels, (None, "left", "right"), structures):
        if side is None or row.sided:
            meaning = ClassMeaning(condition, grade, level, side, structure)
            assert NAMES.read_class(class_name(meaning)) == meaning
            doubtful = replace(meaning, is_certain=False)
            assert NAMES.read_class(class_name(doubtful)) == doubtful


@pytest.mark.parametrize("structure", NAMES.tables["structures"].values())
def test_structures_are_read_as_they_were_meant(structure: tuple[str, ...]) -> None:
    for level in (None, *LEVELS):
        meaning = ClassMeaning(structure=structure[0], level=level)
        assert NAMES.read_class(class_name(meaning)) == meaning


@pytest.mark.parametrize("level", LEVELS)
def test_levels(level: str) -> None:
    for text in (level, level.replace("/", "-"), level.lower().replace("/", "_"), level.replace("/", "")):
        assert NAMES.level(text) == level


@pytest.mark.parametrize("condition", CONDITIONS)
def test_own_names_and_titles_are_understood(condition: str) -> None:
    row = CONDITIONS[condition]
    assert NAMES.condition(condition) == (condition, None)
    for grade, title in zip(row.scale.grades, row.scale.titles, strict=True):
        assert NAMES.grade(condition, grade) == NAMES.grade(condition, title) == grade


@pytest.mark.parametrize("role", ROLES)
def test_roles(role: str) -> None:
    assert NAMES.role(role) == role


def test_sudirman_and_rsna_spell_series_and_grades() -> None:
    assert NAMES.role("Sagittal T2/STIR") == "sagittal_t2" and NAMES.role("Axial T2") == "axial_t2"
    assert NAMES.grade("subarticular_stenosis", "Normal/Mild") == "normal_mild"
    assert NAMES.condition("banana") is None and NAMES.condition("Spinal Canal Stenosis L4-L5") is None


def test_own_spellings_go_first(tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text('[conditions]\nspinal_canal_stenosis = ["Stenosis", "SS"]\n[absence]\nbulging = "negative"\n')
    names = read_names(own)
    assert names.read_class("left SS").condition == "spinal_canal_stenosis"
    assert names.read_class("stenosis L1-L2 moderate") == ClassMeaning("spinal_canal_stenosis", "moderate", "L1/L2")
    assert names.read_class("HIZ").condition == "high_intensity_zone"
    assert names.absence == {**NAMES.absence, "bulging": "negative"}


@pytest.mark.parametrize(
    "text, said",
    {
        "[conditions]\nbananas = ['b']": "'bananas' in .conditions.",
        "[levels]\n'L9/L10' = ['x']": "'L9/L10' in .levels.",
        "[fruit]\nbanana = ['b']": "a section fruit",
        "[absence]\nherniation = 'maybe'": "herniation",
        "[conditions]\nmodic = 'm'": "modic",
        "[grades.pfirrmann]\n'6' = ['vi']": "pfirrmann 6",
        "[grades.colour]\nred = ['r']": "'colour' in .grades.",
        "[grades.presence]\npresent = ['+']\nabsent = ['-']": "present, absent .*a letter or a digit",
        "[grades]\nseverity = 3": "severity",
        "levels = 3": "a section levels",
        "= [": "no(t)? TOML",
    }.items(),
)
def test_a_table_of_nonsense_is_refused(tmp_path: Path, text: str, said: str) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(text)
    with pytest.raises(SettingsRefused, match=said):
        read_names(own)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match=r"mine\.toml"):
        read_names(tmp_path / "mine.toml")


def test_words() -> None:
    assert words("L4-L5 Pfirrmann_4") == ("l4", "l5", "pfirrmann", "4")
    assert DEFAULT_NAMES.is_file()
