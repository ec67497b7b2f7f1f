"""The key slices as Secondary Capture images (PS3.3 section A.8.1): for whom nothing else can be shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from highdicom.sc import ConversionTypeValues, SCImage
from pydicom.dataset import Dataset

from inference.domain.artifact import ArtifactKind
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.equipment import (
    Imprint,
    contribution,
    equipment_of,
    series_description,
)
from inference.encoding.legend import with_legend
from inference.encoding.overlay import Overlay, draw_overlays, letters
from inference.encoding.painting import LARGEST_PX, SMALLEST_PX
from inference.encoding.references import source_image
from inference.encoding.series_numbers import series_number
from inference.encoding.slice_names import slice_name
from inference.encoding.source_images import SourceImages

MOST_SLICES: Final = 12
"""As many as a person looks through."""


def build_secondary_captures(images: SourceImages, source: EncodingInput, imprint: Imprint) -> Sequence[Dataset]:
    """Build one image for each key slice, all of one series, in slice order.

    Nothing in the pixels says who the patient is; what is burned in are the legend and that it is no diagnosis.

    Parameters
    ----------
    images
        The source, ready to be referred to.
    source
        Volume and result.
    imprint
        Model, identifiers and time.

    Raises
    ------
    ValueError, TypeError, KeyError, AttributeError
        As highdicom does, if the source does not allow it.
    """
    overlays = draw_overlays(source, MOST_SLICES, (SMALLEST_PX, LARGEST_PX))
    return [_build(overlay, number, images, source, imprint) for number, overlay in enumerate(overlays, start=1)]


def _build(overlay: Overlay, number: int, images: SourceImages, source: EncodingInput, imprint: Imprint) -> Dataset:
    spec, uids, header = imprint.spec, imprint.uids, images.header
    capture = SCImage(
        pixel_array=with_legend(overlay, source),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "P"),
        study_instance_uid=header.StudyInstanceUID,
        series_instance_uid=uids.series("SC"),
        series_number=series_number(spec, ArtifactKind.SC),
        sop_instance_uid=uids.instance(f"SC-{number}"),
        instance_number=number,
        **equipment_of(spec.reference),
        contributing_equipment=[contribution(spec.reference)],
        series_description=series_description(spec.title, "pictures"),
    )
    capture.copy_patient_and_study_information(header)
    _describe(capture, overlay, source)
    imprint.press(capture, header)
    capture.DateOfSecondaryCapture, capture.TimeOfSecondaryCapture = capture.ContentDate, capture.ContentTime
    return capture


def _describe(capture: Dataset, overlay: Overlay, source: EncodingInput) -> None:
    """Say what the image is and of what it was made (PS3.3 sections C.7.6.1, C.8.6.1)."""
    grid, index = source.volume.grid, overlay.slice_index
    capture.PatientOrientation = [letters(grid.steps_mm[:, 2]), letters(grid.steps_mm[:, 1])]
    capture.ConversionType = ConversionTypeValues.WSD.value
    capture.ImageType = ["DERIVED", "SECONDARY"]
    capture.Laterality = ""
    capture.BurnedInAnnotation = "YES"
    capture.RecognizableVisualFeatures = "NO"
    capture.DerivationDescription = (
        f"Result of an AI model drawn on {slice_name(index, source).lower()} of the source; research use only"
    )
    shown = source.volume.frames[index : index + 1]
    capture.SourceImageSequence = [source_image(frame) for frame in shown if frame is not None]
