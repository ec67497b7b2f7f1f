"""How an MR series was acquired: the words and times of classic images, and what stands for them in enhanced ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from inference.attributes import text, texts, values
from inference.domain.series_header import Acquisition
from inference.frames import FrameAttributes

NO_AGENT: Final = frozenset({"", "NO", "NONE", "NO CONTRAST", "WITHOUT", "N", "N/A", "NA", "0", "-"})
"""What is found in ContrastBolusAgent, which is free text, where nothing was given."""

_ECHO_PULSES: Final = {"SPIN": {"SE"}, "GRADIENT": {"GR"}, "BOTH": {"SE", "GR"}}
"""ScanningSequence of an enhanced image, by its EchoPulseSequence (PS3.3 section C.8.13.4)."""

_SAYS_NOTHING: Final = frozenset({"UNKNOWN", "MIXED"})


def acquisition_of(find: FrameAttributes) -> Acquisition:
    """Gather how a frame was acquired.

    Parameters
    ----------
    find
        What is said of it.
    """
    contrast = find.text("MRImageFrameTypeSequence", "AcquisitionContrast").upper()
    return Acquisition(
        scanning_sequence=frozenset(_scanning_sequence(find)),
        sequence_variant=frozenset(_sequence_variant(find)),
        repetition_time_ms=_time_ms(find, "MRTimingAndRelatedParametersSequence", "RepetitionTime"),
        echo_time_ms=_time_ms(find, "MREchoSequence", "EffectiveEchoTime", "EchoTime"),
        inversion_time_ms=_time_ms(find, "MRModifierSequence", "InversionTimes", "InversionTime"),
        angiography=_is_angiography(find),
        contrast_agent=_names_an_agent(find),
        stated_contrast="" if contrast in _SAYS_NOTHING else contrast,
    )


def _scanning_sequence(find: FrameAttributes) -> Iterator[str]:
    yield from texts(find.classic("ScanningSequence"), "ScanningSequence")
    yield from _ECHO_PULSES.get(text(find.top, "EchoPulseSequence").upper(), ())
    if text(find.top, "EchoPlanarPulseSequence").upper() == "YES":
        yield "EP"
    if find.text("MRModifierSequence", "InversionRecovery").upper() == "YES":
        yield "IR"


def _sequence_variant(find: FrameAttributes) -> Iterator[str]:
    yield from texts(find.classic("SequenceVariant"), "SequenceVariant")
    if text(find.top, "SteadyStatePulseSequence").upper() not in {"", "NONE"}:
        yield "SS"
    if find.text("MRModifierSequence", "Spoiling").upper() not in {"", "NONE"}:
        yield "SP"


def _is_angiography(find: FrameAttributes) -> bool:
    """Tell whether it is angiography; AngioFlag is the classic word for either of the enhanced ones."""
    said = (text(find.classic("AngioFlag"), "AngioFlag"), text(find.top, "TimeOfFlightContrast"))
    return bool({word.upper() for word in (*said, text(find.top, "PhaseContrast"))} & {"Y", "YES"})


def _names_an_agent(find: FrameAttributes) -> bool:
    """Tell whether a contrast medium is named; some scanners write that there was none."""
    named = text(find.classic("ContrastBolusAgent"), "ContrastBolusAgent").upper()
    return bool(values(find.top, "ContrastBolusAgentSequence")) or named not in NO_AGENT


def _time_ms(find: FrameAttributes, macro: str, keyword: str, classic: str = "") -> float | None:
    """Read a time, by another keyword in classic images; 0 means that it does not apply."""
    value = find.number(macro, keyword, classic=classic or keyword)
    return value if value is not None and value > 0 else None
