"""``/api/viewer``: opening OHIF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from flask import after_this_request
from flask.views import MethodView
from flask.wrappers import Response
from flask_jwt_extended import current_user, get_jwt

from control_api.auth import viewer_sessions
from control_api.auth.roles import PEOPLE, serves
from control_api.gateway.refusals import forbidden
from control_api.openapi import APIBlueprint
from control_api.resources.relaying import note
from control_api.schemas.viewer import ViewerOrderSchema, ViewerSessionSchema
from control_api.services import services
from inference.domain.identifiers import UID
from integrations.persistence.users import Role

blueprint = APIBlueprint("viewer", __name__, url_prefix="/api/viewer", description="Looking at pictures in OHIF.")


@dataclass(frozen=True, slots=True)
class Session:
    """A session that was opened.

    Parameters
    ----------
    url
        Of OHIF.
    expires_at
        When it ends, UTC.
    """

    url: str
    expires_at: datetime


@blueprint.route("/session")
class ViewerSession(MethodView):
    """Sessions of the viewer."""

    @blueprint.arguments(ViewerOrderSchema)
    @blueprint.response(HTTPStatus.CREATED, ViewerSessionSchema)
    @serves(PEOPLE)
    def post(self, order: dict[str, Any]) -> Session:
        """Open OHIF for some studies: the browser gets a cookie that opens their pictures for some minutes."""
        return _open(order["studies"], order.get("series"))


def _open(named: Sequence[UID], series: UID | None) -> Session:
    if not named and current_user.role != Role.ADMIN:
        raise forbidden("only administrators may look at all studies; name those to be opened")
    studies = frozenset(named) if named else None
    options = services().gateway.viewer
    expires_at = services().clock.now() + timedelta(minutes=options.minutes)
    content = viewer_sessions.sign(current_user, str(get_jwt()["jti"]), studies, expires_at)
    for target in [str(uid) for uid in named] or [""]:
        note("viewer.open", target)

    def give_cookie(response: Response) -> Response:
        """Send the session along."""
        viewer_sessions.set_cookie(response, content, studies)
        return response

    after_this_request(give_cookie)
    return Session(_address(options.path, named, series), expires_at)


def _address(path: str, studies: Sequence[UID], series: UID | None) -> str:
    """Give the address of OHIF; it opens at a segmentation with the overlay on (docs/viewers.md)."""
    if not studies:
        return f"{path}/"
    first = {"initialSeriesInstanceUID": str(series)} if series else {}
    return f"{path}/viewer?{urlencode({'StudyInstanceUIDs': ','.join(studies), **first}, safe=',')}"
