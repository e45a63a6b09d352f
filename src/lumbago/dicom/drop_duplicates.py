"""Files that share a SOPInstanceUID: copies are counted once, slices that differ in place or number are all kept,
contradictions are not used at all."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

import numpy as np

from lumbago.dicom.decoder import Damaged, Decoder, MrImage, is_nifti
from lumbago.dicom.same_patient import contradiction, identified
from lumbago.dicom.study import SkippedFile, SliceHeader, SourceFile

Kept = tuple[tuple[MrImage, ...], tuple[SkippedFile, ...]]

_NOWHERE: Final = SourceFile("", None, "")
_NO_CONTENT: Final[dict[str, Any]] = dict.fromkeys(
    (
        "series_description", "protocol_name", "study_description", "body_part_examined", "manufacturer", "model_name",
        "patient_id", "patient_name", "patient_birth_date", "patient_sex", "patient_age", "burned_in_annotation",
        "issuer_of_patient_id", "study_instance_uid", "series_instance_uid", "frame_of_reference_uid",
    ), "",
) | {"series_number": None}  # fmt: skip


def _content(image: MrImage) -> tuple[SliceHeader, ...]:
    """Its headers without place, encoding, patient, free texts and what they are filed under, equal for copies; of
    NIfTI the UIDs are the content's."""
    if is_nifti(image.source):
        return ()
    return tuple(replace(header, source=_NOWHERE, transfer_syntax_uid="", **_NO_CONTENT) for header in image.slices)


def _filed_under(image: MrImage) -> tuple[str, str]:
    return image.slices[0].study_instance_uid, image.slices[0].series_instance_uid


def _same_pixels(one: MrImage, other: MrImage, decoder: Decoder) -> bool:
    for header, twin in zip(one.slices, other.slices, strict=True):
        picture, copy = decoder.read_picture(header), decoder.read_picture(twin)
        if isinstance(picture, Damaged) or isinstance(copy, Damaged) or not np.array_equal(picture, copy):
            return False
    return True


def _is_copy(one: MrImage, other: MrImage, decoder: Decoder) -> bool:
    """Of images of equal `_content`: the same bytes, or the same pixels in another encoding or with other texts."""
    if is_nifti(one.source) and is_nifti(other.source):
        return True
    digest = decoder.read_digest(one.source)
    if digest is not None and digest == decoder.read_digest(other.source):
        return True
    return _same_pixels(one, other, decoder)


def _pixel_hash(image: MrImage, decoder: Decoder) -> str:
    """Of all its slices; "" for every image of which one cannot be decoded."""
    digest = sha256()
    for header in image.slices:
        picture = decoder.read_picture(header)
        if isinstance(picture, Damaged):
            return ""
        digest.update(np.ascontiguousarray(picture).tobytes())
    return digest.hexdigest()


def _are_slices(images: Sequence[MrImage], decoder: Decoder) -> list[bool]:
    """Which of the images of one UID are slices of their own: no other has the same place and number, nor one of the
    two and the same pixels."""
    places = [tuple((header.image_orientation, header.image_position) for header in image.slices) for image in images]
    numbers = [tuple(header.instance_number for header in image.slices) for image in images]
    same_place, same_number = Counter(places), Counter(numbers)
    pixels = [
        _pixel_hash(image, decoder) if same_place[place] > 1 or same_number[number] > 1 else str(index)
        for index, (image, place, number) in enumerate(zip(images, places, numbers, strict=True))
    ]
    pairs: list[list[Hashable]] = [
        [("number", place, number), ("place", place, pixel), ("pixels", number, pixel)]
        for place, number, pixel in zip(places, numbers, pixels, strict=True)
    ]
    counts = Counter(pair for row in pairs for pair in row)
    return [all(counts[pair] == 1 for pair in row) for row in pairs]


def _settle(images: list[MrImage], decoder: Decoder) -> Kept:
    """What is kept of the images of one UID: the first of its copies, for all slices the one of the same series, and of
    images that contradict each other none."""
    if len(images) == 1:
        return tuple(images), ()
    groups: dict[Hashable, list[MrImage]] = defaultdict(list)
    for image in sorted(images, key=_filed_under):
        groups[_content(image)].append(image)
    kept: list[MrImage] = []
    skipped: list[SkippedFile] = []
    firsts = [group[0] for group in groups.values()]
    for is_slice, group in zip(_are_slices(firsts, decoder), groups.values(), strict=True):
        first, *others = group
        is_one = is_slice and contradiction(map(identified, group)) is None
        if is_one and all(_is_copy(first, other, decoder) for other in others):
            kept.append(first)
            reason = f"a copy of {first.source.name}"
            skipped += [SkippedFile(other.source.name, reason, is_damage=False) for other in others]
        else:
            skipped += [_contradicted(image, images) for image in (first, *others)]
    return tuple(kept), tuple(skipped)


def _contradicted(image: MrImage, images: Sequence[MrImage]) -> SkippedFile:
    reason = (
        f"has the SOPInstanceUID of {next(o for o in images if o is not image).source.name}, "
        "but other content; which is right cannot be told, so neither is used"
    )
    return SkippedFile(image.source.name, reason, is_damage=True)


def drop_duplicates(images: Iterable[MrImage], decoder: Decoder) -> Kept:
    """Of each SOPInstanceUID one image, or all that are slices of their own; images that contradict each other are left
    out, since nobody can say which is meant. Free texts make no difference, nor does what only one says of whose
    they are, nor under which series or study they are filed."""
    by_uid: dict[str, list[MrImage]] = defaultdict(list)
    for image in images:
        by_uid[image.slices[0].sop_instance_uid].append(image)
    settled = [_settle(group, decoder) for group in by_uid.values()]
    return (
        tuple(image for kept, _ in settled for image in kept),
        tuple(skip for _, skipped in settled for skip in skipped),
    )
