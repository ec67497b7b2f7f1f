"""From the instances of a series to one array in patient space, or the named reason why that cannot be.

Policies, each with its warning or reason:

* one slice missing inside a uniform row: the gap is filled with the mean of its neighbours, ``Volume.frames`` holds
  None there, and a warning says so; more missing slices are refused (GAP);
* gantry tilt: kept as it is, as a sheared lattice; whoever resamples it undoes the shear;
* several frames of reference in one series (seen in public CT): the positions decide; the first is named, with a
  warning;
* repeated positions (time points, echoes), mixed orientation, matrix or spacing: refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.attributes import integer, text
from inference.decoder_process import DecoderProcess
from inference.decoding import PixelFormat, check_transfer_syntax, decode, pixel_format
from inference.domain.identifiers import UID
from inference.domain.study import SeriesRevision, StoredInstance
from inference.domain.transfer_syntaxes import ENCAPSULATED_TRANSFER_SYNTAXES
from inference.domain.volume import SourceFrame, Volume
from inference.errors import IncompleteSeries, ReasonCode, UnsupportedGeometry, UnsupportedPixelData
from inference.slices import Arrangement, arrange, plane_of

MAX_VOXELS: Final = 2**28
"""Most voxels of a volume: 1 GiB as float32."""

Array = NDArray[np.float32]


def build_volume(series: SeriesRevision, data_sets: Sequence[Dataset]) -> Volume:
    """Sort, check, decode and stack a series of single-frame images.

    Parameters
    ----------
    series
        The series; pixels are read from the instances' files.
    data_sets
        Headers of its instances, in the same order.

    Returns
    -------
    Volume
        Slices in ascending order along the slice normal.

    Raises
    ------
    IncompleteSeries
        TOO_FEW_SLICES below two slices.
    UnsupportedGeometry
        GEOMETRY_MISSING, MULTI_FRAME, MIXED_ORIENTATION, MIXED_MATRIX, REPEATED_POSITION, GAP or NON_UNIFORM.
    UnsupportedPixelData
        TRANSFER_SYNTAX, PIXEL_MISSING, PIXEL_FORMAT, PIXEL_TOO_LARGE or PIXEL_CORRUPT.
    """
    if len(data_sets) != len(series.instances):
        raise ValueError("one header per instance")
    if any((integer(data_set, "NumberOfFrames") or 1) > 1 for data_set in data_sets):
        raise UnsupportedGeometry(ReasonCode.MULTI_FRAME, "multi-frame images are not analysed yet")
    for instance in series.instances:
        check_transfer_syntax(instance)
    formats = [pixel_format(data_set) for data_set in data_sets]
    _check_matrix(formats)
    arrangement = _arrange(data_sets, formats[0])
    frame_of_reference_uid, warnings = _frame_of_reference(data_sets)
    if None in arrangement.sources:
        warnings += ("One slice is missing inside the series; it was interpolated between its neighbours.",)
    return Volume(
        array=_stack(series.instances, formats, arrangement),
        grid=arrangement.grid,
        frames=tuple(_frame(series.instances, source) for source in arrangement.sources),
        frame_of_reference_uid=frame_of_reference_uid,
        warnings=warnings,
    )


def _check_matrix(formats: Sequence[PixelFormat]) -> None:
    if len({(item.rows, item.columns) for item in formats}) > 1:
        raise UnsupportedGeometry(ReasonCode.MIXED_MATRIX, "the images differ in rows or columns")
    if formats[0].rows * formats[0].columns * len(formats) > MAX_VOXELS:
        message = f"the series has more than {MAX_VOXELS // 2**20} million voxels"
        raise UnsupportedPixelData(ReasonCode.PIXEL_TOO_LARGE, message)


def _arrange(data_sets: Sequence[Dataset], first: PixelFormat) -> Arrangement:
    planes = [plane_of(data_set) for data_set in data_sets]
    placed = [plane for plane in planes if plane is not None]
    if len(placed) < len(planes):
        message = f"{len(planes) - len(placed)} of {len(planes)} images have no usable position"
        raise UnsupportedGeometry(ReasonCode.GEOMETRY_MISSING, message)
    if len(placed) < 2:
        raise IncompleteSeries(ReasonCode.TOO_FEW_SLICES, "a volume needs more than one slice")
    return arrange(placed, (first.rows, first.columns))


def _frame_of_reference(data_sets: Sequence[Dataset]) -> tuple[UID | None, tuple[str, ...]]:
    named = [text(data_set, "FrameOfReferenceUID") for data_set in data_sets]
    warnings = ("The images name different frames of reference; the first is used.",) if len(set(named)) > 1 else ()
    for value in named:
        try:
            return UID(value), warnings
        except ValueError:
            continue
    return None, warnings


def _frame(instances: Sequence[StoredInstance], source: int | None) -> SourceFrame | None:
    if source is None:
        return None
    identity = instances[source].identity
    return SourceFrame(identity.sop_instance_uid, identity.sop_class_uid, None)


def _stack(instances: Sequence[StoredInstance], formats: Sequence[PixelFormat], arrangement: Arrangement) -> Array:
    """Decode the slices into one array and fill the gap, which always has two neighbours.

    Compressed images are decoded in a process of their own, which starts with the first of them.
    """
    array = np.empty(arrangement.grid.shape, dtype=np.float32)
    with DecoderProcess() as decoder:
        for index, source in enumerate(arrangement.sources):
            if source is not None:
                instance = instances[source]
                compressed = instance.transfer_syntax_uid in ENCAPSULATED_TRANSFER_SYNTAXES
                array[index] = (decoder.decode if compressed else decode)(instance, formats[source])
    for index, source in enumerate(arrangement.sources):
        if source is None:
            array[index] = (array[index - 1] + array[index + 1]) / 2
    if not np.isfinite(array).all():
        raise UnsupportedPixelData(ReasonCode.PIXEL_FORMAT, "pixel values are not finite after rescaling")
    return array
