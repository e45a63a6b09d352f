"""How a study becomes grades: the whole story."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lumbago.anatomy.conditions import Role
from lumbago.anatomy.findings import StudyFindings
from lumbago.dicom.decoder import Decoder
from lumbago.dicom.study import SkippedFile, Study
from lumbago.dicom.volume import Volume
from lumbago.inference.weights import SHIPPED, Card, Model, load_model
from lumbago.pipeline.explain_grades import HeatMap, explain_grades
from lumbago.pipeline.grade_patches import grade_patches
from lumbago.pipeline.locate_study import locate_study
from lumbago.pipeline.summarize_study import StudyReading, gaps, summarize_study
from lumbago.systems import OURS, SYSTEMS

LOCATOR, *_rest = (part.name for part in SYSTEMS[OURS].parts)
GRADERS: Final = tuple(_rest)


@dataclass(frozen=True, eq=False)
class Models:
    """The models of one analysis."""

    locator: Model
    graders: tuple[Model, ...]

    @property
    def cards(self) -> tuple[Card, ...]:
        """Their cards, the locator's first."""
        return tuple(model.card for model in dict.fromkeys((self.locator, *self.graders)))

    @classmethod
    def load(cls, places: Mapping[str, Path] | None = None, threads: int = 2) -> "Models":
        """The models of an analysis.

        Args:
            places: folder of each by name, the one that locates first, as `lumbago.inference.deployed.models_of` gives
                them; None for the shipped ones.

        Raises:
            ModelRefused: one is missing or does not do what its card says.
        """
        folders = [SHIPPED / name for name in (LOCATOR, *GRADERS)] if places is None else list(places.values())
        loaded = {folder: load_model(folder.name, folder.parent, threads) for folder in dict.fromkeys(folders)}
        locator, *graders = (loaded[folder] for folder in folders)
        return cls(locator, tuple(graders))


@dataclass(frozen=True, eq=False)
class Analysis:
    """Findings, and what is needed to show them.

    Attributes:
        volumes: by role, in display orientation.
        heat_maps: by the file name that the findings give them.
        skipped: files that could not be used.
        gaps: why conditions that can be graded were not, because of what the input lacks.
    """

    findings: StudyFindings
    volumes: Mapping[Role, Sequence[Volume]]
    heat_maps: Mapping[str, HeatMap]
    skipped: tuple[SkippedFile, ...]
    gaps: tuple[str, ...]


def analyze_study(study: Study, models: Models, decoder: Decoder) -> Analysis:
    """Reads one study.

    Raises:
        NotALumbarStudy: no lumbar spine is seen in it.
        UnreadableInput: none of its sagittal images can be decoded.
    """
    located = locate_study(study, models.locator, decoder)
    findings, heat_maps = explain_grades(grade_patches(models.graders, located.spine))
    skipped = (*study.skipped, *located.skipped)
    reading = StudyReading(
        study, located.choice, located.sagittal, located.axial, located.spine, located.remarks, skipped, models.cards
    )
    summary = summarize_study(reading, findings)
    return Analysis(
        findings=summary,
        volumes={
            **{role: (location.volume,) for role, location in located.spine.sagittal.items()},
            "axial_t2": located.axial,
        },
        heat_maps=heat_maps,
        skipped=skipped,
        gaps=gaps(reading, summary.not_assessed),
    )
