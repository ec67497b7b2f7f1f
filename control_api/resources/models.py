"""``/api/models``: what the node can analyse, and what it cannot because a package is broken."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask.views import MethodView

from control_api.openapi import APIBlueprint
from control_api.schemas.node import ModelListSchema
from control_api.services import services

blueprint = APIBlueprint("models", __name__, url_prefix="/api/models", description="Model packages.")


@blueprint.route("")
class Models(MethodView):
    """Model cards."""

    @blueprint.response(HTTPStatus.OK, ModelListSchema)
    def get(self) -> dict[str, Any]:
        """Show the card of every version of every model with what this node does with it, and what is not usable."""
        catalogue = services().catalogue
        return {"models": catalogue.all(), "broken": catalogue.broken}
