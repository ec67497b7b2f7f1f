"""An enhanced image says in other words what a classic one says of its acquisition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydicom.dataset import Dataset

from inference.acquisition import acquisition_of
from inference.domain.series_header import Acquisition
from inference.frames import FrameAttributes


def said(**attributes: Any) -> Dataset:
    data_set = Dataset()
    for keyword, value in attributes.items():
        setattr(data_set, keyword, value)
    return data_set


def groups(**macros: Mapping[str, Any]) -> Dataset:
    return said(**{macro: [said(**attributes)] for macro, attributes in macros.items()})


def test_a_classic_image_says_it_at_the_top() -> None:
    """Words, times, flags."""
    top = said(
        ScanningSequence=["GR", "IR"],
        SequenceVariant="MP",
        RepetitionTime="2300",
        EchoTime="2.98",
        InversionTime="900",
        AngioFlag="Y",
        ContrastBolusAgent="Gadovist",
    )
    expected = Acquisition(frozenset({"GR", "IR"}), frozenset({"MP"}), 2300.0, 2.98, 900.0, True, True)
    assert acquisition_of(FrameAttributes(None, None, top)) == expected


def test_an_enhanced_image_says_it_in_its_groups() -> None:
    """Some of it shared, some of each frame, some at the top (PS3.3 sections C.8.13.4, C.8.13.5)."""
    own = groups(MREchoSequence={"EffectiveEchoTime": 2.4}, MRImageFrameTypeSequence={"AcquisitionContrast": "T1"})
    shared = groups(
        MRTimingAndRelatedParametersSequence={"RepetitionTime": "2000"},
        MRModifierSequence={"InversionRecovery": "YES", "InversionTimes": [900.0], "Spoiling": "RF"},
    )
    top = said(EchoPulseSequence="GRADIENT", EchoPlanarPulseSequence="NO", SteadyStatePulseSequence="NONE")
    found = acquisition_of(FrameAttributes(own, shared, top))
    expected = Acquisition(frozenset({"GR", "IR"}), frozenset({"SP"}), 2000.0, 2.4, 900.0, stated_contrast="T1")
    assert found == expected


def test_a_legacy_converted_image_keeps_the_classic_words() -> None:
    """In sequences of attributes that no macro has (PS3.3 section C.7.6.16.2.25)."""
    own = said(UnassignedPerFrameConvertedAttributesSequence=[said(EchoTime="12")])
    shared = said(UnassignedSharedConvertedAttributesSequence=[said(ScanningSequence="SE", RepetitionTime="550")])
    found = acquisition_of(FrameAttributes(own, shared, Dataset()))
    assert (found.scanning_sequence, found.repetition_time_ms, found.echo_time_ms) == ({"SE"}, 550.0, 12.0)


@pytest.mark.parametrize(
    ("top", "sequence"),
    [
        ({"EchoPulseSequence": "SPIN"}, {"SE"}),
        ({"EchoPulseSequence": "BOTH", "EchoPlanarPulseSequence": "YES"}, {"SE", "GR", "EP"}),
        ({"EchoPulseSequence": "something"}, set()),
    ],
)
def test_pulse_sequences_have_classic_names(top: dict[str, str], sequence: set[str]) -> None:
    """The rules for weighting know those."""
    assert acquisition_of(FrameAttributes(None, None, said(**top))).scanning_sequence == sequence


@pytest.mark.parametrize("flag", [{"TimeOfFlightContrast": "YES"}, {"PhaseContrast": "YES"}, {"AngioFlag": "Y"}])
def test_angiography_has_several_names(flag: dict[str, str]) -> None:
    """Any of them keeps an image from being taken for a T1."""
    assert acquisition_of(FrameAttributes(None, None, said(**flag))).angiography


def test_steady_state_is_said() -> None:
    """As the classic variant SS."""
    top = said(SteadyStatePulseSequence="FREE_PRECESSION")
    assert acquisition_of(FrameAttributes(None, None, top)).sequence_variant == {"SS"}


@pytest.mark.parametrize(("contrast", "stated"), [("UNKNOWN", ""), ("MIXED", ""), ("DIFFUSION", "DIFFUSION")])
def test_a_contrast_that_says_nothing_is_none(contrast: str, stated: str) -> None:
    """UNKNOWN leaves it to the times and the description."""
    own = groups(MRImageFrameTypeSequence={"AcquisitionContrast": contrast})
    assert acquisition_of(FrameAttributes(own, None, Dataset())).stated_contrast == stated


def test_times_of_zero_do_not_apply() -> None:
    """Some scanners write an inversion time of 0 for a sequence without inversion."""
    found = acquisition_of(FrameAttributes(None, None, said(InversionTime="0", EchoTime=None)))
    assert (found.inversion_time_ms, found.echo_time_ms) == (None, None)
