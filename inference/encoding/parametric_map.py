"""The probability of a label, voxel by voxel, as a Parametric Map (PS3.3 section A.75)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from highdicom import VOILUTTransformation
from highdicom.pm import DerivedPixelContrastValues, ImageFlavorValues, ParametricMap, RealWorldValueMapping
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.domain.artifact import ArtifactKind
from inference.domain.codes import LEFT, PROBABILITY, RIGHT, RIGHT_AND_LEFT
from inference.domain.model_spec import LabelSpec, ModelSpec
from inference.encoding.concepts import concept
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.equipment import (
    Imprint,
    contribution,
    equipment_of,
    series_description,
)
from inference.encoding.references import instance_references
from inference.encoding.seg_pixels import CERTAIN
from inference.encoding.series_numbers import series_number
from inference.encoding.source_images import SourceImages

LEAST: Final = 26
"""A map that reaches less than a tenth anywhere is not made: it would be black."""

_UNPAIRED: Final = "U"
_SIDES: Final = {LEFT: "L", RIGHT: "R", RIGHT_AND_LEFT: "B"}

_NO_UNIT: Final = CodedConcept("1", "UCUM", "no units")


def build_parametric_maps(images: SourceImages, source: EncodingInput, imprint: Imprint) -> Iterator[Dataset]:
    """Build a map for each label that is probable anywhere, all of one series, one at a time: each is large.

    A map is one object with every frame of the source, in order along the normal of the slices, and 32-bit floating
    point values: OHIF lays frame after frame over the slices of the source in that order, whatever a frame says of
    its place, and shows no map that has fewer.

    Parameters
    ----------
    images
        The source.
    source
        The result; without probabilities there is no map.
    imprint
        Model, identifiers and time.

    Raises
    ------
    ValueError, TypeError, KeyError, AttributeError
        As highdicom does, if the source does not allow it.
    """
    probabilities = source.result.probabilities
    if probabilities is None:
        return
    labels = sorted(source.spec.labels, key=lambda label: label.value)
    pairs = zip(labels, probabilities, strict=True)
    shown = [(label, values) for label, values in pairs if values.max() >= LEAST]
    for number, (label, values) in enumerate(shown, start=1):
        yield _build(images, label, values, number, imprint)


def _build(
    images: SourceImages, label: LabelSpec, values: NDArray[np.uint8], number: int, imprint: Imprint
) -> Dataset:
    spec, uids = imprint.spec, imprint.uids
    parametric_map = ParametricMap(
        source_images=images.images,
        pixel_array=values[images.planes].astype(np.float32) / np.float32(CERTAIN),
        series_instance_uid=uids.series("PM"),
        series_number=series_number(spec, ArtifactKind.PM),
        sop_instance_uid=uids.instance(f"PM-{label.value}"),
        instance_number=number,
        **equipment_of(spec.reference),
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[_mapping(label)],
        voi_lut_transformations=[VOILUTTransformation(window_center=0.5, window_width=1.0)],
        image_flavor=ImageFlavorValues.VOLUME,
        derived_pixel_contrast=DerivedPixelContrastValues.QUANTITY,
        content_label="PROBABILITY",
        content_description=f"AI probability of {label.name}"[:64],
        content_creator_name="",
        contributing_equipment=[contribution(spec.reference)],
        series_description=series_description(spec.title, "probability"),
    )
    parametric_map.SourceImageSequence = instance_references(images.instances)
    parametric_map.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [_anatomy(label, spec)]
    images.refer(parametric_map)
    _order_frames(parametric_map)
    imprint.press(parametric_map, images.header)
    return parametric_map


def _order_frames(parametric_map: Dataset) -> None:
    """Order frames by their place along row direction × column direction; highdicom orders them the other way."""
    groups = list(parametric_map.PerFrameFunctionalGroupsSequence)
    orientation = parametric_map.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
    row, column = np.array(orientation.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
    positions = [group.PlanePositionSequence[0].ImagePositionPatient for group in groups]
    order = np.argsort(np.array(positions, dtype=np.float64) @ np.cross(row, column), kind="stable")
    frames = np.frombuffer(parametric_map.FloatPixelData, dtype="<f4").reshape(len(groups), -1)
    parametric_map.FloatPixelData = frames[order].tobytes()
    parametric_map.PerFrameFunctionalGroupsSequence = [groups[at] for at in order]
    for number, group in enumerate(parametric_map.PerFrameFunctionalGroupsSequence, start=1):
        group.FrameContentSequence[0].DimensionIndexValues = [number]


def _anatomy(label: LabelSpec, spec: ModelSpec) -> Dataset:
    """Say where the label is (PS3.3 section C.7.6.16.2.8); dcmqi reads no map that does not."""
    anatomy = Dataset()
    anatomy.FrameLaterality = _UNPAIRED if label.laterality is None else _SIDES.get(label.laterality, _UNPAIRED)
    anatomy.AnatomicRegionSequence = [concept(label.site(spec.publication.region))]
    return anatomy


def _mapping(label: LabelSpec) -> RealWorldValueMapping:
    """Say that a pixel's value is the probability (PS3.3 section C.7.6.16.2.11)."""
    return RealWorldValueMapping(
        lut_label="PROBABILITY",
        lut_explanation=f"Probability of {label.name}"[:64],
        unit=_NO_UNIT,
        value_range=(0.0, 1.0),
        slope=1.0,
        intercept=0.0,
        quantity_definition=concept(PROBABILITY),
    )
