"""From a result to the objects that are sent: built, checked, and the same bytes for the same input."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset

from inference.domain.artifact import ArtifactKind, DicomArtifact
from inference.domain.identifiers import UID
from inference.domain.model_spec import ModelSpec
from inference.domain.result import AnalysisResult
from inference.domain.volume import Volume
from inference.encoding.census import take_census
from inference.encoding.equipment import Imprint
from inference.encoding.libraries import LIBRARY_ERRORS, silence
from inference.encoding.part10 import to_artifact
from inference.encoding.readback import check_seg
from inference.encoding.seg import build_seg
from inference.encoding.source_images import source_images
from inference.encoding.sr import build_sr
from inference.encoding.sr_groups import Evidence
from inference.errors import EncodingError
from inference.uids import OutputUIDs


@dataclass(frozen=True, eq=False)
class EncodingInput:
    """Everything the objects are made of.

    Parameters
    ----------
    volume
        The source volume.
    data_sets
        Headers of the source instances, in any order; pixel data need not be there.
    result
        What was found, on the volume's grid.
    spec
        The model; its ``publication`` says which objects are made.
    uids
        Identifiers of the result.
    produced_at
        When the analysis ended, aware; every time in the objects is this one.
    """

    volume: Volume
    data_sets: Sequence[Dataset]
    result: AnalysisResult
    spec: ModelSpec
    uids: OutputUIDs
    produced_at: datetime


def encode(source: EncodingInput) -> tuple[DicomArtifact, ...]:
    """Encode a result and check it before it leaves.

    Parameters
    ----------
    source
        What to encode; the same input gives the same bytes.

    Returns
    -------
    tuple of DicomArtifact
        SEG first, then SR, as far as the model publishes them. Where nothing was drawn there is no SEG, and the SR
        says what was found or not found. An SR refers to the SEG, so of what was drawn there is none without it.

    Raises
    ------
    EncodingError
        If the source does not allow it, or the encoded segmentation does not say what the result says.
    """
    publication = source.spec.publication
    if not (publication.seg or publication.sr):
        return ()
    with silence():
        try:
            return tuple(_encode(source))
        except LIBRARY_ERRORS as error:
            raise EncodingError(f"the result objects could not be built ({type(error).__name__})") from error


def _encode(source: EncodingInput) -> Iterator[DicomArtifact]:
    imprint = Imprint(source.spec, source.uids, source.produced_at)
    images = source_images(source.volume, source.data_sets, _frame_of_reference(source))
    segmentation = None
    if source.result.labels is not None and source.result.segments:
        census = take_census(source.result.labels, source.volume.grid.shape[0])
        seg = build_seg(images, source.result.labels, source.result.segments, imprint)
        artifact = to_artifact(ArtifactKind.SEG, seg)
        check_seg(artifact.content, source.volume, source.result, census)
        segmentation = seg, census
        yield artifact
    if source.spec.publication.sr:
        evidence = Evidence(source.volume, source.result, source.spec, segmentation)
        yield to_artifact(ArtifactKind.SR, build_sr(images, evidence, imprint))


def _frame_of_reference(source: EncodingInput) -> UID:
    """Give the source's frame of reference; where it names none, one that belongs to its series alone.

    A Segmentation must have one (PS3.3 section C.7.4.1), and two results of the same series must share it.
    """
    stated = source.volume.frame_of_reference_uid
    if stated is not None:
        return stated
    series = str(source.data_sets[0].SeriesInstanceUID)
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'frame of reference of {series}').int}")
