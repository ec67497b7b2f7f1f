"""The table of transitions is the only word on the life of a job."""

from __future__ import annotations

from itertools import product

import pytest

from inference.domain.job import TERMINAL, TRANSITIONS, JobState, check_transition
from inference.errors import IllegalTransition

RECEIVED, QUEUED, PROCESSING, DELIVERING = (
    JobState.RECEIVED,
    JobState.QUEUED,
    JobState.PROCESSING,
    JobState.DELIVERING,
)
COMPLETED, FAILED, REJECTED, CANCELLED = (
    JobState.COMPLETED,
    JobState.FAILED,
    JobState.REJECTED,
    JobState.CANCELLED,
)
REVIEWING, WITHDRAWING, WITHDRAWN = JobState.REVIEWING, JobState.WITHDRAWING, JobState.WITHDRAWN

ALLOWED = {
    *((RECEIVED, wanted) for wanted in (QUEUED, PROCESSING, REJECTED, CANCELLED, FAILED)),
    *((QUEUED, wanted) for wanted in (PROCESSING, CANCELLED, FAILED)),
    *((PROCESSING, wanted) for wanted in (DELIVERING, COMPLETED, QUEUED, REJECTED, FAILED, CANCELLED)),
    *((DELIVERING, wanted) for wanted in (COMPLETED, REJECTED, FAILED, CANCELLED, WITHDRAWING)),
    *((FAILED, wanted) for wanted in (QUEUED, DELIVERING, REVIEWING, WITHDRAWING)),
    *((CANCELLED, wanted) for wanted in (QUEUED, WITHDRAWING)),
    (REJECTED, QUEUED),
    *((COMPLETED, wanted) for wanted in (REVIEWING, WITHDRAWING)),
    *((REVIEWING, wanted) for wanted in (COMPLETED, FAILED, WITHDRAWING)),
    *((WITHDRAWING, wanted) for wanted in (WITHDRAWN, FAILED)),
}
"""Every step that a job may take, as the architecture draws it."""


@pytest.mark.parametrize(("current", "wanted"), list(product(JobState, JobState)), ids=str)
def test_every_pair_of_states_is_allowed_or_refused(current: JobState, wanted: JobState) -> None:
    """Each pair is written down; a job never follows itself."""
    if (current, wanted) in ALLOWED:
        check_transition(current, wanted)
    else:
        with pytest.raises(IllegalTransition, match=f"{current}.*{wanted}"):
            check_transition(current, wanted)


def test_every_state_has_a_row() -> None:
    """A state without a row would be an error of another kind."""
    assert set(TRANSITIONS) == set(JobState)


def reachable(start: JobState) -> set[JobState]:
    """Give every state that a job may come to."""
    found: set[JobState] = set()
    waiting = [start]
    while waiting:
        for state in TRANSITIONS[waiting.pop()] - found:
            found.add(state)
            waiting.append(state)
    return found


def test_no_state_is_a_dead_end_and_none_is_out_of_reach() -> None:
    """A job can end well from anywhere but the two ends; only WITHDRAWN has nothing after it."""
    assert reachable(RECEIVED) == set(JobState) - {RECEIVED}
    assert {state for state in JobState if not TRANSITIONS[state]} == {WITHDRAWN}
    for state in set(JobState) - {COMPLETED, WITHDRAWN}:
        assert COMPLETED in reachable(state)


def test_whatever_may_have_been_published_can_be_withdrawn() -> None:
    """Also what failed or was cancelled half-way: the archive may hold a part of it."""
    for state in (DELIVERING, COMPLETED, REVIEWING, FAILED, CANCELLED):
        assert WITHDRAWING in TRANSITIONS[state]
    assert WITHDRAWING not in TRANSITIONS[REJECTED]


def test_work_can_always_be_stopped() -> None:
    """Whatever has not ended can fail, and can be cancelled by a person, but for a withdrawal and a review."""
    for state in set(JobState) - TERMINAL:
        assert FAILED in TRANSITIONS[state]
        assert (CANCELLED in TRANSITIONS[state]) == (state not in (WITHDRAWING, REVIEWING))


def test_what_has_ended_goes_on_only_by_a_persons_word() -> None:
    """A retry begins with waiting, or with what is on disk; a recall withdraws it, a reader reviews it."""
    assert {COMPLETED, FAILED, REJECTED, CANCELLED, WITHDRAWN} == TERMINAL
    for state in TERMINAL:
        assert TRANSITIONS[state] <= {QUEUED, DELIVERING, REVIEWING, WITHDRAWING}


def test_the_table_cannot_be_changed() -> None:
    """It is shared by all that runs in the process."""
    with pytest.raises(TypeError):
        TRANSITIONS[COMPLETED] = frozenset(JobState)  # type: ignore[index]
