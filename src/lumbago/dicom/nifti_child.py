"""The limited child process that parses NIfTI files: `python -m lumbago.dicom.nifti_child`.

NIfTI-1 and NIfTI-2, plain or gzipped; nifti.nimh.nih.gov describes the format. Its world is RAS, ours LPS.
"""

import gzip
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from io import BufferedIOBase, BytesIO
from pathlib import PurePath
from typing import Any, Final, NamedTuple, cast

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from lumbago.dicom.child_loop import Reply, serve
from lumbago.dicom.open_source import BadImageError, open_source, version_of

MAX_VOLUME_BYTES: Final = 1 << 29
MAX_SLICES: Final = 1 << 14
_MAX_OFFSET: Final = 16 << 20
_RAS_TO_LPS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])
_CLEARLY_COARSER: Final = 1.2


class NiftiVolume(NamedTuple):
    """Stored voxels in the file's axis order, their scaling, the affine to LPS (None when not stated), spacings."""

    voxels: NDArray[Any]
    slope: float
    intercept: float
    affine: NDArray[np.float64] | None
    spacing: tuple[float, float, float]
    uid: str

    @property
    def slice_axis(self) -> int:
        """The axis that is clearly coarser than the others, else the one nearest to left-right, else the last."""
        order = sorted(range(3), key=lambda axis: -self.spacing[axis])
        if self.affine is None or self.spacing[order[0]] > _CLEARLY_COARSER * self.spacing[order[1]]:
            return order[0] if self.affine is not None else 2
        return int(np.argmax(np.abs(self.affine[0, :3]) / np.asarray(self.spacing)))


def made_up_uid(*parts: bytes) -> str:
    """A UID (PS3.5 annex B.2) that depends on the given content alone."""
    return f"2.25.{int.from_bytes(sha256(b'|'.join(parts)).digest()[:16], 'big')}"


def _read_header(stream: BufferedIOBase) -> Any:
    head = stream.read(540)
    if len(head) < 348:
        raise BadImageError(f"cut off: {len(head)} bytes are no NIfTI header")
    kind = Nifti2Header if int.from_bytes(head[:4], "little") == 540 or head[:4] == b"\0\0\2\x1c" else Nifti1Header
    try:
        return kind.from_fileobj(BytesIO(head))  # type: ignore[no-untyped-call]
    except HeaderDataError as error:
        raise BadImageError(f"its NIfTI header makes no sense ({error})") from error


def _checked_shape(header: Any) -> tuple[int, int, int]:
    shape = tuple(int(size) for size in header.get_data_shape())
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) > 3:
        raise BadImageError(f"holds {' x '.join(map(str, shape))} values, a series of volumes; expected one volume")
    shape += (1,) * (3 - len(shape))
    if min(shape) < 1 or max(shape) > MAX_SLICES:
        raise BadImageError(f"declares {' x '.join(map(str, shape))} voxels")
    return cast(tuple[int, int, int], shape)


def _read_voxels(stream: BufferedIOBase, header: Any, head_bytes: int) -> NDArray[Any]:
    shape, dtype, offset = _checked_shape(header), header.get_data_dtype(), int(header.get_data_offset())
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise BadImageError(f"holds values of type {dtype}; expected grey values")
    needed = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if needed > MAX_VOLUME_BYTES or not head_bytes <= offset <= _MAX_OFFSET:
        raise BadImageError(f"declares {needed} bytes of voxels from byte {offset}; allowed are {MAX_VOLUME_BYTES}")
    stream.seek(offset)
    data = stream.read(needed)
    if len(data) != needed:
        raise BadImageError(f"cut off: {len(data)} of {needed} voxel bytes")
    return np.frombuffer(data, dtype).reshape(shape, order="F")


def _scaling(header: Any) -> tuple[float, float]:
    """`scl_slope` 0 or no number means unscaled (the standard's own convention)."""
    slope, intercept = header.get_slope_inter()
    return (1.0, 0.0) if slope is None else (float(slope), float(intercept or 0.0))


def _affine(header: Any) -> NDArray[np.float64] | None:
    if int(header["qform_code"]) <= 0 and int(header["sform_code"]) <= 0:
        return None
    affine = _RAS_TO_LPS @ np.asarray(header.get_best_affine(), np.float64)
    if not np.isfinite(affine).all() or np.linalg.norm(affine[:3, :3], axis=0).min() < 1e-6:
        raise BadImageError("its orientation matrix is not made of finite numbers")
    return affine


@lru_cache(maxsize=1)
def _load(path: str, member: str | None, _version: tuple[int, int]) -> NiftiVolume:
    raw, _ = open_source(path, member)
    packed = raw.read(2) == b"\x1f\x8b"
    raw.seek(0)
    with raw, gzip.GzipFile(fileobj=raw) if packed else raw as opened:
        stream: BufferedIOBase = opened
        try:
            header = _read_header(stream)
            voxels = _read_voxels(stream, header, int(header["sizeof_hdr"]))
        except (EOFError, gzip.BadGzipFile) as error:
            raise BadImageError(f"its gzip data are cut off or damaged ({error})") from error
    affine = _affine(header)
    zooms = [abs(float(zoom)) for zoom in header.get_zooms()[:3]] + [1.0] * 3
    spacing = zooms[:3] if affine is None else np.linalg.norm(affine[:3, :3], axis=0).tolist()
    scaling = _scaling(header)
    content = (repr((voxels.shape, scaling)).encode(), b"" if affine is None else affine.tobytes(), voxels.tobytes("F"))
    return NiftiVolume(voxels, *scaling, affine, tuple(spacing), made_up_uid(*content))


def _axes(volume: NiftiVolume) -> tuple[int, int, int]:
    """(slice, row, column) axes; rows run along the later of the two that are left."""
    column, row = (axis for axis in range(3) if axis != volume.slice_axis)
    return volume.slice_axis, row, column


def _shared_fields(volume: NiftiVolume, name: str) -> dict[str, Any]:
    along, row, column = _axes(volume)
    stem = PurePath(name).name
    for suffix in (".gz", ".nii"):
        stem = stem[: -len(suffix)] if stem.lower().endswith(suffix) else stem
    orientation = None
    if volume.affine is not None:
        cosines = volume.affine[:3, :3] / np.asarray(volume.spacing)
        orientation = [*cosines[:, column].tolist(), *cosines[:, row].tolist()]
    return {
        "series_instance_uid": volume.uid,
        "frame_of_reference_uid": volume.uid,
        "series_description": stem,
        "rows": volume.voxels.shape[row],
        "columns": volume.voxels.shape[column],
        "image_orientation": orientation,
        "pixel_spacing": [volume.spacing[row], volume.spacing[column]] if min(volume.spacing) > 0 else None,
        "slice_thickness": volume.spacing[along],
        "photometric_interpretation": "MONOCHROME2",
        "image_type": [],
    }


def _slice_fields(volume: NiftiVolume, index: int) -> dict[str, Any]:
    position = None
    if volume.affine is not None:
        place = np.eye(4)[3]
        place[volume.slice_axis] = index
        position = (volume.affine @ place)[:3].tolist()
    uid = made_up_uid(volume.uid.encode(), str(index).encode())
    return {"sop_instance_uid": uid, "frame": index + 1, "instance_number": index + 1, "image_position": position}


def read_headers(request: Mapping[str, Any]) -> Reply:
    """`shared` and `frames` of a volume, one frame per slice."""
    volume = _load(request["path"], request["member"], version_of(request["path"]))
    frames = [_slice_fields(volume, index) for index in range(volume.voxels.shape[volume.slice_axis])]
    return {"shared": _shared_fields(volume, request["name"]), "frames": frames}, b""


def read_frame(request: Mapping[str, Any]) -> Reply:
    """One slice; voxels that are no number become 0, as outside of the image."""
    volume = _load(request["path"], request["member"], version_of(request["path"]))
    along, row, column = _axes(volume)
    index = int(request["frame"]) - 1
    if not 0 <= index < volume.voxels.shape[along]:
        raise BadImageError(f"no slice {index + 1}")
    plane = volume.voxels.transpose(along, row, column)[index]
    if plane.dtype.kind == "f" or plane.dtype.itemsize > 4:
        plane = np.nan_to_num(plane.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    plane = np.ascontiguousarray(plane.astype(plane.dtype.newbyteorder("<")))
    fields = {"rows": plane.shape[0], "columns": plane.shape[1], "dtype": plane.dtype.str, "mirror": None}
    return fields | {"slope": volume.slope, "intercept": volume.intercept}, memoryview(plane.data).cast("B")


if __name__ == "__main__":
    serve({"headers": read_headers, "frame": read_frame})
