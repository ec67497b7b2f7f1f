"""Segmentations of one kind, built and checked, without the rest of a result."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from inference.domain.artifact import ArtifactKind, DicomArtifact, Segmentation
from inference.domain.codes import LEFT, Code
from inference.domain.identifiers import UID
from inference.encoding.census import take_census
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.equipment import Imprint
from inference.encoding.libraries import silence
from inference.encoding.part10 import to_artifact
from inference.encoding.readback import check_seg
from inference.encoding.seg import build_seg
from inference.encoding.seg_frames import Drawn
from inference.encoding.source_images import source_images
from tests.support.findings import LESIONS, Case, make_result, mask_of

CEREBRUM = Code("83678007", "SCT", "Cerebrum")


def encode_seg(source: EncodingInput, kind: Segmentation, *, check: bool = True) -> DicomArtifact:
    """Encode what was drawn as one kind of segmentation."""
    result, volume = source.result, source.volume
    assert result.labels is not None
    drawn = Drawn(result.labels, result.segments, result.probabilities)
    with silence():
        images = source_images(volume, source.data_sets, volume.frame_of_reference_uid or UID("1.2.3"))
        seg = build_seg(images, drawn, Imprint(source.spec, source.uids, source.produced_at), kind)
        artifact = to_artifact(ArtifactKind.SEG, seg)
        if check:
            check_seg(artifact.content, volume, result, take_census(result.labels, volume.grid.shape[0]))
    return artifact


def with_probabilities(source: EncodingInput) -> EncodingInput:
    """Give a result the probabilities of which it is made: a blurred border around every segment."""
    result = source.result
    assert result.labels is not None
    layers = [_blurred(mask_of(result.labels, label.value), label.value) for label in source.spec.labels]
    return replace(source, result=replace(result, probabilities=np.stack(layers)))


def _blurred(mask: NDArray[np.bool_], value: int) -> NDArray[np.uint8]:
    near = mask | np.roll(mask, 1, axis=1) | np.roll(mask, -1, axis=2)
    probabilities: NDArray[np.uint8] = np.where(mask, 190 + 10 * value, np.where(near, 20 * value, 0)).astype(
        np.uint8
    )
    return probabilities


def with_places(case: Case) -> EncodingInput:
    """Give a result a structure with a side, a lesion with a place and a side, and one of which nothing is said."""
    source = case.encoding
    first, second, third, *others = source.spec.labels
    labels = (
        replace(first, laterality=LEFT),
        replace(second, category=LESIONS, anatomy=CEREBRUM, laterality=LEFT),
        replace(third, category=LESIONS),
        *others,
    )
    spec = replace(source.spec, labels=labels)
    assert source.result.labels is not None
    return replace(source, spec=spec, result=make_result(source.result.labels, source.volume.grid, spec, source.uids))
