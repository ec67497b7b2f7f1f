"""Multi-frame sources: results refer to instances and frames, wherever and in whatever order these are said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.domain.identifiers import UID
from inference.domain.model_inputs import ModelInputs
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.objects import encode
from inference.encoding.source_images import source_images
from inference.errors import EncodingError
from inference.headers import read_headers
from inference.uids import OutputUIDs
from inference.volume_builder import build_volume
from tests.support.enhanced_series import EnhancedOptions, frames_on, write_enhanced
from tests.support.findings import PRODUCED_AT, blocks, items, make_result, make_spec
from tests.support.synthetic_series import axial_grid, revision_of

GRID = axial_grid((6, 20, 16), (2.5, 1.1, 0.9))
ORDER = (3, 0, 5, 1, 4, 2)
"""Slice that each frame shows: frames are not stored in spatial order by rule."""


def enhanced(folder: Path, options: EnhancedOptions | None = None) -> EncodingInput:
    """Put a result on an enhanced series."""
    frames = frames_on(np.zeros(GRID.shape), GRID, ORDER)
    series = revision_of(write_enhanced(folder, frames, options or EnhancedOptions()))
    headers = read_headers(series.instances)
    volume, spec = build_volume(headers), make_spec()
    uids = OutputUIDs.derive(ModelInputs(series), spec.reference)
    result = make_result(blocks(GRID.shape), volume.grid, spec, uids)
    return EncodingInput(volume, [header.data_set for header in headers], result, spec, uids, PRODUCED_AT)


def sources(seg: Dataset) -> list[tuple[str, int, Sequence[float]]]:
    """Give for each frame of a SEG the instance and frame it was made from, and where it lies."""
    found = []
    for frame in seg.PerFrameFunctionalGroupsSequence:
        (source,) = frame.DerivationImageSequence[0].SourceImageSequence
        position = [float(value) for value in frame.PlanePositionSequence[0].ImagePositionPatient]
        found.append((source.ReferencedSOPInstanceUID, source.ReferencedFrameNumber, position))
    return found


@pytest.mark.parametrize("per_frame", [False, True])
def test_every_segment_frame_names_its_source_frame_and_lies_there(tmp_path: Path, per_frame: bool) -> None:
    """Whatever the order of the frames, and wherever the orientation is said."""
    encoding = enhanced(tmp_path, EnhancedOptions(per_frame=per_frame))
    seg = dcmread(BytesIO(encode(encoding)[0].content))
    (instance,) = {uid for uid, _, _ in sources(seg)}
    assert instance == encoding.data_sets[0].SOPInstanceUID
    for _, number, position in sources(seg):
        assert np.allclose(position, GRID.to_lps((ORDER[number - 1], 0, 0)), atol=1e-5)
    (series,) = seg.ReferencedSeriesSequence
    assert [reference.ReferencedSOPInstanceUID for reference in series.ReferencedInstanceSequence] == [instance]


def test_a_volume_of_several_instances_refers_to_each(tmp_path: Path) -> None:
    """A concatenation: the frames of two instances make one volume, and each keeps its own numbers."""
    encoding = enhanced(tmp_path, EnhancedOptions(instances=2))
    seg, sr, _ = (dcmread(BytesIO(artifact.content)) for artifact in encode(encoding))
    in_order = {header.SOPInstanceUID: header.InstanceNumber for header in encoding.data_sets}
    for uid, number, position in sources(seg):
        slice_index = ORDER[3 * (in_order[uid] - 1) + number - 1]
        assert np.allclose(position, GRID.to_lps((slice_index, 0, 0)), atol=1e-5)
    (series,) = seg.ReferencedSeriesSequence
    referenced = [reference.ReferencedSOPInstanceUID for reference in series.ReferencedInstanceSequence]
    assert sorted(referenced) == sorted(in_order)
    (study,) = sr.CurrentRequestedProcedureEvidenceSequence
    evidence = [
        item.ReferencedSOPInstanceUID for s in study.ReferencedSeriesSequence for item in s.ReferencedSOPSequence
    ]
    assert sorted(evidence) == sorted([*in_order, seg.SOPInstanceUID])


def test_contours_name_their_source_frame(tmp_path: Path) -> None:
    """An SCOORD on a multi-frame image says on which frame it lies (PS3.3 section C.18.4)."""
    encoding = enhanced(tmp_path)
    groups = items(dcmread(BytesIO(encode(encoding)[1].content)), "Measurement Group")[1::2]
    for group, segment in zip(groups, encoding.result.segments, strict=True):
        image = items(group, "Image Region")[0].ContentSequence[0].ReferencedSOPSequence[0]
        areas = (encoding.result.labels == segment.label.value).sum(axis=(1, 2))
        assert ORDER[image.ReferencedFrameNumber - 1] == areas.argmax()


def test_an_instance_that_is_not_at_hand_is_refused(tmp_path: Path) -> None:
    """The volume and the headers do not belong together."""
    encoding = enhanced(tmp_path, EnhancedOptions(instances=2))
    with pytest.raises(EncodingError, match="not at hand"):
        encode(replace(encoding, data_sets=encoding.data_sets[:1]))


def test_a_frame_without_position_is_refused(tmp_path: Path) -> None:
    """Nothing is drawn where nobody knows where it is."""
    encoding = enhanced(tmp_path)
    for group in encoding.data_sets[0].PerFrameFunctionalGroupsSequence:
        del group.PlanePositionSequence
    with pytest.raises(EncodingError, match="no Image Position"):
        encode(encoding)


def test_a_stated_geometry_that_is_not_the_volumes_is_not_copied(tmp_path: Path) -> None:
    """The grid is what the result lies on; a header that says otherwise is wrong."""
    encoding = enhanced(tmp_path)
    header = encoding.data_sets[0]
    header.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [9, 9]
    images = source_images(encoding.volume, [header], UID("1.2.3"))
    assert [float(value) for value in images.header.PixelSpacing] == [1.1, 0.9]
