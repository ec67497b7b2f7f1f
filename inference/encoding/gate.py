"""The gate before anything leaves: what does not conform, or refers to nothing, is not sent.

It reads the bytes that will be sent, and knows nothing of how they were made. Attributes, references and geometry are
checked here, voxels in ``readback``. Everything is checked of short sequences, of long ones (frames, images of a
library) a few items; references are all checked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from inference.domain.artifact import ArtifactKind, DicomArtifact
from inference.domain.identifiers import UID
from inference.encoding.gate_references import dangling, referenced, segment_faults
from inference.encoding.libraries import LIBRARY_ERRORS, silence
from inference.encoding.required import demanded, missing, missing_by_condition, sampled, thin_frames
from inference.errors import EncodingError

MOST_FAULTS: Final = 5
"""As many are named; the first of them usually causes the others."""

_SUBJECT: Final = (
    "PatientID",
    "IssuerOfPatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
)
"""What all objects of a result have in common (PS3.3 sections C.7.1.1, C.7.2.1)."""

_OBLIQUE: Final = 0.025
"""So far from a right angle and from length one may directions be; a volume is built of sources as inexact."""

_NUMBERS: Final = frozenset({"DS", "FD", "FL", "IS"})
_BULK: Final = frozenset({"OB", "OD", "OF", "OW"})


@dataclass(frozen=True, eq=False)
class Checked:
    """An object that could be read.

    Parameters
    ----------
    name
        Which one, for people.
    artifact
        Its bytes.
    data_set
        What they say; of the functional groups of frames a few.
    described_frames
        How many frames have functional groups; None where no frame has any.
    """

    name: str
    artifact: DicomArtifact
    data_set: Dataset
    described_frames: int | None


def check_objects(artifacts: Sequence[DicomArtifact], sources: Collection[UID]) -> None:
    """Check everything that is to be sent of a result, together; before it is compressed.

    Parameters
    ----------
    artifacts
        All objects, as they will be sent.
    sources
        SOP Instance UIDs of what they may refer to besides each other: the source, and of a revision the objects
        that it revises. A predecessor may be anywhere.

    Raises
    ------
    EncodingError
        If anything is wrong; the message names objects, attributes and faults, and no value.
    """
    with silence():
        objects = [_read(artifact, number) for number, artifact in enumerate(artifacts, start=1)]
        faults = [f"{checked.name}: {fault}" for checked in objects for fault in _guarded(_faults_of(checked))]
        faults += _guarded(_faults_among(objects, sources))
    if faults:
        more = f"; and {len(faults) - MOST_FAULTS} more" if len(faults) > MOST_FAULTS else ""
        raise EncodingError(f"not fit to be sent: {'; '.join(faults[:MOST_FAULTS])}{more}")


def known_to(artifacts: Sequence[DicomArtifact]) -> frozenset[UID]:
    """Give what a revision of some objects may refer to: these, and what they refer to themselves.

    Parameters
    ----------
    artifacts
        Objects that passed the gate, uncompressed.
    """
    known = {artifact.identity.sop_instance_uid for artifact in artifacts}
    for artifact in artifacts:
        with silence():
            data_set = dcmread(BytesIO(artifact.content))
        known.update(map(UID, referenced(artifact.content, data_set)))
    return frozenset(known)


def _read(artifact: DicomArtifact, number: int) -> Checked:
    name = f"{artifact.kind.value} (object {number})"
    try:
        data_set = dcmread(BytesIO(artifact.content))
        return Checked(name, artifact, data_set, thin_frames(data_set))
    except LIBRARY_ERRORS as error:
        raise EncodingError(f"not fit to be sent: {name}: cannot be read ({type(error).__name__})") from error


def _guarded(faults: Iterator[str]) -> list[str]:
    """List faults; a value that cannot be read is one, and the last that is found."""
    found: dict[str, None] = {}
    try:
        for fault in faults:
            found[fault] = None
    except LIBRARY_ERRORS as error:
        found[f"has a value that cannot be read ({type(error).__name__})"] = None
    return list(found)


def _faults_of(checked: Checked) -> Iterator[str]:
    """Yield what is wrong with an object by itself."""
    data_set, sop_class = checked.data_set, checked.artifact.identity.sop_class_uid
    yield from _identity_faults(checked)
    node = demanded(sop_class)
    if node is None:
        yield "SOPClassUID: is not one whose attributes are known"
    else:
        yield from missing(data_set, node)
    yield from missing_by_condition(data_set)
    yield from _value_faults(data_set)
    yield from _geometry_faults(data_set)
    yield from _pixel_faults(data_set, checked.described_frames)


def _identity_faults(checked: Checked) -> Iterator[str]:
    data_set, meta, artifact = checked.data_set, checked.data_set.file_meta, checked.artifact
    identity = artifact.identity
    stated: Mapping[str, tuple[object, str]] = {
        "StudyInstanceUID": (data_set.get("StudyInstanceUID"), identity.study_instance_uid),
        "SeriesInstanceUID": (data_set.get("SeriesInstanceUID"), identity.series_instance_uid),
        "SOPInstanceUID": (data_set.get("SOPInstanceUID"), identity.sop_instance_uid),
        "SOPClassUID": (data_set.get("SOPClassUID"), identity.sop_class_uid),
        "MediaStorageSOPInstanceUID": (meta.get("MediaStorageSOPInstanceUID"), identity.sop_instance_uid),
        "MediaStorageSOPClassUID": (meta.get("MediaStorageSOPClassUID"), identity.sop_class_uid),
        "TransferSyntaxUID": (meta.get("TransferSyntaxUID"), artifact.transfer_syntax_uid),
    }
    for keyword, (said, expected) in stated.items():
        if said != expected:
            yield f"{keyword}: is not what the object is known as"
    if artifact.transfer_syntax_uid != ExplicitVRLittleEndian:
        yield "TransferSyntaxUID: is not that in which objects are checked"


def _value_faults(data_set: Dataset) -> Iterator[str]:
    """Yield UIDs that are none, and numbers that are none."""
    for tag in list(data_set.keys()):
        element = data_set.get_item(tag)
        if element.VR in _BULK:
            continue
        element = data_set[tag]
        if element.VR == "SQ":
            for item in sampled(element.value or ()):
                yield from _value_faults(item)
        elif element.VR == "UI":
            yield from _uid_faults(element)
        elif element.VR in _NUMBERS and not _is_finite(element.value):
            yield f"{element.keyword}: is not finite"


def _is_finite(value: object) -> bool:
    return value is None or bool(np.isfinite(np.asarray(value, dtype=np.float64)).all())


def _uid_faults(element: DataElement) -> Iterator[str]:
    values = [element.value] if isinstance(element.value, str) else element.value or ()
    for value in filter(None, values):
        try:
            UID(str(value))
        except ValueError:
            yield f"{element.keyword}: is no UID"


def _geometry_faults(data_set: Dataset) -> Iterator[str]:
    """Yield directions that are no right angle of unit vectors, and distances that are none (PS3.3 C.7.6.2.1)."""
    groups = [
        *(data_set.get("SharedFunctionalGroupsSequence") or ()),
        *sampled(data_set.get("PerFrameFunctionalGroupsSequence") or ()),
    ]
    for group in groups:
        for plane in group.get("PlaneOrientationSequence") or ():
            cosines = np.array(plane.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
            if not np.allclose(cosines @ cosines.T, np.eye(2), atol=_OBLIQUE):
                yield "ImageOrientationPatient: is no pair of directions"
        for measures in group.get("PixelMeasuresSequence") or ():
            for keyword in ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"):
                stated = np.atleast_1d(np.array(measures.get(keyword, 1.0), dtype=np.float64))
                if not (stated > 0).all():
                    yield f"{keyword}: is not above zero"


def _pixel_faults(data_set: Dataset, described_frames: int | None) -> Iterator[str]:
    """Yield a number of frames or bytes that is not what the rest of the object says (PS3.5 section 8.1.1)."""
    frames = int(data_set.get("NumberOfFrames") or 1)
    if described_frames not in (None, frames):
        yield "NumberOfFrames: is not the number of frames described"
    keyword = next((k for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData") if k in data_set), None)
    if keyword is not None and data_set.get("BitsAllocated"):
        samples = frames * int(data_set.Rows) * int(data_set.Columns) * int(data_set.SamplesPerPixel)
        size = -(-samples * int(data_set.BitsAllocated) // 8)
        if len(data_set.get_item(keyword).value) != size + size % 2:
            yield f"{keyword}: has not the length that the image needs"


def _faults_among(objects: Sequence[Checked], sources: Collection[UID]) -> Iterator[str]:
    """Yield what is wrong between objects."""
    own = {str(checked.data_set.get("SOPInstanceUID")) for checked in objects}
    if len(own) != len({checked.artifact.sha256 for checked in objects}):
        yield "SOPInstanceUID: different objects have the same"
    known = own.union(sources)
    segmentations = [checked.data_set for checked in objects if checked.artifact.kind is ArtifactKind.SEG]
    for checked in objects:
        for keyword in _SUBJECT:
            if str(checked.data_set.get(keyword) or "") != str(objects[0].data_set.get(keyword) or ""):
                yield f"{checked.name}: {keyword}: differs from that of {objects[0].name}"
        if dangling(checked.artifact.content, checked.data_set, known):
            yield f"{checked.name}: ReferencedSOPInstanceUID: refers to an object that is not there"
        for fault in segment_faults(checked.data_set, segmentations):
            yield f"{checked.name}: {fault}"
