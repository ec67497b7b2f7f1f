"""Which models run on a series, or the one named reason why none does: a pure decision on header facts.

First come reasons that hold for every model (not an image, secondary capture, localizer, mosaic, derived), then each
model's own rule. Where several models refuse, the reason of the one that came closest is given.

A T1-weighted MR is recognised by its timing where the header has it, for descriptions are free text; ImageType
``DERIVED`` alone refuses nothing, for defaced, averaged or distortion-corrected T1 series carry it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from inference.domain.model_spec import ModelSpec, SelectionRule
from inference.domain.series_header import Acquisition, SeriesHeader
from inference.errors import IncompleteSeries, NoMatchingModel, ReasonCode, StudyError

_T = TypeVar("_T")

_STORAGE_ROOT: Final = "1.2.840.10008.5.1.4.1.1."
_SECONDARY_CAPTURE: Final = re.compile(re.escape(_STORAGE_ROOT) + r"7(\..*)?")
_ANALYSIS_RESULT: Final = re.compile(re.escape(_STORAGE_ROOT) + r"(66(\..*)?|30|481\.2)")
"""Segmentations, parametric maps and dose grids have a matrix but are no acquired images."""

_MAPS: Final = {"ADC", "EADC", "EXP", "FA", "COLFA", "TRACE", "TRACEW", "FIELDMAP"}
_PERFUSION: Final = {"PERFUSION", "RCBF", "RCBV", "CBF", "CBV", "MTT", "TTP", "TMAX"}
_RELAXATION: Final = {"T1 MAP", "T2 MAP", "T2STAR MAP", "PHASE MAP"}
_PROJECTIONS: Final = {"MIP", "MINIP", "MAX_IP", "MIN_IP", "PROJECTION IMAGE", "VOLUME RENDERED"}
_REFORMATS: Final = {"MPR", "CSA MPR", "MPR COLLECTION", "CPR", "CURVED", "REFORMATTED"}
_DERIVED_TYPES: Final = frozenset(_MAPS | _PERFUSION | _RELAXATION | _PROJECTIONS | _REFORMATS | {"SUBTRACTION"})
"""ImageType values of maps, projections and reformats (PS3.3 sections C.8.13.3.1, C.8.16.1, and vendors' own)."""

_PHASE_TYPES: Final = frozenset({"P", "PHASE", "P_FFE", "P_SE", "P_IR", "I", "IMAGINARY", "R", "REAL"})

_T1_WORDS: Final = re.compile(
    r"(?<![a-z0-9])t1(?![0-9])|mp-?rage|(?<![a-z])(bravo|tfl|f?spgr|vibe)(?![a-z])", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Selection:
    """The decision on a series.

    Parameters
    ----------
    matches
        The models that want it, in the order given.
    refusal
        The named reason; set if and only if nothing matches.
    """

    matches: tuple[ModelSpec, ...]
    refusal: StudyError | None


def select(header: SeriesHeader, models: Sequence[ModelSpec]) -> Selection:
    """Decide which models run on a series.

    Parameters
    ----------
    header
        The facts of the series.
    models
        The active models.
    """
    general = _first_refusal(header, _GENERAL_CHECKS)
    if general is not None:
        return Selection((), general[1])
    refusals = {spec.reference.model_id: _first_refusal((header, spec.channels[0].selection), _MODEL_CHECKS) for spec in models}
    matches = tuple(spec for spec in models if refusals[spec.reference.model_id] is None)
    if matches:
        return Selection(matches, None)
    named = [refusal for refusal in refusals.values() if refusal is not None]
    if not named:
        return Selection((), NoMatchingModel(ReasonCode.NO_MODEL, "this node has no active model"))
    return Selection((), max(named, key=lambda refusal: refusal[0])[1])


def _first_refusal(facts: _T, checks: Sequence[Callable[[_T], StudyError | None]]) -> tuple[int, StudyError] | None:
    """Give the first check that refuses, with its number: the higher, the closer was the match."""
    for number, check in enumerate(checks):
        error = check(facts)
        if error is not None:
            return number, error
    return None


def _not_an_image(header: SeriesHeader) -> StudyError | None:
    if header.has_matrix:
        return None
    return NoMatchingModel(ReasonCode.NOT_AN_IMAGE, "the series holds objects without an image matrix")


def _secondary_capture(header: SeriesHeader) -> StudyError | None:
    if not any(_SECONDARY_CAPTURE.fullmatch(uid) for uid in header.sop_class_uids):
        return None
    return NoMatchingModel(ReasonCode.SECONDARY_CAPTURE, "secondary capture images are not analysed")


def _localizer(header: SeriesHeader) -> StudyError | None:
    if not header.image_type & {"LOCALIZER", "SCOUT"}:
        return None
    return NoMatchingModel(ReasonCode.LOCALIZER, "a localizer is not analysed")


def _mosaic(header: SeriesHeader) -> StudyError | None:
    if "MOSAIC" not in header.image_type:
        return None
    return NoMatchingModel(ReasonCode.MOSAIC, "mosaic images (a volume tiled into one image) are not analysed")


def _derived(header: SeriesHeader) -> StudyError | None:
    if any(_ANALYSIS_RESULT.fullmatch(uid) for uid in header.sop_class_uids):
        return NoMatchingModel(ReasonCode.DERIVED, "the series is itself the result of an analysis")
    kinds = sorted(header.image_type & _DERIVED_TYPES)
    if not kinds:
        return None
    return NoMatchingModel(ReasonCode.DERIVED, f"the series is a derived image ({', '.join(kinds)})")


def _mixed(header: SeriesHeader) -> StudyError | None:
    if len(header.sop_class_uids) <= 1:
        return None
    return IncompleteSeries(ReasonCode.MIXED, "the series mixes objects of several kinds")


_Facts = tuple[SeriesHeader, SelectionRule]


def _modality(facts: _Facts) -> StudyError | None:
    header, rule = facts
    if header.modality == rule.modality:
        return None
    return NoMatchingModel(ReasonCode.MODALITY, f"no active model for this modality; wanted is {rule.modality}")


def _colour(facts: _Facts) -> StudyError | None:
    if facts[0].samples_per_pixel == 1:
        return None
    return NoMatchingModel(ReasonCode.DERIVED, "colour images are not analysed")


def _body_part(facts: _Facts) -> StudyError | None:
    header, rule = facts
    if not rule.body_parts or not header.body_part or header.body_part in rule.body_parts:
        return None
    wanted = ", ".join(sorted(rule.body_parts))
    return NoMatchingModel(ReasonCode.NO_MODEL, f"no active model for this body part; wanted is {wanted}")


def _description(facts: _Facts) -> StudyError | None:
    """Look at the series' own description; ProtocolName often names the whole examination."""
    header, rule = facts
    description = header.series_description or header.protocol_name
    if not any(re.search(pattern, description, re.IGNORECASE) for pattern in rule.exclude_description):
        return None
    return NoMatchingModel(ReasonCode.SEQUENCE, "the description names a kind of image that the model does not want")


def _multi_frame(facts: _Facts) -> StudyError | None:
    if not facts[0].multi_frame:
        return None
    return NoMatchingModel(ReasonCode.MULTI_FRAME, "multi-frame images are not analysed yet")


def _sequence(facts: _Facts) -> StudyError | None:
    header, rule = facts
    if rule.sequence is None or is_t1_weighted(header):
        return None
    return NoMatchingModel(ReasonCode.SEQUENCE, f"the series is not known to be a {rule.sequence}-weighted image")


def _spacing(facts: _Facts) -> StudyError | None:
    header, rule = facts
    if header.slice_spacing_mm is None or header.slice_spacing_mm <= rule.max_slice_spacing_mm:
        return None
    limit, spacing = rule.max_slice_spacing_mm, header.slice_spacing_mm
    message = f"slices are {spacing:.1f} mm apart; the model wants at most {limit:.1f} mm"
    return NoMatchingModel(ReasonCode.TOO_THICK, message)


def _slice_count(facts: _Facts) -> StudyError | None:
    header, rule = facts
    if header.slice_count >= rule.min_slices:
        return None
    message = f"{header.slice_count} slices; the model wants at least {rule.min_slices}"
    return IncompleteSeries(ReasonCode.TOO_FEW_SLICES, message)


_GENERAL_CHECKS: Final = (_not_an_image, _secondary_capture, _localizer, _mosaic, _derived, _mixed)
_MODEL_CHECKS: Final = (_modality, _colour, _body_part, _description, _multi_frame, _sequence, _spacing, _slice_count)


def is_t1_weighted(header: SeriesHeader) -> bool:
    """Tell whether an MR series is T1-weighted magnitude imaging.

    Timing decides where ScanningSequence, repetition time and echo time are all there; else the descriptions must
    say so.

    Parameters
    ----------
    header
        The facts of the series.
    """
    acquisition = header.acquisition
    if header.image_type & _PHASE_TYPES or acquisition.angiography or "EP" in acquisition.scanning_sequence:
        return False
    timing = _t1_by_timing(acquisition)
    if timing is not None:
        return timing
    return bool(_T1_WORDS.search(header.series_description or header.protocol_name))


def _t1_by_timing(acquisition: Acquisition) -> bool | None:
    """Judge repetition, echo and inversion time; None where they do not suffice.

    The limits leave room around usual protocols at 1.5 T and 3 T: inversion-prepared gradient echo (MPRAGE, BRAVO)
    and T1 FLAIR, spin echo, spoiled gradient echo. STIR inverts shorter, T2 FLAIR longer, MP2RAGE repeats slower.
    """
    repetition_ms, echo_ms = acquisition.repetition_time_ms, acquisition.echo_time_ms
    if not acquisition.scanning_sequence or repetition_ms is None or echo_ms is None:
        return None
    inversion_ms = acquisition.inversion_time_ms
    if inversion_ms is not None or "IR" in acquisition.scanning_sequence or "MP" in acquisition.sequence_variant:
        in_range = inversion_ms is None or 250 <= inversion_ms <= 1500
        return in_range and repetition_ms <= 3500 and echo_ms <= 35
    if "SE" in acquisition.scanning_sequence:
        return repetition_ms <= 1200 and echo_ms <= 35
    return repetition_ms <= 800 and echo_ms <= 15
