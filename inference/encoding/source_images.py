"""The source images as the encoders need them: where each frame lies, and nothing that can be wrong besides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.domain.identifiers import UID
from inference.domain.masks import Masks
from inference.domain.volume import SourceFrame, Volume
from inference.encoding.repair import decimal_string
from inference.encoding.source import normalise
from inference.errors import EncodingError

_HEADER_SEQUENCES: Final = frozenset(
    {"ProcedureCodeSequence", "IssuerOfAccessionNumberSequence", "IssuerOfPatientIDQualifiersSequence"}
)
"""Sequences of the Patient and Study modules that results carry; others bring more defects than facts."""


_PER_IMAGE: Final = (
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "Rows",
    "Columns",
    "PixelSpacing",
    "SliceThickness",
    "ImageOrientationPatient",
)
"""What all images of the series have in common."""


@dataclass(frozen=True, eq=False)
class SourceImages:
    """The source, made ready for highdicom.

    Parameters
    ----------
    images
        One data set per slice that has a frame, in slice order, or a single multi-frame one. The first carries the
        patient and study; every plane has its own true position.
    planes : (frames,) int ndarray
        Slice of the volume that each frame of ``images`` shows; -1 for a frame that the volume does not use.
    """

    images: tuple[Dataset, ...]
    planes: NDArray[np.intp]

    @property
    def header(self) -> Dataset:
        """The data set that carries patient and study."""
        return self.images[0]

    def stack(self, masks: Masks) -> Masks:
        """Arrange what lies slice by slice by the frames of ``images``; unused frames are background."""
        stacked = masks[self.planes]
        stacked[self.planes < 0] = 0
        return stacked


def source_images(
    volume: Volume, data_sets: Sequence[Dataset], frame_of_reference_uid: UID, default_charset: str
) -> SourceImages:
    """Prepare the source.

    Parameters
    ----------
    volume
        Its ``frames`` say which frame each slice came from.
    data_sets
        Headers of the source instances, in any order; pixel data need not be there.
    frame_of_reference_uid
        Frame of reference of the volume; sources exist that name none, or several in one series.
    default_charset
        Specific Character Set of a source that names none.

    Raises
    ------
    EncodingError
        If a frame's instance is not among the headers, or lacks its position.
    """
    by_uid = {str(ds.SOPInstanceUID): ds for ds in data_sets}
    used = [(index, frame) for index, frame in enumerate(volume.frames) if frame is not None]
    if not used or any(frame.sop_instance_uid not in by_uid for _, frame in used):
        raise EncodingError("the volume has a frame whose source instance is not at hand")
    _, first = used[0]
    data_set = by_uid[first.sop_instance_uid]
    header = _header(data_set, normalise(data_set, default_charset), volume)
    header.FrameOfReferenceUID = frame_of_reference_uid
    if first.frame_number is None:
        return _single_frames(used, by_uid, header)
    return _multi_frame(used, data_set, header)


def _header(data_set: Dataset, header: Dataset, volume: Volume) -> Dataset:
    """Give patient, study and equipment, with one geometry for all frames."""
    for element in list(header):
        if element.VR == "SQ" and (element.keyword not in _HEADER_SEQUENCES or not all(map(_coded, element.value))):
            del header[element.tag]
    header.Modality = header.get("Modality") or "OT"
    header.PositionReferenceIndicator = header.get("PositionReferenceIndicator") or ""
    grid = volume.grid
    _, header.Rows, header.Columns = grid.shape
    in_plane = grid.steps_mm[:, [2, 1]] / np.array([grid.spacing_mm[2], grid.spacing_mm[1]])
    header.PixelSpacing = _stated(data_set, "PixelSpacing", grid.spacing_mm[1:])
    header.ImageOrientationPatient = _stated(data_set, "ImageOrientationPatient", in_plane.T.ravel())
    thickness = _find(data_set, "SliceThickness")
    header.SliceThickness = decimal_string(float(thickness) if thickness and thickness > 0 else grid.spacing_mm[0])
    if "SpacingBetweenSlices" in header:
        del header.SpacingBetweenSlices  # vendors disagree on it; the positions say what it is
    return header


def _coded(item: Dataset) -> bool:
    return all(item.get(k) for k in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")) or bool(
        item.get("LocalNamespaceEntityID") or (item.get("UniversalEntityID") and item.get("UniversalEntityIDType"))
    )


def _stated(data_set: Dataset, keyword: str, measured: Iterable[float]) -> list[str]:
    """Give the source's own numbers, so that viewers see equal planes; the grid's where those differ."""
    expected = np.array(list(measured))
    found = _find(data_set, keyword)
    stated = np.array([float(value) for value in found]) if found is not None else np.empty(0)
    same = stated.shape == expected.shape and np.allclose(stated, expected, rtol=1e-3, atol=1e-3)
    return [decimal_string(value + 0.0) for value in (stated if same else expected.round(12))]


def _find(data_set: Dataset, keyword: str) -> Any:
    """Look an attribute up at the top level, then in the functional groups (PS3.3 section C.7.6.16.2)."""
    groups = [data_set.get(f"{name}FunctionalGroupsSequence") for name in ("Shared", "PerFrame")]
    macros = [
        group[0].get(macro)
        for group in groups
        if group
        for macro in ("PixelMeasuresSequence", "PlaneOrientationSequence")
    ]
    places = [data_set, *(macro[0] for macro in macros if macro)]
    return next((place[keyword].value for place in places if keyword in place and place[keyword].value), None)


def _single_frames(
    used: Sequence[tuple[int, SourceFrame]], by_uid: Mapping[str, Dataset], header: Dataset
) -> SourceImages:
    images = []
    for number, (_, frame) in enumerate(used):
        image = header if number == 0 else _slim(header)
        image.SOPInstanceUID, image.SOPClassUID = frame.sop_instance_uid, frame.sop_class_uid
        image.ImagePositionPatient = _position(by_uid[frame.sop_instance_uid])
        images.append(image)
    return SourceImages(tuple(images), np.array([index for index, _ in used], dtype=np.intp))


def _slim(header: Dataset) -> Dataset:
    image = Dataset()
    for keyword in _PER_IMAGE:
        image[keyword] = header[keyword]
    return image


def _multi_frame(used: Sequence[tuple[int, SourceFrame]], data_set: Dataset, header: Dataset) -> SourceImages:
    """Rebuild the functional groups: one shared orientation and spacing, a position per frame (PS3.3 C.7.6.16)."""
    per_frame = data_set.get("PerFrameFunctionalGroupsSequence") or ()
    shared = (data_set.get("SharedFunctionalGroupsSequence") or (Dataset(),))[0]
    numbers = {frame.frame_number: index for index, frame in used if frame.frame_number is not None}
    if len(numbers) != len(used) or not 1 <= min(numbers) <= max(numbers) <= len(per_frame):
        raise EncodingError("the volume's frames are not those of one multi-frame instance")
    order = sorted(numbers)
    measures, orientation = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = header.PixelSpacing, header.SliceThickness
    orientation.ImageOrientationPatient = header.ImageOrientationPatient
    group = Dataset()
    group.PixelMeasuresSequence, group.PlaneOrientationSequence = [measures], [orientation]
    header.SharedFunctionalGroupsSequence = [group]
    header.NumberOfFrames = len(per_frame)
    header.PerFrameFunctionalGroupsSequence = [_plane(item, shared) for item in per_frame]
    planes = np.full(len(per_frame), -1, dtype=np.intp)
    planes[np.array(order) - 1] = [numbers[number] for number in order]
    for keyword in ("PixelSpacing", "SliceThickness", "ImageOrientationPatient"):
        del header[keyword]
    return SourceImages((header,), planes)


def _plane(item: Dataset, shared: Dataset) -> Dataset:
    sequence = item.get("PlanePositionSequence") or shared.get("PlanePositionSequence")
    plane, position = Dataset(), Dataset()
    position.ImagePositionPatient = _position(sequence[0] if sequence else Dataset())
    plane.PlanePositionSequence = [position]
    return plane


def _position(data_set: Dataset) -> list[str]:
    position = data_set.get("ImagePositionPatient")
    if position is None or len(position) != 3:
        raise EncodingError("a source frame has no Image Position (Patient)")
    return [decimal_string(float(value)) for value in position]
