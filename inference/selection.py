"""Which models run on a series, or the one named reason why none does: a pure decision on header facts.

First come reasons that hold for every model (not an image, secondary capture, localizer, mosaic, derived), then each
model's own rule. Where several models refuse, the reason of the one that came closest is given.

A model with several channels wants a series that any of them wants; which one takes it is decided when the study is
looked at as a whole (``inference.channels``). ImageType ``DERIVED`` alone refuses nothing, for defaced, averaged or
distortion-corrected series carry it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias, TypeVar

from inference.domain.model_spec import ModelSpec, SelectionRule, Weighting
from inference.domain.series_header import SeriesHeader
from inference.errors import IncompleteSeries, NoMatchingModel, ReasonCode, StudyError
from inference.weighting import has_weighting

_T = TypeVar("_T")
_Refusal: TypeAlias = tuple[int, StudyError]

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

_CONTRASTS: Final[Mapping[Weighting, str]] = MappingProxyType(
    {
        Weighting.T1: "a T1-weighted image before contrast medium",
        Weighting.T1_CONTRAST: "a T1-weighted image after contrast medium",
        Weighting.T2: "a T2-weighted image",
        Weighting.FLAIR: "a FLAIR image",
    }
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
    """Decide which models want a series.

    Parameters
    ----------
    header
        The facts of the series.
    models
        The models that run on this node, several versions of one among them.
    """
    general = _first_refusal(header, _GENERAL_CHECKS)
    if general is not None:
        return Selection((), general[1])
    matches: list[ModelSpec] = []
    refusals: list[_Refusal] = []
    for spec in models:
        named = [_first_refusal((header, channel.selection), _CHANNEL_CHECKS) for channel in spec.channels]
        if None in named:
            matches.append(spec)
        refusals += [refusal for refusal in named if refusal is not None]
    if matches:
        return Selection(tuple(matches), None)
    if not refusals:
        return Selection((), NoMatchingModel(ReasonCode.NO_MODEL, "this node has no active model"))
    return Selection((), max(refusals, key=lambda refusal: refusal[0])[1])


def fits(header: SeriesHeader, rule: SelectionRule) -> bool:
    """Tell whether a series is what a channel wants.

    Parameters
    ----------
    header
        The facts of the series.
    rule
        The channel's wishes.
    """
    general = _first_refusal(header, _GENERAL_CHECKS)
    return general is None and _first_refusal((header, rule), _CHANNEL_CHECKS) is None


def _first_refusal(facts: _T, checks: Sequence[Callable[[_T], StudyError | None]]) -> _Refusal | None:
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
    if _names(description, rule.exclude_description):
        message = "the description names a kind of image that the model does not want"
        return NoMatchingModel(ReasonCode.SEQUENCE, message)
    if rule.include_description and not _names(description, rule.include_description):
        return NoMatchingModel(ReasonCode.SEQUENCE, "the description does not name the kind of image that is wanted")
    return None


def _names(description: str, patterns: Sequence[str]) -> bool:
    return any(re.search(pattern, description, re.IGNORECASE) for pattern in patterns)


def _multi_frame(facts: _Facts) -> StudyError | None:
    if not facts[0].multi_frame:
        return None
    return NoMatchingModel(ReasonCode.MULTI_FRAME, "multi-frame images are not analysed yet")


def _sequence(facts: _Facts) -> StudyError | None:
    header, rule = facts
    if rule.sequence is None or has_weighting(header, rule.sequence):
        return None
    return NoMatchingModel(ReasonCode.SEQUENCE, f"the series is not known to be {_CONTRASTS[rule.sequence]}")


def _plane(facts: _Facts) -> StudyError | None:
    header, rule = facts
    if rule.plane in (None, header.plane):
        return None
    lie = f"the slices are {header.plane}" if header.plane else "the slices lie in no single plane of the body"
    return NoMatchingModel(ReasonCode.PLANE, f"{lie}; the model wants {rule.plane} ones")


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
_CHANNEL_CHECKS: Final = (
    _modality,
    _colour,
    _body_part,
    _description,
    _multi_frame,
    _sequence,
    _plane,
    _spacing,
    _slice_count,
)
"""In this order: a series that passes more of them came closer."""
