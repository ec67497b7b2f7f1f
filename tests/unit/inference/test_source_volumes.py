"""The series of a run become one volume per channel, each read once, and what was done to them is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import inference.source_volumes
from inference.domain.charsets import NOTHING_CONFIGURED
from inference.domain.geometry import Grid
from inference.domain.model_inputs import ModelInputs
from inference.domain.model_spec import ModelSpec, Plane, Registration, SliceRule, Weighting
from inference.domain.study import SeriesRevision
from inference.domain.volume import Volume
from inference.errors import IncompleteSeries, ReasonCode, UnsupportedGeometry
from inference.registration import Registered, RigidMotion
from inference.source_volumes import Sources, channel_volumes, read_sources
from tests.support.enhanced_series import frames_on, write_enhanced
from tests.support.model_packages import make_spec
from tests.support.several_channels import channel, contrast, study_uid, write_contrast
from tests.support.synthetic_series import axial_grid, revision_of

MOTION = RigidMotion(np.eye(3), np.zeros(3), np.array([3.0, 0.0, 4.0]))


def spec_of(*required: bool, registration: Registration = Registration.NONE) -> ModelSpec:
    """Make a model with a T1 and further channels."""
    names = ("T1", "FLAIR", "T2")
    channels = tuple(channel(name, None, required=one) for name, one in zip(names, (True, *required), strict=False))
    spec = make_spec()
    return replace(spec, channels=channels, preprocess=replace(spec.preprocess, registration=registration))


def read(inputs: ModelInputs, spec: ModelSpec) -> Sources:
    return read_sources(inputs, spec, NOTHING_CONFIGURED)


@pytest.fixture
def t1(tmp_path: Path) -> SeriesRevision:
    """Give the reference."""
    return contrast(tmp_path / "t1", Weighting.T1, study_uid())


@pytest.fixture
def flair(tmp_path: Path) -> SeriesRevision:
    """Give a further series of the study that lacks a slice."""
    paths = write_contrast(tmp_path / "flair", Weighting.FLAIR, study_uid(), np.full((12, 8, 8), 7))
    return revision_of([path for path in paths if path.name != "0006.dcm"])


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Volume, Volume]]:
    """Replace the search by a known motion; give what was registered."""
    asked: list[tuple[Volume, Volume]] = []

    def known(moving: Volume, reference: Volume) -> Registered:
        asked.append((moving, reference))
        return Registered(replace(moving, grid=MOTION.undone(moving.grid)), MOTION)

    monkeypatch.setattr(inference.source_volumes, "register", known)
    return asked


def test_each_channel_has_its_volume_and_what_is_odd_about_it_is_told(
    t1: SeriesRevision, flair: SeriesRevision
) -> None:
    """A warning about a further series names its channel."""
    spec = spec_of(True)
    sources = read(ModelInputs(t1, (flair,)), spec)
    channels = channel_volumes(sources, spec)
    assert set(sources.headers) == {t1.series_instance_uid, flair.series_instance_uid}
    first, second = channels.volumes
    assert first is not None
    assert second is not None
    assert (first.array.max(), second.array.max()) == (0, 7)
    (warning,) = channels.warnings
    assert warning.startswith("FLAIR: One slice is missing")


def test_a_series_that_serves_two_channels_is_read_once(t1: SeriesRevision) -> None:
    """The channels share one volume, whatever their scaling."""
    spec = spec_of(True)
    first, second = channel_volumes(read(ModelInputs(t1, (t1,)), spec), spec).volumes
    assert first is second


def test_a_missing_optional_channel_is_told(t1: SeriesRevision) -> None:
    """The model ran without it, and the reader should know."""
    spec = spec_of(False)
    channels = channel_volumes(read(ModelInputs(t1, (None,)), spec), spec)
    assert channels.volumes[1] is None
    assert channels.warnings == ("FLAIR: The study has no such series; the model ran without it.",)


def test_a_missing_required_channel_is_a_reason(t1: SeriesRevision) -> None:
    """Zeros would pass for an image."""
    spec = spec_of(True)
    with pytest.raises(IncompleteSeries, match="FLAIR") as caught:
        channel_volumes(read(ModelInputs(t1, (None,)), spec), spec)
    assert caught.value.code == ReasonCode.CHANNEL_MISSING


def test_further_channels_are_laid_on_the_first(
    t1: SeriesRevision, flair: SeriesRevision, registered: list[tuple[Volume, Volume]]
) -> None:
    """Once for a series, and how far it moved is told."""
    spec = spec_of(True, True, registration=Registration.RIGID)
    sources = read(ModelInputs(t1, (flair, flair)), spec)
    channels = channel_volumes(sources, spec)
    reference, moving, same = sources.volumes
    assert moving is same
    assert moving is not None
    assert registered == [(moving, reference)]
    first, second, third = channels.volumes
    assert first is reference
    assert second is third
    assert second is not None
    np.testing.assert_allclose(second.grid.origin_mm, moving.grid.origin_mm - [3, 0, 4])
    assert channels.warnings[-1] == "FLAIR: Moved by 5.0 mm and turned by 0.0° to lie on T1."
    assert len(channels.warnings) == 2


def test_the_reference_is_not_laid_on_itself(t1: SeriesRevision, registered: list[tuple[Volume, Volume]]) -> None:
    """Whatever channel it serves as well."""
    spec = spec_of(True, registration=Registration.RIGID)
    channels = channel_volumes(read(ModelInputs(t1, (t1,)), spec), spec)
    assert registered == []
    assert channels.warnings == ()


def test_a_series_that_cannot_be_laid_on_the_reference_ends_the_run(
    t1: SeriesRevision, flair: SeriesRevision
) -> None:
    """Empty images have nothing to be laid on."""
    spec = spec_of(True, registration=Registration.RIGID)
    sources = read(ModelInputs(t1, (flair,)), spec)
    with pytest.raises(UnsupportedGeometry) as caught:
        channel_volumes(sources, spec)
    assert caught.value.code == ReasonCode.REGISTRATION


def test_channels_that_ask_for_different_echoes_get_their_own(tmp_path: Path) -> None:
    """One series, two volumes: the echo that each channel names."""
    grid = axial_grid((12, 8, 8), (5.0, 1.0, 1.0))
    early = frames_on(np.full(grid.shape, 3), grid, echo_time_ms=12.0)
    late = frames_on(np.full(grid.shape, 8), grid, echo_time_ms=90.0)
    series = revision_of(write_enhanced(tmp_path, late + early))
    spec = spec_of(True)
    channels = tuple(
        replace(one, selection=replace(one.selection, slices=SliceRule(echo=echo)))
        for one, echo in zip(spec.channels, (1, 2), strict=True)
    )
    sources = read(ModelInputs(series, (series,)), replace(spec, channels=channels))
    assert [volume and volume.array.max() for volume in sources.volumes] == [3, 8]


def test_a_channel_is_given_the_stack_that_it_wants(tmp_path: Path) -> None:
    """Of a series with an axial and a sagittal stack the one that fits, although the other is larger."""
    axial = axial_grid((12, 8, 8), (5.0, 1.0, 1.0))
    sagittal = Grid((20, 8, 8), axial.origin_mm, axial.steps_mm[[2, 1, 0]] * [-1, 1, 1])
    frames = frames_on(np.full(sagittal.shape, 1), sagittal, stack="sag") + frames_on(
        np.full(axial.shape, 2), axial, stack="ax"
    )
    series = revision_of(write_enhanced(tmp_path, frames))
    (only,) = spec_of().channels
    wanted = replace(only, selection=replace(only.selection, plane=Plane.AXIAL))
    sources = read(ModelInputs(series), replace(spec_of(), channels=(wanted,)))
    assert sources.reference.array.shape == (12, 8, 8)
    assert sources.reference.array.max() == 2
