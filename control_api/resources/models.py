"""``/api/models``: what the node can analyse, what it cannot because a package is broken, and who may change that."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Response, request, send_file
from flask.views import MethodView

from control_api import model_cards, model_decisions, uploads
from control_api.auth.principal import current_user
from control_api.auth.roles import ADMINS, serves
from control_api.model_cards import ModelDetail, ModelHistory, ModelList, ShownVerification
from control_api.openapi import APIBlueprint
from control_api.schemas.model import (
    ModelChangeSchema,
    ModelDetailSchema,
    ModelHistorySchema,
    ModelListSchema,
    RecallOrderSchema,
    RecallSchema,
    VerificationSchema,
)
from control_api.services import services
from models.deployment import Change

blueprint = APIBlueprint("models", __name__, url_prefix="/api/models", description="Model packages.")

_VERSION = "/<model_id:model_id>/<model_version:version>"
_LOCATION = {"Location": {"description": "Where to look next.", "schema": {"type": "string"}}}
_PACKAGE = {
    "required": True,
    "description": "A zip or tar archive of the package, sent as it is. `Content-Digest` (RFC 9530, sha-256) is "
    "checked where it is given.",
    "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in uploads.MEDIA_TYPES},
}
_PICTURE = {"description": "The picture.", "content": {"image/png": {"schema": {"type": "string"}}}}


@blueprint.route("")
class Models(MethodView):
    """Model cards, and new packages."""

    @blueprint.response(HTTPStatus.OK, ModelListSchema)
    def get(self) -> ModelList:
        """Show the card of every version of every model with what this node does with it, and what is not usable."""
        return model_cards.list_models(services().models)

    @blueprint.doc(requestBody=_PACKAGE)
    @blueprint.response(HTTPStatus.CREATED, ModelDetailSchema, headers=_LOCATION)
    @blueprint.alt_response(HTTPStatus.OK, schema=ModelDetailSchema, description="The same package is here already.")
    @blueprint.alt_response(HTTPStatus.CONFLICT, HTTPStatus.CONFLICT.name)
    @blueprint.alt_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_ENTITY_TOO_LARGE.name)
    @blueprint.alt_response(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE.name)
    @blueprint.alt_response(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.UNPROCESSABLE_ENTITY.name)
    @serves(ADMINS)
    def post(self) -> tuple[ModelDetail, HTTPStatus, dict[str, str]]:
        """Upload a model package; an inference worker looks it over, and nothing runs until it is activated."""
        detail, added = uploads.take(services(), current_user.username, request)
        model = detail.spec.reference
        location = {"Location": f"/api/models/{model.model_id}/{model.version}"}
        return detail, HTTPStatus.CREATED if added else HTTPStatus.OK, location


@blueprint.route("/<model_id:model_id>")
class Model(MethodView):
    """One model."""

    @blueprint.response(HTTPStatus.OK, ModelHistorySchema)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    def get(self, model_id: str) -> ModelHistory:
        """Show the versions of a model, and what was decided about them by whom."""
        return model_cards.history(services().models, model_id)


@blueprint.route("/<model_id:model_id>/roll-back")
class RollBack(MethodView):
    """Back to what was."""

    @blueprint.response(HTTPStatus.OK, ModelChangeSchema)
    @blueprint.alt_response(HTTPStatus.CONFLICT, HTTPStatus.CONFLICT.name)
    @serves(ADMINS)
    def post(self, model_id: str) -> Change:
        """Go back to the version that was active before; its golden numbers are not asked again."""
        return model_decisions.roll_back(services(), current_user.username, model_id)


@blueprint.route(_VERSION)
class ModelVersion(MethodView):
    """One version."""

    @blueprint.response(HTTPStatus.OK, ModelDetailSchema)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    def get(self, model_id: str, version: str) -> ModelDetail:
        """Show all that is known of a version, with its model card."""
        return model_cards.detail(services().models, model_id, version)

    @blueprint.response(HTTPStatus.NO_CONTENT)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @blueprint.alt_response(HTTPStatus.CONFLICT, HTTPStatus.CONFLICT.name)
    @serves(ADMINS)
    def delete(self, model_id: str, version: str) -> None:
        """Remove a version that was added, does not run and has no unfinished jobs."""
        model_decisions.remove(services(), current_user.username, model_id, version)


@blueprint.route(f"{_VERSION}/pictures/<string(minlength=1, maxlength=68):name>")
class CardPicture(MethodView):
    """A picture of a card."""

    @blueprint.doc(responses={HTTPStatus.OK.value: _PICTURE})
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    def get(self, model_id: str, version: str, name: str) -> Response:
        """Give a picture of the model card."""
        path = model_cards.picture(services().models, model_id, version, name)
        return send_file(path, mimetype="image/png", max_age=0)


@blueprint.route(f"{_VERSION}/verification")
class VerificationOfModel(MethodView):
    """Whether it has proved itself."""

    @blueprint.response(HTTPStatus.OK, VerificationSchema)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    def get(self, model_id: str, version: str) -> ShownVerification:
        """Show the latest look at a version."""
        return model_cards.verification(services().models, model_id, version)


@blueprint.route(f"{_VERSION}/verify")
class Verify(MethodView):
    """Asking for proof."""

    @blueprint.response(HTTPStatus.ACCEPTED, VerificationSchema, headers=_LOCATION)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @blueprint.alt_response(HTTPStatus.CONFLICT, HTTPStatus.CONFLICT.name)
    @serves(ADMINS)
    def post(self, model_id: str, version: str) -> tuple[ShownVerification, HTTPStatus, dict[str, str]]:
        """Ask an inference worker whether a version computes here what its maker saw."""
        look = model_decisions.verify(services(), current_user.username, model_id, version)
        return look, HTTPStatus.ACCEPTED, {"Location": f"/api/models/{model_id}/{version}/verification"}


@blueprint.route(f"{_VERSION}/activate")
class Activate(MethodView):
    """On."""

    @blueprint.response(HTTPStatus.OK, ModelChangeSchema)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @blueprint.alt_response(HTTPStatus.CONFLICT, HTTPStatus.CONFLICT.name)
    @serves(ADMINS)
    def post(self, model_id: str, version: str) -> Change:
        """Let a version that has proved itself run on what arrives, instead of the one that does."""
        return model_decisions.activate(services(), current_user.username, model_id, version)


@blueprint.route(f"{_VERSION}/shadow")
class Shadow(MethodView):
    """On trial."""

    @blueprint.response(HTTPStatus.OK, ModelChangeSchema)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @blueprint.alt_response(HTTPStatus.CONFLICT, HTTPStatus.CONFLICT.name)
    @serves(ADMINS)
    def post(self, model_id: str, version: str) -> Change:
        """Let a version that has proved itself run beside the active one: recorded, and not published."""
        return model_decisions.shadow(services(), current_user.username, model_id, version)


@blueprint.route(f"{_VERSION}/deactivate")
class Deactivate(MethodView):
    """Off."""

    @blueprint.response(HTTPStatus.OK, ModelChangeSchema)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @blueprint.alt_response(HTTPStatus.CONFLICT, HTTPStatus.CONFLICT.name)
    @serves(ADMINS)
    def post(self, model_id: str, version: str) -> Change:
        """Switch a version off; jobs that were made for it are done."""
        return model_decisions.deactivate(services(), current_user.username, model_id, version)


@blueprint.route(f"{_VERSION}/recall")
class Recall(MethodView):
    """Off for good."""

    @blueprint.arguments(RecallOrderSchema)
    @blueprint.response(HTTPStatus.ACCEPTED, RecallSchema)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @serves(ADMINS)
    def post(self, order: dict[str, str], model_id: str, version: str) -> dict[str, Any]:
        """Recall a faulty version for good: it never runs again, and every result that it published is withdrawn.

        Given again it carries on with what could not be withdrawn; the first reason holds.
        """
        actor = current_user.username
        return {"recalled": model_decisions.recall(services(), actor, model_id, version, order["reason"])}
