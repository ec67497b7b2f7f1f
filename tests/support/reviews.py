"""Reviews of results, and results that have objects of every kind of segmentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from typing import Any, Final

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.domain.artifact import ArtifactKind, DicomArtifact, Segmentation
from inference.domain.identifiers import UID
from inference.domain.review import Review, Verdict
from inference.encoding.census import take_census
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.equipment import Imprint
from inference.encoding.key_images import build_key_images
from inference.encoding.libraries import silence
from inference.encoding.part10 import to_artifact
from inference.encoding.seg import build_seg
from inference.encoding.seg_frames import Drawn
from inference.encoding.source_images import SourceImages, source_images
from inference.encoding.sr import build_sr
from inference.encoding.sr_groups import Evidence
from tests.support.findings import PRODUCED_AT, Case

REVIEWED_AT: Final = PRODUCED_AT + timedelta(days=1)
READER: Final = "Kim^Minsu=金^民洙=김^민수"


def review(verdict: Verdict = Verdict.ACCEPT, **changes: Any) -> Review:
    """Give a review by one reader; a reason is at hand where one is needed."""
    reason = "" if verdict is Verdict.ACCEPT else "a vessel"
    whole: dict[str, Any] = {"reason": reason, **changes}
    given = {"reviewer": "kim", "reviewer_name": READER, "organization": "Seoul Hospital", "at": REVIEWED_AT, **whole}
    return Review(verdict, **given)


def excluding(*tracking_uids: UID | None, **changes: Any) -> Review:
    """Give a review that leaves findings out."""
    return review(Verdict.AMEND, excluded=tuple(uid for uid in tracking_uids if uid), **changes)


def images_of(encoding: EncodingInput) -> SourceImages:
    """Prepare a source that names its frame of reference."""
    stated = encoding.volume.frame_of_reference_uid
    assert stated is not None
    return source_images(encoding.volume, encoding.data_sets, stated)


def imprint_of(encoding: EncodingInput) -> Imprint:
    """Give the imprint of a result."""
    return Imprint(encoding.spec, encoding.uids, encoding.produced_at)


def objects_of(encoding: EncodingInput, kind: Segmentation = Segmentation.BINARY) -> tuple[DicomArtifact, ...]:
    """Encode a result that drew something: Segmentation, report and key images."""
    with silence():
        return tuple(_objects_of(encoding, kind))


def _objects_of(encoding: EncodingInput, kind: Segmentation) -> Iterator[DicomArtifact]:
    images, imprint, result = images_of(encoding), imprint_of(encoding), encoding.result
    assert result.labels is not None
    seg = build_seg(images, Drawn(result.labels, result.segments, result.probabilities), imprint, kind)
    census = take_census(result.labels, encoding.volume.grid.shape[0])
    evidence = Evidence(encoding.volume, result, encoding.spec, (seg, census))
    keys = build_key_images(images, encoding, imprint)
    assert keys is not None
    yield replace(to_artifact(ArtifactKind.SEG, seg), segmentation=kind)
    yield replace(to_artifact(ArtifactKind.SR, build_sr(images, evidence, imprint)), segmentation=kind)
    yield to_artifact(ArtifactKind.KOS, keys)


def with_probabilities(case: Case) -> EncodingInput:
    """Give each structure a probability of its own inside, and less of it around."""
    result = case.encoding.result
    assert result.labels is not None
    shape = (len(case.encoding.spec.labels), *result.labels.shape)
    probabilities = np.zeros(shape, dtype=np.uint8)
    for label in case.encoding.spec.labels:
        inside = result.labels == label.value
        probabilities[label.value - 1][inside] = 200 + 10 * label.value
        probabilities[label.value - 1][np.roll(inside, 1, axis=2) & ~inside] = 60
    return replace(case.encoding, result=replace(result, probabilities=probabilities))


def read(artifact: DicomArtifact) -> Dataset:
    """Read an object."""
    return dcmread(BytesIO(artifact.content))


def of_kind(artifacts: Sequence[DicomArtifact], kind: ArtifactKind) -> list[DicomArtifact]:
    """Give the objects of a kind."""
    return [artifact for artifact in artifacts if artifact.kind is kind]
