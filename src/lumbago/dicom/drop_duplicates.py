"""Files that share a SOPInstanceUID: copies are counted once, contradictions are not used at all."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from lumbago.dicom.decoder import Damaged, Decoder, MrImage, is_nifti
from lumbago.dicom.study import SkippedFile

Kept = tuple[tuple[MrImage, ...], tuple[SkippedFile, ...]]


def _same_headers(one: MrImage, other: MrImage) -> bool:
    """Equal in all but place and encoding."""
    plain = [
        tuple(replace(header, source=one.source, transfer_syntax_uid="") for header in image.slices)
        for image in (one, other)
    ]
    return plain[0] == plain[1]


def _same_pixels(one: MrImage, other: MrImage, decoder: Decoder) -> bool:
    for header, twin in zip(one.slices, other.slices, strict=True):
        picture, copy = decoder.read_picture(header), decoder.read_picture(twin)
        if isinstance(picture, Damaged) or isinstance(copy, Damaged) or not np.array_equal(picture, copy):
            return False
    return True


def _is_copy(one: MrImage, other: MrImage, decoder: Decoder) -> bool:
    """The same bytes, or the same image in another encoding. UIDs of NIfTI are made of the content."""
    if is_nifti(one.source) and is_nifti(other.source):
        return True
    digest = decoder.read_digest(one.source)
    if digest is not None and digest == decoder.read_digest(other.source):
        return True
    return _same_headers(one, other) and _same_pixels(one, other, decoder)


def _settle(images: list[MrImage], decoder: Decoder) -> Kept:
    """What is kept of the images of one UID: the first when the others are its copies, otherwise none."""
    first, *others = images
    if all(_is_copy(first, other, decoder) for other in others):
        reason = f"a copy of {first.source.name}"
        return (first,), tuple(SkippedFile(other.source.name, reason, is_damage=False) for other in others)
    return (), tuple(
        SkippedFile(
            image.source.name,
            f"has the SOPInstanceUID of {next(o for o in images if o is not image).source.name}, "
            "but other content; which is right cannot be told, so neither is used",
            is_damage=True,
        )
        for image in images
    )


def drop_duplicates(images: Iterable[MrImage], decoder: Decoder) -> Kept:
    """One image per SOPInstanceUID; none for a UID under which images differ, since nobody can say which is meant."""
    by_uid: dict[str, list[MrImage]] = defaultdict(list)
    for image in images:
        by_uid[image.slices[0].sop_instance_uid].append(image)
    settled = [_settle(group, decoder) for group in by_uid.values()]
    return (
        tuple(image for kept, _ in settled for image in kept),
        tuple(skip for _, skipped in settled for skip in skipped),
    )
