"""MetaImage (`.mha`): a text header, then voxels, plain or compressed by zlib. Written and read by ITK.

https://itk.org/Wiki/MetaIO/Documentation. Its world is LPS, as ours. Files are checked before anything is allocated.
"""

import zlib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lumbago.dicom.study import SliceHeader, SourceFile
from lumbago.dicom.volume import Volume
from lumbago.errors import UnreadableInput

_MOST_BYTES: Final = 1 << 30
_MOST_HEADER: Final = 1 << 16
_CLEARLY_COARSER: Final = 1.2
_TYPES: Final = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip


@dataclass(frozen=True, eq=False, slots=True)
class MetaHeader:
    """Size and place of a MetaImage volume.

    Attributes:
        shape: voxels along the file's axes x, y, z.
        affine: from (x, y, z, 1) of a voxel's middle to patient millimetres (LPS).
        axes: the file's axes that are shown as slices, rows, columns.
        dtype: of a stored voxel.
        packed: compressed by zlib.
        start: byte at which the voxels begin.
    """

    shape: tuple[int, int, int]
    affine: Float64[np.ndarray, "4 4"]
    axes: tuple[int, int, int]
    dtype: np.dtype[Any]
    packed: bool
    start: int

    @property
    def volume_shape(self) -> tuple[int, int, int]:
        """(slices, rows, columns)."""
        along, row, column = self.axes
        return self.shape[along], self.shape[row], self.shape[column]

    @property
    def volume_affine(self) -> Float64[np.ndarray, "4 4"]:
        """From (slice, row, column, 1) to patient millimetres."""
        return self.affine[:, [*self.axes, 3]]


def read_meta_header(path: Path) -> MetaHeader:
    """The header of a `.mha` file.

    Raises:
        UnreadableInput: not there, no MetaImage, or one that this reader does not take.
    """
    fields, start = _fields(path)
    try:
        shape = [int(value) for value in fields["DimSize"].split()]
        kind = np.dtype(_TYPES[fields["ElementType"]])
        affine = _affine(fields, len(shape))
    except (KeyError, ValueError) as error:
        raise _refusal(path, f"its header cannot be understood ({error})") from error
    if fields.get("ElementDataFile", "").upper() != "LOCAL":
        raise _refusal(path, "its voxels lie in another file")
    if int(fields.get("ElementNumberOfChannels", "1")) != 1 or len(shape) != 3 or min(shape) < 1:
        raise _refusal(path, f"it holds {' x '.join(map(str, shape))} values, no single volume")
    if int(np.prod(shape, dtype=object)) * kind.itemsize > _MOST_BYTES:
        raise _refusal(path, f"it declares {' x '.join(map(str, shape))} voxels, more than {_MOST_BYTES} bytes")
    is_big = "true" in (fields.get("BinaryDataByteOrderMSB", "").lower(), fields.get("ElementByteOrderMSB", "").lower())
    return MetaHeader(
        (shape[0], shape[1], shape[2]), affine, _axes(affine), kind.newbyteorder(">" if is_big else "<"),
        fields.get("CompressedData", "False").lower() == "true", start,
    )  # fmt: skip


def _refusal(path: Path, found: str) -> UnreadableInput:
    return UnreadableInput(f"{path}: {found}", "a .mha file of one volume of grey values", "write it again")


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """The header's lines, and where the voxels begin."""
    try:
        with path.open("rb") as file:
            head = file.read(_MOST_HEADER)
    except OSError as error:
        raise UnreadableInput(f"no {path.name} in {path.parent}", "a .mha file", "check the folder") from error
    fields: dict[str, str] = {}
    start = 0
    while "ElementDataFile" not in fields:
        end = head.find(b"\n", start)
        name, mark, value = head[start:end].decode("latin-1").partition("=")
        if end < 0 or not mark:
            raise _refusal(path, "it does not begin with a MetaImage header")
        fields[name.strip()] = value.strip()
        start = end + 1
    return fields, start


def _affine(fields: dict[str, str], axes: int) -> Float64[np.ndarray, "4 4"]:
    """Each row of `TransformMatrix` is the direction of an axis of the file."""
    turned = fields.get("TransformMatrix") or fields.get("Rotation") or fields.get("Orientation")
    directions = np.array(turned.split(), np.float64).reshape(axes, axes) if turned else np.eye(axes)
    origin = fields.get("Offset") or fields.get("Origin") or fields.get("Position") or " ".join(["0"] * axes)
    spacing = np.array((fields.get("ElementSpacing") or " ".join(["1"] * axes)).split(), np.float64)
    affine = np.eye(4)
    affine[:axes, :axes] = directions.T * spacing
    affine[:axes, 3] = np.array(origin.split(), np.float64)
    if not np.isfinite(affine).all() or spacing.min() <= 0 or abs(np.linalg.det(affine)) < 1e-9:
        raise ValueError("spacing or directions that make no volume")
    return affine


def _axes(affine: Float64[np.ndarray, "4 4"]) -> tuple[int, int, int]:
    """Slices along the axis that is clearly coarser than the others, else along that nearest to left-right."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    order = np.argsort(-spacing)
    is_clear = spacing[order[0]] > _CLEARLY_COARSER * spacing[order[1]]
    along = int(order[0]) if is_clear else int(np.argmax(np.abs(affine[0, :3]) / spacing))
    column, row = (axis for axis in range(3) if axis != along)
    return along, row, column


def read_metaimage(path: Path) -> Volume:
    """A `.mha` file as a volume, in the file's own orientation.

    Raises:
        UnreadableInput: no MetaImage, too large, or cut off.
    """
    header = read_meta_header(path)
    voxels = _voxels(path, header).reshape(header.shape, order="F").transpose(header.axes)
    array = np.nan_to_num(np.ascontiguousarray(voxels, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return Volume(array, header.volume_affine, _slice_headers(path, array.shape))


_EMPTY: Final[Mapping[str, Any]] = {
    item.name: "" if item.type is str else None for item in fields(SliceHeader) if item.default is MISSING
}


def _slice_headers(path: Path, shape: tuple[int, ...]) -> tuple[SliceHeader, ...]:
    """Headers that only say which slice is which, numbered from 1."""
    count, rows, columns = shape
    shared = {**_EMPTY, "source": SourceFile(str(path), None, path.name), "series_instance_uid": path.stem}
    shared |= {"rows": rows, "columns": columns, "image_type": (), "series_description": path.stem}
    own = [{"frame": n, "instance_number": n, "sop_instance_uid": f"{path.stem}.{n}"} for n in range(1, count + 1)]
    return tuple(SliceHeader(**{**shared, **numbers}) for numbers in own)


def _voxels(path: Path, header: MetaHeader) -> NDArray[Any]:
    needed = int(np.prod(header.shape)) * header.dtype.itemsize
    with path.open("rb") as file:
        file.seek(header.start)
        stored = file.read(_MOST_BYTES)
    try:
        data = zlib.decompressobj().decompress(stored, needed) if header.packed else stored[:needed]
    except zlib.error as error:
        raise _refusal(path, f"its voxels are damaged ({error})") from error
    if len(data) != needed:
        raise _refusal(path, f"it is cut off: {len(data)} of {needed} voxel bytes")
    return np.frombuffer(data, header.dtype)
