"""From a result to the objects that are sent: built, checked, and the same bytes for the same input."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace

from pydicom.dataset import Dataset

from inference.domain.artifact import ArtifactKind, DicomArtifact
from inference.domain.identifiers import UID
from inference.encoding.census import Census, take_census
from inference.encoding.encapsulated_pdf import build_pdf
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.equipment import Imprint
from inference.encoding.gate import check_objects
from inference.encoding.key_images import build_key_images
from inference.encoding.libraries import LIBRARY_ERRORS, silence
from inference.encoding.parametric_map import build_parametric_maps
from inference.encoding.part10 import to_artifact
from inference.encoding.readback import check_seg
from inference.encoding.secondary_capture import build_secondary_captures
from inference.encoding.seg import build_seg
from inference.encoding.seg_frames import Drawn
from inference.encoding.source_images import SourceImages, source_images
from inference.encoding.sr import build_sr
from inference.encoding.sr_groups import Evidence
from inference.errors import EncodingError


def encode(source: EncodingInput) -> tuple[DicomArtifact, ...]:
    """Encode a result and check it before it leaves.

    Parameters
    ----------
    source
        What to encode; the same input gives the same bytes.

    Returns
    -------
    tuple of DicomArtifact
        What is ordered and the model publishes: for each encoding of the segmentation a SEG and the SR that refers to
        it; then maps of probabilities, Secondary Captures, the one-page report and the selection of key images. Where
        nothing was drawn there is no SEG, and one SR says what was found or not found. An SR refers to the SEG, so of
        what was drawn there is none without it.

    Raises
    ------
    EncodingError
        If the source does not allow it, an encoded segmentation does not say what the result says, or an object does
        not conform.
    """
    publication = source.spec.publication
    if not (publication.seg or publication.sr):
        return ()
    with silence():
        try:
            artifacts = tuple(_encode(source))
        except LIBRARY_ERRORS as error:
            raise EncodingError(f"the result objects could not be built ({type(error).__name__})") from error
        check_objects(artifacts, [frame.sop_instance_uid for frame in source.volume.frames if frame is not None])
    return artifacts


def _encode(source: EncodingInput) -> Iterator[DicomArtifact]:
    publication, kinds = source.spec.publication, source.order.kinds
    imprint = Imprint(source.spec, source.uids, source.produced_at)
    images = source_images(source.volume, source.data_sets, _frame_of_reference(source))
    if ArtifactKind.SEG in kinds:
        yield from _measured(images, source, imprint)
    if publication.parametric_map and ArtifactKind.PM in kinds:
        yield from (to_artifact(ArtifactKind.PM, each) for each in build_parametric_maps(images, source, imprint))
    if publication.sc and ArtifactKind.SC in kinds:
        yield from (to_artifact(ArtifactKind.SC, each) for each in build_secondary_captures(images, source, imprint))
    if publication.pdf and ArtifactKind.PDF in kinds:
        yield to_artifact(ArtifactKind.PDF, build_pdf(images, source, imprint))
    if publication.key_images and ArtifactKind.KOS in kinds:
        selection = build_key_images(images, source, imprint)
        if selection is not None:
            yield to_artifact(ArtifactKind.KOS, selection)


def _measured(images: SourceImages, source: EncodingInput, imprint: Imprint) -> Iterator[DicomArtifact]:
    """Give each encoding of the segmentation with its report; where nothing was drawn, the report alone."""
    result = source.result
    wants_report = source.spec.publication.sr and ArtifactKind.SR in source.order.kinds
    if result.labels is None or not result.segments:
        if wants_report:
            yield _report(images, source, imprint, None)
        return
    census = take_census(result.labels, source.volume.grid.shape[0])
    drawn = Drawn(result.labels, result.segments, result.probabilities)
    for kind in source.order.segmentations:
        seg = build_seg(images, drawn, imprint, kind)
        artifact = replace(to_artifact(ArtifactKind.SEG, seg), segmentation=kind)
        check_seg(artifact.content, source.volume, result, census)
        yield artifact
        if wants_report:
            yield replace(_report(images, source, imprint, (seg, census)), segmentation=kind)


def _report(
    images: SourceImages, source: EncodingInput, imprint: Imprint, segmentation: tuple[Dataset, Census] | None
) -> DicomArtifact:
    evidence = Evidence(source.volume, source.result, source.spec, segmentation)
    return to_artifact(ArtifactKind.SR, build_sr(images, evidence, imprint, source.predecessors))


def _frame_of_reference(source: EncodingInput) -> UID:
    """Give the source's frame of reference; where it names none, one that belongs to its series alone.

    A Segmentation must have one (PS3.3 section C.7.4.1), and two results of the same series must share it.
    """
    stated = source.volume.frame_of_reference_uid
    if stated is not None:
        return stated
    series = str(source.data_sets[0].SeriesInstanceUID)
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'frame of reference of {series}').int}")
