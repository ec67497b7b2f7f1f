"""Which models run on a series, or the one named reason why none does: a pure decision on header facts.

First come reasons that hold for every model (``inference.exclusions``), then each model's own rule. Where several
models refuse, the reason of the one that came closest is given.

A model with several channels wants a series that any of them wants; which one takes it is decided when the study is
looked at as a whole (``inference.channels``). ImageType ``DERIVED`` alone refuses nothing, for defaced, averaged or
distortion-corrected series carry it.

A series may hold several stacks of slices: it is wanted if one of them is, and the best of these is analysed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from types import MappingProxyType
from typing import Final, TypeAlias

from inference.domain.model_spec import ModelSpec, SelectionRule, Weighting
from inference.domain.series_header import SeriesHeader, StackHeader
from inference.errors import (
    IncompleteSeries,
    NoMatchingModel,
    ReasonCode,
    StudyError,
    UnsupportedPixelData,
)
from inference.exclusions import excluded
from inference.stacks import distances_refusal, echo_asked_for, flaw_refusal, repetition_refusal
from inference.weighting import has_weighting

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
    wanted_by
        The model that would have been run but for the refusal: it knows the kind of series, and what is wrong lies in
        its slices or pixels. None where no model knows it.
    """

    matches: tuple[ModelSpec, ...]
    refusal: StudyError | None
    wanted_by: ModelSpec | None = None


def select(header: SeriesHeader, models: Sequence[ModelSpec]) -> Selection:
    """Decide which models want a series.

    Parameters
    ----------
    header
        The facts of the series.
    models
        The models that run on this node, several versions of one among them.
    """
    general = excluded(header)
    if general is not None:
        return Selection((), general)
    refusals = [(spec, _closest_refusal(header, spec)) for spec in models]
    matches = tuple(spec for spec, refusal in refusals if refusal is None)
    if matches:
        return Selection(matches, None)
    named = [(spec, refusal) for spec, refusal in refusals if refusal is not None]
    if not named:
        return Selection((), NoMatchingModel(ReasonCode.NO_MODEL, "this node has no active model"))
    spec, (_, refusal) = max(named, key=lambda pair: pair[1][0])
    return Selection((), refusal, None if isinstance(refusal, NoMatchingModel) else spec)


def refusal_of(header: SeriesHeader, spec: ModelSpec) -> StudyError | None:
    """Give the reason for which one model does not want a series; None if it does.

    Parameters
    ----------
    header
        The facts of the series.
    spec
        The model.
    """
    general = excluded(header)
    if general is not None:
        return general
    refusal = _closest_refusal(header, spec)
    return None if refusal is None else refusal[1]


def fits(header: SeriesHeader, rule: SelectionRule) -> bool:
    """Tell whether a series is what a channel wants.

    Parameters
    ----------
    header
        The facts of the series.
    rule
        The channel's wishes.
    """
    return excluded(header) is None and _refusal_by(header, rule) is None


def best_stack(header: SeriesHeader, rule: SelectionRule) -> StackHeader:
    """Give the stack of a series that a channel is given.

    Of those that it wants, and of all if it wants none, the one with the most slices, then with the thinnest, then
    the one that begins first.

    Parameters
    ----------
    header
        The facts of the series.
    rule
        The channel's wishes.
    """
    wanted = [stack for stack in header.stacks if _first_refusal(_Facts(header, stack, rule)) is None]
    return min(wanted or header.stacks, key=stack_rank)


def stack_rank(stack: StackHeader) -> tuple[int, float]:
    """Give the key by which stacks are sorted, best first: most slices, then thinnest."""
    return -stack.slice_count, inf if stack.slice_spacing_mm is None else stack.slice_spacing_mm


_Refusal: TypeAlias = tuple[int, StudyError]
"""How many checks were passed before, and what the next one says: the higher, the closer was the match."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a check looks at: a series, one of its stacks, and what a channel wishes."""

    header: SeriesHeader
    stack: StackHeader
    rule: SelectionRule


def _closest(refusals: Sequence[_Refusal]) -> _Refusal:
    return max(refusals, key=lambda refusal: refusal[0])


def _closest_refusal(header: SeriesHeader, spec: ModelSpec) -> _Refusal | None:
    """Give the refusal of the channel that came closest; None if a channel wants the series."""
    refusals = [_refusal_by(header, channel.selection) for channel in spec.channels]
    named = [refusal for refusal in refusals if refusal is not None]
    return None if len(named) < len(refusals) else _closest(named)


def _refusal_by(header: SeriesHeader, rule: SelectionRule) -> _Refusal | None:
    """Give the refusal of the stack that came closest; None if a channel wants one of the stacks."""
    refusals = [_first_refusal(_Facts(header, stack, rule)) for stack in header.stacks]
    named = [refusal for refusal in refusals if refusal is not None]
    return None if len(named) < len(refusals) else _closest(named)


def _first_refusal(facts: _Facts) -> _Refusal | None:
    for number, check in enumerate(_CHECKS):
        error = check(facts)
        if error is not None:
            return number, error
    return None


def _modality(facts: _Facts) -> StudyError | None:
    if facts.header.modality == facts.rule.modality:
        return None
    message = f"no active model for this modality; wanted is {facts.rule.modality}"
    return NoMatchingModel(ReasonCode.MODALITY, message)


def _colour(facts: _Facts) -> StudyError | None:
    if facts.header.samples_per_pixel == 1:
        return None
    return NoMatchingModel(ReasonCode.DERIVED, "colour images are not analysed")


def _body_part(facts: _Facts) -> StudyError | None:
    part, wanted = facts.header.body_part, facts.rule.body_parts
    if not wanted or not part or part in wanted:
        return None
    message = f"no active model for this body part; wanted is {', '.join(sorted(wanted))}"
    return NoMatchingModel(ReasonCode.NO_MODEL, message)


def _description(facts: _Facts) -> StudyError | None:
    """Look at the series' own description; ProtocolName often names the whole examination."""
    description, rule = facts.header.description, facts.rule
    if _names(description, rule.exclude_description):
        message = "the description names a kind of image that the model does not want"
        return NoMatchingModel(ReasonCode.SEQUENCE, message)
    if rule.include_description and not _names(description, rule.include_description):
        return NoMatchingModel(ReasonCode.SEQUENCE, "the description does not name the kind of image that is wanted")
    return None


def _names(description: str, patterns: Sequence[str]) -> bool:
    return any(re.search(pattern, description, re.IGNORECASE) for pattern in patterns)


def _sequence(facts: _Facts) -> StudyError | None:
    header, rule = facts.header, facts.rule
    echo_ms = echo_asked_for(facts.stack, rule.slices)
    if echo_ms is not None:
        header = replace(header, acquisition=replace(header.acquisition, echo_time_ms=echo_ms))
    if rule.sequence is None or has_weighting(header, rule.sequence):
        return None
    return NoMatchingModel(ReasonCode.SEQUENCE, f"the series is not known to be {_CONTRASTS[rule.sequence]}")


def _flaw(facts: _Facts) -> StudyError | None:
    return flaw_refusal(facts.stack)


def _plane(facts: _Facts) -> StudyError | None:
    plane, wanted = facts.stack.plane, facts.rule.plane
    if wanted in (None, plane):
        return None
    lie = f"the slices are {plane}" if plane else "the slices lie in no single plane of the body"
    return NoMatchingModel(ReasonCode.PLANE, f"{lie}; the model wants {wanted} ones")


def _spacing(facts: _Facts) -> StudyError | None:
    spacing, limit = facts.stack.slice_spacing_mm, facts.rule.max_slice_spacing_mm
    if spacing is None or spacing <= limit:
        return None
    message = f"slices are {spacing:.1f} mm apart; the model wants at most {limit:.1f} mm"
    return NoMatchingModel(ReasonCode.TOO_THICK, message)


def _slice_count(facts: _Facts) -> StudyError | None:
    count, least = facts.stack.slice_count, facts.rule.min_slices
    if count >= least:
        return None
    return IncompleteSeries(ReasonCode.TOO_FEW_SLICES, f"{count} slices; the model wants at least {least}")


def _repetition(facts: _Facts) -> StudyError | None:
    return repetition_refusal(facts.stack, facts.rule.slices)


def _distances(facts: _Facts) -> StudyError | None:
    return distances_refusal(facts.stack, facts.rule.slices)


def _pixels(facts: _Facts) -> StudyError | None:
    flaw = facts.header.pixel_flaw
    return None if flaw is None else UnsupportedPixelData(flaw.reason, flaw.message)


_CHECKS: Final[Sequence[Callable[[_Facts], StudyError | None]]] = (
    _modality,
    _colour,
    _body_part,
    _description,
    _sequence,
    _flaw,
    _repetition,
    _plane,
    _spacing,
    _slice_count,
    _distances,
    _pixels,
)
"""In this order: a series that passes more of them came closer."""
