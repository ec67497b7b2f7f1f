"""The real clock and the real randomness."""

from __future__ import annotations

import os
import pwd
from datetime import UTC, datetime, timedelta

import pytest

from integrations.system import RandomUIDSource, SystemClock, operating_system_user


def test_now_is_aware_and_in_utc() -> None:
    """The time of day has a zone, and is the machine's."""
    now = SystemClock().now()

    assert now.utcoffset() == timedelta(0)
    assert abs(now - datetime.fromtimestamp(datetime.now().timestamp(), UTC)) < timedelta(minutes=1)  # noqa: DTZ005, TID251


def test_waiting_takes_at_least_the_time() -> None:
    """A wait lets the time pass; nothing and a negative wait return."""
    clock = SystemClock()
    before = clock.monotonic()

    clock.wait(0.02)
    clock.wait(0)
    clock.wait(-5)

    assert clock.monotonic() - before >= 0.02


def test_identifiers_differ_and_have_their_form() -> None:
    """A job id is 32 lower-case hexadecimal digits; a token carries 256 bits."""
    source = RandomUIDSource()
    ids = {source.job_id() for _ in range(100)}

    assert len(ids) == 100
    assert all(len(job_id) == 32 and set(job_id) <= set("0123456789abcdef") for job_id in ids)
    assert len({source.token() for _ in range(100)}) == 100
    assert len(source.token()) == 43


def test_who_is_at_it_is_asked_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not of the environment, which anybody can set; a container may run under a number without a name."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody else")
    assert operating_system_user() == pwd.getpwuid(os.getuid()).pw_name

    monkeypatch.setattr(os, "getuid", lambda: 987654)
    assert operating_system_user() == "uid 987654"
