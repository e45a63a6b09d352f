import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbago.report.visible_text import iso_date, person_name, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Müller-Łoś 山田", "Müller-Łoś 山田"),
        ("a\u202eb", "a<U+202E>b"),
        ("a\nb\x00", "a<U+000A>b<U+0000>"),
        ("\u200b\ufeff", "<U+200B><U+FEFF>"),
        ("\ud800", "<U+D800>"),
        ("#panic() *x*", "#panic() *x*"),
    ],
)
def test_unseen_characters_are_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_long_text_is_cut() -> None:
    assert visible("x" * 81) == "x" * 79 + "…"
    assert visible("x" * 80) == "x" * 80
    assert visible("\u202e" * 40) == "<U+202E>" * 9 + "<U+202E" + "…"


@given(st.text())
def test_what_is_shown_prints(text: str) -> None:
    assert visible(text, 1000).isprintable() or any(char.isspace() for char in text)
    assert visible(visible(text, 1000), 10000) == visible(text, 1000)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Doe^Jane^Q", "Doe, Jane Q"),
        ("Doe", "Doe"),
        ("^Jane", "Jane"),
        ("", ""),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada, Tarou (山田 太郎) (やまだ たろう)"),
        ("=山田^太郎", "(山田 太郎)"),
        ("Adams^John Robert Quincy^^Rev.^B.A.", "Adams, John Robert Quincy Rev. B.A."),
    ],
)
def test_person_names(value: str, shown: str) -> None:
    assert person_name(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [("20240131", "2024-01-31"), ("", ""), ("2024", "2024"), ("２０２４０１３１", "２０２４０１３１")],
)
def test_dates(value: str, shown: str) -> None:
    assert iso_date(value) == shown
