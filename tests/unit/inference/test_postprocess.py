"""What the graph says becomes an answer on the source grid, for every kind of output."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inference.domain.answer import Answer, Certainty, Classified, Detected, Segmented
from inference.domain.geometry import Grid
from inference.domain.model_spec import LabelSpec, Layout, ModelSpec, OutputKind, Task
from inference.errors import ModelContractViolated
from inference.label_upsampling import upsample_labels
from inference.postprocess import postprocess
from tests.support.model_packages import make_label, make_spec
from tests.support.synthetic_series import axial_grid

NETWORK = axial_grid((8, 9, 10), (2.0, 2.0, 2.0))
SOURCE = axial_grid((16, 18, 20), (1.0, 1.0, 1.0))
"""The same field of view, eight voxels for each."""


def spec_of(kind: OutputKind, *labels: LabelSpec, task: Task = Task.SEGMENTATION) -> ModelSpec:
    spec = make_spec(labels=labels or 2, shape=NETWORK.shape)
    return replace(spec, output=kind, task=task)


def segmented(output: np.ndarray, spec: ModelSpec, source: Grid = SOURCE) -> Segmented:
    answer = postprocess((output,), NETWORK, source, spec)
    assert isinstance(answer, Segmented)
    return answer


def smooth(*shape: int, seed: int = 0) -> np.ndarray:
    """Make numbers from about -4 to 4 that change slowly."""
    waves = np.random.default_rng(seed).uniform(0.2, 0.9, (shape[0], 3))
    d, h, w = (np.arange(n) for n in shape[1:])
    each = [4 * np.sin(a * d)[:, None, None] * np.cos(b * h)[:, None] * np.sin(c * w + 1) for a, b, c in waves]
    return np.stack(each).astype(np.float32)


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values.astype(np.float64)))


def coarse(masks: np.ndarray) -> np.ndarray:
    """Take one of the eight source voxels in each network voxel."""
    return masks[..., ::2, ::2, ::2]


def kept(output: np.ndarray, spec: ModelSpec, source: Grid = SOURCE) -> tuple[np.ndarray, np.ndarray]:
    """Give masks and probabilities."""
    answer = postprocess((output,), NETWORK, source, spec, keep_probabilities=True)
    assert isinstance(answer, Segmented)
    assert answer.probabilities is not None
    assert answer.probabilities.dtype == np.uint8
    return answer.masks, answer.probabilities


def test_logits_are_decided_where_they_are_interpolated() -> None:
    """Exclusive labels come from the exact upsampling; no certainty is worked out that nobody asked for."""
    logits = smooth(3, *NETWORK.shape)
    answer = segmented(logits[np.newaxis], spec_of(OutputKind.LABEL_MAP_LOGITS))
    np.testing.assert_array_equal(answer.masks, upsample_labels(logits, NETWORK, SOURCE))
    assert answer.masks.dtype == np.uint8
    assert answer.certainty == {}


@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_a_label_map_keeps_its_voxels(kind: type) -> None:
    """Each source voxel has the label of the network voxel that it lies in, and none outside of them."""
    labels = np.random.default_rng(0).integers(0, 3, (1, *NETWORK.shape)).astype(kind)
    answer = segmented(labels, spec_of(OutputKind.LABEL_MAP))
    np.testing.assert_array_equal(answer.masks, np.kron(labels[0], np.ones((2, 2, 2))))
    wider = axial_grid((32, 36, 40), (1.0, 1.0, 1.0))
    around = segmented(labels, spec_of(OutputKind.LABEL_MAP), wider).masks
    np.testing.assert_array_equal(around[8:24, 9:27, 10:30], answer.masks)
    assert np.count_nonzero(around) == np.count_nonzero(answer.masks)
    assert answer.certainty == {}


@pytest.mark.parametrize("precision", [np.float32, np.float16])
def test_labels_that_may_overlap_are_decided_each_for_itself(precision: type) -> None:
    """A label is where its interpolated probability reaches its own threshold."""
    labels = (replace(make_label(1), threshold=0.5), replace(make_label(2), threshold=0.2))
    logits = smooth(2, *NETWORK.shape).astype(precision)
    answer = segmented(logits[np.newaxis], spec_of(OutputKind.SIGMOID_LOGITS, *labels), NETWORK)
    expected = sigmoid(logits) >= np.array([0.5, 0.2])[:, None, None, None]
    assert answer.masks.dtype == np.bool_
    np.testing.assert_array_equal(answer.masks, expected)
    assert (answer.masks.sum(axis=0) > 1).any()
    assert answer.masks[1].sum() > (sigmoid(logits[1]) >= 0.5).sum()


def test_probabilities_and_their_logits_mean_the_same() -> None:
    """It does not matter on which side of the graph's end the sigmoid is."""
    logits = smooth(2, *NETWORK.shape)[np.newaxis]
    of_logits = segmented(logits, spec_of(OutputKind.SIGMOID_LOGITS))
    probabilities = sigmoid(logits).astype(np.float32)
    of_probabilities = segmented(probabilities, spec_of(OutputKind.SIGMOID))
    differ = of_logits.masks != of_probabilities.masks
    assert differ.mean() < 1e-3
    for value in (1, 2):
        assert of_logits.certainty[value].highest == pytest.approx(
            of_probabilities.certainty[value].highest, abs=1e-5
        )


def test_probabilities_are_interpolated_before_they_are_decided() -> None:
    """A surface is a plane between voxels, not a staircase: the volume is right to a part of a voxel."""
    slope = np.broadcast_to(np.linspace(0, 1, 8, dtype=np.float32)[:, None, None], NETWORK.shape)
    label = replace(make_label(1), threshold=0.65)
    answer = segmented(slope[np.newaxis, np.newaxis].copy(), spec_of(OutputKind.SIGMOID, label))
    first = int(np.argmax(answer.masks[0].any(axis=(1, 2))))
    at = NETWORK.to_index(SOURCE.to_lps((first, 0, 0)))[0]
    assert at - 0.5 < 0.65 * 7 <= at


def test_large_logits_do_not_overflow(recwarn: pytest.WarningsRecorder) -> None:
    """A network may be very sure."""
    logits = np.full((1, 2, *NETWORK.shape), 5e4, dtype=np.float32)
    logits[:, 1] *= -1
    answer = segmented(logits, spec_of(OutputKind.SIGMOID_LOGITS))
    assert answer.masks[0].all()
    assert not answer.masks[1].any()
    assert answer.certainty == {1: Certainty(1.0, 1.0), 2: Certainty(None, 0.0)}
    assert not recwarn.list


def test_certainty_is_the_mean_inside_and_the_highest_anywhere() -> None:
    """Of the interpolated probability, on the source grid."""
    probability = np.zeros((1, 2, *NETWORK.shape), dtype=np.float32)
    probability[0, 0, 2:5, 3:6, 3:6] = 0.8
    probability[0, 1, 2:5, 3:6, 3:6] = 0.4
    answer = segmented(probability, spec_of(OutputKind.SIGMOID), NETWORK)
    assert answer.certainty[1] == Certainty(pytest.approx(0.8), pytest.approx(0.8))  # type: ignore[arg-type]
    assert answer.certainty[2] == Certainty(None, pytest.approx(0.4))  # type: ignore[arg-type]


@pytest.mark.parametrize("already", [False, True], ids=["logits", "probabilities"])
def test_a_tumour_comes_with_the_probability_of_its_class(already: bool) -> None:
    """Logits are brought to probabilities that sum to one; probabilities are taken as they are."""
    logits = smooth(3, *NETWORK.shape)[np.newaxis]
    powers = np.exp(logits.astype(np.float64))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    said = probabilities.astype(np.float32) if already else logits
    answer = segmented(said, spec_of(OutputKind.LABEL_MAP_LOGITS, task=Task.TUMOR_DETECTION), NETWORK)
    for value in (1, 2):
        inside = probabilities[0, value][answer.masks == value].mean()
        assert answer.certainty[value].inside == pytest.approx(inside, abs=1e-4)
        assert answer.certainty[value].highest == pytest.approx(probabilities[0, value].max(), abs=1e-4)


@pytest.mark.parametrize("kind", [OutputKind.LABEL_MAP, OutputKind.LABEL_MAP_LOGITS, OutputKind.SIGMOID])
def test_small_parts_are_left_out(kind: OutputKind) -> None:
    """Noise of one network voxel goes, a part of exactly the limit stays, and certainty is of what stays."""
    labels = np.zeros(NETWORK.shape, dtype=np.uint8)
    labels[2:4, 2:4, 2:4] = 1
    labels[6, 6, 6] = 1
    labels[6, 2, 2] = 2
    each = {
        OutputKind.LABEL_MAP: labels[np.newaxis],
        OutputKind.LABEL_MAP_LOGITS: np.stack([labels == value for value in (0, 1, 2)]).astype(np.float32),
        OutputKind.SIGMOID: np.stack([labels == 1, labels == 2]).astype(np.float32) * 0.75,
    }
    output = each[kind] if kind is OutputKind.LABEL_MAP else each[kind][np.newaxis]
    wanted = (replace(make_label(1), smallest_ml=0.064), make_label(2))
    answer = segmented(output, spec_of(kind, *wanted), NETWORK)
    first, second = answer.masks if kind is OutputKind.SIGMOID else (answer.masks == 1, answer.masks == 2)
    assert (first.sum(), second.sum()) == (8, 1)
    assert not first[6].any()
    if kind is OutputKind.SIGMOID:
        everything = segmented(output, spec_of(kind, replace(wanted[0], smallest_ml=1.0), wanted[1]), NETWORK)
        assert everything.certainty[1] == Certainty(None, 0.75)


def test_a_classifier_gives_the_probability_of_each_finding() -> None:
    """Of classes that exclude each other, that of none of them is left out."""
    logits = np.array([[1.0, 2.0, 0.5]], dtype=np.float16)
    answer = postprocess((logits,), NETWORK, SOURCE, spec_of(OutputKind.CLASSIFICATION_LOGITS))
    assert isinstance(answer, Classified)
    powers = np.exp([1.0, 2.0, 0.5])
    np.testing.assert_allclose(answer.probabilities, powers[1:] / powers.sum())
    assert answer.probabilities.dtype == np.float64


def test_probabilities_of_findings_are_taken_as_they_are() -> None:
    """Each for itself; rounding of half precision is forgiven."""
    said = np.array([[0.25, 1.0005]], dtype=np.float32)
    answer = postprocess((said,), NETWORK, SOURCE, spec_of(OutputKind.CLASSIFICATION))
    assert isinstance(answer, Classified)
    np.testing.assert_array_equal(answer.probabilities, [0.25, 1])


def centre_of(answer: Answer) -> tuple[float, float, float]:
    assert isinstance(answer, Detected)
    return answer.detections[0].centre_lps_mm


def test_detections_lie_in_the_network_grid() -> None:
    """And, where a network looks at a slice and its neighbours, on the slice in the middle."""
    spec = spec_of(OutputKind.DETECTION)
    outputs = (np.array([[0.0, 3, 4]]), np.array([0.9]), np.array([1]))
    assert centre_of(postprocess(outputs, NETWORK, SOURCE, spec)) == tuple(NETWORK.to_lps((0, 3, 4)))
    slab = axial_grid((5, 9, 10), (2.0, 2.0, 2.0))
    flat = replace(spec, graph=replace(spec.graph, layout=Layout.SLICE, context_slices=5))
    assert centre_of(postprocess(outputs, slab, SOURCE, flat)) == tuple(slab.to_lps((2, 3, 4)))


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (OutputKind.LABEL_MAP_LOGITS, (1, 2, *NETWORK.shape)),
        (OutputKind.LABEL_MAP_LOGITS, (1, 3, 8, 9, 9)),
        (OutputKind.LABEL_MAP, (1, 1, *NETWORK.shape)),
        (OutputKind.SIGMOID, (1, 3, *NETWORK.shape)),
        (OutputKind.SIGMOID_LOGITS, (2, *NETWORK.shape)),
        (OutputKind.CLASSIFICATION, (1, 3)),
        (OutputKind.CLASSIFICATION_LOGITS, (1, 2)),
    ],
)
def test_an_output_of_another_shape_is_refused(kind: OutputKind, shape: tuple[int, ...]) -> None:
    """A graph that says more or less than the manifest promises is not interpreted."""
    with pytest.raises(ModelContractViolated, match="the manifest promises"):
        postprocess((np.zeros(shape, dtype=np.float32),), NETWORK, SOURCE, spec_of(kind))


@pytest.mark.parametrize("value", [-0.5, 3.0])
@pytest.mark.parametrize("kind", [OutputKind.SIGMOID, OutputKind.CLASSIFICATION])
def test_logits_under_the_name_of_probabilities_are_refused(kind: OutputKind, value: float) -> None:
    """A threshold on them would mean something else."""
    said = np.full((1, 2, *NETWORK.shape) if kind.segments else (1, 2), value, dtype=np.float32)
    with pytest.raises(ModelContractViolated, match="no probabilities"):
        postprocess((said,), NETWORK, SOURCE, spec_of(kind))


@pytest.mark.parametrize("kind", [OutputKind.SIGMOID, OutputKind.SIGMOID_LOGITS])
def test_probabilities_that_are_kept_agree_with_the_masks(kind: OutputKind) -> None:
    """A voxel is in the mask where its probability, of 255, reaches the threshold; rounding may hide which."""
    spec = spec_of(kind, make_label(1), replace(make_label(2), threshold=0.3))
    said = smooth(2, *NETWORK.shape)
    masks, probabilities = kept((sigmoid(said) if kind is OutputKind.SIGMOID else said)[np.newaxis], spec)
    for label, mask, probability in zip(spec.labels, masks, probabilities, strict=True):
        assert probability[mask].min() >= 255 * label.threshold - 0.5
        assert probability[~mask].max() <= 255 * label.threshold + 0.5
    assert probabilities.max() > 240


@pytest.mark.parametrize("are_probabilities", [False, True])
def test_probabilities_of_exclusive_labels_are_kept(are_probabilities: bool) -> None:
    """At a network voxel they are the softmax; the label drawn there is the most probable."""
    logits = smooth(3, *NETWORK.shape)
    powers = np.exp(logits.astype(np.float64))
    softmax = powers / powers.sum(axis=0)
    said = softmax.astype(np.float32) if are_probabilities else logits
    masks, probabilities = kept(said[np.newaxis], spec_of(OutputKind.LABEL_MAP_LOGITS), NETWORK)
    np.testing.assert_allclose(probabilities, 255 * softmax[1:], atol=0.51)
    np.testing.assert_array_equal(masks, softmax.argmax(axis=0))


def test_what_is_drawn_is_never_impossible() -> None:
    """Half-way between two labels a third one may win that is probable nowhere; a segment of it has probabilities."""
    logits = np.zeros((4, *NETWORK.shape), dtype=np.float32)
    logits[0] = -90
    logits[1], logits[2] = -30, 30
    logits[1, :, :, :5], logits[2, :, :, :5] = 30, -30
    logits[3] = 8
    between = Grid((8, 9, 9), NETWORK.to_lps((0, 0, 0.5)), NETWORK.steps_mm)
    masks, probabilities = kept(
        logits[np.newaxis], spec_of(OutputKind.LABEL_MAP_LOGITS, *map(make_label, (1, 2, 3))), between
    )
    assert (masks == 3).any()
    assert probabilities[2][masks == 3].tolist() == [1] * int((masks == 3).sum())


def test_probability_is_nothing_outside_the_field_of_view() -> None:
    """As nothing is drawn there."""
    wide = Grid((16, 18, 40), SOURCE.origin_mm, SOURCE.steps_mm)
    certain = np.full((1, 2, *NETWORK.shape), 20, dtype=np.float32)
    masks, probabilities = kept(certain, spec_of(OutputKind.SIGMOID_LOGITS), wide)
    assert probabilities[..., :20].min() == 255
    assert probabilities[..., 21:].max() == 0
    assert not masks[..., 21:].any()


def test_probabilities_are_kept_only_where_there_are_some_and_they_are_asked_for() -> None:
    """They take a byte for each label and voxel."""
    assert segmented(smooth(2, *NETWORK.shape)[np.newaxis], spec_of(OutputKind.SIGMOID_LOGITS)).probabilities is None
    drawn = np.ones((1, *NETWORK.shape), dtype=np.uint8)
    spec = spec_of(OutputKind.LABEL_MAP)
    answer = postprocess((drawn,), NETWORK, SOURCE, spec, keep_probabilities=True)
    assert isinstance(answer, Segmented)
    assert answer.probabilities is None
