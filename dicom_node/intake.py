"""Intake: a complete series gets its decision, and its jobs, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from inference.domain.arrival import Decision
from inference.domain.identifiers import JobID
from inference.domain.job import NewJob
from inference.domain.model_spec import ModelSpec
from inference.domain.study import SeriesRevision
from inference.errors import InstanceUnreadable, NodeError
from inference.ports import ModelCatalogue, StudyIndex
from inference.reading import describe, read_headers
from inference.selection import select


class Intake:
    """Decides what becomes of a series that is complete.

    Parameters
    ----------
    index
        Where series are closed.
    catalogue
        The models that may want it.
    on_jobs
        Called once jobs are committed, so that their messages are sent now and not at the dispatcher's next pass.
    """

    def __init__(
        self, index: StudyIndex, catalogue: ModelCatalogue, on_jobs: Callable[[], None] | None = None
    ) -> None:
        self._index = index
        self._catalogue = catalogue
        self._on_jobs = on_jobs

    def admit(self, series: SeriesRevision) -> Sequence[JobID]:
        """Close a series with one job per model that wants it, or one that is born REJECTED with the reason.

        A series that cannot be read is rejected as well: it would not become readable by looking again, and silence
        is a defect.

        Parameters
        ----------
        series
            The series as it stands; its files are read up to the pixel data.

        Returns
        -------
        sequence of JobID
            Empty if an instance arrived meanwhile; the series stays open then.
        """
        try:
            matches = self._matching_models(series)
        except NodeError as error:
            return self._reject(series, error)
        except Exception as error:  # noqa: BLE001 - headers made by strangers; a dozen exception types are known
            return self._reject(series, InstanceUnreadable(f"the headers cannot be read ({type(error).__name__})"))
        jobs = [_job(series, spec) for spec in matches]
        created = self._index.close(series, Decision(analysed=True, code=None, message=None), jobs)
        if created and self._on_jobs is not None:
            self._on_jobs()
        return created

    def _matching_models(self, series: SeriesRevision) -> Sequence[ModelSpec]:
        selection = select(describe(read_headers(series.instances)), self._catalogue.active())
        if selection.refusal is not None:
            raise selection.refusal
        return selection.matches

    def _reject(self, series: SeriesRevision, reason: NodeError) -> Sequence[JobID]:
        decision = Decision(analysed=False, code=reason.code, message=reason.message)
        job = NewJob(
            series.study_instance_uid,
            series.series_instance_uid,
            series.revision,
            model=None,
            rejection=(reason.code, reason.message),
        )
        return self._index.close(series, decision, [job])


def _job(series: SeriesRevision, spec: ModelSpec) -> NewJob:
    return NewJob(series.study_instance_uid, series.series_instance_uid, series.revision, model=spec.reference)
