"""Starting work on a person's word: new runs and further attempts."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from control_api.records import JobView, SeriesView, StudyView
from control_api.schemas.job import RunOrder
from control_api.services import Services
from inference.domain.identifiers import UID, JobID
from inference.domain.job import Hint, Job, JobState, NewJob, QueueName
from inference.domain.model_spec import ModelSpec
from inference.domain.study import SeriesRevision
from inference.errors import IncompleteSeries, NodeError, NoMatchingModel, QueueUnavailable, ReasonCode


def start(given: Services, order: RunOrder) -> tuple[JobView, ...]:
    """Create a new run for every series and model that an order names.

    A series that is still being received is left out, for its run would be made of a part. Two equal orders at the
    same moment make one run: both count up from the same number, and the job store gives the second the first's job.

    Raises
    ------
    StudyNotFound, ModelNotFound
        If there is no such thing.
    IncompleteSeries
        If nothing but open series is left.
    NoMatchingModel
        If no model is named and no active one wants any of the series.
    """
    created = [
        given.jobs.create(_new_job(given, revision, spec))
        for revision, spec in _work(given, order, _closed(given, order))
    ]
    for job in created:
        _hint(given, job)
    return tuple(given.queries.job(job.job_id) for job in created)


def retry(given: Services, job_id: JobID) -> JobView:
    """Give a job another go, and tell a worker at once.

    Raises
    ------
    JobNotFound, IllegalTransition
    """
    _hint(given, given.jobs.retry(job_id))
    return given.queries.job(job_id)


def location(created: Sequence[JobView]) -> str:
    """Give the path at which the client sees how its order fares."""
    return f"/api/jobs/{created[0].job_id}" if len(created) == 1 else f"/api/jobs?study_uid={created[0].study_uid}"


def _closed(given: Services, order: RunOrder) -> list[SeriesView]:
    wanted = _series(_study(given, order), order.series_uid)
    closed = [series for series in wanted if not series.receiving]
    if not closed:
        raise IncompleteSeries(ReasonCode.INCOMPLETE, "still being received; complete the study first")
    return closed


def _study(given: Services, order: RunOrder) -> StudyView:
    if order.series_uid is not None:
        return given.queries.study_of(order.series_uid)
    assert order.study_uid is not None  # noqa: S101 - RunOrderSchema demands one of the two
    return given.queries.study(order.study_uid)


def _series(study: StudyView, series_uid: UID | None) -> list[SeriesView]:
    return [series for series in study.series if series_uid in (None, series.series_uid)]


def _work(given: Services, order: RunOrder, closed: Sequence[SeriesView]) -> list[tuple[SeriesRevision, ModelSpec]]:
    """Pair series with models; decided for all before the first job is made, so that an order is met or refused."""
    named = None if order.model_id is None else given.catalogue.get(order.model_id)
    work: list[tuple[SeriesRevision, ModelSpec]] = []
    refusal: NodeError | None = None
    for series in closed:
        revision = given.studies.series(series.series_uid)
        try:
            specs = [named] if named else given.match(revision)
        except NodeError as error:
            refusal = error
        else:
            work += [(revision, spec) for spec in specs]
    if not work:
        raise refusal or NoMatchingModel(ReasonCode.NO_MODEL, "no active model wants this")
    return work


def _new_job(given: Services, revision: SeriesRevision, spec: ModelSpec) -> NewJob:
    model = spec.reference
    run = given.queries.next_run(revision.series_instance_uid, revision.revision, model)
    return NewJob(revision.study_instance_uid, revision.series_instance_uid, revision.revision, model, run)


def _hint(given: Services, job: Job) -> None:
    """Tell a worker now; where the queue cannot be reached the dispatcher does it later from the outbox."""
    queue = QueueName.DELIVERY if job.state is JobState.DELIVERING else QueueName.INFERENCE
    try:
        given.queue.enqueue(Hint(queue, job.job_id))
    except QueueUnavailable as error:
        structlog.get_logger(__name__).warning("queue.hint_lost", job_id=job.job_id, error=error.code)
