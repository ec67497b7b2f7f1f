"""Starting work on a person's word: new runs and further attempts."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from control_api.records import JobView, SeriesView, StudyView
from control_api.schemas.job import RunOrder
from control_api.services import Services
from inference.domain.identifiers import JobID
from inference.domain.job import DELIVERY_STATES, Hint, Job, ModelReference, NewJob, QueueName
from inference.domain.model_spec import ModelSpec
from inference.domain.study import SeriesRevision
from inference.errors import IncompleteSeries, NodeError, NoMatchingModel, QueueUnavailable, ReasonCode


def start(given: Services, order: RunOrder) -> tuple[JobView, ...]:
    """Create a new run for every series and model that an order names.

    A series that is still being received is left out, for its run would be made of a part. Two equal orders at the
    same moment make one run: both count up from the same number, and the job store gives the second the first's job.
    A model that reads several series of a study runs once for it, whether the order names the study or one of them.

    Raises
    ------
    StudyNotFound, ModelNotFound
        If there is no such thing.
    IncompleteSeries
        If nothing but open series is left.
    NoMatchingModel
        If no model is named and no active one wants any of the series.
    """
    created = [given.jobs.create(_new_job(given, revision, spec)) for revision, spec in _work(given, order)]
    for job in created:
        tell_a_worker(given, job)
    return tuple(given.queries.job(job.job_id) for job in created)


def rerun(given: Services, job_id: JobID, model_id: str | None) -> tuple[JobView, ...]:
    """Analyse what a job was about again.

    Parameters
    ----------
    given
        What the API works with.
    job_id
        Whose input.
    model_id
        With which model, in its active version; None for the job's own.

    Raises
    ------
    JobNotFound, ModelNotFound
        If there is no such job or model.
    IncompleteSeries
        If more has come to the series meanwhile and it is open.
    NoMatchingModel
        If the job has no model and none is named.
    """
    job = given.queries.job(job_id)
    wanted = model_id or (job.model.model_id if job.model else None)
    if wanted is None:
        raise NoMatchingModel(ReasonCode.NO_MODEL, "no model wanted this series: name one")
    return start(given, RunOrder(study_uid=None, series_uid=job.series_uid, model_id=wanted))


def retry(given: Services, job_id: JobID) -> JobView:
    """Give a job another go, and tell a worker at once.

    Raises
    ------
    JobNotFound, IllegalTransition
    """
    tell_a_worker(given, given.jobs.retry(job_id))
    return given.queries.job(job_id)


def location(created: Sequence[JobView]) -> str:
    """Give the path at which the client sees how its order fares."""
    return f"/api/jobs/{created[0].job_id}" if len(created) == 1 else f"/api/jobs?study_uid={created[0].study_uid}"


def _closed(found: Sequence[SeriesView]) -> list[SeriesView]:
    closed = [series for series in found if not series.receiving]
    if not closed:
        raise IncompleteSeries(ReasonCode.INCOMPLETE, "still being received; complete the study first")
    return closed


def _study(given: Services, order: RunOrder) -> StudyView:
    if order.series_uid is not None:
        return given.queries.study_of(order.series_uid)
    assert order.study_uid is not None  # noqa: S101 - RunOrderSchema demands one of the two
    return given.queries.study(order.study_uid)


def _work(given: Services, order: RunOrder) -> list[tuple[SeriesRevision, ModelSpec]]:
    """Pair series with models; decided for all before the first job is made, so that an order is met or refused."""
    study = _study(given, order)
    named = None if order.model_id is None else given.catalogue.get(order.model_id)
    if named is not None and len(named.channels) > 1:
        return [(_one_that_is_read(given, order, study, named), named)]
    ordered = [series for series in study.series if order.series_uid in (None, series.series_uid)]
    work: list[tuple[SeriesRevision, ModelSpec]] = []
    refusal: NodeError | None = None
    for series in _closed(ordered):
        revision = given.studies.series(series.series_uid)
        try:
            specs = [named] if named else given.match(revision)
        except NodeError as error:
            refusal = error
        else:
            work += [(revision, spec) for spec in specs]
    if not work:
        raise refusal or NoMatchingModel(ReasonCode.NO_MODEL, "no active model wants this")
    return _once_for_a_study(work)


def _one_that_is_read(given: Services, order: RunOrder, study: StudyView, spec: ModelSpec) -> SeriesRevision:
    """Give a series that a model with several channels reads, the ordered one if it does."""
    refusal: NodeError | None = None
    for series in sorted(_closed(study.series), key=lambda series: series.series_uid != order.series_uid):
        revision = given.studies.series(series.series_uid)
        try:
            if any(wanting.reference == spec.reference for wanting in given.match(revision)):
                return revision
        except NodeError as error:
            refusal = error
    raise refusal or NoMatchingModel(ReasonCode.NO_MODEL, "the model reads no series of this study")


def _once_for_a_study(work: Sequence[tuple[SeriesRevision, ModelSpec]]) -> list[tuple[SeriesRevision, ModelSpec]]:
    """Keep the first series for each model that reads several; an order is about one study."""
    seen: set[ModelReference] = set()
    kept: list[tuple[SeriesRevision, ModelSpec]] = []
    for revision, spec in work:
        if len(spec.channels) == 1 or spec.reference not in seen:
            kept.append((revision, spec))
        seen.add(spec.reference)
    return kept


def _new_job(given: Services, revision: SeriesRevision, spec: ModelSpec) -> NewJob:
    model = spec.reference
    return NewJob(
        revision.study_instance_uid,
        revision.series_instance_uid,
        revision.revision,
        model,
        run=given.queries.next_run(revision.series_instance_uid, revision.revision, model),
        whole_study=len(spec.channels) > 1,
    )


def tell_a_worker(given: Services, job: Job) -> None:
    """Send a hint now; where the queue cannot be reached the dispatcher does it later from the outbox."""
    queue = QueueName.DELIVERY if job.state in DELIVERY_STATES else QueueName.INFERENCE
    try:
        given.queue.enqueue(Hint(queue, job.job_id))
    except QueueUnavailable as error:
        structlog.get_logger(__name__).warning("queue.hint_lost", job_id=job.job_id, error=error.code)
