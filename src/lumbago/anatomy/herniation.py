"""The zone of a herniation by where it lies."""

from typing import Final

_ZONES: Final = ((2.5, "central"), (7.5, "paracentral"), (11.0, "subarticular"), (20.0, "foraminal"))


def herniation_zone(left_mm: float) -> str:
    """Zone by how far from the middle it lies, to the patient's left (lumbar disc nomenclature 2.0): `central`,
    `left paracentral`, `right foraminal`."""
    name = next((name for reach, name in _ZONES if abs(left_mm) < reach), "extraforaminal")
    return name if name == "central" else f"{'left' if left_mm > 0 else 'right'} {name}"
