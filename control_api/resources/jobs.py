"""``/api/jobs``: what is done, what is being done, and what should be done again."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Response
from flask.views import MethodView

from control_api import history, reviews, runs
from control_api.auth.principal import current_user
from control_api.auth.roles import OPERATORS, REVIEWERS, serves
from control_api.changes import Topic
from control_api.openapi import APIBlueprint
from control_api.records import JobView
from control_api.schemas.history import JobLogSchema, TimelineSchema
from control_api.schemas.job import (
    CreatedJobsSchema,
    JobDetailSchema,
    JobListSchema,
    JobQuerySchema,
    RerunOrderSchema,
    RunOrder,
    RunOrderSchema,
)
from control_api.schemas.review import ReviewOrder, ReviewOrderSchema
from control_api.services import services
from control_api.tagged import TAGGED, UNCHANGED, tagged
from inference.domain.identifiers import JobID

blueprint = APIBlueprint(
    "jobs", __name__, url_prefix="/api/jobs", description="Jobs: one series, one model, one run."
)

_LOCATION = {"Location": {"description": "Where to look next.", "schema": {"type": "string"}}}


@blueprint.route("")
class Jobs(MethodView):
    """The list, and new jobs."""

    @blueprint.arguments(JobQuerySchema, location="query")
    @blueprint.response(HTTPStatus.OK, JobListSchema, headers=TAGGED)
    @blueprint.alt_response(HTTPStatus.NOT_MODIFIED, description=UNCHANGED)
    def get(self, query: dict[str, Any]) -> Response:
        """List jobs, newest first."""
        return tagged(Topic.JOBS, JobListSchema, lambda: services().queries.list_jobs(**query))

    @blueprint.arguments(RunOrderSchema)
    @blueprint.response(HTTPStatus.ACCEPTED, CreatedJobsSchema, headers=_LOCATION)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @blueprint.alt_response(HTTPStatus.CONFLICT, HTTPStatus.CONFLICT.name)
    @serves(OPERATORS)
    def post(self, order: RunOrder) -> tuple[dict[str, Any], HTTPStatus, dict[str, str]]:
        """Analyse a study or series (again): a new run for each series and model."""
        created = runs.start(services(), order)
        return {"jobs": created}, HTTPStatus.ACCEPTED, {"Location": runs.location(created)}


@blueprint.route("/<job_id:job_id>")
class Job(MethodView):
    """One job."""

    @blueprint.response(HTTPStatus.OK, JobDetailSchema, headers=TAGGED)
    @blueprint.alt_response(HTTPStatus.NOT_MODIFIED, description=UNCHANGED)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    def get(self, job_id: JobID) -> Response:
        """Show a job with its stage times, its findings and its result objects."""
        return tagged(Topic.JOBS, JobDetailSchema, lambda: services().queries.job(job_id))


@blueprint.route("/<job_id:job_id>/timeline")
class TimelineOfJob(MethodView):
    """Where the time went."""

    @blueprint.response(HTTPStatus.OK, TimelineSchema, headers=TAGGED)
    @blueprint.alt_response(HTTPStatus.NOT_MODIFIED, description=UNCHANGED)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    def get(self, job_id: JobID) -> Response:
        """Show how a job's time was spent: waiting, in each stage of each attempt, and with each destination."""
        return tagged(Topic.JOBS, TimelineSchema, lambda: history.timeline(services().queries.job(job_id)))


@blueprint.route("/<job_id:job_id>/logs")
class LogOfJob(MethodView):
    """What happened."""

    @blueprint.response(HTTPStatus.OK, JobLogSchema, headers=TAGGED)
    @blueprint.alt_response(HTTPStatus.NOT_MODIFIED, description=UNCHANGED)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    def get(self, job_id: JobID) -> Response:
        """Show what happened to a job, in order of time; nothing in it names a patient."""
        return tagged(Topic.JOBS, JobLogSchema, lambda: {"events": history.log(services().queries.job(job_id))})


@blueprint.route("/<job_id:job_id>/rerun")
class Rerun(MethodView):
    """The same input again."""

    @blueprint.arguments(RerunOrderSchema)
    @blueprint.response(HTTPStatus.ACCEPTED, CreatedJobsSchema, headers=_LOCATION)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @blueprint.alt_response(HTTPStatus.CONFLICT, HTTPStatus.CONFLICT.name)
    @serves(OPERATORS)
    def post(self, order: dict[str, Any], job_id: JobID) -> tuple[dict[str, Any], HTTPStatus, dict[str, str]]:
        """Analyse a job's input again, with another model or with the version that is active now: a new run."""
        created = runs.rerun(services(), job_id, order["model_id"])
        return {"jobs": created}, HTTPStatus.ACCEPTED, {"Location": runs.location(created)}


@blueprint.route("/<job_id:job_id>/retry")
class Retry(MethodView):
    """Another go."""

    @blueprint.response(HTTPStatus.ACCEPTED, JobDetailSchema)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @blueprint.alt_response(HTTPStatus.CONFLICT, HTTPStatus.CONFLICT.name)
    @serves(OPERATORS)
    def post(self, job_id: JobID) -> JobView:
        """Give a job that failed, was rejected or was cancelled another go; its attempts start anew."""
        return runs.retry(services(), job_id)


@blueprint.route("/<job_id:job_id>/cancel")
class Cancel(MethodView):
    """Stop."""

    @blueprint.response(HTTPStatus.ACCEPTED, JobDetailSchema)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @blueprint.alt_response(HTTPStatus.CONFLICT, HTTPStatus.CONFLICT.name)
    @serves(OPERATORS)
    def post(self, job_id: JobID) -> JobView:
        """Stop a job; a worker that is busy with it stops at its next heartbeat."""
        services().jobs.cancel(job_id)
        return services().queries.job(job_id)


@blueprint.route("/<job_id:job_id>/review")
class ReviewOfJob(MethodView):
    """A reader's word."""

    @blueprint.arguments(ReviewOrderSchema)
    @blueprint.response(HTTPStatus.ACCEPTED, JobDetailSchema)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @blueprint.alt_response(HTTPStatus.CONFLICT, HTTPStatus.CONFLICT.name)
    @serves(REVIEWERS)
    def post(self, order: ReviewOrder, job_id: JobID) -> JobView:
        """Accept, amend or reject a published result.

        Archive and report server are told by the workers; `deliveries` shows how far that has come. The result stays
        until they were told, and an accepted or amended one can be reviewed again.
        """
        return reviews.review(services(), job_id, order, current_user)
