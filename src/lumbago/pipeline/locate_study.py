"""Where things are in a study: the first half of an analysis, and what training looks at the same way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lumbago.anatomy.conditions import Role
from lumbago.anatomy.findings import QualityRemark
from lumbago.dicom.decoder import Decoder
from lumbago.dicom.study import SkippedFile, Study
from lumbago.dicom.volume import Volume
from lumbago.inference.weights import Model
from lumbago.pipeline.agree_on_names import agree_on_names
from lumbago.pipeline.choose_series import SeriesChoice, choose_series
from lumbago.pipeline.judge_quality import require_lumbar
from lumbago.pipeline.locate_discs import SpineLocation
from lumbago.pipeline.locate_points import locate_foramina, locate_recesses
from lumbago.pipeline.match_axials import match_axials
from lumbago.pipeline.place_patches import LocatedSpine, reference_of
from lumbago.pipeline.read_volumes import ReadSagittal, SeriesReader, read_axial, read_sagittal


@dataclass(frozen=True, eq=False)
class LocatedStudy:
    """A study with its spine located.

    Attributes:
        choice: which series plays which role.
        sagittal: the sagittal series that were read, by the role they play.
        axial: the axial volumes, in display orientation.
        spine: what was found on them.
        remarks, skipped: what went wrong on the way.
        unfit: why sagittal series cannot play the role that they state, by UID.
    """

    choice: SeriesChoice
    sagittal: Mapping[Role, ReadSagittal]
    axial: tuple[Volume, ...]
    spine: LocatedSpine
    remarks: tuple[QualityRemark, ...]
    skipped: tuple[SkippedFile, ...]
    unfit: Mapping[str, str]


def locate_study(study: Study, locator: Model, decoder: Decoder) -> LocatedStudy:
    """Chooses and reads the series of a study, and locates the spine on them.

    Raises:
        NotALumbarStudy: no lumbar spine is seen in it.
        UnreadableInput: none of its sagittal images can be decoded.
    """
    choice = choose_series(study)
    reader = SeriesReader(locator, decoder)
    sagittal = read_sagittal(choice, reader)
    require_lumbar([found.doubt for found in reader.read.values()], reader.skipped, reader.refused)
    locations = {role: found.location for role, found in sagittal.items()}
    choice, axial = read_axial(choice, reader, reference_of(locations).discs)
    spine = locate_spine(locator, locations, axial)
    return LocatedStudy(choice, sagittal, axial, spine, tuple(reader.remarks), tuple(reader.skipped), reader.unfit)


def locate_spine(locator: Model, sagittal: Mapping[Role, SpineLocation], axial: Sequence[Volume]) -> LocatedSpine:
    """One name for each disc of the sagittal series, the foramina on T1, the recesses on axial volumes in display
    orientation."""
    locations = agree_on_names(sagittal)
    reference = reference_of(locations)
    matched = match_axials(locator, reference, axial)
    return LocatedSpine(
        sagittal=locations,
        foramina=locate_foramina(locator, locations.get("sagittal_t1")),
        recesses=locate_recesses(locator, reference.discs, matched.volumes),
        axials=matched.volumes,
        axial_doubt=matched.doubt,
    )
