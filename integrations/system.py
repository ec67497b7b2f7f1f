"""The machine's own clock and randomness, behind the core's ports, and who is at it."""

from __future__ import annotations

import os
import pwd
import secrets
import time
import uuid
from datetime import UTC, datetime

from inference.domain.identifiers import JobID
from inference.ports import Clock, UIDSource


class SystemClock(Clock):
    """Time as the operating system tells it."""

    def now(self) -> datetime:
        """Give the time of day, aware, in UTC; it may jump when the machine's clock is set."""
        return datetime.now(UTC)  # noqa: TID251 - this is the adapter behind the Clock port

    def monotonic(self) -> float:
        """Give seconds that never jump; only differences mean something."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Sleep in this thread; nothing and a negative time return at once."""
        if seconds > 0:
            time.sleep(seconds)  # noqa: TID251 - this is the adapter behind the Clock port


class RandomUIDSource(UIDSource):
    """Identifiers from the operating system's random source."""

    def job_id(self) -> JobID:
        """Give 32 hexadecimal digits of a version 4 UUID (RFC 9562), 122 random bits."""
        return JobID(uuid.uuid4().hex)  # noqa: TID251 - this is the adapter behind the UIDSource port

    def token(self) -> str:
        """Give 43 URL-safe characters that carry 256 random bits."""
        return secrets.token_urlsafe(32)


def operating_system_user() -> str:
    """Give the name of the user who runs this process, or their number where the machine knows no name.

    Asked of the system, not of variables that anybody can set.
    """
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
