"""The functional groups of a Segmentation's frames (PS3.3 section C.7.6.16): where each lies, what it was made from.

They are written as bytes, in pieces that frames have in common: what is true of a source image once, what is true of
a segment once. As data sets, the thousands that a hundred segments have take longer than everything else together.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import Final

import numpy as np
from highdicom.spatial import get_volume_positions
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.tag import Tag

from inference.domain.artifact import Segmentation
from inference.domain.volume import SourceFrame
from inference.encoding.references import instance_references
from inference.encoding.repair import decimal_string
from inference.encoding.seg_frames import Frames, positions_of
from inference.encoding.source_images import SourceImages

_ITEM: Final = b"\xfe\xff\x00\xe0"
"""Tag of an item, little endian (PS3.5 section 7.5)."""

_PER_FRAME: Final = Tag("PerFrameFunctionalGroupsSequence")


def refer_to_instances(seg: Dataset, images: SourceImages) -> None:
    """Let an object refer to every instance of its source, each once (PS3.3 sections C.7.6.1, C.12.1).

    Parameters
    ----------
    seg
        Changed in place: Referenced Series Sequence and Source Image Sequence.
    images
        The source.
    """
    references = instance_references(images.instances)
    seg.SourceImageSequence = references
    seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence = references


def with_frames(seg: Dataset, images: SourceImages, frames: Frames, pixels: BytesIO) -> Dataset:
    """Give an object of one frame all its frames.

    Parameters
    ----------
    seg
        The object, complete but for what depends on the frames; its one frame is the model of the others. It is of no
        use afterwards.
    images
        The source.
    frames
        Which frames there are.
    pixels
        Their pixels.

    Returns
    -------
    Dataset
        As if it had been read: what is encoded already stays as it is when it is written.
    """
    seg.NumberOfFrames = len(frames.images)
    _describe_spacing(seg, images, frames)
    groups = b"".join(_items(seg.PerFrameFunctionalGroupsSequence[0], images, frames))
    del seg.PerFrameFunctionalGroupsSequence, seg.PixelData
    written = BytesIO()
    seg.save_as(written, enforce_file_format=True)
    written.seek(0)
    whole = dcmread(written)
    whole[_PER_FRAME] = RawDataElement(_PER_FRAME, "SQ", len(groups), groups, 0, False, True)
    whole["PixelData"] = DataElement("PixelData", "OB", pixels)
    return whole


def _describe_spacing(seg: Dataset, images: SourceImages, frames: Frames) -> None:
    """Say how far the slices of the source are apart, and that frames which differ in place alone are a stack.

    A reader then knows the distance also where slices without a segment are left out.
    """
    shared = seg.SharedFunctionalGroupsSequence[0]
    orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    positions = positions_of(images)
    spacing, _ = get_volume_positions(positions, orientation)
    (measures,) = shared.PixelMeasuresSequence
    if spacing is not None:
        measures.SpacingBetweenSlices = decimal_string(spacing)
    elif "SpacingBetweenSlices" in measures:  # highdicom makes one up for a single image
        del measures.SpacingBetweenSlices
    if not frames.segments.any() and is_stack(positions[frames.images], orientation):
        seg.DimensionOrganizationType = "3D"


def is_stack(positions: NDArray[np.float64], orientation: Sequence[float]) -> bool:
    """Tell whether frames lie one after another at one distance (PS3.3 section C.7.6.17.3).

    Parameters
    ----------
    positions : (frames, 3) ndarray
        Their Image Positions (Patient), in LPS mm.
    orientation
        The Image Orientation (Patient) of all.
    """
    return len(positions) > 1 and get_volume_positions(positions, orientation)[0] is not None


def _items(model: Dataset, images: SourceImages, frames: Frames) -> Iterator[bytes]:
    """Encode the functional groups of each frame, in order of their tags."""
    derive = _derivations(model)
    derivations = [derive(images.frames[image.SOPInstanceUID]) for image in images.images]
    planes = [_plane(image) for image in images.images]
    content, identification = _content(model), _identification(model)
    listed = (frames.segments.tolist(), frames.images.tolist(), frames.places.tolist())
    for segment, image, place in zip(*listed, strict=True):
        if frames.kind is Segmentation.LABELMAP:
            groups = derivations[image] + content + struct.pack("<L", place) + planes[image]
        else:
            groups = derivations[image] + content + struct.pack("<2L", segment + 1, place) + planes[image]
            groups += identification and identification + struct.pack("<H", segment + 1)
        yield _item(groups)


def _derivations(model: Dataset) -> Callable[[SourceFrame], bytes]:
    """Give what names the frame of the source that a frame was made from (PS3.3 section C.7.6.16.2.6)."""
    (derivation,) = model.DerivationImageSequence
    (source,) = derivation.SourceImageSequence
    del derivation.SourceImageSequence, source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID
    of_source, of_derivation = _encoded(source), _encoded(derivation)

    def derive(frame: SourceFrame) -> bytes:
        reference = Dataset()
        reference.ReferencedSOPClassUID = frame.sop_class_uid
        reference.ReferencedSOPInstanceUID = frame.sop_instance_uid
        if frame.frame_number is not None:
            reference.ReferencedFrameNumber = frame.frame_number
        sources = _sequence("SourceImageSequence", _encoded(reference) + of_source)
        return _sequence("DerivationImageSequence", sources + of_derivation)

    return derive


def _plane(image: Dataset) -> bytes:
    """Say where it lies (PS3.3 section C.7.6.16.2.3)."""
    position = Dataset()
    position["ImagePositionPatient"] = image["ImagePositionPatient"]
    return _sequence("PlanePositionSequence", _encoded(position))


def _content(model: Dataset) -> bytes:
    """Encode Frame Content (PS3.3 section C.7.6.16.2.2) up to the Dimension Index Values, 32 bits each."""
    group = Dataset()
    group.FrameContentSequence = model.FrameContentSequence
    values = model.FrameContentSequence[0]["DimensionIndexValues"]
    return _encoded(group)[: -4 * values.VM]


def _identification(model: Dataset) -> bytes:
    """Encode Segment Identification (PS3.3 section C.8.20.3.1) up to the number, 16 bits; one segment needs none."""
    if "SegmentIdentificationSequence" not in model:
        return b""
    group = Dataset()
    group.SegmentIdentificationSequence = model.SegmentIdentificationSequence
    return _encoded(group)[:-2]


def _sequence(keyword: str, groups: bytes) -> bytes:
    """Put encoded elements into a sequence of one item, both of a stated length (PS3.5 section 7.5)."""
    tag, item = Tag(keyword), _item(groups)
    return struct.pack("<2H2s2xL", tag.group, tag.element, b"SQ", len(item)) + item


def _item(groups: bytes) -> bytes:
    return _ITEM + struct.pack("<L", len(groups)) + groups


def _encoded(group: Dataset) -> bytes:
    """Encode in Explicit VR Little Endian."""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, group)
    encoded: bytes = buffer.getvalue()
    return encoded
