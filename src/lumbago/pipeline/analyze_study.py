"""How a study becomes grades: the whole story."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lumbago.anatomy.conditions import Role
from lumbago.anatomy.findings import QualityRemark, StudyFindings
from lumbago.dicom.decoder import Decoder
from lumbago.dicom.study import SkippedFile, Study
from lumbago.dicom.volume import Volume
from lumbago.errors import ModelRefused
from lumbago.inference.weights import SHIPPED, Card, Model, load_model
from lumbago.pipeline.axial_sizes import with_axial_sizes
from lumbago.pipeline.draw_axial import draw_axial
from lumbago.pipeline.explain_grades import HeatMap, explain_grades
from lumbago.pipeline.grade_patches import grade_patches
from lumbago.pipeline.locate_study import locate_study
from lumbago.pipeline.summarize_study import StudyReading, gaps, summarize_study
from lumbago.systems import OURS, SYSTEMS

LOCATOR, *_rest = (part.name for part in SYSTEMS[OURS].parts)
TISSUES: Final = next(part.name for part in SYSTEMS[OURS].parts if part.draws)
GRADERS: Final = tuple(name for name in _rest if name != TISSUES)


@dataclass(frozen=True, eq=False)
class Models:
    """The models of one analysis.

    Attributes:
        tissues: draws what is measured on axial slices; None for no sizes there. refused: why it cannot be used, or "".
    """

    locator: Model
    graders: tuple[Model, ...]
    tissues: Model | None = None
    refused: str = ""

    @property
    def cards(self) -> tuple[Card, ...]:
        """Their cards, the locator's first."""
        drawing = () if self.tissues is None else (self.tissues,)
        return tuple(model.card for model in dict.fromkeys((self.locator, *self.graders, *drawing)))

    @classmethod
    def load(cls, places: Mapping[str, Path] | None = None, threads: int = 2) -> "Models":
        """The models of an analysis.

        Args:
            places: folder of each by name, the one that locates first, as `lumbago.inference.deployed.models_of` gives
                them; None for the shipped ones.

        Raises:
            ModelRefused: one that locates or grades is missing or does not do what its card says. One that draws
                tissues costs nothing but their sizes.
        """
        folders = {name: SHIPPED / name for name in (LOCATOR, *GRADERS, TISSUES)} if places is None else dict(places)
        tissues, refused = _load_tissues(folders.pop(TISSUES, None), threads)
        loaded = {folder: load_model(folder.name, folder.parent, threads) for folder in dict.fromkeys(folders.values())}
        locator, *graders = (loaded[folder] for folder in folders.values())
        return cls(locator, tuple(graders), tissues, refused)


def _load_tissues(folder: Path | None, threads: int) -> tuple[Model | None, str]:
    """The model that draws on axial slices, or why there is none."""
    if folder is None:
        return None, ""
    try:
        return load_model(folder.name, folder.parent, threads), ""
    except ModelRefused as error:
        return None, str(error)


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
    drawings = () if models.tissues is None else draw_axial(models.tissues, located.spine, located.axial)
    skipped = (*study.skipped, *located.skipped)
    unsized = (QualityRemark("warning", f"Nothing was measured on axial slices: {models.refused}"),)
    remarks = (*located.remarks, *(unsized if models.refused else ()))
    reading = StudyReading(
        study, located.choice, located.sagittal, located.axial, located.spine, remarks, skipped, models.cards
    )
    summary = summarize_study(reading, with_axial_sizes(findings, drawings))
    return Analysis(
        findings=replace(summary, outlines=tuple(one for drawing in drawings for one in drawing.outlines())),
        volumes={
            **{role: (location.volume,) for role, location in located.spine.sagittal.items()},
            "axial_t2": located.axial,
        },
        heat_maps=heat_maps,
        skipped=skipped,
        gaps=gaps(reading, summary.not_assessed),
    )
