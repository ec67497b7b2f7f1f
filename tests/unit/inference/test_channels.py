"""Which series serves which channel, and what is said where one is lacking."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from inference.channels import Assignment, Candidate, assign
from inference.domain.identifiers import UID
from inference.domain.model_spec import ChannelSpec, Weighting
from inference.domain.series_header import SeriesHeader
from inference.domain.study import CompletionEvidence, SeriesRevision
from inference.errors import IncompleteSeries, ReasonCode
from tests.support.series_headers import FLAIR_HEADER, T1_GD_HEADER, T1_HEADER, T2_HEADER, with_stack
from tests.support.several_channels import channel

T1, FLAIR = channel("T1", Weighting.T1), channel("FLAIR", Weighting.FLAIR)
ANY = channel("any", None)


def candidate(number: int, header: SeriesHeader, **changes: Any) -> Candidate:
    """Give series ``number`` of the study; ``changes`` are of its only stack."""
    series = SeriesRevision(UID("1.2"), UID(f"1.2.{number}"), 1, (), CompletionEvidence.SIGNAL)
    return Candidate(series, with_stack(header, **changes))


def chosen(assignment: Assignment) -> list[int | None]:
    """Give the numbers of the series, in the order of the channels."""
    return [int(found.series_instance_uid[4:]) if found else None for found in assignment.series]


def test_each_channel_gets_its_series() -> None:
    """Whatever the order in which they came."""
    channels = [T1, channel("T1-Gd", Weighting.T1_CONTRAST), channel("T2", Weighting.T2), FLAIR]
    headers = [FLAIR_HEADER, T2_HEADER, T1_GD_HEADER, T1_HEADER]
    for order in permutations([candidate(number, header) for number, header in enumerate(headers)]):
        assignment = assign(channels, order)
        assert chosen(assignment) == [3, 2, 1, 0]
        assert assignment.found == ("T1", "T1-Gd", "T2", "FLAIR")
        assert assignment.missing == ()


@pytest.mark.parametrize(
    ("first", "second", "best"),
    [
        ({"slice_count": 40}, {"slice_count": 176}, 2),
        ({"slice_count": 176}, {"slice_count": 40, "slice_spacing_mm": 0.5}, 1),
        ({"slice_spacing_mm": 2.0}, {"slice_spacing_mm": 1.0}, 2),
        ({"slice_spacing_mm": None}, {"slice_spacing_mm": 3.0}, 2),
        ({}, {}, 1),
    ],
    ids=["most slices", "slices before spacing", "thinnest", "known spacing", "lowest UID"],
)
def test_the_best_series_is_taken(first: dict[str, Any], second: dict[str, Any], best: int) -> None:
    """Most slices, then the thinnest, then the UID, so that a study is always answered alike."""
    series = [candidate(1, T1_HEADER, **first), candidate(2, T1_HEADER, **second)]
    assert chosen(assign([T1], series)) == chosen(assign([T1], series[::-1])) == [best]


def test_a_series_serves_one_channel() -> None:
    """Two channels that want the same kind get two series, or one goes without."""
    first, second = candidate(1, T1_HEADER), candidate(2, T1_HEADER, slice_count=40)
    assert chosen(assign([T1, replace(T1, name="again")], [first, second])) == [1, 2]
    assert chosen(assign([T1, replace(T1, name="again")], [first])) == [1, None]


def test_a_channel_that_takes_anything_leaves_the_others_what_only_they_can_use() -> None:
    """Choosing one after the other would give the best series away and leave FLAIR with none."""
    flair, thick = candidate(1, FLAIR_HEADER), candidate(2, T2_HEADER, slice_count=40)
    assert chosen(assign([ANY, FLAIR], [flair, thick])) == [2, 1]


def test_a_channel_keeps_its_best_series_where_another_has_a_choice() -> None:
    """Nobody is sent away for the sake of somebody who could do without."""
    best, good = candidate(1, T1_HEADER), candidate(2, T1_HEADER, slice_count=100)
    assert chosen(assign([T1, ANY], [best, good])) == [1, 2]


def test_handing_over_goes_on_as_long_as_it_helps() -> None:
    """Three channels, of which each but the last can move on."""
    thin = channel("thin", Weighting.T1)
    thin = replace(thin, selection=replace(thin.selection, max_slice_spacing_mm=1.0))
    series = [
        candidate(1, T1_HEADER, slice_count=300),
        candidate(2, T1_HEADER, slice_count=200, slice_spacing_mm=2.0),
        candidate(3, T2_HEADER, slice_count=100),
    ]
    assert chosen(assign([ANY, T1, thin], series)) == [3, 2, 1]


def test_required_channels_choose_first() -> None:
    """An optional channel in front of them takes nothing that they need."""
    optional = replace(ANY, name="extra", required=False)
    assert chosen(assign([T1, optional, FLAIR], [candidate(1, T1_HEADER), candidate(2, FLAIR_HEADER)])) == [
        1,
        None,
        2,
    ]


def test_inputs_are_in_the_order_of_the_channels() -> None:
    """The first is the reference; an optional channel without a series is None."""
    optional = channel("T2", Weighting.T2, required=False)
    assignment = assign([T1, optional, FLAIR], [candidate(1, FLAIR_HEADER), candidate(2, T1_HEADER)])
    inputs = assignment.inputs()
    assert inputs.reference.series_instance_uid == "1.2.2"
    assert [series and series.series_instance_uid for series in inputs.others] == [None, "1.2.1"]
    assert (assignment.found, assignment.missing) == (("T1", "FLAIR"), ("T2",))


@pytest.mark.parametrize(
    ("channels", "series", "message"),
    [
        ([T1, FLAIR], [candidate(1, FLAIR_HEADER)], "the study has no T1; found: FLAIR"),
        ([T1, FLAIR], [candidate(1, T1_HEADER)], "the study has no FLAIR; found: T1"),
        ([T1, FLAIR], [candidate(1, T2_HEADER)], "the study has no T1, no FLAIR"),
        (
            [T1, FLAIR, channel("T2", Weighting.T2, required=False)],
            [candidate(1, T1_HEADER)],
            "the study has no FLAIR; found: T1",
        ),
    ],
)
def test_what_is_missing_is_named(channels: list[ChannelSpec], series: list[Candidate], message: str) -> None:
    """And what was found; an optional channel keeps no model from running."""
    with pytest.raises(IncompleteSeries) as caught:
        assign(channels, series).inputs()
    assert (caught.value.code, caught.value.message) == (ReasonCode.CHANNEL_MISSING, message)
