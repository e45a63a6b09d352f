"""The colours of the structures that are outlined on slices: report and viewer draw them alike."""

from collections.abc import Mapping
from typing import Final

_COLOURS: Final[Mapping[str, str]] = {
    "sac": "#56B4E9",
    "disc": "#CC79A7",
    "foramen": "#56B4E9",
    "ganglion": "#F0E442",
}
_OTHER: Final = "#C0C0C0"


def structure_colour(structure: str) -> str:
    """The colour (sRGB hex) of a structure, as `Outline` names it, alike on both sides; grey for one without a colour
    of its own."""
    return _COLOURS.get(structure.removeprefix("left ").removeprefix("right "), _OTHER)
