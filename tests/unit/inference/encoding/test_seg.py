"""A Segmentation of every kind says what was drawn, and what its segments are."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array

from inference.domain.artifact import DicomArtifact, Segmentation
from inference.domain.masks import Masks
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.seg import encoded_as
from inference.encoding.seg_frames import Drawn
from inference.encoding.seg_pixels import eight_bits, one_bit
from tests.support.findings import (
    Case,
    lesion_spec,
    make_case,
    make_result,
    mask_of,
    overlapping_lesions,
    with_result,
)
from tests.support.segmentations import CEREBRUM, encode_seg, with_places, with_probabilities
from tests.support.synthetic_series import SeriesOptions, axial_grid
from tests.unit.inference.encoding.test_source_images import enhanced

KINDS = list(Segmentation)


def read(artifact: DicomArtifact) -> Dataset:
    return dcmread(BytesIO(artifact.content))


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Give an ordinary source and result."""
    return make_case(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def source(case: Case) -> EncodingInput:
    """Give the result with probabilities."""
    return with_probabilities(case.encoding)


def drawn(seg: Dataset, source: EncodingInput) -> NDArray[np.uint8]:
    """Give what an object shows, (segments, slices, rows, columns), by the positions of its frames alone."""
    grid = source.volume.grid
    shown = np.zeros((len(source.result.segments), *grid.shape), dtype=np.uint8)
    frames = pixel_array(seg).reshape(-1, seg.Rows, seg.Columns)
    shared = seg.SharedFunctionalGroupsSequence[0]
    for frame, groups in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True):
        position = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, dtype=np.float64)
        index = round(grid.to_index(position)[0])
        if seg.SegmentationType == "LABELMAP":
            for number in range(1, len(shown) + 1):
                shown[number - 1, index] = frame == number
        else:
            named = groups.get("SegmentIdentificationSequence") or shared.SegmentIdentificationSequence
            shown[named[0].ReferencedSegmentNumber - 1, index] = frame
    return shown


def expected(source: EncodingInput, kind: Segmentation) -> NDArray[np.uint8]:
    """Give what an object should show."""
    result = source.result
    assert result.labels is not None
    values = [segment.label.value for segment in result.segments]
    if kind is Segmentation.FRACTIONAL:
        assert result.probabilities is not None
        return result.probabilities[np.array(values) - 1]
    return np.stack([mask_of(result.labels, value) for value in values]).astype(np.uint8)


@pytest.mark.parametrize("kind", KINDS)
def test_every_voxel_is_there(source: EncodingInput, kind: Segmentation) -> None:
    """Of every kind, as an independent eye reads it."""
    seg = read(encode_seg(source, kind))
    assert seg.SegmentationType == kind.name
    np.testing.assert_array_equal(drawn(seg, source), expected(source, kind))


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_no_frame_on_which_nothing_is_seen(source: EncodingInput, kind: Segmentation) -> None:
    """The number of frames is that of the frames that are there, and each is described."""
    seg = read(encode_seg(source, kind))
    shown = expected(source, kind)
    seen = shown.any(axis=(2, 3))
    assert seg.NumberOfFrames == (seen.any(axis=0) if kind is Segmentation.LABELMAP else seen).sum()
    assert len(seg.PerFrameFunctionalGroupsSequence) == seg.NumberOfFrames
    assert all(frame.any() for frame in pixel_array(seg))


@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_indexed_by_segment_and_place(source: EncodingInput, kind: Segmentation) -> None:
    """Places count up without a hole (PS3.3 section C.7.6.17), and equal places have equal positions."""
    seg = read(encode_seg(source, kind))
    places: dict[int, set[str]] = {}
    for groups in seg.PerFrameFunctionalGroupsSequence:
        values = groups.FrameContentSequence[0].DimensionIndexValues
        *segment, place = [values] if isinstance(values, int) else values
        if kind is not Segmentation.LABELMAP:
            assert segment == [groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber]
        places.setdefault(place, set()).add(str(groups.PlanePositionSequence[0].ImagePositionPatient))
    assert sorted(places) == list(range(1, len(places) + 1))
    assert all(len(positions) == 1 for positions in places.values())
    assert len(seg.DimensionIndexSequence) == (1 if kind is Segmentation.LABELMAP else 2)


@pytest.mark.parametrize("kind", KINDS)
def test_every_source_is_referred_to(case: Case, source: EncodingInput, kind: Segmentation) -> None:
    """Also those on which nothing is seen."""
    seg = read(encode_seg(source, kind))
    wanted = [header.SOPInstanceUID for header in case.encoding.data_sets]
    (series,) = seg.ReferencedSeriesSequence
    for references in (series.ReferencedInstanceSequence, seg.SourceImageSequence):
        assert sorted(reference.ReferencedSOPInstanceUID for reference in references) == sorted(wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_frames_of_a_multi_frame_source_are_named(tmp_path: Path, kind: Segmentation) -> None:
    """By instance and frame number; nothing else is referred to."""
    source = with_probabilities(enhanced(tmp_path))
    seg = read(encode_seg(source, kind))
    (uid,) = {header.SOPInstanceUID for header in source.data_sets}
    for groups in seg.PerFrameFunctionalGroupsSequence:
        (image,) = groups.DerivationImageSequence[0].SourceImageSequence
        assert (image.ReferencedSOPInstanceUID, image.ReferencedFrameNumber > 0) == (uid, True)
    assert [image.ReferencedSOPInstanceUID for image in seg.SourceImageSequence] == [uid]
    np.testing.assert_array_equal(drawn(seg, source), expected(source, kind))


def test_kinds_are_different_objects_and_the_same_input_gives_the_same_bytes(source: EncodingInput) -> None:
    """An archive that has one of them has not the other."""
    artifacts = [encode_seg(source, kind) for kind in KINDS]
    assert len({artifact.identity.sop_instance_uid for artifact in artifacts}) == len(KINDS)
    assert len({artifact.identity.series_instance_uid for artifact in artifacts}) == len(KINDS)
    assert artifacts[0].identity.sop_instance_uid == source.uids.instance("SEG")
    assert [encode_seg(source, kind).sha256 for kind in KINDS] == [artifact.sha256 for artifact in artifacts]


def test_a_label_map_has_a_class_of_its_own_and_no_background(source: EncodingInput) -> None:
    """Viewers colour segments by their place in the list, and a background would shift them."""
    seg = read(encode_seg(source, Segmentation.LABELMAP))
    assert seg.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.7"
    assert [item.SegmentNumber for item in seg.SegmentSequence] == [1, 2, 3]
    assert seg.PixelPaddingValue == 0
    assert (seg.BitsAllocated, seg.SegmentsOverlap) == (8, "NO")


def test_probabilities_are_said_to_be_probabilities(source: EncodingInput) -> None:
    """255 stands for certainty."""
    seg = read(encode_seg(source, Segmentation.FRACTIONAL))
    assert (seg.SegmentationFractionalType, seg.MaximumFractionalValue) == ("PROBABILITY", 255)
    assert seg.SegmentsOverlap == "UNDEFINED"


def test_overlapping_segments_are_no_label_map(case: Case) -> None:
    """The object is the binary one, whatever was asked for."""
    source = overlapping_lesions(case)
    binary, asked = (encode_seg(source, kind) for kind in (Segmentation.BINARY, Segmentation.LABELMAP))
    assert binary.sha256 == asked.sha256
    seg = read(asked)
    assert (seg.SegmentationType, seg.SegmentsOverlap) == ("BINARY", "YES")
    np.testing.assert_array_equal(drawn(seg, source), expected(source, Segmentation.BINARY))


def test_masks_that_do_not_overlap_may_be_a_label_map(case: Case) -> None:
    """A model of labels each for itself, on an image where they lie apart."""
    masks = np.zeros((2, *case.encoding.volume.grid.shape), dtype=np.bool_)
    masks[0, 1:3, 2:6, 2:6] = True
    masks[1, 2:5, 8:12, 2:6] = True
    spec = lesion_spec()
    result = make_result(masks, case.encoding.volume.grid, spec, case.encoding.uids)
    source = with_result(case, spec, result)
    seg = read(encode_seg(source, Segmentation.LABELMAP))
    assert (seg.SegmentationType, seg.SegmentsOverlap) == ("LABELMAP", "NO")
    np.testing.assert_array_equal(drawn(seg, source), expected(source, Segmentation.LABELMAP))


def test_nothing_is_fractional_without_probabilities(case: Case) -> None:
    """The object is the binary one."""
    artifacts = [encode_seg(case.encoding, kind) for kind in (Segmentation.BINARY, Segmentation.FRACTIONAL)]
    assert artifacts[0].sha256 == artifacts[1].sha256


@pytest.mark.parametrize(
    ("shape", "kind", "made"),
    [
        ((2, 3, 4), Segmentation.LABELMAP, Segmentation.LABELMAP),
        ((2, 2, 3, 4), Segmentation.LABELMAP, Segmentation.BINARY),
        ((2, 3, 4), Segmentation.FRACTIONAL, Segmentation.BINARY),
        ((2, 2, 3, 4), Segmentation.BINARY, Segmentation.BINARY),
    ],
)
def test_what_a_kind_becomes_can_be_asked(shape: tuple[int, ...], kind: Segmentation, made: Segmentation) -> None:
    """Before anything is encoded."""
    masks: Masks = np.ones(shape, dtype=np.bool_ if len(shape) == 4 else np.uint8)
    assert encoded_as(Drawn(masks, ()), kind) is made


def test_a_single_segment_is_named_once_for_all_frames(tmp_path: Path) -> None:
    """And its frames are a stack that a reader may take for a volume."""
    labels = np.zeros((6, 20, 16), dtype=np.uint8)
    labels[1:4, 4:9, 4:9] = 1
    source = with_probabilities(make_case(tmp_path, labels=labels).encoding)
    for kind in KINDS:
        seg = read(encode_seg(source, kind))
        assert seg.DimensionOrganizationType == "3D"
        assert "SegmentIdentificationSequence" not in seg.PerFrameFunctionalGroupsSequence[0]
        np.testing.assert_array_equal(drawn(seg, source), expected(source, kind))


def test_frames_apart_from_each_other_are_no_stack(tmp_path: Path) -> None:
    """Slices between them are left out; the distance of the source's slices is said all the same."""
    labels = np.zeros((6, 20, 16), dtype=np.uint8)
    labels[[0, 1, 5], 4:9, 4:9] = 1
    seg = read(encode_seg(make_case(tmp_path, labels=labels).encoding, Segmentation.BINARY))
    assert "DimensionOrganizationType" not in seg
    assert float(seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices) == 2.5


def test_frames_that_do_not_end_with_a_byte_follow_each_other(tmp_path: Path) -> None:
    """Of 15 x 13 pixels; a slice missing in the source besides."""
    grid = axial_grid((6, 15, 13), (2.5, 1.1, 0.9))
    source = make_case(tmp_path, SeriesOptions(omit=frozenset({2})), grid).encoding
    for kind in KINDS:
        seg = read(encode_seg(with_probabilities(source), kind))
        wanted = expected(with_probabilities(source), Segmentation[seg.SegmentationType])
        wanted[:, 2] = 0
        np.testing.assert_array_equal(drawn(seg, source), wanted)
        assert len(seg.PixelData) % 2 == 0


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (4, 2), (8, 8), (7, 6)])
@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 17])
def test_pixels_are_packed_without_a_gap(size: tuple[int, int], count: int) -> None:
    """Lowest bit first, padded to an even length at the end alone."""
    frames = np.random.default_rng(count).integers(0, 2, (count, *size)).astype(np.bool_)
    packed = np.frombuffer(one_bit(frames).read(), dtype=np.uint8)
    bits = np.unpackbits(packed, bitorder="little")
    assert len(packed) % 2 == 0
    np.testing.assert_array_equal(bits[: frames.size], frames.ravel())
    assert not bits[frames.size :].any()
    assert len(packed) <= -(-frames.size // 8) + 1


def test_bytes_are_padded_to_an_even_length() -> None:
    """And a frame that does not lie in one piece is written as it looks."""
    frame = np.arange(15, dtype=np.uint8).reshape(3, 5)
    assert eight_bits([frame]).read() == bytes(range(15)) + b"\0"
    assert eight_bits([frame[:, ::2]]).read() == bytes([0, 2, 4, 5, 7, 9, 10, 12, 14, 0])


def test_a_structure_is_its_own_place_and_anything_else_lies_somewhere(case: Case) -> None:
    """The side belongs to the structure, or to the region in which a lesion lies (PS3.3 section C.8.20.4)."""
    seg = read(encode_seg(with_places(case), Segmentation.BINARY))
    structure, lesion, other = seg.SegmentSequence
    assert "AnatomicRegionSequence" not in structure
    (kind,) = structure.SegmentedPropertyTypeCodeSequence
    assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeValue == "7771000"
    (region,) = lesion.AnatomicRegionSequence
    assert region.CodeValue == CEREBRUM.value
    assert region.AnatomicRegionModifierSequence[0].CodeMeaning == "Left"
    assert "SegmentedPropertyTypeModifierCodeSequence" not in lesion.SegmentedPropertyTypeCodeSequence[0]
    (region,) = other.AnatomicRegionSequence
    assert (region.CodeMeaning, "AnatomicRegionModifierSequence" in region) == ("Brain", False)


def test_what_was_not_found_is_said(case: Case) -> None:
    """By name, or how many where there is no room; Content Description has 64 characters."""
    source = case.encoding
    assert read(encode_seg(source, Segmentation.BINARY)).ContentDescription == "AI segmentation, research use only"
    label = source.spec.labels[0]
    more = [
        replace(label, value=4 + number, name=name) for number, name in enumerate(("Caudate", "A long name of it"))
    ]

    def said(count: int) -> str:
        spec = replace(source.spec, labels=(*source.spec.labels, *more[:count]))
        return str(read(encode_seg(replace(source, spec=spec), Segmentation.BINARY)).ContentDescription)

    assert said(1) == "AI segmentation, research use only; not found: Caudate"
    assert said(2) == "AI segmentation, research use only; 2 labels not found"
