"""What is known of a study from its headers alone."""

from dataclasses import dataclass
from pathlib import Path

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """Where an image lies: a file, or a member of a zip file. `name` is what a message and the manifest call it."""

    path: str
    member: str | None
    name: str


@dataclass(frozen=True, slots=True)
class SliceHeader:
    """What is kept of one frame's header, named by DICOM keyword. Absent text is "", an absent number is None.

    A frame of an enhanced multi-frame image has its own header, `frame` counting from 1; otherwise `frame` is None.
    Orientation and position are in patient millimetres (LPS); `pixel_spacing` is (between rows, between columns).
    NIfTI slices fill the same fields from the affine: made-up UIDs that depend on the content alone, `frame` counting
    along the slice axis, no `modality`, no `sop_class_uid`, and the file's name as `series_description`.
    Enhanced images come in the words of classic ones; `acquisition_contrast` (`T1`, `T2`, `STIR`...) is theirs alone.
    """

    source: SourceFile
    frame: int | None
    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    study_instance_uid: str
    frame_of_reference_uid: str
    transfer_syntax_uid: str
    modality: str
    rows: int
    columns: int
    image_orientation: tuple[float, float, float, float, float, float] | None
    image_position: Triple | None
    pixel_spacing: tuple[float, float] | None
    slice_thickness: float | None
    spacing_between_slices: float | None
    instance_number: int | None
    series_number: int | None
    image_type: tuple[str, ...]
    photometric_interpretation: str
    series_description: str
    protocol_name: str
    study_description: str
    body_part_examined: str
    scanning_sequence: str
    sequence_variant: str
    sequence_name: str
    scan_options: str
    contrast_agent: str
    repetition_time: float | None
    echo_time: float | None
    inversion_time: float | None
    echo_train_length: int | None
    flip_angle: float | None
    magnetic_field_strength: float | None
    manufacturer: str
    model_name: str
    laterality: str
    patient_position: str
    patient_id: str
    patient_name: str
    patient_birth_date: str
    patient_sex: str
    patient_age: str
    study_date: str
    acquisition_number: int | None
    temporal_position: int | None
    burned_in_annotation: str
    acquisition_contrast: str = ""
    mr_acquisition_type: str = ""
    diffusion_b_value: float | None = None
    issuer_of_patient_id: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """The frames that share a SeriesInstanceUID, in an order that does not depend on file names or file order; where
    they were put together otherwise, `remarks` say so, and the UID is made up."""

    series_instance_uid: str
    slices: tuple[SliceHeader, ...]
    remarks: tuple[str, ...] = ()

    @property
    def first(self) -> SliceHeader:
        """Any header, for what all of them share."""
        return self.slices[0]


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that was left out, and why. `is_damage` separates a broken image from what is simply something else."""

    name: str
    reason: str
    is_damage: bool


@dataclass(frozen=True, slots=True)
class Study:
    """One study of one patient. `name` is what its results are called."""

    source: Path
    name: str
    study_instance_uid: str
    series: tuple[Series, ...]
    skipped: tuple[SkippedFile, ...] = ()

    @property
    def first(self) -> SliceHeader:
        """Any header, for what all of them share."""
        return self.series[0].first
