"""A person's word on a result: kept with the job, and carried to archive and report server by the workers."""

from __future__ import annotations

from control_api.records import JobView
from control_api.runs import tell_a_worker
from control_api.schemas.review import ReviewOrder
from control_api.services import Account, Services
from inference.domain.identifiers import JobID
from inference.domain.review import Review


def review(given: Services, job_id: JobID, order: ReviewOrder, reader: Account) -> JobView:
    """Take a review.

    Parameters
    ----------
    given
        What the API works with.
    job_id
        Whose result.
    order
        The review as it was sent.
    reader
        Who is logged in; their account's name is the name that stands in the objects.

    Raises
    ------
    JobNotFound
        If there is no such job.
    IllegalTransition
        If it has no published result that stands, or an excluded finding is none of its own.
    """
    said = Review(
        verdict=order.verdict,
        reviewer=reader.username,
        reviewer_name=reader.username,
        organization=given.options.organization,
        at=given.clock.now().astimezone(given.options.zone),
        reason=order.reason,
        excluded=order.excluded,
        conclusion=order.conclusion,
    )
    tell_a_worker(given, given.jobs.review(job_id, said))
    return given.queries.job(job_id)
