"""``/api/events``: what changes, as it changes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from flask import Response, request
from flask.views import MethodView

from control_api import events
from control_api.openapi import APIBlueprint
from control_api.services import services

blueprint = APIBlueprint("events", __name__, url_prefix="/api/events", description="What changes, as it changes.")

_LAST: Final[dict[str, Any]] = {
    "in": "header",
    "name": "Last-Event-ID",
    "required": False,
    "description": "Id of the last event that was seen: what came since is told first.",
    "schema": {"type": "string", "pattern": "^[0-9]{1,17}$"},
}


@blueprint.route("")
class Events(MethodView):
    """The stream."""

    @blueprint.doc(parameters=[_LAST])
    @blueprint.response(HTTPStatus.OK, content_type="text/event-stream", description="Server-sent events.")
    def get(self) -> Response:
        """Tell which jobs and studies change, as they change.

        Events are `job` (`job_id`, `study_uid`, `state`, `shadow`, `at`), `study` (`study_uid`, `at`), `ready` at the
        beginning and `reset` where so much was missed that everything should be asked for. A stream ends after some
        seconds; come back after the time that `retry` names, with the last event's id as `Last-Event-ID`.
        """
        given = services()
        lives = given.event_places.take()
        last = events.parse_last_id(request.headers.get("Last-Event-ID", ""))
        messages = events.stream(given.event_source, last, lives=lives)
        response = Response(messages, mimetype="text/event-stream")
        response.headers.update({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        if lives:
            response.call_on_close(given.event_places.leave)
        return response
