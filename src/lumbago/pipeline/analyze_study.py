"""How a study becomes grades: the whole story."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from lumbago.anatomy.conditions import Role
from lumbago.anatomy.findings import QualityRemark, StudyFindings
from lumbago.dicom.decoder import Decoder
from lumbago.dicom.study import SkippedFile, Study
from lumbago.dicom.volume import Volume
from lumbago.errors import ModelRefused
from lumbago.inference.weights import SHIPPED, Card, Model, load_model
from lumbago.pipeline.draw_tissues import DRAWERS, draw_tissues, with_sizes
from lumbago.pipeline.explain_grades import HeatMap, explain_grades
from lumbago.pipeline.grade_patches import grade_patches
from lumbago.pipeline.locate_study import locate_study
from lumbago.pipeline.summarize_study import StudyReading, gaps, summarize_study
from lumbago.systems import OURS, SYSTEMS

LOCATOR, *_rest = (part.name for part in SYSTEMS[OURS].parts)
TISSUES: Final = tuple(part.name for part in SYSTEMS[OURS].parts if part.draws)
GRADERS: Final = tuple(name for name in _rest if name not in TISSUES)


@dataclass(frozen=True, eq=False)
class Models:
    """The models of one analysis.

    Attributes:
        tissues: by name, those that draw what is measured; without them there are no such sizes. refused: why others
            of them cannot be used, by name.
    """

    locator: Model
    graders: tuple[Model, ...]
    tissues: Mapping[str, Model] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def cards(self) -> tuple[Card, ...]:
        """Their cards, the locator's first."""
        return tuple(model.card for model in dict.fromkeys((self.locator, *self.graders, *self.tissues.values())))

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
        folders = {name: SHIPPED / name for name in (LOCATOR, *GRADERS, *TISSUES)} if places is None else dict(places)
        drawing = {name: folders.pop(name) for name in TISSUES if name in folders}
        tissues, refused = _load_tissues(drawing, threads)
        loaded = {folder: load_model(folder.name, folder.parent, threads) for folder in dict.fromkeys(folders.values())}
        locator, *graders = (loaded[folder] for folder in folders.values())
        return cls(locator, tuple(graders), tissues, refused)


def _load_tissues(folders: Mapping[str, Path], threads: int) -> tuple[dict[str, Model], dict[str, str]]:
    """The models that draw, and why the others cannot be used."""
    loaded: dict[str, Model] = {}
    refused: dict[str, str] = {}
    for name, folder in folders.items():
        try:
            loaded[name] = load_model(folder.name, folder.parent, threads)
        except ModelRefused as error:
            refused[name] = str(error)
    return loaded, refused


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
    outlines, sizes = draw_tissues(models.tissues, located.spine, located.spine.axials)
    skipped = (*study.skipped, *located.skipped)
    unsized = (
        QualityRemark("warning", f"Nothing was measured {DRAWERS[name].where}: {why}")
        for name, why in models.refused.items()
    )
    reading = StudyReading(
        study, located.choice, located.sagittal, located.axial, located.spine, (*located.remarks, *unsized), skipped,
        models.cards, located.unfit,
    )  # fmt: skip
    summary = summarize_study(reading, with_sizes(findings, sizes))
    return Analysis(
        findings=replace(summary, outlines=outlines),
        volumes={
            **{role: (location.volume, *location.further) for role, location in located.spine.sagittal.items()},
            "axial_t2": located.axial,
        },
        heat_maps=heat_maps,
        skipped=skipped,
        gaps=gaps(reading, summary.not_assessed),
    )
