"""The source slices with findings, as a Key Object Selection "Of Interest" (PS3.3 section A.35.4, PS3.16 TID 2010).

A reader who opens it sees at once where to look. It names frames of the source, and makes no image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from highdicom import ko, sr
from pydicom.dataset import Dataset

from inference.domain.artifact import ArtifactKind
from inference.domain.codes import OF_INTEREST
from inference.domain.volume import SourceFrame
from inference.encoding.concepts import concept
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.equipment import (
    AS_MADE,
    MANUFACTURER,
    Imprint,
    contribution,
    observer,
    series_description,
)
from inference.encoding.key_slices import areas, placed, slice_of
from inference.encoding.series_numbers import series_number
from inference.encoding.slice_names import slice_name
from inference.encoding.source_images import SourceImages


def build_key_images(images: SourceImages, source: EncodingInput, imprint: Imprint) -> Dataset | None:
    """Name the slices with findings: of each structure where it is largest, of each detection the nearest.

    Parameters
    ----------
    images
        The source.
    source
        What was found on it.
    imprint
        Model, identifiers and time.

    Returns
    -------
    Dataset or None
        None where nothing was found that has a place.

    Raises
    ------
    ValueError, TypeError, KeyError, AttributeError
        As highdicom does, if the source does not allow it.
    """
    shown = _shown(source)
    if not shown:
        return None
    frames = [source.volume.frames[index] for index in sorted(shown)]
    selected = _frames_by_instance([frame for frame in frames if frame is not None])
    instances = [image for image in images.instances if image.SOPInstanceUID in selected]
    spec = imprint.spec
    content = ko.KeyObjectSelection(
        document_title=concept(OF_INTEREST),
        referenced_objects=instances,
        observer_device_context=observer(spec.reference),
        description=_describe(shown, source),
    )
    _refer_to_frames(content[0], selected)
    document = ko.KeyObjectSelectionDocument(
        evidence=[_carrying(images.header, instances[0]), *instances[1:]],
        content=content,
        series_instance_uid=imprint.uids.series("KOS"),
        series_number=series_number(spec, ArtifactKind.KOS),
        sop_instance_uid=imprint.uids.instance("KOS"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        contributing_equipment=[contribution(spec.reference)],
        series_description=series_description(spec.title, "key images"),
    )
    document.copy_patient_and_study_information(images.header)
    imprint.press(document, images.header)
    return document


def _shown(source: EncodingInput) -> Mapping[int, Sequence[str]]:
    """Give the names of the findings by the slice of the volume that shows them best."""
    shown: dict[int, list[str]] = {}
    for name, index in _places(source):
        shown.setdefault(index, []).append(name)
    return shown


def _places(source: EncodingInput) -> Iterator[tuple[str, int]]:
    """Give structures, then detections; only slices that a source image shows."""
    result, framed = source.result, list(source.volume.framed)
    if result.labels is not None and result.segments:
        counts = areas(result.labels, [segment.label.value for segment in result.segments])[:, framed]
        for segment, largest in zip(result.segments, counts.argmax(axis=1).tolist(), strict=True):
            yield segment.label.sided_name, framed[largest]
    for finding, place in placed(result.findings):
        yield finding.sided_name, slice_of(place, source.volume)


def _frames_by_instance(frames: Sequence[SourceFrame]) -> Mapping[str, Sequence[int]]:
    """Give the frame numbers of each instance, none for one of a single frame."""
    numbers: dict[str, list[int]] = {}
    for frame in frames:
        found = numbers.setdefault(frame.sop_instance_uid, [])
        if frame.frame_number is not None:
            found.append(frame.frame_number)
    return {instance: sorted(found) for instance, found in numbers.items()}


def _carrying(header: Dataset, instance: Dataset) -> Dataset:
    """Give an instance patient and study, which highdicom copies from the first."""
    carrying = Dataset()
    carrying.update(header)
    # Elements are shared with the header: to set one would change both.
    carrying["SOPInstanceUID"], carrying["SOPClassUID"] = instance["SOPInstanceUID"], instance["SOPClassUID"]
    return carrying


def _refer_to_frames(root: sr.ContainerContentItem, selected: Mapping[str, Sequence[int]]) -> None:
    for item in root.ContentSequence:
        if item.ValueType != "IMAGE":
            continue
        reference = item.ReferencedSOPSequence[0]
        if numbers := selected[reference.ReferencedSOPInstanceUID]:
            reference.ReferencedFrameNumber = list(numbers)


def _describe(shown: Mapping[int, Sequence[str]], source: EncodingInput) -> str:
    """List the findings slice by slice, in words."""
    lines = [f"{slice_name(index, source)}: {', '.join(shown[index])}." for index in sorted(shown)]
    return " ".join([*lines, AS_MADE])
