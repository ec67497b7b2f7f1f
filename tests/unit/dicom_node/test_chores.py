"""What is done beside the work: again and again, whatever happens, until the process ends."""

from __future__ import annotations

from threading import Event

import pytest
from structlog.testing import capture_logs

from dicom_node.chores import Chore, beside
from inference.errors import StoreUnavailable
from tests.support.waiting import wait_until

NEVER = 3600.0


class Counted:
    """Work that counts, and fails as often as it is told to."""

    def __init__(self, *failures: Exception) -> None:
        self.times = 0
        self._failures = list(failures)

    def __call__(self) -> None:
        """Count, then fail."""
        self.times += 1
        if self._failures:
            raise self._failures.pop(0)


@pytest.mark.parametrize(
    ("failure", "event"), [(StoreUnavailable("away"), "chore.postponed"), (KeyError("secret"), "chore.failed")]
)
def test_what_fails_is_tried_again(failure: Exception, event: str) -> None:
    """A database that is away for a minute does not silence a worker for ever; no foreign text is logged."""
    work = Counted(failure)

    with capture_logs() as logs, beside([Chore("attendance", work, 0.001)]):
        wait_until(lambda: work.times > 2, 10, "another time")

    assert [line["event"] for line in logs] == [event]
    assert "secret" not in str(logs)


def test_it_is_done_at_once_and_ends_with_the_block() -> None:
    """The last word is said once, when no further one can follow."""
    work, last = Counted(), Counted()

    with beside([Chore("attendance", work, NEVER, last)]):
        wait_until(lambda: work.times, 10, "the first time")
        assert last.times == 0

    assert (work.times, last.times) == (1, 1)


def test_one_chore_does_not_wait_for_another() -> None:
    """A peer that does not answer must not make a worker look dead."""
    hangs, other = Event(), Counted()

    with beside([Chore("peers", lambda: hangs.wait(10), NEVER), Chore("attendance", other, NEVER)]):
        wait_until(lambda: other.times, 10, "the other chore")
        hangs.set()


def test_chores_end_when_the_work_fails() -> None:
    """The last word is said all the same."""
    last = Counted()

    with pytest.raises(ZeroDivisionError), beside([Chore("attendance", Counted(), NEVER, last)]):
        raise ZeroDivisionError

    assert last.times == 1
