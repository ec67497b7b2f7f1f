"""Reading headers, and the facts in them on which selection decides."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from inference.attributes import integer, number, text, texts, values
from inference.domain.identifiers import UID
from inference.domain.model_spec import Plane
from inference.domain.series_header import Acquisition, SeriesHeader
from inference.domain.study import StoredInstance
from inference.errors import IncompleteSeries, ReasonCode
from inference.slices import SAME_POSITION_MM, SlicePlane, offsets_mm, plane_of

ENHANCED_CLASSES: Final = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT
        "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT
        "1.2.840.10008.5.1.4.1.1.4.1",  # Enhanced MR
        "1.2.840.10008.5.1.4.1.1.4.3",  # Enhanced MR Color
        "1.2.840.10008.5.1.4.1.1.4.4",  # Legacy Converted Enhanced MR
    }
)
"""Multi-frame classes whose geometry is in functional groups, also when they hold a single frame."""

NO_AGENT: Final = frozenset({"", "NO", "NONE", "NO CONTRAST", "WITHOUT", "N", "N/A", "NA", "0", "-"})
"""What is found in ContrastBolusAgent, which is free text, where nothing was given."""

NEAREST_COSINE: Final = math.cos(math.radians(45))
"""A slice whose normal is farther than this from every axis of the body lies in none of its planes."""

_PLANES: Final = (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)
"""By the axis of their normal: left, posterior, head."""

_UNREADABLE: Final = (
    InvalidDicomError,
    BytesLengthException,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    struct.error,
    zlib.error,
)
"""What parsing a damaged header was seen to raise, a depth of nesting without end among it."""


@dataclass(frozen=True, eq=False)
class SeriesDataSets:
    """A series with its headers in memory.

    Parameters
    ----------
    header
        The facts for selection.
    data_sets
        One per instance in the order of the series, without pixel data; patient data: never log.
    """

    header: SeriesHeader
    data_sets: tuple[Dataset, ...]


def read_headers(instances: Sequence[StoredInstance]) -> tuple[Dataset, ...]:
    """Read each instance up to its pixel data.

    Parameters
    ----------
    instances
        Which; the files are only read.

    Returns
    -------
    tuple of Dataset
        In the order of ``instances``.

    Raises
    ------
    IncompleteSeries
        MISSING_ATTRIBUTE when a header cannot be parsed.
    """
    return tuple(_read_header(instance) for instance in instances)


def _read_header(instance: StoredInstance) -> Dataset:
    try:
        return dcmread(instance.path, stop_before_pixels=True, force=True)
    except _UNREADABLE as error:
        message = "the header of an instance cannot be read"
        raise IncompleteSeries(ReasonCode.MISSING_ATTRIBUTE, message) from error


def read_series(instances: Sequence[StoredInstance]) -> SeriesDataSets:
    """Read the headers of a series and describe it.

    Raises
    ------
    IncompleteSeries
        MISSING_ATTRIBUTE when a header cannot be parsed.
    """
    data_sets = read_headers(instances)
    return SeriesDataSets(describe(data_sets), data_sets)


def describe(data_sets: Sequence[Dataset]) -> SeriesHeader:
    """Gather the facts of a series; whatever is broken in a header counts as absent.

    Parameters
    ----------
    data_sets
        Headers of all instances, at least one.
    """
    planes = [plane for plane in map(plane_of, data_sets) if plane is not None]
    slice_count, slice_spacing_mm = _slices(planes, len(data_sets))
    first = data_sets[0]
    return SeriesHeader(
        sop_class_uids=frozenset(_sop_classes(data_sets)),
        modality=text(first, "Modality").upper(),
        body_part=text(first, "BodyPartExamined").upper(),
        series_description=text(first, "SeriesDescription"),
        protocol_name=text(first, "ProtocolName"),
        image_type=frozenset(value for data_set in data_sets for value in _image_types(data_set)),
        acquisition=_acquisition(first),
        instance_count=len(data_sets),
        slice_count=slice_count,
        slice_spacing_mm=slice_spacing_mm,
        has_matrix=all(_has_matrix(data_set) for data_set in data_sets),
        samples_per_pixel=max(integer(data_set, "SamplesPerPixel") or 1 for data_set in data_sets),
        multi_frame=any(_is_multi_frame(data_set) for data_set in data_sets),
        plane=_common_plane(planes),
    )


def _sop_classes(data_sets: Sequence[Dataset]) -> Iterable[UID]:
    for data_set in data_sets:
        try:
            yield UID(text(data_set, "SOPClassUID"))
        except ValueError:
            continue


def _image_types(data_set: Dataset) -> Iterable[str]:
    """Give the values of Image Type and of Frame Type in the shared functional groups."""
    yield from texts(data_set, "ImageType")
    for group in values(data_set, "SharedFunctionalGroupsSequence"):
        for keyword in ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence"):
            for item in values(group, keyword):
                yield from texts(item, "FrameType")


def _acquisition(data_set: Dataset) -> Acquisition:
    return Acquisition(
        scanning_sequence=frozenset(texts(data_set, "ScanningSequence")),
        sequence_variant=frozenset(texts(data_set, "SequenceVariant")),
        repetition_time_ms=_time_ms(data_set, "RepetitionTime"),
        echo_time_ms=_time_ms(data_set, "EchoTime"),
        inversion_time_ms=_time_ms(data_set, "InversionTime"),
        angiography=text(data_set, "AngioFlag").upper() == "Y",
        contrast_agent=_names_an_agent(data_set),
    )


def _names_an_agent(data_set: Dataset) -> bool:
    """Tell whether a contrast medium is named; some scanners write that there was none."""
    named = text(data_set, "ContrastBolusAgent").upper()
    return bool(values(data_set, "ContrastBolusAgentSequence")) or named not in NO_AGENT


def _time_ms(data_set: Dataset, keyword: str) -> float | None:
    """Read a time; 0 means that it does not apply."""
    value = number(data_set, keyword)
    return value if value is not None and value > 0 else None


def _has_matrix(data_set: Dataset) -> bool:
    return (integer(data_set, "Rows") or 0) > 0 and (integer(data_set, "Columns") or 0) > 0


def _is_multi_frame(data_set: Dataset) -> bool:
    return text(data_set, "SOPClassUID") in ENHANCED_CLASSES or (integer(data_set, "NumberOfFrames") or 1) > 1


def _slices(planes: Sequence[SlicePlane], instance_count: int) -> tuple[int, float | None]:
    """Count distinct positions and give their median distance."""
    if len(planes) < instance_count:
        return instance_count, None
    gaps = np.diff(np.sort(offsets_mm(planes)))
    distinct = gaps[gaps >= SAME_POSITION_MM]
    return len(distinct) + 1, float(np.median(distinct)) if len(distinct) else None


def _common_plane(planes: Sequence[SlicePlane]) -> Plane | None:
    """Give the plane of the body in which all slices lie, obliquely or not."""
    nearest = {_nearest_plane(plane) for plane in planes}
    return nearest.pop() if len(nearest) == 1 else None


def _nearest_plane(plane: SlicePlane) -> Plane | None:
    cosines = np.abs(plane.normal)
    axis = int(np.argmax(cosines))
    return _PLANES[axis] if cosines[axis] >= NEAREST_COSINE else None
