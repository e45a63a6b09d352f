"""Named settings that phantoms are drawn in: who is drawn, on which scanners, and by which texture code.

Everything that is learned from phantoms is learned in the `usual` setting. The others are for testing alone: `other`
differs in all three factors, the rest in one each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lumbago.errors import UsageError
from lumbago.phantom.other_scanners import OTHER_PLANNING, OTHER_SCANNERS
from lumbago.phantom.population import OTHER_PEOPLE, USUAL_PEOPLE, Population
from lumbago.phantom.scan_protocols import SCANNERS, USUAL_PLANNING, Planning, Scanner


@dataclass(frozen=True, slots=True)
class Look:
    """How tissue and image look: grained as cells (else as smooth noise), with other relaxation times, and received by
    an array of so many coil elements (0: one smooth field)."""

    cells: bool = False
    other_tissues: bool = False
    coils: int = 0


@dataclass(frozen=True, eq=False)
class Setting:
    """A setting by its name."""

    name: str
    people: Population = USUAL_PEOPLE
    scanners: tuple[Scanner, ...] = SCANNERS
    planning: Planning = USUAL_PLANNING
    look: Look = Look()


USUAL: Final = Setting("usual")
_OTHER_LOOK: Final = Look(cells=True, other_tissues=True, coils=2)

SETTINGS: Final[Mapping[str, Setting]] = {
    setting.name: setting
    for setting in (
        USUAL,
        Setting("other", OTHER_PEOPLE, OTHER_SCANNERS, OTHER_PLANNING, _OTHER_LOOK),
        Setting("other-anatomy", people=OTHER_PEOPLE),
        Setting("other-protocols", scanners=OTHER_SCANNERS, planning=OTHER_PLANNING),
        Setting("other-texture", look=_OTHER_LOOK),
    )
}


def setting_named(name: str) -> Setting:
    """The setting of a name.

    Raises:
        UsageError: there is none.
    """
    if name not in SETTINGS:
        raise UsageError(f"no phantom setting {name!r}", f"one of {', '.join(SETTINGS)}", "see --help")
    return SETTINGS[name]
