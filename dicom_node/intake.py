"""Intake: a complete series gets its decision, and its jobs, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from inference.domain.arrival import Decision
from inference.domain.charsets import NOTHING_CONFIGURED, CharacterSets
from inference.domain.identifiers import JobID
from inference.domain.job import NewJob
from inference.domain.model_spec import Deployment, ModelSpec
from inference.domain.series_header import SeriesHeader
from inference.domain.study import SeriesRevision
from inference.errors import InstanceUnreadable, NodeError
from inference.ports import ModelCatalogue, StudyIndex
from inference.reading import describe_revision
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
    charsets
        What is assumed of senders that name no character set.
    takes_notes
        Whether somebody wants to be told of a series that a model would have been run on but for its slices or
        pixels.
    """

    def __init__(
        self,
        index: StudyIndex,
        catalogue: ModelCatalogue,
        on_jobs: Callable[[], None] | None = None,
        charsets: CharacterSets = NOTHING_CONFIGURED,
        *,
        takes_notes: bool = False,
    ) -> None:
        self._index = index
        self._catalogue = catalogue
        self._on_jobs = on_jobs
        self._charsets = charsets
        self._takes_notes = takes_notes

    def admit(self, series: SeriesRevision) -> Sequence[JobID]:
        """Close a series with one job per model that wants it, or one that is born REJECTED with the reason.

        A series that cannot be read is rejected as well: it would not become readable by looking again, and silence
        is a defect. Models in shadow have no say in the decision; their jobs are made beside it.

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
            verdict = self._select(describe_revision(series, self._charsets))
        except NodeError as error:
            verdict = _Verdict(error)
        except Exception as error:  # noqa: BLE001 - headers made by strangers; a dozen exception types are known
            verdict = _Verdict(InstanceUnreadable(f"the headers cannot be read ({type(error).__name__})"))
        return self._close(series, verdict)

    def _select(self, header: SeriesHeader) -> _Verdict:
        models = self._catalogue.active()
        decisive = select(header, [spec for spec in models if spec.deployment is not Deployment.SHADOW])
        shadows = select(header, [spec for spec in models if spec.deployment is Deployment.SHADOW])
        noted_by = decisive.wanted_by if self._takes_notes else None
        if noted_by is not None and len(noted_by.channels) > 1:  # the job about its study tells
            noted_by = None
        return _Verdict(decisive.refusal, decisive.matches + shadows.matches, noted_by)

    def _close(self, series: SeriesRevision, verdict: _Verdict) -> Sequence[JobID]:
        jobs = [_job(series, spec) for spec in verdict.matches]
        decision, refusal = Decision(analysed=True, code=None, message=None), verdict.refusal
        if refusal is not None:
            decision = Decision(analysed=False, code=refusal.code, message=refusal.message)
            refused = _job(series, verdict.noted_by)
            noted = verdict.noted_by is not None
            jobs.append(replace(refused, rejection=(refusal.code, refusal.message), noted=noted))
        created = self._index.close(series, decision, jobs)
        if created and (verdict.matches or verdict.noted_by) and self._on_jobs is not None:
            self._on_jobs()
        return created


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What was decided on a series: why not, by which models, and the model in whose name a note is written."""

    refusal: NodeError | None
    matches: tuple[ModelSpec, ...] = ()
    noted_by: ModelSpec | None = None


def _job(series: SeriesRevision, spec: ModelSpec | None = None) -> NewJob:
    names = series.study_instance_uid, series.series_instance_uid, series.revision
    if spec is None:
        return NewJob(*names, model=None)
    shadow = spec.deployment is Deployment.SHADOW
    return NewJob(*names, model=spec.reference, shadow=shadow, whole_study=len(spec.channels) > 1)
