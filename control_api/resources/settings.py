"""``/api/settings``: how the node is set up; changed where it is deployed, never here."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask.views import MethodView

from control_api.auth.roles import ADMINS, serves
from control_api.openapi import APIBlueprint
from control_api.schemas.settings import SettingListSchema
from control_api.services import services

blueprint = APIBlueprint("settings", __name__, url_prefix="/api/settings", description="How the node is set up.")


@blueprint.route("")
class SettingList(MethodView):
    """Every setting."""

    @blueprint.response(HTTPStatus.OK, SettingListSchema)
    @serves(ADMINS)
    def get(self) -> dict[str, Any]:
        """Show every setting with its value, where that comes from, and what it means; secrets are hidden."""
        return {"settings": services().node.settings}
