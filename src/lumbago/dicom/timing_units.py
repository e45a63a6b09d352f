"""Times of a sequence that are stated in seconds, as some converters write them; DICOM has them in milliseconds."""

from dataclasses import replace
from typing import Final

from lumbago.dicom.study import SliceHeader

_SHORTEST_ECHO: Final = 1.0
_SHORTEST_REPETITION: Final = 20.0
_SHORTEST_GRADIENT_REPETITION: Final = 1.0
"""No spin echo has shorter ones in milliseconds. Gradient echoes of ultrashort echo times have, but they are not
repeated a thousand times a second."""


def in_milliseconds(header: SliceHeader) -> SliceHeader:
    """The header with TR, TE and TI in milliseconds: times a thousand where they can only be seconds, else itself."""
    if not _in_seconds(header):
        return header
    return replace(
        header,
        repetition_time=_thousandfold(header.repetition_time),
        echo_time=_thousandfold(header.echo_time),
        inversion_time=_thousandfold(header.inversion_time),
    )


def _in_seconds(header: SliceHeader) -> bool:
    repetition, echo = header.repetition_time or 0.0, header.echo_time or 0.0
    sequences = set(header.scanning_sequence.upper().split("\\"))
    if not 0.0 < echo < _SHORTEST_ECHO:
        return False
    if "SE" in sequences or sequences == {"IR"}:
        return True
    longest = _SHORTEST_GRADIENT_REPETITION if sequences & {"GR", "EP"} else _SHORTEST_REPETITION
    return 0.0 < repetition < longest


def _thousandfold(time: float | None) -> float | None:
    """Of what is too short for milliseconds."""
    return None if time is None else round(1000.0 * time, 3) if time < _SHORTEST_REPETITION else time
