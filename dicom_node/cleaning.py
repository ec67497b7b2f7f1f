"""Cleaning: what is expired goes, and what is old where the site says so; never what is not delivered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from inference.domain.identifiers import JobID
from inference.ports import Clock
from integrations.persistence.notifications import SQLNotificationOutbox
from integrations.persistence.periodic_runs import SQLTurns
from integrations.persistence.retention import SQLRetention
from integrations.preview_folder import PreviewFolder
from integrations.result_folder import FolderResultStore

LOG = structlog.get_logger(__name__)

NOTIFICATIONS_KEPT: Final = timedelta(days=30)
TURNS_KEPT: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class CleaningPlaces:
    """What is cleaned."""

    retention: SQLRetention
    results: FolderResultStore
    previews: PreviewFolder
    outbox: SQLNotificationOutbox
    turns: SQLTurns
    clock: Clock


class Cleaning:
    """Removes what has been kept long enough.

    Parameters
    ----------
    places
        What is cleaned.
    spool_days, results_days
        How long received images and results are kept; 0 for ever.
    """

    def __init__(self, places: CleaningPlaces, spool_days: int = 0, results_days: int = 0) -> None:
        self._places = places
        self._spool_days = spool_days
        self._results_days = results_days

    def clean(self) -> dict[str, Any]:
        """Make a pass, and count what was removed."""
        places, now = self._places, self._places.clock.now()
        removed = {
            "sessions": places.retention.forget_expired_sessions(),
            "notifications": places.outbox.prune(now - NOTIFICATIONS_KEPT),
            "turns": places.turns.prune(now - TURNS_KEPT),
            "images": self._images(now) if self._spool_days else 0,
            "results": self._results(now) if self._results_days else 0,
        }
        LOG.info("cleaning.done", **removed)
        return removed

    def _images(self, now: datetime) -> int:
        before, retention = now - timedelta(days=self._spool_days), self._places.retention
        return sum(retention.remove_images(study, before) for study in retention.old_studies(before))

    def _results(self, now: datetime) -> int:
        before, retention = now - timedelta(days=self._results_days), self._places.retention
        old = retention.old_results(before)
        return sum(retention.remove_result(job_id, before, self._remove_result) for job_id in old)

    def _remove_result(self, job_id: JobID) -> bool:
        self._places.previews.remove(job_id)
        return self._places.results.remove(job_id)
