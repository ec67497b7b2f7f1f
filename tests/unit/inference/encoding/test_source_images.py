"""Multi-frame sources: the functional groups are rebuilt from what the source says, in either place it may say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import EnhancedMRImageStorage

from inference.domain.identifiers import UID
from inference.domain.model_inputs import ModelInputs
from inference.domain.study import CompletionEvidence, SeriesRevision
from inference.domain.volume import SourceFrame, Volume
from inference.encoding.objects import EncodingInput, encode
from inference.encoding.source_images import source_images
from inference.errors import EncodingError
from inference.uids import OutputUIDs
from tests.support.findings import PRODUCED_AT, blocks, items, make_result, make_spec
from tests.support.synthetic_series import SeriesOptions, axial_grid, make_instance

GRID = axial_grid((6, 20, 16), (2.5, 1.1, 0.9))
ORDER = (3, 0, 5, 1, 4, 2)
"""Slice that each frame shows: frames are not stored in spatial order by rule."""


def macro(**attributes: object) -> DicomSequence:
    """Make a functional group macro of one item."""
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return DicomSequence([item])


def enhanced(order: Sequence[int] = ORDER, orientation_per_frame: bool = False) -> Dataset:
    """Give the header of a multi-frame image; an entry of -1 is a frame far away."""
    header = make_instance(np.zeros((20, 16)), GRID, 0, SeriesOptions(sop_class_uid=EnhancedMRImageStorage))
    measures = macro(PixelSpacing=header.PixelSpacing, SliceThickness=2.5)
    orientation = macro(ImageOrientationPatient=header.ImageOrientationPatient)
    shared = Dataset()
    shared.PixelMeasuresSequence = measures
    if not orientation_per_frame:
        shared.PlaneOrientationSequence = orientation
    header.SharedFunctionalGroupsSequence = DicomSequence([shared])
    frames = []
    for index in order:
        position = GRID.to_lps((index if index >= 0 else 40, 0, 0))
        frame = Dataset()
        frame.PlanePositionSequence = macro(ImagePositionPatient=[f"{value:.6f}" for value in position])
        if orientation_per_frame:
            frame.PlaneOrientationSequence = orientation
        frames.append(frame)
    header.PerFrameFunctionalGroupsSequence = DicomSequence(frames)
    header.NumberOfFrames = len(frames)
    for keyword in ("PixelData", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        del header[keyword]
    return header


def encoding_of(header: Dataset, order: Sequence[int] = ORDER) -> EncodingInput:
    """Put a result on a multi-frame image."""
    numbers = {index: number for number, index in enumerate(order, start=1)}
    uid, sop_class = UID(header.SOPInstanceUID), UID(header.SOPClassUID)
    frames = tuple(SourceFrame(uid, sop_class, numbers[index]) for index in range(GRID.shape[0]))
    volume = Volume(np.zeros(GRID.shape, np.float32), GRID, frames, UID(header.FrameOfReferenceUID))
    spec, labels = make_spec(), blocks(GRID.shape)
    series = SeriesRevision(
        UID(header.StudyInstanceUID), UID(header.SeriesInstanceUID), 1, (), CompletionEvidence.OFFLINE
    )
    uids = OutputUIDs.derive(ModelInputs(series), spec.reference)
    return EncodingInput(volume, [header], make_result(labels, GRID, spec, uids), spec, uids, PRODUCED_AT)


@pytest.mark.parametrize("orientation_per_frame", [False, True])
def test_every_segment_frame_names_its_source_frame_and_lies_there(orientation_per_frame: bool) -> None:
    """Whatever the order of the frames, and wherever the orientation is said."""
    encoding = encoding_of(enhanced(orientation_per_frame=orientation_per_frame))
    seg = dcmread(BytesIO(encode(encoding)[0].content))
    for frame in seg.PerFrameFunctionalGroupsSequence:
        number = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
        expected = GRID.to_lps((ORDER[number - 1], 0, 0))
        assert np.allclose(np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float), expected, atol=1e-5)


def test_contours_name_their_source_frame() -> None:
    """An SCOORD on a multi-frame image says on which frame it lies (PS3.3 section C.18.4)."""
    encoding = encoding_of(enhanced())
    groups = items(dcmread(BytesIO(encode(encoding)[1].content)), "Measurement Group")[1::2]
    for group, segment in zip(groups, encoding.result.segments, strict=True):
        image = items(group, "Image Region")[0].ContentSequence[0].ReferencedSOPSequence[0]
        areas = (encoding.result.labels == segment.label.value).sum(axis=(1, 2))
        assert ORDER[image.ReferencedFrameNumber - 1] == areas.argmax()


def test_frames_that_the_volume_does_not_use_stay_empty() -> None:
    """An object may hold more than the volume that was analysed."""
    order = (*ORDER, -1)
    seg = dcmread(BytesIO(encode(encoding_of(enhanced(order)))[0].content))
    used = {
        frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
        for frame in seg.PerFrameFunctionalGroupsSequence
    }
    assert 7 not in used


def test_frames_of_which_the_image_has_no_such_number_are_refused() -> None:
    """The volume and the header do not belong together."""
    encoding = encoding_of(enhanced())
    short = enhanced(ORDER[:4])
    with pytest.raises(EncodingError, match="one multi-frame instance"):
        encode(replace(encoding, data_sets=[short]))


def test_a_stated_geometry_that_is_not_the_volumes_is_not_copied() -> None:
    """The grid is what the result lies on; a header that says otherwise is wrong."""
    header = enhanced()
    header.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [9, 9]
    encoding = encoding_of(header)
    images = source_images(encoding.volume, [header], UID("1.2.3"), "ISO_IR 100")
    measures = images.header.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert [float(value) for value in measures.PixelSpacing] == [1.1, 0.9]
