"""Studies from a folder, a zip archive, a DICOMDIR, a DICOM or NIfTI file: headers only, pixels when asked for."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from lumbago.dicom.decoder import (
    Damaged,
    Decoder,
    FileContent,
    MrImage,
    NoDicom,
    OtherObject,
    is_nifti,
    open_decoder,
)
from lumbago.dicom.drop_duplicates import drop_duplicates
from lumbago.dicom.find_files import find_files, printable
from lumbago.dicom.group_studies import group_studies
from lumbago.dicom.same_patient import IdentifiedFile, folder_of, identified, refuse_mixed_patients
from lumbago.dicom.stable_order import series_key, study_key
from lumbago.dicom.study import Series, SkippedFile, SourceFile, Study
from lumbago.errors import InputError, NotALumbarStudy, UnreadableInput

Progress = Callable[[int, int], None]

_SUFFIXES: Final = (".nii.gz", ".nii", ".zip", ".dcm")
_IMAGE_SUFFIXES: Final = (".dcm", ".ima", ".dicom", ".nii", ".nii.gz")
_SUBJECT: Final = re.compile(r"sub-[0-9a-zA-Z]+")
_LABELS: Final = ("_labels", "_label", "-label", "_seg", "_dseg", "_mask")


def result_name(path: Path) -> str:
    """What the results of an input are called: its base name without `.zip`, `.nii`, `.nii.gz` or `.dcm`."""
    name = printable(path.name or path.resolve().name)
    for suffix in _SUFFIXES:
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
            break
    return name.strip(". ") or "study"


class Contents(NamedTuple):
    """What was found in the files of an input, by kind."""

    images: tuple[MrImage, ...]
    others: tuple[OtherObject, ...]
    skipped: tuple[SkippedFile, ...]


def _skip(content: FileContent) -> SkippedFile:
    match content:
        case Damaged(source, reason):
            return SkippedFile(source.name, reason, is_damage=True)
        case OtherObject(source, kind, _):
            return SkippedFile(source.name, f"not an MR image to grade: {kind}", is_damage=False)
        case NoDicom(source, looks_like):
            named_like_one = source.name.lower().endswith(_IMAGE_SUFFIXES)
            reason = f"named like an image, but {looks_like}" if named_like_one else f"no DICOM: {looks_like}"
            return SkippedFile(source.name, reason, is_damage=named_like_one)
        case MrImage():
            raise AssertionError("an image is not skipped")


def _read_contents(sources: tuple[SourceFile, ...], decoder: Decoder, progress: Progress | None) -> list[FileContent]:
    contents = []
    for done, source in enumerate(sources, start=1):
        contents.append(decoder.read_content(source))
        if progress is not None:
            progress(done, len(sources))
    return contents


def _sort_out(contents: Iterable[FileContent], decoder: Decoder) -> Contents:
    contents = list(contents)
    images = [content for content in contents if isinstance(content, MrImage)]
    masks = _masks_beside(images)
    images = [image for image in images if image.source.name not in masks]
    kept, duplicates = drop_duplicates(_with_nifti_studies(images), decoder)
    skipped = [_skip(content) for content in contents if not isinstance(content, MrImage)]
    skipped += [SkippedFile(mask, "voxel labels of the image beside it", is_damage=False) for mask in sorted(masks)]
    others = (content for content in contents if isinstance(content, OtherObject))
    return Contents(kept, tuple(others), (*skipped, *duplicates))


def _masks_beside(images: list[MrImage]) -> set[str]:
    """Names of NIfTI files that hold voxel labels: as `<name>_labels.nii.gz` or `<name>_seg.nii.gz` beside
    `<name>.nii.gz`."""
    names = {image.source.name for image in images if is_nifti(image.source)}
    return {name for name in names for word in _LABELS if word in name and "".join(name.rsplit(word, 1)) in names}


def _with_nifti_studies(images: list[MrImage]) -> list[MrImage]:
    """NIfTI states no study: the volumes of one folder are one, unless BIDS names (`sub-01_...`) differ."""

    def group_of(image: MrImage) -> tuple[str, str]:
        subject = _SUBJECT.match(image.source.name.rpartition("/")[2])
        return folder_of(image.source), subject.group() if subject else ""

    contents: dict[tuple[str, str], list[str]] = defaultdict(list)
    for image in images:
        if is_nifti(image.source):
            contents[group_of(image)].append(image.slices[0].series_instance_uid)

    def with_study(image: MrImage) -> MrImage:
        digest = sha256(" ".join(sorted(set(contents[group_of(image)]))).encode()).digest()
        uid = f"2.25.{int.from_bytes(digest[:16], 'big')}"
        return replace(image, slices=tuple(replace(header, study_instance_uid=uid) for header in image.slices))

    return [with_study(image) if is_nifti(image.source) else image for image in images]


def _identified(contents: Contents) -> list[IdentifiedFile]:
    images = [identified(image) for image in contents.images]
    return images + [IdentifiedFile(other.source, other.identity) for other in contents.others]


def _count(kinds: Iterable[str]) -> str:
    counts = Counter(kinds).most_common(4)
    return ", ".join(f"{number} x {kind}" for kind, number in counts)


def _refuse_without_images(path: Path, contents: Contents) -> None:
    """The fitting error when there is nothing to analyze."""
    if contents.images:
        return
    name = printable(path.name or str(path))
    damaged = [skip for skip in contents.skipped if skip.is_damage]
    if contents.others and not damaged:
        kinds = _count(other.kind for other in contents.others)
        raise NotALumbarStudy(f"{name} holds no MR image that can be graded, but {kinds}", "a lumbar-spine MR study")
    if damaged:
        first = damaged[0]
        many = f"all {len(damaged)} images in {name} are damaged, among them " if len(damaged) > 1 else ""
        where = f" in {name}" if not many and first.name != name else ""
        found = f"{many}{first.name}{where}: {first.reason}"
        raise UnreadableInput(found, "images that can be decoded", "export the study again")
    if contents.skipped:
        found = f"{name} holds no image ({_count(skip.reason for skip in contents.skipped)})"
        raise UnreadableInput(found, "DICOM or NIfTI files")
    raise UnreadableInput(f"{name} is empty", "DICOM or NIfTI files")


def _series_by_study(images: Iterable[MrImage]) -> list[tuple[Series, ...]]:
    """The series of every study, all in an order that depends on their content."""
    grouped = group_studies(header for image in images for header in image.slices)
    return sorted((tuple(sorted(series, key=series_key)) for series in grouped), key=study_key)


def _skipped_beside(
    series: tuple[Series, ...], skipped: tuple[SkippedFile, ...], is_alone: bool
) -> tuple[SkippedFile, ...]:
    """The skipped files that lie in the folders of a study; a study that is alone has them all."""
    folders = {folder_of(header.source) for one in series for header in one.slices}
    return tuple(skip for skip in skipped if is_alone or skip.name.rpartition("/")[0] in folders)


def _studies(path: Path, contents: Contents) -> tuple[Study, ...]:
    groups, name = _series_by_study(contents.images), result_name(path)
    return tuple(
        Study(
            source=path,
            name=name if number == 1 else f"{name}-{number}",
            study_instance_uid=series[0].first.study_instance_uid,
            series=series,
            skipped=_skipped_beside(series, contents.skipped, len(groups) == 1),
        )
        for number, series in enumerate(groups, start=1)
    )


def _read_with(decoder: Decoder, path: Path, progress: Progress | None) -> tuple[Study, ...]:
    sources, unread = find_files(path, decoder)
    contents = _sort_out(_read_contents(sources, decoder, progress), decoder)
    contents = contents._replace(skipped=(*unread, *contents.skipped))
    _refuse_without_images(path, contents)
    refuse_mixed_patients(_identified(contents))
    return _studies(path, contents)


def read_studies(path: Path, progress: Progress | None = None, decoder: Decoder | None = None) -> tuple[Study, ...]:
    """The studies of an input, ordered by date and content, each with the files that were left out.

    `progress(done, total)` is called after every file. A `decoder` that is handed in stays open.

    Raises:
        UnreadableInput: nothing there, nothing in it that is an image, or only damaged ones.
        NotALumbarStudy: DICOM, but no MR image.
        MixedPatients: a study, or a folder, of more than one patient.
    """
    if decoder is not None:
        return _read_with(decoder, path, progress)
    with open_decoder() as own:
        return _read_with(own, path, progress)


def read_study(path: Path, progress: Progress | None = None, decoder: Decoder | None = None) -> Study:
    """The only study of an input.

    Raises:
        InputError: there are several; and all that `read_studies` raises.
    """
    studies = read_studies(path, progress, decoder)
    if len(studies) > 1:
        raise InputError(f"{printable(path.name)} holds {len(studies)} studies", "one study", "give them one at a time")
    return studies[0]
