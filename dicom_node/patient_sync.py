"""Synchronising patients: every source in turn, from where the last complete time ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from integrations.patients.source import PatientSource
from integrations.patients.synchroniser import PatientSynchroniser
from integrations.persistence.periodic_runs import SQLTurns

TASK: Final = "sync_patients"


class PatientSync:
    """Brings the patients of all sources to the report server.

    Parameters
    ----------
    synchroniser
        Writes them.
    sources
        Who knows them; the one whose word rules last.
    turns
        Keeps the reports.
    """

    def __init__(self, synchroniser: PatientSynchroniser, sources: Sequence[PatientSource], turns: SQLTurns) -> None:
        self._synchroniser = synchroniser
        self._sources = tuple(sources)
        self._turns = turns

    def run(self, *, everything: bool = False) -> dict[str, Any]:
        """Make a pass, and give its report by source.

        Parameters
        ----------
        everything
            Whether to look at all patients, not only at those that changed since the last pass.

        Raises
        ------
        FHIRUnavailable
            If the report server does not answer.
        """
        last = self._turns.last_report(TASK)
        before: Mapping[str, Any] = {} if last is None else last[1]
        return {source.name: self._of(source, before, everything) for source in self._sources}

    def _of(self, source: PatientSource, before: Mapping[str, Any], everything: bool) -> dict[str, Any]:
        known = str((before.get(source.name) or {}).get("latest", ""))
        report = self._synchroniser.sync(source, "" if everything else known)
        document = report.document()
        return document if report.complete else {**document, "latest": known}
