"""Volumes and places are those of the label map, and what cannot be a result is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inference.domain.answer import Answer, Certainty, Classified, Detected, Detection, Segmented
from inference.domain.codes import BRAIN, LEFT, LONG_AXIS, MILLIMETRE, SHORT_AXIS, Code
from inference.domain.geometry import Grid
from inference.domain.identifiers import UID
from inference.domain.model_spec import ModelSpec, Plausibility, Task
from inference.domain.result import AnalysisResult, Place, TumorDetection
from inference.domain.volume import SourceFrame, Volume
from inference.errors import ImplausibleResult, ModelContractViolated, ReasonCode
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
    return measure(Segmented(LABELS, {}), VOLUME, spec, UIDS)


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


def test_what_the_model_says_of_a_structure_stands_beside_its_volume() -> None:
    """Its side and its usual volume; neither changes what was measured."""
    label, *others = SPEC.labels
    spec = replace(SPEC, labels=(replace(label, laterality=LEFT, usual_ml=(1.0, 2.0)), *others))
    one, three = measured(spec).segments
    assert (one.volume.laterality, one.volume.reference_range) == (LEFT, (1.0, 2.0))
    assert (three.volume.laterality, three.volume.reference_range) == (None, None)
    assert one.volume.value == measured().segments[0].volume.value


def test_diameters_are_measured_of_labels_that_ask_for_them() -> None:
    """Under the identity of the volume, and without its usual range."""
    label, *others = SPEC.labels
    spec = replace(SPEC, labels=(replace(label, diameters=True, laterality=LEFT, usual_ml=(1.0, 2.0)), *others))
    one, three = measured(spec).segments
    assert three.diameters == ()
    long_axis, short_axis = one.diameters
    assert (long_axis.quantity, short_axis.quantity) == (LONG_AXIS, SHORT_AXIS)
    assert long_axis.value > short_axis.value > 0
    for diameter in one.diameters:
        assert diameter.unit == MILLIMETRE
        assert (diameter.tracking_uid, diameter.tracking_id) == (one.volume.tracking_uid, one.volume.tracking_id)
        assert (diameter.finding, diameter.laterality, diameter.reference_range) == (label.type, LEFT, None)


def test_what_is_no_structure_itself_is_measured_at_a_site() -> None:
    """A structure is its own."""
    label, *others = SPEC.labels
    lobe = Code("83251001", "SCT", "Frontal lobe")
    lesions = replace(label, category=Code("49755003", "SCT", "Morphologically Abnormal Structure"))
    for anatomy, site in ((lobe, lobe), (None, SPEC.publication.region)):
        spec = replace(SPEC, labels=(replace(lesions, anatomy=anatomy, diameters=True), *others))
        one, three = measured(spec).segments
        assert {each.site for each in (one.volume, *one.diameters)} == {site}
        assert three.volume.site is None


@pytest.mark.parametrize("overlapping", [False, True])
def test_what_only_interpolated_slices_show_is_not_found(overlapping: bool) -> None:
    """No image shows it, so that nothing could refer to one; what images show keeps its interpolated part."""
    frames = tuple(
        None if number in (2, 5) else SourceFrame(UID(f"2.25.{number}"), UID("1.2.3"), None) for number in range(8)
    )
    masks = np.stack([value == LABELS for value in (1, 2, 3)]) if overlapping else LABELS
    result = measure(Segmented(masks, {}), replace(VOLUME, frames=frames), SPEC, UIDS)
    assert [(segment.label.value, segment.voxel_count) for segment in result.segments] == [(1, 24)]
    assert [label.value for label in result.absent] == [2, 3]
    assert result.labels is not None
    assert int(np.count_nonzero(result.labels)) == 24
    assert np.count_nonzero(masks) == 25


def test_probabilities_are_handed_on() -> None:
    """As they are."""
    probabilities = np.zeros((3, *GRID.shape), dtype=np.uint8)
    assert measure(Segmented(LABELS, {}, probabilities), VOLUME, SPEC, UIDS).probabilities is probabilities
    assert measured().probabilities is None


def test_a_total_has_the_name_that_the_model_gives_it() -> None:
    """And the code of the model's region."""
    heart = Code("80891009", "SCT", "Heart")
    spec = replace(SPEC, publication=replace(SPEC.publication, region=heart, total="Whole heart"))
    (total,) = measured(spec).totals
    assert (total.label, total.finding) == ("Whole heart", heart)


def test_a_sum_without_a_meaning_is_not_published() -> None:
    """It still counts for the limits."""
    spec = replace(SPEC, publication=replace(SPEC.publication, total=None))
    assert measured(spec).totals == ()
    assert measured(spec).total_ml == measured().totals[0].value


def test_nothing_found_is_a_result_without_segments() -> None:
    """An empty label map is measured; whether that is plausible is the model's question."""
    result = measure(Segmented(np.zeros_like(LABELS), {}), VOLUME, SPEC, UIDS)
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


MASKS = np.zeros((3, *GRID.shape), dtype=np.bool_)
MASKS[0, 1:3, 2:5, 3:7] = True
MASKS[2, 2:4, 2:5, 3:7] = True
OVERLAPPING = Segmented(MASKS, {1: Certainty(0.9, 1.0), 2: Certainty(None, 0.2), 3: Certainty(0.6, 0.8)})


def test_overlapping_structures_are_measured_each_for_itself() -> None:
    """Volume, place and brightness are those of its own mask."""
    result = measure(OVERLAPPING, VOLUME, SPEC, UIDS)
    one, three = result.segments
    assert [label.value for label in result.absent] == [2]
    assert (one.voxel_count, three.voxel_count) == (24, 24)
    np.testing.assert_allclose(one.centroid_lps_mm, GRID.to_lps((1.5, 3.0, 4.5)))
    np.testing.assert_allclose(three.centroid_lps_mm, GRID.to_lps((2.5, 3.0, 4.5)))
    assert (one.mean_value, three.mean_value) == (40, pytest.approx(25))


def test_what_overlaps_counts_once_in_the_total() -> None:
    """24 and 24 voxels of which 12 are the same are 36 voxels, also for the limits."""
    result = measure(OVERLAPPING, VOLUME, SPEC, UIDS)
    (total,) = result.totals
    assert total.value == result.total_ml == pytest.approx(36 * GRID.voxel_volume_ml)
    limit = 37 * GRID.voxel_volume_ml
    check_plausible(result, limits(total_ml=(0.0, limit)))


def test_a_classifier_says_of_every_finding_whether_it_is_there() -> None:
    """From the label's own threshold on, the threshold itself included."""
    spec = replace(SPEC, labels=(make_label(1), replace(make_label(2), threshold=0.8), make_label(3)))
    result = measure(Classified(np.array([0.5, 0.79, 0.1])), VOLUME, spec, UIDS)
    assert [(f.label.value, f.present, f.probability) for f in result.findings] == [
        (1, True, 0.5), (2, False, 0.79), (3, False, 0.1),
    ]  # fmt: skip
    assert [f.tracking_uid for f in result.findings] == [UIDS.tracking(value) for value in (1, 2, 3)]
    assert (result.labels, result.segments, result.absent, result.totals) == (None, (), (), ())


def test_each_detection_is_a_finding_with_its_place_and_identity() -> None:
    """Those of a label are counted, surest first; what was not found has no probability, for none is known."""
    box = tuple((float(x), float(y), float(z)) for x in (0, 1) for y in (0, 2) for z in (0, 3))
    detections = (
        Detection(3, 0.9, (0.5, 1.0, 1.5), box), Detection(1, 0.8, (1.0, 2.0, 3.0)),
        Detection(3, 0.7, (9.0, 9.0, 9.0)),
    )  # fmt: skip
    findings = measure(Detected(detections), VOLUME, SPEC, UIDS).findings
    assert [(f.label.value, f.present, f.probability, f.tracking_id) for f in findings] == [
        (1, True, 0.8, "Structure 1 1"), (2, False, None, "Structure 2"),
        (3, True, 0.9, "Structure 3 1"), (3, True, 0.7, "Structure 3 2"),
    ]  # fmt: skip
    assert findings[1].place is None
    assert findings[2].place == Place((0.5, 1.0, 1.5), box)
    assert [f.tracking_uid for f in findings] == [
        UIDS.tracking(1, 1), UIDS.tracking(2), UIDS.tracking(3, 1), UIDS.tracking(3, 2),
    ]  # fmt: skip
    assert len({f.tracking_uid for f in findings}) == 4


def test_an_identity_fits_its_attribute() -> None:
    """Tracking ID is an LO; the count at its end is what tells two apart."""
    spec = replace(SPEC, labels=(replace(make_label(1), name="n" * 70),))
    found = measure(Detected((Detection(1, 0.8, (1.0, 2.0, 3.0)),)), VOLUME, spec, UIDS).findings
    assert found[0].tracking_id == "n" * 62 + " 1"


@pytest.mark.parametrize("answer", [Classified(np.array([0.9, 0.1, 0.1])), Detected(())])
def test_limits_of_volumes_do_not_hold_for_what_is_not_drawn(answer: Answer) -> None:
    """Not even where the manifest has some."""
    spec = limits(total_ml=(1.0, 5.0), ratios=((1, 2, 0.1, 1.0),))
    check_plausible(measure(answer, VOLUME, spec, UIDS), spec)


TUMOR = replace(SPEC, task=Task.TUMOR_DETECTION)


def tumor(answer: Segmented) -> TumorDetection:
    found = measure(answer, VOLUME, TUMOR, UIDS).task
    assert found is not None
    return found


def test_a_tumor_is_the_union_of_its_parts() -> None:
    """Confidence is the mean over the voxels of all labels, each as often as it has some."""
    found = tumor(OVERLAPPING)
    assert found.tumor_detected
    assert found.volume_ml == pytest.approx(36 * GRID.voxel_volume_ml)
    assert found.confidence == pytest.approx((24 * 0.9 + 24 * 0.6) / 48)
    np.testing.assert_allclose(found.location_lps_mm or (), GRID.to_lps((2.0, 3.0, 4.5)))


def test_a_tumor_lies_where_its_largest_part_lies() -> None:
    """Not between two parts, where nothing is; a part is of any label, and hangs together by faces."""
    masks = np.zeros(GRID.shape, dtype=np.uint8)
    masks[1:3, 1:3, 1:3] = 1
    masks[3, 2, 2] = 3
    masks[4, 3:6, 3:6] = 2
    found = tumor(Segmented(masks, {value: Certainty(0.7, 0.9) for value in (1, 2, 3)}))
    np.testing.assert_allclose(found.location_lps_mm or (), GRID.to_lps((15 / 9, 14 / 9, 14 / 9)))
    assert found.volume_ml == pytest.approx(18 * GRID.voxel_volume_ml)
    assert found.confidence == pytest.approx(0.7)


def test_no_tumor_has_no_place_and_the_highest_probability() -> None:
    """Which is below every threshold, and says how near it was; a model of tumours may well find none."""
    none = Segmented(
        np.zeros_like(LABELS), {1: Certainty(None, 0.1), 2: Certainty(None, 0.4), 3: Certainty(None, 0.2)}
    )
    assert tumor(none) == TumorDetection(False, 0.4, None, 0.0)
    spec = replace(TUMOR, plausibility=Plausibility((0.0, 900.0), ((1, 2, 0.1, 1.0),), ((1, 2, 0.1, 1.0),)))
    check_plausible(measure(none, VOLUME, spec, UIDS), spec)


def test_a_confidence_is_not_made_up() -> None:
    """A graph that took the arg max has no probabilities to tell."""
    with pytest.raises(ModelContractViolated):
        tumor(Segmented(LABELS, {}))


def test_only_the_task_of_tumors_has_its_answer() -> None:
    """The same masks of another task are a segmentation."""
    assert measure(OVERLAPPING, VOLUME, SPEC, UIDS).task is None
