"""Intensities are brought to the scale that the manifest names, and nothing is divided by zero."""

from __future__ import annotations

import numpy as np
import pytest

from inference.domain.model_spec import IntensitySpec, Normalisation
from inference.intensity import scale


def values() -> np.ndarray:
    """Make a field of view with air, tissue and a vessel."""
    made = np.random.default_rng(0).gamma(4, 50, (6, 7, 8)).astype(np.float32)
    made[:2] = 0
    made[5, 6, 7] = 1e6
    return made


def scaled(wanted: IntensitySpec, made: np.ndarray | None = None) -> np.ndarray:
    made = values() if made is None else made
    scale(made, wanted)
    assert made.dtype == np.float32
    return made


def test_zscore_has_mean_zero_and_deviation_one() -> None:
    """Over all of the field of view."""
    made = scaled(IntensitySpec(Normalisation.ZSCORE, (0, 99)))
    expected = np.minimum(values(), np.percentile(values(), 99))
    np.testing.assert_allclose(made, (expected - expected.mean()) / expected.std(), rtol=1e-4, atol=1e-5)


def test_zscore_of_what_is_not_zero_leaves_zero() -> None:
    """As MONAI's NormalizeIntensity(nonzero=True): air neither counts nor changes."""
    made, seen = scaled(IntensitySpec(Normalisation.ZSCORE_NONZERO, (0, 99))), values() != 0
    assert (made[~seen] == 0).all()
    assert made[seen].mean() == pytest.approx(0, abs=1e-5)
    assert made[seen].std() == pytest.approx(1, abs=1e-5)


def test_minmax_runs_from_zero_to_one() -> None:
    """After clipping."""
    made = scaled(IntensitySpec(Normalisation.MINMAX, (0, 90)))
    assert (made.min(), made.max()) == (0, 1)
    assert np.count_nonzero(made == 1) > 30


def test_fixed_numbers_are_the_manifests() -> None:
    """Hounsfield units are clipped to a range and scaled by numbers of the training set."""
    made = np.array([[[-1000, -10, 40, 3000]]], dtype=np.float32)
    wanted = IntensitySpec(Normalisation.FIXED, clip_range=(-20, 100), mean=40, deviation=20)
    np.testing.assert_allclose(scaled(wanted, made), [[[-3, -2.5, 0, 3]]])


def test_none_changes_nothing() -> None:
    """Unless something is clipped."""
    np.testing.assert_array_equal(scaled(IntensitySpec(Normalisation.NONE)), values())


@pytest.mark.parametrize("cut", [(0.0, 99.0), (5.0, 100.0), (5.0, 99.0), (40.0, 60.0)])
def test_percentiles_clip_both_ends(cut: tuple[float, float]) -> None:
    """Values beyond a percentile become it, the others stay."""
    low, high = np.percentile(values(), cut)
    made = scaled(IntensitySpec(Normalisation.NONE, cut))
    np.testing.assert_allclose(made, np.clip(values(), low, high))


@pytest.mark.parametrize("normalisation", list(Normalisation))
@pytest.mark.parametrize("value", [0.0, 5.0, -1024.1, 1e30])
def test_a_constant_field_of_view_is_finite(normalisation: Normalisation, value: float) -> None:
    """Nothing is divided by zero, and what says nothing becomes zeros where it is scaled by itself."""
    made = scaled(IntensitySpec(normalisation), np.full((4, 5, 6), value, dtype=np.float32))
    assert np.isfinite(made).all()
    if normalisation not in {Normalisation.NONE, Normalisation.FIXED}:
        assert not made.any()
