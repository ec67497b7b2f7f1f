"""Which frames of a series make a volume together, and what is wrong with them if they do not.

A stack is what an enhanced image declares to be one (Stack ID); without that, all frames of a series are. Where
several frames lie at one position, they are echoes or time points, or something that is not understood and refused.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from inference.attributes import integer
from inference.domain.model_spec import Plane, SliceRule
from inference.domain.series_header import Flaw, StackHeader
from inference.errors import ReasonCode, UnsupportedGeometry
from inference.frames import Frame
from inference.slices import SAME_POSITION_MM, SlicePlane, missing_slices, offsets_mm, parallel_flaw

NEAREST_COSINE: Final = math.cos(math.radians(45))
"""A slice whose normal is farther than this from every axis of the body lies in none of its planes."""

SAME_ECHO_MS: Final = 0.1
"""Echo times that differ by less are one: headers round them."""

_PLANES: Final = (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)
"""By the axis of their normal: left, posterior, head."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Frames that are said to belong together.

    Parameters
    ----------
    name
        Stack ID; empty where the series declares none.
    frames
        In the order in which they are stored, at least one.
    """

    name: str
    frames: tuple[Frame, ...]

    @property
    def planes(self) -> tuple[SlicePlane, ...]:
        """The planes of those frames that have one."""
        return tuple(frame.plane for frame in self.frames if frame.plane is not None)


def stacks_of(frames: Sequence[Frame]) -> tuple[Stack, ...]:
    """Group the frames of a series into stacks, in the order in which these begin.

    Parameters
    ----------
    frames
        At least one.
    """
    found: dict[str, list[Frame]] = defaultdict(list)
    for frame in frames:
        found[frame.stack].append(frame)
    return tuple(Stack(name, tuple(members)) for name, members in found.items())


def describe_stack(stack: Stack) -> StackHeader:
    """Gather the facts of a stack on which selection decides.

    Parameters
    ----------
    stack
        Any stack.
    """
    count, planes = len(stack.frames), stack.planes
    plane = _common_plane(planes)
    flaw = _placement_flaw(stack) or parallel_flaw(planes)
    if flaw is not None:
        return StackHeader(
            stack.name, count, _distinct(planes) if len(planes) == count else count, plane=plane, flaw=flaw
        )
    at = _positions(stack)
    echoes = _echo_times(at.frames)
    by_echo = [[_of_echo(frames, echo) for frames in at.frames] for echo in echoes] or [at.frames]
    return StackHeader(
        stack.name,
        count,
        len(at.frames),
        gaps_mm=tuple(np.diff(at.offsets_mm).tolist()),
        plane=plane,
        echo_times_ms=echoes,
        time_points=min(map(_time_points, by_echo)),
        most_at_a_position=max(len(frames) for positions in by_echo for frames in positions),
    )


def flaw_refusal(header: StackHeader) -> UnsupportedGeometry | None:
    """Tell why a stack is no volume, whatever a model asks for.

    Parameters
    ----------
    header
        The facts of the stack.
    """
    return None if header.flaw is None else UnsupportedGeometry(header.flaw.reason, header.flaw.message)


def distances_refusal(header: StackHeader, rule: SliceRule) -> UnsupportedGeometry | None:
    """Tell why a stack lacks more slices, or has them less evenly, than a model accepts.

    Parameters
    ----------
    header
        The facts of the stack.
    rule
        What the model accepts.
    """
    if not header.gaps_mm:
        return None
    try:
        missing_slices(header.gaps_mm, rule)
    except UnsupportedGeometry as error:
        return error
    return None


def repetition_refusal(header: StackHeader, rule: SliceRule) -> UnsupportedGeometry | None:
    """Tell why a stack with several images at a position is not what a model asks for.

    Parameters
    ----------
    header
        The facts of the stack.
    rule
        What the model asks for.
    """
    images = f"{header.frame_count} images lie at {header.slice_count} positions"
    echoes, points = len(header.echo_times_ms) or 1, header.time_points
    if echoes > 1 and rule.echo is None:
        return UnsupportedGeometry(
            ReasonCode.REPEATED_POSITION, f"{images}: {echoes} echoes, and the model names none"
        )
    if header.most_at_a_position > 1 and points == 1:
        message = f"{images}, and neither echo nor time tells them apart"
        return UnsupportedGeometry(ReasonCode.REPEATED_POSITION, message)
    if points > 1 and rule.time_point is None:
        message = f"{images}: {points} time points, and the model names none"
        return UnsupportedGeometry(ReasonCode.REPEATED_POSITION, message)
    for wanted, there in (
        (rule.echo if echoes > 1 else None, echoes),
        (rule.time_point if points > 1 else None, points),
    ):
        if wanted is not None and abs(wanted) > there:
            message = f"{images}, and the model wants number {wanted} of {there}"
            return UnsupportedGeometry(ReasonCode.REPEATED_POSITION, message)
    return None


def echo_asked_for(header: StackHeader, rule: SliceRule) -> float | None:
    """Give the echo time in milliseconds that a model asks for; None where there is but one, or none such.

    Parameters
    ----------
    header
        The facts of the stack.
    rule
        What the model asks for.
    """
    times = header.echo_times_ms
    if not times or rule.echo is None or abs(rule.echo) > len(times):
        return None
    return times[_index(rule.echo)]


def pick(stack: Stack, rule: SliceRule) -> tuple[Frame, ...]:
    """Give the frames that a model asks for: one at each position, in ascending order along the slice normal.

    Parameters
    ----------
    stack
        Any stack.
    rule
        What the model asks for.

    Raises
    ------
    UnsupportedGeometry
        GEOMETRY_MISSING, MULTI_FRAME, MIXED_ORIENTATION or MIXED_MATRIX where the stack is no volume,
        REPEATED_POSITION where several images lie at a position and the rule does not say which.
    """
    header = describe_stack(stack)
    refusal = flaw_refusal(header) or repetition_refusal(header, rule)
    if refusal is not None:
        raise refusal
    chosen = _positions(stack).frames
    echo_ms = echo_asked_for(header, rule)
    if echo_ms is not None:
        chosen = [_of_echo(frames, echo_ms) for frames in chosen]
    if header.time_points > 1 and rule.time_point is not None:
        return tuple(_in_time(frames)[_index(rule.time_point)] for frames in chosen if frames)
    return tuple(frames[0] for frames in chosen if frames)


def _index(ordinal: int) -> int:
    return ordinal - 1 if ordinal > 0 else ordinal


def _placement_flaw(stack: Stack) -> Flaw | None:
    unplaced = [frame for frame in stack.frames if frame.plane is None]
    if not unplaced:
        return None
    if any("PerFrameFunctionalGroupsSequence" not in frame.attributes.top and frame.number for frame in unplaced):
        return Flaw(ReasonCode.MULTI_FRAME, "a multi-frame image does not say where its frames lie")
    message = f"{len(unplaced)} of {len(stack.frames)} images have no usable position"
    return Flaw(ReasonCode.GEOMETRY_MISSING, message)


@dataclass(frozen=True, eq=False)
class _Positions:
    """The frames at each position, ascending along the normal of the first frame of the stack."""

    offsets_mm: list[float]
    frames: list[list[Frame]]


def _positions(stack: Stack) -> _Positions:
    offsets = offsets_mm(stack.planes)
    found = _Positions([], [])
    for index in np.argsort(offsets, kind="stable"):
        offset = float(offsets[index])
        if found.offsets_mm and offset - found.offsets_mm[-1] < SAME_POSITION_MM:
            found.frames[-1].append(stack.frames[index])
        else:
            found.offsets_mm.append(offset)
            found.frames.append([stack.frames[index]])
    return found


def _distinct(planes: Sequence[SlicePlane]) -> int:
    return 1 + int((np.diff(np.sort(offsets_mm(planes))) >= SAME_POSITION_MM).sum())


def _echo_times(positions: Sequence[Sequence[Frame]]) -> tuple[float, ...]:
    """List the echo times, ascending, if a position has several; else none."""
    several = [{frame.echo_time_ms for frame in frames} for frames in positions if len(frames) > 1]
    times = sorted(time for time in set().union(*several) if time is not None)
    distinct = [
        time for before, time in zip([-math.inf, *times], times, strict=False) if time - before > SAME_ECHO_MS
    ]
    return tuple(distinct) if len(distinct) > 1 else ()


def _of_echo(frames: Iterable[Frame], echo_time_ms: float) -> list[Frame]:
    return [
        frame
        for frame in frames
        if frame.echo_time_ms is not None and abs(frame.echo_time_ms - echo_time_ms) <= SAME_ECHO_MS
    ]


def _time_points(positions: Sequence[Sequence[Frame]]) -> int:
    """Count the time points at each position; 1 where there are not as many at all, or time does not explain them."""
    counts = set(map(len, positions))
    if len(counts) > 1 or counts == {1}:
        return 1
    (count,) = counts
    explained = all(
        len({frame.diffusion for frame in frames}) == 1 and _differ_in_time(frames) for frames in positions
    )
    return count if explained else 1


def _differ_in_time(frames: Sequence[Frame]) -> bool:
    """Tell whether each says another time, or all say that there are as many temporal positions as they are."""
    promised = {integer(frame.attributes.top, "NumberOfTemporalPositions") for frame in frames}
    return len({frame.moment for frame in frames}) == len(frames) or promised == {len(frames)}


def _in_time(frames: Iterable[Frame]) -> list[Frame]:
    return sorted(frames, key=lambda frame: (frame.moment, frame.order))


def _common_plane(planes: Sequence[SlicePlane]) -> Plane | None:
    """Give the plane of the body in which all slices lie, obliquely or not."""
    if not planes:
        return None
    cosines = np.abs(np.cross([plane.along_row for plane in planes], [plane.along_column for plane in planes]))
    axes = cosines.argmax(axis=1)
    in_one = (axes == axes[0]).all() and cosines.max(axis=1).min() >= NEAREST_COSINE
    return _PLANES[int(axes[0])] if in_one else None
