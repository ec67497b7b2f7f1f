"""The source images as the encoders need them: where each frame lies, and nothing that can be wrong besides."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage

from inference.domain.identifiers import UID
from inference.domain.volume import SourceFrame, Volume
from inference.encoding.references import instance_reference
from inference.encoding.repair import decimal_string
from inference.encoding.source import TYPE_2, normalise
from inference.errors import EncodingError
from inference.frames import FrameAttributes, attributes_of

_HEADER_SEQUENCES: Final = frozenset(
    {"ProcedureCodeSequence", "IssuerOfAccessionNumberSequence", "IssuerOfPatientIDQualifiersSequence"}
)
"""Sequences of the Patient and Study modules that results carry; others bring more defects than facts."""


_LONGEST: Final = {"AccessionNumber": 16, "StudyID": 16, "IssuerOfPatientID": 64}
"""Identifiers that are left empty where they are too long for an object (PS3.5 section 6.2); the Study Instance UID
still says which study it is, and a report elsewhere says them whole."""

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
        One data set per slice that has a frame, in slice order, as if each frame were an image of its own. The first
        carries the patient and study; every plane has its own true position.
    planes : (images,) int ndarray
        Slice of the volume that each of ``images`` shows.
    frames
        The frame of the source that each of ``images`` stands for, by its SOP Instance UID.
    """

    images: tuple[Dataset, ...]
    planes: NDArray[np.intp]
    frames: Mapping[str, SourceFrame]

    @property
    def header(self) -> Dataset:
        """The data set that carries patient and study."""
        return self.images[0]

    @property
    def instances(self) -> tuple[Dataset, ...]:
        """The instances of the source, each once, in order of the slices."""
        found: dict[str, Dataset] = {}
        for image in self.images:
            frame = self.frames[image.SOPInstanceUID]
            if frame.sop_instance_uid not in found:
                instance = Dataset()
                instance.update(image)
                # Elements are shared with the image: to set one would change both.
                del instance.SOPInstanceUID, instance.SOPClassUID
                instance.SOPInstanceUID, instance.SOPClassUID = frame.sop_instance_uid, frame.sop_class_uid
                found[frame.sop_instance_uid] = instance
        return tuple(found.values())

    def refer(self, seg: Dataset) -> None:
        """Let an encoded object refer to the instances and frames of the source that ``images`` stand for.

        Parameters
        ----------
        seg
            Changed in place: Referenced Series Sequence, and the Derivation Image Sequence of every frame
            (PS3.3 sections C.8.20.2, C.7.6.16.2.6).
        """
        for series in seg.ReferencedSeriesSequence:
            series.ReferencedInstanceSequence = self._instance_references(series.ReferencedInstanceSequence)
        for groups in seg.PerFrameFunctionalGroupsSequence:
            for derivation in groups.get("DerivationImageSequence") or ():
                for source in derivation.SourceImageSequence:
                    self._refer_to_frame(source)

    def _instance_references(self, references: Iterable[Dataset]) -> list[Dataset]:
        kept: dict[str, Dataset] = {}
        for reference in references:
            frame = self.frames[reference.ReferencedSOPInstanceUID]
            kept.setdefault(frame.sop_instance_uid, instance_reference(frame.sop_class_uid, frame.sop_instance_uid))
        return list(kept.values())

    def _refer_to_frame(self, reference: Dataset) -> None:
        """Change one reference; frames of several segments share them, so it may have been changed already."""
        frame = self.frames.get(reference.ReferencedSOPInstanceUID)
        if frame is None:
            return
        reference.ReferencedSOPInstanceUID = frame.sop_instance_uid
        reference.ReferencedSOPClassUID = frame.sop_class_uid
        if frame.frame_number is not None:
            reference.ReferencedFrameNumber = frame.frame_number


def source_images(volume: Volume, data_sets: Sequence[Dataset], frame_of_reference_uid: UID) -> SourceImages:
    """Prepare the source.

    Parameters
    ----------
    volume
        Its ``frames`` say which frame each slice came from.
    data_sets
        Headers of the source instances, in any order; pixel data need not be there.
    frame_of_reference_uid
        Frame of reference of the volume; sources exist that name none, or several in one series.

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
    header = _header(attributes_of(data_set, first.frame_number), normalise(data_set), volume)
    header.FrameOfReferenceUID = frame_of_reference_uid
    images = [header, *(_slim(header) for _ in used[1:])]
    frames = {}
    for image, (_, frame) in zip(images, used, strict=True):
        image.SOPInstanceUID, image.SOPClassUID = _as_single_frame(frame)
        image.ImagePositionPatient = _position(attributes_of(by_uid[frame.sop_instance_uid], frame.frame_number))
        frames[str(image.SOPInstanceUID)] = frame
    return SourceImages(tuple(images), np.array([index for index, _ in used], dtype=np.intp), frames)


def keep_what_results_carry(header: Dataset) -> None:
    """Leave out of a normalised header the sequences that no result takes over, and identifiers that are too long.

    Parameters
    ----------
    header
        Changed in place.
    """
    for element in list(header):
        if element.VR == "SQ" and (element.keyword not in _HEADER_SEQUENCES or not all(map(_coded, element.value))):
            del header[element.tag]
    for keyword, longest in _LONGEST.items():
        if len(str(header.get(keyword) or "")) > longest:
            if keyword in TYPE_2:
                setattr(header, keyword, "")
            else:
                delattr(header, keyword)


def _header(find: FrameAttributes, header: Dataset, volume: Volume) -> Dataset:
    """Give patient, study and equipment, with one geometry for all frames."""
    keep_what_results_carry(header)
    header.Modality = header.get("Modality") or "OT"
    header.PositionReferenceIndicator = header.get("PositionReferenceIndicator") or ""
    grid = volume.grid
    _, header.Rows, header.Columns = grid.shape
    in_plane = grid.steps_mm[:, [2, 1]] / np.array([grid.spacing_mm[2], grid.spacing_mm[1]])
    header.PixelSpacing = _stated(find.numbers("PixelMeasuresSequence", "PixelSpacing", 2), grid.spacing_mm[1:])
    orientation = find.numbers("PlaneOrientationSequence", "ImageOrientationPatient", 6)
    header.ImageOrientationPatient = _stated(orientation, in_plane.T.ravel())
    thickness = find.number("PixelMeasuresSequence", "SliceThickness")
    header.SliceThickness = decimal_string(thickness if thickness and thickness > 0 else grid.spacing_mm[0])
    for keyword in ("SpacingBetweenSlices", "NumberOfFrames"):
        if keyword in header:  # vendors disagree on the first; the positions say what it is
            del header[keyword]
    return header


def _coded(item: Dataset) -> bool:
    return all(item.get(k) for k in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")) or bool(
        item.get("LocalNamespaceEntityID") or (item.get("UniversalEntityID") and item.get("UniversalEntityIDType"))
    )


def _stated(stated: Sequence[float] | None, measured: Iterable[float]) -> list[str]:
    """Give the source's own numbers, so that viewers see equal planes; the grid's where those differ."""
    expected = np.array(list(measured))
    if stated is None or not np.allclose(stated, expected, rtol=1e-3, atol=1e-3):
        stated = expected.round(12).tolist()
    return [decimal_string(value + 0.0) for value in stated]


def _as_single_frame(frame: SourceFrame) -> tuple[str, str]:
    """Give an image its UID and class; a frame of a multi-frame instance has its own only until it is referred to."""
    if frame.frame_number is None:
        return frame.sop_instance_uid, frame.sop_class_uid
    name = uuid.uuid5(uuid.NAMESPACE_OID, f"{frame.sop_instance_uid} {frame.frame_number}")
    return f"2.25.{name.int}", MRImageStorage


def _slim(header: Dataset) -> Dataset:
    image = Dataset()
    for keyword in _PER_IMAGE:
        image[keyword] = header[keyword]
    return image


def _position(find: FrameAttributes) -> list[str]:
    position = find.numbers("PlanePositionSequence", "ImagePositionPatient", 3)
    if position is None:
        raise EncodingError("a source frame has no Image Position (Patient)")
    return [decimal_string(value) for value in position]
