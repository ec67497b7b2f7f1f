"""Volumes and places are those of the label map, and what cannot be a result is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inference.domain.codes import BRAIN, Code
from inference.domain.geometry import Grid
from inference.domain.model_spec import ModelSpec, Plausibility
from inference.domain.result import AnalysisResult
from inference.domain.volume import Volume
from inference.errors import ImplausibleResult, ReasonCode
from inference.measure import check_plausible, measure
from inference.uids import OutputUIDs
from tests.support.model_packages import make_label, make_spec

UIDS = OutputUIDs("answer", "subject")
STEPS = np.array([[0.0, 0.1, 2.0], [0.3, 1.5, 0.0], [3.0, 0.0, 0.2]])
GRID = Grid((8, 9, 10), np.array([5.0, -6.0, 7.0]), STEPS)
SPEC = make_spec(labels=3)

LABELS = np.zeros(GRID.shape, dtype=np.uint8)
LABELS[1:3, 2:5, 3:7] = 1
LABELS[5, 5, 5] = 3
VALUES = np.full(GRID.shape, 10, dtype=np.float32)
VALUES[LABELS == 1] = 40
VALUES[LABELS == 3] = 80
VOLUME = Volume(VALUES, GRID, (None,) * 8)


def measured(spec: ModelSpec = SPEC) -> AnalysisResult:
    return measure(LABELS, VOLUME, spec, UIDS)


def test_volumes_are_voxels_times_their_size() -> None:
    """Also on a sheared, oblique lattice: the determinant counts, not the product of spacings."""
    voxel_ml = abs(np.linalg.det(STEPS)) / 1000
    one, three = measured().segments
    assert (one.voxel_count, three.voxel_count) == (24, 1)
    assert one.volume.value == pytest.approx(24 * voxel_ml)
    assert three.volume.value == pytest.approx(voxel_ml)
    assert (one.volume.unit.value, one.volume.quantity.meaning) == ("mL", "Volume")
    assert isinstance(one.volume.value, float)


def test_segments_count_up_and_absent_ones_are_named() -> None:
    """Segment Numbers have no hole (PS3.3 section C.8.20.2); what was not found is said."""
    result = measured()
    assert [(segment.number, segment.label.value) for segment in result.segments] == [(1, 1), (2, 3)]
    assert [label.value for label in result.absent] == [2]


def test_places_and_brightness_are_the_sources() -> None:
    """Centroids are in patient millimetres, brightness is the source's mean."""
    one, three = measured().segments
    np.testing.assert_allclose(one.centroid_lps_mm, GRID.to_lps((1.5, 3.0, 4.5)))
    np.testing.assert_allclose(three.centroid_lps_mm, GRID.to_lps((5, 5, 5)))
    assert (one.mean_value, three.mean_value) == (40, 80)


def test_identities_are_shared_and_totals_have_none() -> None:
    """Each structure has its tracking UID; the sum is derived and has no image of its own."""
    result = measured()
    (total,) = result.totals
    assert [segment.volume.tracking_uid for segment in result.segments] == [UIDS.tracking(1), UIDS.tracking(3)]
    assert total.tracking_uid is total.tracking_id is None
    assert total.value == pytest.approx(sum(segment.volume.value for segment in result.segments))
    assert (total.label, total.finding) == ("Whole brain", BRAIN)


def test_a_total_of_another_region_is_not_called_brain() -> None:
    """The name follows the region that the model publishes."""
    heart = Code("80891009", "SCT", "Heart")
    spec = replace(SPEC, publication=replace(SPEC.publication, region=heart))
    assert measured(spec).totals[0].label == "All structures of Heart"


def test_nothing_found_is_a_result_without_segments() -> None:
    """An empty label map is measured; whether that is plausible is the model's question."""
    result = measure(np.zeros_like(LABELS), VOLUME, SPEC, UIDS)
    assert result.segments == ()
    assert result.totals[0].value == 0


def limits(**changes: object) -> ModelSpec:
    return replace(SPEC, plausibility=replace(Plausibility((0.0, 10.0), ()), **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (limits(total_ml=(1.0, 5.0)), "in total"),
        (limits(total_ml=(0.0, 0.1)), "in total"),
        (replace(SPEC, labels=(make_label(1), make_label(2, 0.001), make_label(3))), "Structure 2 0.0 mL"),
        (replace(SPEC, labels=(make_label(1, 0, 0.1), make_label(2), make_label(3))), "Structure 1 0.2 mL"),
        (limits(ratios=((1, 3, 0.0, 23.0),)), "volume of Structure 1"),
        (limits(ratios=((1, 3, 25.0, 30.0),)), "volume of Structure 1"),
        (limits(ratios=((1, 2, 0.0, 30.0),)), "inf"),
        (limits(contrasts=((1, 3, 0.0, 0.4),)), "brightness of Structure 1"),
    ],
)
def test_one_broken_limit_refuses_the_result(spec: ModelSpec, told: str) -> None:
    """The reason is named, and it is no number that anybody could mistake for a measurement."""
    with pytest.raises(ImplausibleResult) as caught:
        check_plausible(measured(spec), spec)
    assert caught.value.code == ReasonCode.IMPLAUSIBLE
    assert told in caught.value.message


def test_all_broken_limits_are_told_together() -> None:
    """A person sees the whole picture at once."""
    spec = limits(total_ml=(1.0, 5.0), ratios=((1, 3, 0.0, 1.0),))
    with pytest.raises(ImplausibleResult) as caught:
        check_plausible(measured(spec), spec)
    assert caught.value.message.count(";") == 1


def test_a_result_within_its_limits_passes() -> None:
    """Limits include their ends."""
    exact = measured().totals[0].value
    spec = limits(total_ml=(exact, exact), ratios=((1, 3, 24.0, 24.0),), contrasts=((1, 3, 0.5, 0.5),))
    check_plausible(measured(spec), spec)
