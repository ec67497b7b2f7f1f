"""What a series says about itself: its headers as the facts on which selection decides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from pydicom.dataset import Dataset

from inference.acquisition import acquisition_of
from inference.attributes import integer, text
from inference.domain.charsets import CharacterSets
from inference.domain.identifiers import UID
from inference.domain.series_header import Flaw, SeriesHeader, StackHeader
from inference.domain.study import SeriesRevision
from inference.errors import IncompleteSeries, ReasonCode, UnsupportedPixelData
from inference.frames import frame_types, frames_of
from inference.headers import InstanceHeader, read_headers
from inference.pixel_data import pixel_formats
from inference.stacks import Stack, describe_stack, stacks_of

_LONGEST_LO: Final = 64
_NO_LO: Final = re.compile(r"[\\\x00-\x1f\x7f]")
"""What a value of VR LO may not hold (PS3.5 section 6.2)."""


def describe_revision(series: SeriesRevision, charsets: CharacterSets) -> SeriesHeader:
    """Read the headers of a series and gather its facts.

    Parameters
    ----------
    series
        Its files are read up to the pixels.
    charsets
        What is assumed where a header names no character set.

    Raises
    ------
    IncompleteSeries
        MISSING_ATTRIBUTE when a header cannot be parsed; INCOMPLETE when its images are not here any more.
    """
    check_images(series)
    return describe(read_headers(series.instances, charsets.of(series.calling_ae)))


def check_images(series: SeriesRevision) -> None:
    """Refuse a series whose images were removed, because they had been kept as long as the site wants.

    Raises
    ------
    IncompleteSeries
        INCOMPLETE.
    """
    if not series.instances:
        raise IncompleteSeries(
            ReasonCode.INCOMPLETE, "its images are not on this node any more; send the series again"
        )


def describe(headers: Sequence[InstanceHeader]) -> SeriesHeader:
    """Gather the facts of a series; whatever is broken in a header counts as absent.

    Parameters
    ----------
    headers
        Of all instances, at least one.
    """
    frames = frames_of(headers)
    data_sets = [header.data_set for header in headers]
    first = data_sets[0]
    return SeriesHeader(
        sop_class_uids=frozenset(_sop_classes(data_sets)),
        modality=text(first, "Modality").upper(),
        body_part=text(first, "BodyPartExamined").upper(),
        study_description=text(first, "StudyDescription"),
        series_description=text(first, "SeriesDescription"),
        protocol_name=text(first, "ProtocolName"),
        image_type=frozenset(value for frame in frames for value in frame_types(frame)),
        acquisition=acquisition_of(frames[0].attributes),
        instance_count=len(headers),
        stacks=tuple(_describe(stack, data_sets) for stack in stacks_of(frames)),
        has_matrix=all(None not in _matrix(data_set) for data_set in data_sets),
        samples_per_pixel=max(integer(data_set, "SamplesPerPixel") or 1 for data_set in data_sets),
        test_object=any(map(_shows_no_patient, data_sets)),
        burned_in=any(text(data_set, "BurnedInAnnotation").upper() == "YES" for data_set in data_sets),
        identifier_flaw=_identifier_flaw(data_sets),
        pixel_flaw=_pixel_flaw(headers),
    )


def _sop_classes(data_sets: Sequence[Dataset]) -> Iterator[UID]:
    for data_set in data_sets:
        try:
            yield UID(text(data_set, "SOPClassUID"))
        except ValueError:
            continue


def _describe(stack: Stack, data_sets: Sequence[Dataset]) -> StackHeader:
    header = describe_stack(stack)
    if header.flaw is None and len({_matrix(data_sets[frame.instance]) for frame in stack.frames}) > 1:
        return replace(header, flaw=Flaw(ReasonCode.MIXED_MATRIX, "the images differ in rows or columns"))
    return header


def _matrix(data_set: Dataset) -> tuple[int | None, int | None]:
    """Give rows and columns; None for one that is absent or makes no sense."""
    rows, columns = integer(data_set, "Rows"), integer(data_set, "Columns")
    return rows if rows and rows > 0 else None, columns if columns and columns > 0 else None


def _shows_no_patient(data_set: Dataset) -> bool:
    """Tell whether an image is of a test object, or for service only (PS3.3 sections C.7.1.1, C.8.13.1)."""
    return (
        text(data_set, "QualityControlSubject").upper() == "YES"
        or text(data_set, "ContentQualification").upper() == "SERVICE"
        or "PHANTOM" in text(data_set, "BodyPartExamined").upper()
    )


def _identifier_flaw(data_sets: Sequence[Dataset]) -> Flaw | None:
    """Look for what would file a result to nobody, or to somebody else: PatientID must be one valid LO.

    It can not be repaired, for a shortened identifier is another patient's.
    """
    identifiers = {text(data_set, "PatientID") for data_set in data_sets}
    if len(identifiers) > 1:
        return Flaw(ReasonCode.INVALID_IDENTIFIER, "the images name different patients")
    if any(len(identifier) > _LONGEST_LO or _NO_LO.search(identifier) for identifier in identifiers):
        message = "the patient's identifier is longer than DICOM allows, or has characters that it does not allow"
        return Flaw(ReasonCode.INVALID_IDENTIFIER, message)
    return None


def _pixel_flaw(headers: Sequence[InstanceHeader]) -> Flaw | None:
    """Tell why pixels cannot be decoded, from the first header that says so."""
    try:
        pixel_formats(headers)
    except UnsupportedPixelData as error:
        return Flaw(ReasonCode(error.code), error.message)
    return None
