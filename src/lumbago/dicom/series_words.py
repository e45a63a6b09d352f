"""What radiographers write into a series' name, as weighting, fat suppression and plane. Only ever a tie-breaker."""

import re
from typing import Final, Literal

from lumbago.dicom.study import SliceHeader

Weighting = Literal["t1", "t2", "pd", "stir", "flair", "t2_star", "diffusion", "unknown"]

WEIGHTING_TITLES: Final[dict[Weighting, str]] = {
    "t1": "T1", "t2": "T2", "pd": "PD", "stir": "STIR", "flair": "FLAIR", "t2_star": "T2*", "diffusion": "diffusion",
    "unknown": "of unknown weighting",
}  # fmt: skip
"""As a reader sees them."""

_START, _END = r"(?:(?<![a-z0-9])|(?<=sag)|(?<=ax)|(?<=cor)|(?<=tra))", r"(?![a-z0-9])"
_WEIGHTINGS: Final[tuple[tuple[Weighting, str], ...]] = (
    ("diffusion", rf"{_START}(dwi|dti|diff|adc|trace)"),
    ("stir", rf"{_START}(stir|tirm)"),
    ("t2_star", rf"{_START}(t2 ?\*|t2 ?star|medic|merge|m?ffe){_END}|{_START}t2 ?\*"),
    ("t1", rf"{_START}t1(?!\d)"),
    ("flair", rf"{_START}flair"),
    ("t2", rf"{_START}t2"),
    ("pd", rf"{_START}(pd|dp|proton)"),
)
_FAT_SUPPRESSED: Final = rf"{_START}(fs|fat ?sat|fatsup|spair|spir|stir|tirm|we|water|fat supp\w*){_END}"
_LOCALIZER: Final = rf"{_START}(loc|locali[sz]er|scout|survey|pilot|3 ?pl(ane)?){_END}"
_PLANES: Final = (
    ("sagittal", rf"{_START}sag"),
    ("axial", rf"{_START}(ax|tra{_END}|transv)"),
    ("coronal", rf"{_START}cor(onal)?{_END}"),
)
_NO_AGENT: Final = r"(0( ?ml)?|n|no|non|none|nil|nein|keine?s?|ohne|sans|sin|w ?o|without|not|n ?a|native?)"
_AGENT_WORD: Final = r"(iv|contraste?|agent|kontrast(mittel)?|km|gd|given|used|applied|applicable|administered)"


def _spaced(text: str) -> str:
    """In lower case, separators as spaces."""
    return re.sub(r"[_\-/.,;:()+]+", " ", text.lower())


def words_of(header: SliceHeader) -> str:
    """Series description and protocol name in lower case, separators as spaces."""
    return _spaced(f"{header.series_description} | {header.protocol_name}")


def names_contrast_agent(stated: str) -> bool:
    """Whether what is said of a contrast agent names one, and not that there was none (`NONE`, `N`, `w/o contrast`)."""
    named = (_spaced(value).strip() for value in stated.split("\\"))
    return any(value and not re.fullmatch(rf"{_NO_AGENT}( {_AGENT_WORD})*", value) for value in named)


def named_weighting(words: str) -> Weighting:
    """The weighting that a name states; `T2 STIR` is a STIR and `T1 FLAIR` a T1."""
    return next((weighting for weighting, pattern in _WEIGHTINGS if re.search(pattern, words)), "unknown")


def names_fat_suppression(words: str) -> bool:
    """Whether a name speaks of fat suppression."""
    return re.search(_FAT_SUPPRESSED, words) is not None


def names_localizer(words: str) -> bool:
    """Whether a name speaks of a localizer."""
    return re.search(_LOCALIZER, words) is not None


def named_planes(words: str) -> tuple[str, ...]:
    """The planes that a name mentions."""
    return tuple(plane for plane, pattern in _PLANES if re.search(pattern, words))
