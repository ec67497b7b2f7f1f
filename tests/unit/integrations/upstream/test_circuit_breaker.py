"""Who does not answer is left alone, and tried again with one call."""

from __future__ import annotations

import pytest

from integrations.upstream.circuit_breaker import BreakerOptions, Circuit, CircuitBreaker
from tests.support.fakes import FixedClock


@pytest.fixture
def clock() -> FixedClock:
    """Give the time."""
    return FixedClock()


@pytest.fixture
def breaker(clock: FixedClock) -> CircuitBreaker:
    """Give a breaker that opens after three failures, for ten seconds."""
    return CircuitBreaker(clock, BreakerOptions(3, 10.0))


def _open(breaker: CircuitBreaker) -> None:
    for _ in range(3):
        assert breaker.admit() is None
        breaker.failed()


def test_a_few_failures_do_not_open_it(breaker: CircuitBreaker) -> None:
    """Only failures in a row count; an answer in between begins anew."""
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
    assert breaker.circuit is Circuit.CLOSED
    assert breaker.admit() is None


def test_failures_in_a_row_open_it_for_a_while(breaker: CircuitBreaker, clock: FixedClock) -> None:
    """Callers are told at once, and how long to wait."""
    _open(breaker)
    clock.advance(2.5)
    assert breaker.circuit is Circuit.OPEN
    assert breaker.admit() == 8


def test_after_the_pause_one_call_is_let_through(breaker: CircuitBreaker, clock: FixedClock) -> None:
    """The others wait for what becomes of it."""
    _open(breaker)
    clock.advance(10)
    assert breaker.circuit is Circuit.HALF_OPEN
    assert breaker.admit() is None
    assert breaker.admit() == 10


def test_a_trial_that_is_answered_closes_it(breaker: CircuitBreaker, clock: FixedClock) -> None:
    """All calls pass again, and it takes as many failures as before to open it."""
    _open(breaker)
    clock.advance(10)
    breaker.admit()
    breaker.succeeded()
    breaker.failed()
    assert breaker.circuit is Circuit.CLOSED


def test_a_trial_that_fails_opens_it_again(breaker: CircuitBreaker, clock: FixedClock) -> None:
    """For the whole pause."""
    _open(breaker)
    clock.advance(10)
    breaker.admit()
    clock.advance(4)
    breaker.failed()
    assert breaker.admit() == 10


def test_a_trial_that_the_client_gave_up_is_made_again(breaker: CircuitBreaker, clock: FixedClock) -> None:
    """It says nothing about the server; so the next call may try."""
    _open(breaker)
    clock.advance(10)
    breaker.admit()
    breaker.abandoned()
    assert breaker.admit() is None


def test_a_trial_that_never_ends_does_not_close_the_door_for_ever(breaker: CircuitBreaker, clock: FixedClock) -> None:
    """After another pause, another trial."""
    _open(breaker)
    clock.advance(10)
    breaker.admit()
    clock.advance(10)
    assert breaker.admit() is None
