"""``/api/studies/{uid}/series/{uid}/preview``: a series with what was found in it, slice by slice."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Response, request
from flask.views import MethodView

from control_api import previews
from control_api.auth.pace import Pace, paced
from control_api.changes import Topic
from control_api.openapi import APIBlueprint
from control_api.schemas.preview import PictureQuerySchema, PreviewQuerySchema, PreviewSchema
from control_api.services import services
from control_api.tagged import TAGGED, UNCHANGED, tagged
from inference.domain.identifiers import UID

blueprint = APIBlueprint(
    "previews",
    __name__,
    url_prefix="/api/studies/<uid:study_uid>/series/<uid:series_uid>/preview",
    description="Pictures of results.",
)


@blueprint.route("")
class PreviewOfSeries(MethodView):
    """What there is to show."""

    @blueprint.arguments(PreviewQuerySchema, location="query")
    @blueprint.response(HTTPStatus.OK, PreviewSchema, headers=TAGGED)
    @blueprint.alt_response(HTTPStatus.NOT_MODIFIED, description=UNCHANGED)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    def get(self, query: dict[str, Any], study_uid: UID, series_uid: UID) -> Response:
        """Show how many slices there are, which windows, and the structures with colours and volumes."""
        return tagged(
            Topic.STUDIES, PreviewSchema, lambda: previews.find(services(), study_uid, series_uid, query["job_id"])
        )


@blueprint.route("/slices/<int:number>.png")
class Slice(MethodView):
    """One slice."""

    @blueprint.arguments(PictureQuerySchema, location="query")
    @blueprint.response(HTTPStatus.OK, content_type="image/png", description="The picture.", headers=TAGGED)
    @blueprint.alt_response(HTTPStatus.NOT_MODIFIED, description=UNCHANGED)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @paced(Pace.PICTURES)
    def get(self, query: dict[str, Any], study_uid: UID, series_uid: UID, number: int) -> Response:
        """Draw a slice as PNG in true proportions; the first is number 1."""
        preview = previews.find(services(), study_uid, series_uid, query["job_id"])
        return _answer(previews.picture(preview, number, query["order"]))


def _answer(picture: previews.Picture) -> Response:
    """Send a picture, or say that the client has it; it may be kept, but not shown again without asking."""
    if request.if_none_match.contains_weak(picture.tag):
        response = Response(status=HTTPStatus.NOT_MODIFIED)
    else:
        response = Response(picture.draw(), mimetype="image/png")
    response.set_etag(picture.tag)
    response.headers["Cache-Control"] = "private, no-cache"
    return response
