"""Enhanced multi-frame series made to order: any frames, in any order, said in shared or per-frame functional groups.

Legacy converted images are the same with another SOP class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian

from inference.domain.geometry import Grid
from tests.support.synthetic_series import SeriesOptions, encode, make_instance, unique_uid

_PER_SLICE: Final = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness")


@dataclass(frozen=True)
class FrameOrder:
    """One frame of an enhanced image.

    Parameters
    ----------
    pixels : (rows, columns) ndarray
        Stored values.
    grid, index
        The lattice on which it lies, and which slice of it.
    stack
        Stack ID.
    time_point
        Temporal Position Index.
    echo_time_ms
        Effective Echo Time.
    slope, intercept
        Of its Pixel Value Transformation.
    """

    pixels: NDArray[Any]
    grid: Grid
    index: int
    stack: str = "1"
    time_point: int = 1
    echo_time_ms: float = 2.98
    slope: float = 1.0
    intercept: float = 0.0


@dataclass(frozen=True)
class EnhancedOptions:
    """What is special about an enhanced series.

    Parameters
    ----------
    series
        Header, stored type, syntax and seed as for a classic series.
    sop_class_uid
        Enhanced MR or CT, or legacy converted.
    per_frame
        Whether what all frames have in common stands with each frame and not with the shared groups.
    instances
        Into how many instances the frames are divided, one after the other (a concatenation).
    edit
        Called with each data set before it is written.
    """

    series: SeriesOptions = field(default_factory=SeriesOptions)
    sop_class_uid: str = EnhancedMRImageStorage
    per_frame: bool = False
    instances: int = 1
    edit: Callable[[Dataset], None] | None = None


def frames_on(array: NDArray[Any], grid: Grid, order: Sequence[int] | None = None, **said: Any) -> list[FrameOrder]:
    """List the slices of an array as frames, in any order; ``said`` is the same for all."""
    return [FrameOrder(array[index], grid, index, **said) for index in order or range(grid.shape[0])]


def write_enhanced(
    folder: Path, frames: Sequence[FrameOrder], options: EnhancedOptions = EnhancedOptions()
) -> list[Path]:
    """Write frames as one series of multi-frame instances; give the files."""
    folder.mkdir(parents=True, exist_ok=True)
    size = -(-len(frames) // options.instances)
    paths = []
    for number in range(options.instances):
        data_set = make_enhanced(frames[number * size : (number + 1) * size], options, number)
        if options.edit is not None:
            options.edit(data_set)
        path = folder / f"{number + 1:04d}.dcm"
        encode(data_set, options.series.transfer_syntax_uid)
        data_set.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def make_enhanced(frames: Sequence[FrameOrder], options: EnhancedOptions, number: int) -> Dataset:
    """Make one instance, not yet compressed."""
    first = frames[0]
    data_set = make_instance(first.pixels, first.grid, first.index, options.series)
    data_set.SOPClassUID = data_set.file_meta.MediaStorageSOPClassUID = options.sop_class_uid
    data_set.SOPInstanceUID = unique_uid(options.series.seed, "multi-frame", number)
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    data_set.InstanceNumber = number + 1
    for keyword in _PER_SLICE:
        del data_set[keyword]
    groups = [_groups(frame) for frame in frames]
    data_set.SharedFunctionalGroupsSequence = DicomSequence([_shared(groups, per_frame=options.per_frame)])
    data_set.PerFrameFunctionalGroupsSequence = DicomSequence(groups)
    data_set.NumberOfFrames = len(frames)
    kind = options.series.stored_type
    data_set.PixelData = np.stack([frame.pixels for frame in frames]).astype(kind).tobytes()
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return data_set


def _groups(frame: FrameOrder) -> Dataset:
    """Give all functional groups of a frame."""
    classic = make_instance(frame.pixels, frame.grid, frame.index, SeriesOptions())
    item = Dataset()
    item.PlanePositionSequence = _macro(ImagePositionPatient=classic.ImagePositionPatient)
    item.PlaneOrientationSequence = _macro(ImageOrientationPatient=classic.ImageOrientationPatient)
    item.PixelMeasuresSequence = _macro(PixelSpacing=classic.PixelSpacing, SliceThickness=classic.SliceThickness)
    item.FrameContentSequence = _macro(
        StackID=frame.stack, InStackPositionNumber=frame.index + 1, TemporalPositionIndex=frame.time_point
    )
    item.MREchoSequence = _macro(EffectiveEchoTime=frame.echo_time_ms)
    item.PixelValueTransformationSequence = _macro(
        RescaleSlope=str(frame.slope), RescaleIntercept=str(frame.intercept), RescaleType="US"
    )
    item.MRImageFrameTypeSequence = _macro(
        FrameType=["ORIGINAL", "PRIMARY", "M", "NONE"], ComplexImageComponent="MAGNITUDE", AcquisitionContrast="T1"
    )
    return item


def _shared(groups: Sequence[Dataset], *, per_frame: bool) -> Dataset:
    """Take out of the frames' groups what is the same in all, unless that is to stand with each."""
    shared = Dataset()
    if per_frame:
        return shared
    for element in list(groups[0]):
        if all(group[element.tag] == element for group in groups):
            shared.add(element)
            for group in groups:
                del group[element.tag]
    return shared


def _macro(**attributes: object) -> DicomSequence:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return DicomSequence([item])
