"""What a person's review means for a job, and what an earlier result means for a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, not_, select

from inference.domain.artifact import ArtifactKind
from inference.domain.identifiers import UID, JobID
from inference.domain.job import (
    ANSWER,
    REPLACES,
    REVIEWED,
    REVIEWS,
    WITHDRAWAL,
    Job,
    JobState,
    QueueName,
    check_transition,
)
from inference.domain.review import Review, Verdict
from inference.domain.study import InstanceIdentity
from inference.errors import IllegalTransition
from integrations.persistence.deliveries import begin_anew, is_held
from integrations.persistence.job_consequences import about_the_same
from integrations.persistence.job_rows import owe_hint
from integrations.persistence.job_writes import existing, swap
from integrations.persistence.study_jobs import is_later
from integrations.persistence.tables import jobs
from integrations.persistence.times import to_column

_STANDING = (JobState.COMPLETED, JobState.REVIEWING)
"""States in which a result is published and stands."""


def review_job(connection: Connection, job_id: JobID, review: Review, now: datetime) -> None:
    """Take a person's word on a result that is published and stands.

    Raises
    ------
    JobNotFound
        If there is no such job.
    IllegalTransition
        If it has no such result, or an excluded finding is none of its own.
    """
    row = existing(connection, job_id)
    _check(connection, row, review)
    wanted = JobState.WITHDRAWING if review.verdict is Verdict.REJECT else JobState.REVIEWING
    check_transition(JobState(row.state), wanted)
    result = {**row.result, REVIEWS: [*row.result.get(REVIEWS, []), review.to_json()]}
    if review.verdict is Verdict.REJECT:
        result[WITHDRAWAL] = {"reason": review.reason, "at": review.at.isoformat(), "by": review.reviewer}
    values = {"state": wanted, "result": result, "next_run_at": None, "error_code": None, "error_message": None}
    begin_anew(connection, job_id, now)
    if not swap(connection, row, {**values, "updated_at": to_column(now)}):
        raise IllegalTransition("the job changed at the same moment; look at it again")
    owe_hint(connection, job_id, QueueName.DELIVERY, now)


def _check(connection: Connection, row: Row[Any], review: Review) -> None:
    """Refuse what cannot be carried out.

    What somebody holds already can be rejected, also where it is still on its way to others; only a result that
    everybody has can be accepted or amended.
    """
    rejects = review.verdict is Verdict.REJECT
    if row.state != JobState.COMPLETED and not (rejects and _is_held_by_somebody(connection, row)):
        raise IllegalTransition("only a published result can be reviewed")
    if row.shadow or not row.result:
        raise IllegalTransition("only a published result can be reviewed")
    if row.superseded_by is not None:
        raise IllegalTransition(_why_replaced(existing(connection, JobID(row.superseded_by))))
    gone = {uid for earlier in row.result.get(REVIEWS, []) for uid in earlier["excluded"]}
    unknown = set(review.excluded) - (set(tracking_uids(row.result)) - gone)
    if unknown:
        raise IllegalTransition(f"no finding with tracking UID {min(unknown)} stands in the result")


def _why_replaced(later: Row[Any]) -> str:
    """Say what a reader can do about a result that a later one has replaced."""
    if later.state in (JobState.WITHDRAWING, JobState.WITHDRAWN):
        return "the later result that replaced this one was withdrawn: run the analysis again, and review that"
    return "a later result has replaced this one: review that"


def _is_held_by_somebody(connection: Connection, row: Row[Any]) -> bool:
    """Tell whether a result that is not COMPLETED has arrived anywhere and is not being withdrawn."""
    underway = row.state in (JobState.DELIVERING, JobState.REVIEWING, JobState.FAILED)
    return underway and WITHDRAWAL not in (row.result or {}) and is_held(connection, row.job_id)


def tracking_uids(result: Mapping[str, Any]) -> list[str]:
    """List the tracking UIDs of the findings in a job's result."""
    entries = [*result.get("measurements", []), *result.get("findings", [])]
    return [entry["tracking_uid"] for entry in entries if entry.get("tracking_uid")]


def is_under_review(result: Mapping[str, Any]) -> bool:
    """Tell whether archive and report server are still to be told of a review."""
    return len(result.get(REVIEWS, [])) > int(result.get(REVIEWED, 0))


def reviewed_result(result: Mapping[str, Any], artifacts: list[dict[str, object]]) -> dict[str, Any]:
    """Give a job's result once archive and report server know of all its reviews."""
    return {**result, REVIEWED: len(result.get(REVIEWS, [])), "artifacts": artifacts}


def find_predecessors(connection: Connection, job: Job, answer: str) -> Sequence[InstanceIdentity]:
    """Give the SRs of the latest earlier result with another answer about the same: one for each encoding.

    A repetition has the predecessors that it had the first time: its objects are the same ones.
    """
    repeated = find_repeated(connection, job, answer)
    if repeated is not None and REPLACES in repeated:
        return _identities(job.study_instance_uid, repeated[REPLACES])
    for row in _earlier(connection, job):
        result = row.result or {}
        stands = row.state in _STANDING or _is_held_by_somebody(connection, row)
        if stands and result.get(ANSWER) != answer:
            reports = [entry for entry in result.get("artifacts", []) if entry["kind"] == ArtifactKind.SR]
            return _identities(UID(row.study_instance_uid), reports)
    return ()


def find_repeated(connection: Connection, job: Job, answer: str) -> Mapping[str, Any] | None:
    """Give the result of the latest earlier job about the same, where its answer was equal; None where it was not.

    Its objects are the same ones, so what was said of them holds for the repetition too.
    """
    published = (*_STANDING, JobState.WITHDRAWING, JobState.WITHDRAWN)
    latest = next((row for row in _earlier(connection, job) if row.state in published), None)
    result = {} if latest is None else latest.result or {}
    return result if result.get(ANSWER) == answer else None


def _earlier(connection: Connection, job: Job) -> Sequence[Row[Any]]:
    """List the earlier jobs about the same, latest first."""
    earlier = (*about_the_same(job), jobs.c.job_id != job.job_id, not_(is_later(job)))
    statement = select(jobs).where(*earlier).order_by(jobs.c.created_at.desc(), jobs.c.job_id.desc())
    return connection.execute(statement).all()


def _identities(study_instance_uid: UID, entries: Any) -> Sequence[InstanceIdentity]:
    """Read what ``summary`` wrote; versions before kept a single object or none, and some without its class."""
    listed = entries if isinstance(entries, list) else [entries or {}]
    return [_identity(study_instance_uid, entry) for entry in listed if "sop_class_uid" in entry]


def _identity(study_instance_uid: UID, entry: Mapping[str, Any]) -> InstanceIdentity:
    names = (entry["series_instance_uid"], entry["sop_instance_uid"], entry["sop_class_uid"])
    return InstanceIdentity(study_instance_uid, *map(UID, names))
