"""The one-page report as an Encapsulated PDF (PS3.3 section A.45.1): for whom nothing else can be shown."""

from __future__ import annotations

from typing import Final

from highdicom.base import SOPClass
from highdicom.sc import ConversionTypeValues
from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from inference.domain.artifact import ArtifactKind
from inference.domain.codes import FINDINGS_REPORT, IMAGING_MEASUREMENT_REPORT
from inference.encoding.concepts import concept
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.equipment import (
    Imprint,
    contribution,
    equipment_of,
    series_description,
)
from inference.encoding.overlay import draw_overlays
from inference.encoding.page_content import content_of
from inference.encoding.references import instance_references
from inference.encoding.report_page import lay_out
from inference.encoding.series_numbers import series_number
from inference.encoding.slice_names import slice_name, slice_place
from inference.encoding.source_images import SourceImages

MOST_PICTURES: Final = 4

_PICTURE_SIDES_PX: Final = (400, 480)
"""Shortest and longest of a picture's longest side: about 200 pixels an inch on the page."""


def page_of(images: SourceImages, source: EncodingInput) -> bytes:
    """Give the report as a PDF of one page; the same input gives the same bytes.

    Parameters
    ----------
    images
        The source; its header says who the patient is.
    source
        Volume, result and model.
    """
    overlays = draw_overlays(source, MOST_PICTURES, _PICTURE_SIDES_PX)
    pictures = [(overlay.pixels, _caption(overlay.slice_index, source)) for overlay in overlays]
    return lay_out(content_of(images.header, source), pictures)


def _caption(index: int, source: EncodingInput) -> str:
    return f"{slice_name(index, source)}, {slice_place(index, source.volume.grid)}"


def build_pdf(images: SourceImages, source: EncodingInput, imprint: Imprint) -> Dataset:
    """Build the object that holds the report.

    Parameters
    ----------
    images
        The source, ready to be referred to.
    source
        Volume, result and model.
    imprint
        Model, identifiers and time.

    Raises
    ------
    ValueError, TypeError, KeyError, AttributeError
        As highdicom does, if the source does not allow it.
    """
    spec, uids, header = imprint.spec, imprint.uids, images.header
    document = SOPClass(
        study_instance_uid=header.StudyInstanceUID,
        series_instance_uid=uids.series("PDF"),
        series_number=series_number(spec, ArtifactKind.PDF),
        sop_instance_uid=uids.instance("PDF"),
        sop_class_uid=EncapsulatedPDFStorage,
        instance_number=1,
        modality="DOC",
        **equipment_of(spec.reference),
        transfer_syntax_uid=ExplicitVRLittleEndian,
        series_description=series_description(spec.title, "report"),
    )
    document.copy_patient_and_study_information(header)
    document.ContributingEquipmentSequence = [contribution(spec.reference)]
    _enclose(document, page_of(images, source), images, source)
    imprint.press(document, header)
    return document


def _enclose(document: Dataset, pdf: bytes, images: SourceImages, source: EncodingInput) -> None:
    """Put the PDF in, and say what it is and of what it was made (PS3.3 sections C.8.6.1, C.24.2)."""
    title = IMAGING_MEASUREMENT_REPORT if source.result.segments else FINDINGS_REPORT
    document.ConversionType = ConversionTypeValues.WSD.value
    document.AcquisitionDateTime = ""
    document.BurnedInAnnotation = "YES"
    document.RecognizableVisualFeatures = "NO"
    document.SourceInstanceSequence = instance_references(images.instances)
    document.DocumentTitle = f"AI result: {source.spec.title}, research use only"
    document.ConceptNameCodeSequence = [concept(title)]
    document.MIMETypeOfEncapsulatedDocument = "application/pdf"
    document.EncapsulatedDocumentLength = len(pdf)
    document.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
