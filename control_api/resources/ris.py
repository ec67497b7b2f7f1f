"""``/api/ris``: what is in the archive, in plain JSON."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask.views import MethodView

from control_api.auth.roles import EVERYONE, serves
from control_api.gateway import ris
from control_api.gateway.ris import Page
from control_api.openapi import APIBlueprint
from control_api.resources.relaying import note
from control_api.schemas.ris import (
    RISInstanceListSchema,
    RISPatientListSchema,
    RISQuerySchema,
    RISSeriesListSchema,
    RISStudyListSchema,
)
from control_api.services import services
from inference.domain.identifiers import UID

blueprint = APIBlueprint("ris", __name__, url_prefix="/api/ris", description="What is in the archive (RIS, PACS).")


@blueprint.route("/patients")
class Patients(MethodView):
    """Patients who have studies."""

    @blueprint.arguments(RISQuerySchema, location="query")
    @blueprint.response(HTTPStatus.OK, RISPatientListSchema)
    @serves(EVERYONE)
    def get(self, query: dict[str, Any]) -> Page:
        """Search patients by themselves and by their studies, of which at most 1000 are looked at."""
        found = ris.patients(services().gateway, **query)
        note("ris.search")
        return found


@blueprint.route("/studies")
class Studies(MethodView):
    """Studies."""

    @blueprint.arguments(RISQuerySchema, location="query")
    @blueprint.response(HTTPStatus.OK, RISStudyListSchema)
    @serves(EVERYONE)
    def get(self, query: dict[str, Any]) -> Page:
        """Search studies."""
        found = ris.studies(services().gateway, **query)
        note("ris.search")
        return found


@blueprint.route("/studies/<uid:study_uid>/series")
class Series(MethodView):
    """Series of a study."""

    @blueprint.response(HTTPStatus.OK, RISSeriesListSchema)
    @serves(EVERYONE)
    def get(self, study_uid: UID) -> Page:
        """List the series of a study; none where the archive has no such study."""
        found = ris.series(services().gateway, study_uid)
        note("ris.search", study_uid)
        return found


@blueprint.route("/studies/<uid:study_uid>/series/<uid:series_uid>/instances")
class Instances(MethodView):
    """Instances of a series."""

    @blueprint.response(HTTPStatus.OK, RISInstanceListSchema)
    @serves(EVERYONE)
    def get(self, study_uid: UID, series_uid: UID) -> Page:
        """List the instances of a series; none where the archive has no such series."""
        found = ris.instances(services().gateway, study_uid, series_uid)
        note("ris.search", study_uid)
        return found
