"""Text from files, made fit to be shown: nothing in it is hidden, reorders its neighbours, or runs on for ever."""

import unicodedata
from typing import Final

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Unicode categories that print as nothing, or act on other characters: controls, bidi overrides, line separators."""


def visible(text: str, limit: int = 80) -> str:
    """The text with every unseen character written out (`<U+202E>`), cut to `limit` characters with an ellipsis."""
    shown = "".join(f"<U+{ord(char):04X}>" if unicodedata.category(char) in _UNSEEN else char for char in text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def person_name(value: str) -> str:
    """A DICOM PersonName as a reader writes it: `Doe^Jane^M` as `Doe, Jane M`.

    Its groups (alphabetic, ideographic, phonetic) are parted by `=`; the latter two are set in brackets, without the
    comma (PS3.5, section 6.2.1).
    """
    latin, *others = value.split("=")
    family, given = latin.partition("^")[::2]
    names = ", ".join(part for part in (family.strip(), _spaced(given)) if part)
    return visible(" ".join(part for part in (names, *(f"({_spaced(other)})" for other in others if other)) if part))


def _spaced(components: str) -> str:
    return " ".join(part.strip() for part in components.split("^") if part.strip())


def iso_date(value: str) -> str:
    """A DICOM date (`20240131`) as `2024-01-31`; anything else as it stands."""
    is_date = len(value) == 8 and value.isascii() and value.isdigit()
    return f"{value[:4]}-{value[4:6]}-{value[6:]}" if is_date else visible(value)
