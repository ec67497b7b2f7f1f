"""Several notifiers as one."""

from __future__ import annotations

from structlog.testing import capture_logs

from inference.domain.identifiers import JobID
from integrations.notify.several import OutboxNotifier, SeveralNotifiers
from tests.support.fakes import RecordingNotifier
from tests.unit.integrations.notify.test_log_notifier import JOB


class BrokenOutbox:
    """A database that is away."""

    def tell_of(self, job_id: JobID) -> None:
        """Fail."""
        raise RuntimeError(f"patient of {job_id}")


def test_one_that_fails_keeps_nothing_from_the_others() -> None:
    """The job has ended whatever becomes of the news; the log says which failed, and not with which words."""
    first, last = RecordingNotifier(), RecordingNotifier()
    with capture_logs() as lines:
        SeveralNotifiers([first, OutboxNotifier(BrokenOutbox()), last]).job_ended(JOB)
    assert first.jobs == last.jobs == [JOB]
    assert [(line["notifier"], line["error"]) for line in lines] == [("OutboxNotifier", "RuntimeError")]
