"""``/api/studies``: what arrived, and what was decided about it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Response
from flask.views import MethodView

from control_api.auth.roles import OPERATORS, REVIEWERS, serves
from control_api.changes import Topic
from control_api.comparison import compare
from control_api.openapi import APIBlueprint
from control_api.priors import FetchedPrior, fetch
from control_api.records import StudyView
from control_api.schemas.comparison import ComparisonListSchema, FetchedPriorSchema
from control_api.schemas.study import CompletionSchema, StudyDetailSchema, StudyListSchema, StudyQuerySchema
from control_api.services import services
from control_api.tagged import TAGGED, UNCHANGED, tagged
from inference.domain.identifiers import UID

blueprint = APIBlueprint("studies", __name__, url_prefix="/api/studies", description="Studies and their series.")


@blueprint.route("")
class Studies(MethodView):
    """The list."""

    @blueprint.arguments(StudyQuerySchema, location="query")
    @blueprint.response(HTTPStatus.OK, StudyListSchema, headers=TAGGED)
    @blueprint.alt_response(HTTPStatus.NOT_MODIFIED, description=UNCHANGED)
    def get(self, query: dict[str, Any]) -> Response:
        """List studies, the one received last first."""
        return tagged(Topic.STUDIES, StudyListSchema, lambda: services().queries.list_studies(**query))


@blueprint.route("/<uid:study_uid>")
class Study(MethodView):
    """One study."""

    @blueprint.response(HTTPStatus.OK, StudyDetailSchema, headers=TAGGED)
    @blueprint.alt_response(HTTPStatus.NOT_MODIFIED, description=UNCHANGED)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    def get(self, study_uid: UID) -> Response:
        """Show a study with its series, the evidence that closed them, their decisions and their jobs."""
        return tagged(Topic.STUDIES, StudyDetailSchema, lambda: services().queries.study(study_uid))


@blueprint.route("/<uid:study_uid>/comparison")
class ComparisonOfStudy(MethodView):
    """Then and now."""

    @blueprint.response(HTTPStatus.OK, ComparisonListSchema, headers=TAGGED)
    @blueprint.alt_response(HTTPStatus.NOT_MODIFIED, description=UNCHANGED)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    def get(self, study_uid: UID) -> Response:
        """Show how volumes changed since the previous study of the same patient, for each model.

        The previous study is the latest earlier one with the same Patient ID for which this node has a result of the
        model, of any version, that stands.
        """
        return tagged(
            Topic.STUDIES, ComparisonListSchema, lambda: {"comparisons": compare(services().queries, study_uid)}
        )


@blueprint.route("/<uid:study_uid>/prior")
class PriorOfStudy(MethodView):
    """The previous study."""

    @blueprint.response(HTTPStatus.ACCEPTED, FetchedPriorSchema)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @blueprint.alt_response(HTTPStatus.BAD_GATEWAY, HTTPStatus.BAD_GATEWAY.name)
    @blueprint.alt_response(HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.SERVICE_UNAVAILABLE.name)
    @serves(frozenset(OPERATORS | REVIEWERS))
    def post(self, study_uid: UID) -> FetchedPrior:
        """Have the archive send the previous study of the same patient, unless it is here.

        It arrives as any study does and is analysed as any study is; then `comparison` has something to compare with.
        """
        return fetch(services(), study_uid)


@blueprint.route("/<uid:study_uid>/complete")
class Complete(MethodView):
    """The explicit signal."""

    @blueprint.arguments(CompletionSchema)
    @blueprint.response(HTTPStatus.ACCEPTED, StudyDetailSchema)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @serves(OPERATORS)
    def post(self, signal: Mapping[str, Mapping[UID, int]], study_uid: UID) -> StudyView:
        """Say that a study is complete, the strongest evidence there is; its series are closed shortly after."""
        services().studies.signal_complete(study_uid, signal["expected"])
        return services().queries.study(study_uid)
