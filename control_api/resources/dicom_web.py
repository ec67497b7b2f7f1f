"""``/dicom-web`` and ``/api/ris/dicom-web``: the archive's DICOMweb; the first for OHIF too, which has a cookie."""

from __future__ import annotations

from typing import Final

from flask import Response, request
from flask.views import MethodView

from control_api.auth import viewer_sessions
from control_api.auth.pace import Pace, paced
from control_api.auth.roles import EVERYONE, OPERATORS, serves
from control_api.auth.viewer_sessions import opened_by_cookie
from control_api.gateway import pictures
from control_api.openapi import APIBlueprint
from control_api.resources.relaying import FROM_BEHIND, let_through
from control_api.services import services

_DESCRIPTION: Final = "DICOMweb of the archive, streamed: QIDO-RS, WADO-RS, STOW-RS (PS3.18)."

blueprint = APIBlueprint("dicom-web", __name__, url_prefix="/dicom-web", description=_DESCRIPTION)
blueprint_of_ris = APIBlueprint(
    "ris-dicom-web", __name__, url_prefix="/api/ris/dicom-web", description=f"{_DESCRIPTION} For programs."
)


@blueprint.route("/<path:path>")
class DICOMweb(MethodView):
    """What the archive holds."""

    @blueprint.doc(responses=FROM_BEHIND, security=[{"bearerAuth": []}, {"apiKey": []}, {"viewerSession": []}])
    @opened_by_cookie
    @serves(EVERYONE)
    def get(self, path: str) -> Response:
        """Search or retrieve; a session of the viewer opens the studies that it names."""
        viewing = viewer_sessions.present()
        return let_through(pictures.read(services().gateway, request, path, viewing.studies if viewing else None))

    @blueprint.doc(responses=FROM_BEHIND)
    @serves(OPERATORS)
    def post(self, path: str) -> Response:
        """Store instances: `studies`, or `studies/{uid}`."""
        return let_through(pictures.store(services().gateway, request, path))


@blueprint_of_ris.route("/<path:path>")
class DICOMwebOfRIS(MethodView):
    """The same for programs, by token only."""

    @blueprint_of_ris.doc(responses=FROM_BEHIND)
    @paced(Pace.PICTURES)
    @serves(EVERYONE)
    def get(self, path: str) -> Response:
        """Search or retrieve."""
        return let_through(pictures.read(services().gateway, request, path, None))

    @blueprint_of_ris.doc(responses=FROM_BEHIND)
    @serves(OPERATORS)
    def post(self, path: str) -> Response:
        """Store instances: `studies`, or `studies/{uid}`."""
        return let_through(pictures.store(services().gateway, request, path))
