"""Telling the log that a job ended: the notifier that is always there."""

from __future__ import annotations

import structlog

from inference.domain.job import Job
from inference.ports import Notifier


class LogNotifier(Notifier):
    """Writes one line per job that ended, with its state and reason and nothing of the patient."""

    def job_ended(self, job: Job) -> None:
        """Notify; never raises."""
        model = f"{job.model.model_id} {job.model.version}" if job.model else None
        structlog.get_logger(__name__).info(
            "job.ended",
            job=job.job_id,
            state=job.state.value,
            code=job.error_code,
            model=model,
            attempt=job.attempt,
            series=job.series_instance_uid,
        )
