"""Frames that lie together: which of several at a position a model asks for, and what cannot be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from inference.domain.model_spec import SliceRule
from inference.errors import ReasonCode, UnsupportedGeometry
from inference.frames import Frame, frames_of
from inference.headers import read_headers
from inference.stacks import Stack, describe_stack, pick, stacks_of
from tests.support.enhanced_series import FrameOrder, frames_on, write_enhanced
from tests.support.series_headers import as_headers
from tests.support.synthetic_series import SeriesOptions, axial_grid, make_instance, revision_of

GRID = axial_grid((4, 5, 7), (2.0, 1.0, 0.5))
ARRAY = np.zeros(GRID.shape)


def classic(copies: Sequence[dict[str, Any]]) -> Stack:
    """Make a classic series that holds each slice several times, with what each copy says of itself."""
    data_sets: list[Dataset] = []
    for said in copies:
        for index in range(GRID.shape[0]):
            data_set = make_instance(ARRAY[index], GRID, index, SeriesOptions(header=said))
            data_set.InstanceNumber = len(data_sets) + 1
            data_sets.append(data_set)
    (stack,) = stacks_of(frames_of(as_headers(data_sets)))
    return stack


def enhanced(folder: Path, frames: Sequence[FrameOrder]) -> Stack:
    (stack,) = stacks_of(frames_of(read_headers(revision_of(write_enhanced(folder, frames)).instances)))
    return stack


def said_by(frames: Sequence[Frame], keyword: str) -> set[Any]:
    return {frame.attributes.top[keyword].value for frame in frames}


TIMES: Sequence[Sequence[dict[str, Any]]] = (
    [{"TemporalPositionIdentifier": n} for n in (2, 1, 3)],
    [{"AcquisitionTime": time} for time in ("101010.5", "090000", "101010.9")],
    [{"AcquisitionDateTime": time} for time in ("20260102101010.5", "20260101235959", "20260103")],
    [{"TriggerTime": time} for time in ("120", "20.5", "300")],
    [{"AcquisitionNumber": n} for n in (2, 1, 3)],
)


@pytest.mark.parametrize("copies", TIMES, ids=["position", "time", "date and time", "trigger", "acquisition"])
def test_time_points_are_told_apart_by_whatever_says_when(copies: Sequence[dict[str, Any]]) -> None:
    """Each way of saying it is in use; the order in the file says nothing."""
    stack = classic(copies)
    header = describe_stack(stack)
    assert (header.frame_count, header.slice_count) == (12, 4)
    assert (header.time_points, header.most_at_a_position) == (3, 3)
    (keyword,) = copies[0]
    for number, expected in ((1, copies[1]), (2, copies[0]), (3, copies[2]), (-1, copies[2])):
        (value,) = said_by(pick(stack, SliceRule(time_point=number)), keyword)
        assert str(value) == str(expected[keyword])


def test_time_points_that_only_their_number_promises_are_in_the_order_of_the_instances() -> None:
    """NumberOfTemporalPositions says what they are, and nothing else tells them apart (seen in GE's EPI)."""
    stack = classic([{"NumberOfTemporalPositions": 2}] * 2)
    assert describe_stack(stack).time_points == 2
    assert said_by(pick(stack, SliceRule(time_point=2)), "InstanceNumber") == {5, 6, 7, 8}


@pytest.mark.parametrize(
    "copies",
    [
        [{}, {}],
        [{"AcquisitionNumber": 1, "DiffusionBValue": 0.0}, {"AcquisitionNumber": 2, "DiffusionBValue": 1000.0}],
    ],
    ids=["nothing", "diffusion weighting"],
)
def test_images_that_differ_in_nothing_but_time_are_time_points_and_no_others(
    copies: Sequence[dict[str, Any]],
) -> None:
    """Doubled slices and diffusion weightings are not taken for time, whatever a model asks for."""
    stack = classic(copies)
    header = describe_stack(stack)
    assert (header.time_points, header.most_at_a_position) == (1, 2)
    with pytest.raises(UnsupportedGeometry, match="8 images lie at 4 positions") as caught:
        pick(stack, SliceRule(time_point=1, echo=1))
    assert caught.value.code == ReasonCode.REPEATED_POSITION


def test_directions_of_diffusion_are_told_apart(tmp_path: Path) -> None:
    """Equal b-values along different gradients are no time series (PS3.3 section C.8.13.5.9)."""
    stack = enhanced(tmp_path, frames_on(ARRAY, GRID, time_point=1) + frames_on(ARRAY, GRID, time_point=2))
    assert describe_stack(stack).time_points == 2
    for frame in stack.frames:
        item, direction = Dataset(), Dataset()
        item.DiffusionBValue = 1000.0
        direction.DiffusionGradientOrientation = (
            [1.0, 0.0, 0.0] if frame.number and frame.number > 4 else [0.0, 1.0, 0.0]
        )
        item.DiffusionGradientDirectionSequence = [direction]
        assert frame.attributes.own is not None
        frame.attributes.own.MRDiffusionSequence = [item]
    assert describe_stack(stack).time_points == 1


def test_echoes_are_ordered_by_their_time() -> None:
    """However they are stored; those of two echoes at two time points each have both."""
    said = [{"EchoTime": str(echo), "TemporalPositionIdentifier": time} for time in (2, 1) for echo in (90.04, 12.0)]
    stack = classic(said)
    header = describe_stack(stack)
    assert header.echo_times_ms == pytest.approx((12.0, 90.04))
    assert (header.time_points, header.most_at_a_position) == (2, 2)
    chosen = pick(stack, SliceRule(echo=-1, time_point=1))
    assert said_by(chosen, "EchoTime") == {90.04}
    assert said_by(chosen, "TemporalPositionIdentifier") == {1}


def test_echo_times_that_are_only_rounded_differently_are_one() -> None:
    """Two time points whose echo times differ in the third digit are no two echoes."""
    header = describe_stack(
        classic([{"EchoTime": "30.0", "AcquisitionNumber": 1}, {"EchoTime": "30.04", "AcquisitionNumber": 2}])
    )
    assert header.echo_times_ms == ()
    assert header.time_points == 2


def test_a_position_with_fewer_images_than_others_is_not_explained() -> None:
    """Half a time series has no time points: which one lacks the slice is not known."""
    stack = classic([{"TemporalPositionIdentifier": n} for n in (1, 2)])
    header = describe_stack(replace(stack, frames=stack.frames[:-1]))
    assert (header.time_points, header.most_at_a_position) == (1, 2)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (SliceRule(), "2 echoes, and the model names none"),
        (SliceRule(echo=1), "2 time points, and the model names none"),
        (SliceRule(time_point=1), "2 echoes, and the model names none"),
        (SliceRule(echo=3, time_point=1), "the model wants number 3 of 2"),
        (SliceRule(echo=1, time_point=-3), "the model wants number -3 of 2"),
    ],
)
def test_a_person_is_told_what_lies_at_a_position(rule: SliceRule, message: str) -> None:
    """And what the model would have to say."""
    said = [{"EchoTime": echo, "TemporalPositionIdentifier": time} for time in (1, 2) for echo in ("12", "90")]
    with pytest.raises(UnsupportedGeometry, match=message):
        pick(classic(said), rule)


def test_a_series_with_one_image_at_each_position_needs_no_wish_and_heeds_none() -> None:
    """A model for the second time point may be given a series that holds just that one."""
    stack = classic([{}])
    assert len(pick(stack, SliceRule(time_point=2, echo=2))) == 4


def test_stacks_are_those_that_are_named(tmp_path: Path) -> None:
    """In the order in which they begin; a classic series is one."""
    frames = frames_on(ARRAY, GRID, stack="b") + frames_on(ARRAY, GRID, stack="a")
    headers = read_headers(revision_of(write_enhanced(tmp_path, frames)).instances)
    assert [(stack.name, len(stack.frames)) for stack in stacks_of(frames_of(headers))] == [("b", 4), ("a", 4)]
