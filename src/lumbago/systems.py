"""The registry of systems: one row for each published method, and ours. Rows are data; nothing here runs.

A system is a set of models: one that locates, and those that grade. Its models lie in a folder of its name, shipped or
under `LUMBAGO_HOME/systems`, one sub-folder each; what each is for stands on its card. Analysis, training, evaluation
and comparison take every row the same way.
"""

from dataclasses import dataclass
from typing import Final

from lumbago.anatomy.conditions import Role
from lumbago.errors import UsageError

OURS: Final = "lumbago"


@dataclass(frozen=True, slots=True)
class Part:
    """A model of a system.

    Attributes:
        name: of the model, its folder, and its experiment under `experiments/systems/<row>/`.
        does: one line: what it does.
        borrowed: it is the model of our own row, because the paper takes places as given.
    """

    name: str
    does: str
    borrowed: bool = False


@dataclass(frozen=True, slots=True)
class System:
    """A published system.

    Attributes:
        name: on the command line and in every table.
        title: one line.
        source: what describes it.
        finds: what it detects; grades: conditions of its own paper; inputs: the series it looks at.
        parts: its models.
        licence: of the code and the weights here.
        differs: where we depart from the paper, and why; "" for nowhere.
    """

    name: str
    title: str
    source: str
    finds: str
    grades: tuple[str, ...]
    inputs: tuple[Role, ...]
    parts: tuple[Part, ...]
    licence: str = "Apache-2.0"
    differs: str = ""


_RSNA: Final = ("spinal_canal_stenosis", "neural_foraminal_narrowing", "subarticular_stenosis")
_SPIDER: Final = (
    "pfirrmann", "narrowing", "bulging", "herniation", "modic", "endplate_upper", "endplate_lower", "spondylolisthesis",
)  # fmt: skip
_ALL_SERIES: Final[tuple[Role, ...]] = ("sagittal_t1", "sagittal_t2", "axial_t2")

SYSTEMS: Final[dict[str, System]] = {
    row.name: row
    for row in (
        System(
            OURS, "Heat-map locator, patch graders with attention over slices: the shipped default", "this project",
            "discs, bodies, sacrum, canal, foramina, recesses", (*_RSNA, *_SPIDER), _ALL_SERIES,
            (
                Part("spine-locator", "finds and names discs, canal, foramina and recesses on single slices"),
                Part("disc-grader", "grades discs"),
                Part("canal-grader", "grades the canal"),
                Part("foramen-grader", "grades foramina"),
                Part("recess-grader", "grades lateral recesses"),
            ),
        ),
    )
}  # fmt: skip
"""One row each, in the order of every table."""


def find_system(name: str) -> System:
    """The row of a name.

    Raises:
        UsageError: there is none.
    """
    if name not in SYSTEMS:
        raise UsageError(f"there is no system {name}", f"one of {', '.join(SYSTEMS)}", "see lumbago systems list")
    return SYSTEMS[name]
