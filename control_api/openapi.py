"""The API's description (OpenAPI 3.1), written by the code that serves it."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, Protocol, TypeVar, cast

from apispec import APISpec
from flask import Flask, Request
from flask_smorest import Api, Blueprint
from marshmallow import Schema, ValidationError, missing
from webargs.flaskparser import FlaskParser

from control_api.auth.roles import EVERYONE, NO_SCOPE, PUBLIC, scope_of
from control_api.identifiers import JobIDConverter, ModelIDConverter, ModelVersionConverter, UIDConverter
from control_api.problems import MEDIA_TYPE
from control_api.schemas.paging import CursorField
from control_api.schemas.problem import ProblemSchema
from integrations.persistence.users import Role

View = TypeVar("View", bound=Callable[..., Any])


class Decorator(Protocol):
    """Takes a view and gives it back, wrapped."""

    def __call__(self, view: View) -> View:
        """Wrap the view."""


DESCRIPTION: Final = (
    "The control interface of a NeuroNova Node: what arrived, what was decided about it, which jobs run and what "
    "they found. Every path but login and health demands a bearer token, or of a program an API key with the scope "
    "of the operation (`x-scope`). Errors are problem documents (RFC 9457) whose `code` is stable. Results are for "
    "research use, not for diagnosis."
)


class StrictParser(FlaskParser):
    """Reads requests; a member or parameter that nobody knows is refused instead of ignored."""

    DEFAULT_UNKNOWN_BY_LOCATION = dict.fromkeys(("json", "query", "path"), None)

    def load_json(self, req: Request, schema: Schema) -> Any:
        """Read a document; text that no database takes, and nesting that no stack holds, are faults of the request.

        JSON can say half a surrogate pair (RFC 8259 section 8.2), which is no Unicode and cannot be encoded.
        """
        try:
            document = super().load_json(req, schema)
            if document is not missing:
                json.dumps(document, ensure_ascii=False).encode()
        except (UnicodeEncodeError, RecursionError):
            raise ValidationError("Not Unicode text, or nested too deeply.") from None
        return document


class APIBlueprint(Blueprint):  # type: ignore[misc]  # flask-smorest has no types
    """A group of views whose description also says which roles they serve.

    The decorators are flask-smorest's, given types.
    """

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, name: str, import_name: str, **options: Any) -> None:
        super().__init__(name, import_name, **options)
        self._prepare_doc_cbks.append(self._describe_access)

    def route(self, rule: str, **options: Any) -> Decorator:
        """Serve a path with a view."""
        return cast("Decorator", super().route(rule, **options))

    def arguments(self, schema: type[Schema], **options: Any) -> Decorator:
        """Read the request by a schema and pass what it gives to the view."""
        return cast("Decorator", super().arguments(schema, **options))

    def response(self, status: HTTPStatus, schema: type[Schema] | None = None, **options: Any) -> Decorator:
        """Write what the view gives by a schema."""
        return cast("Decorator", super().response(status, schema, **options))

    def alt_response(self, status: HTTPStatus, response: str | None = None, **options: Any) -> Decorator:
        """Describe another answer."""
        return cast("Decorator", super().alt_response(status, response, **options))

    def doc(self, **kwargs: Any) -> Decorator:
        """Describe what no schema does."""
        return cast("Decorator", super().doc(**kwargs))

    def _describe_access(self, doc: dict[str, Any], doc_info: dict[str, Any], **facts: Any) -> dict[str, Any]:
        """Write the roles and the scope that ``control_api.auth.roles.serves`` noted beside the view's facts."""
        served = doc_info.get("serves", EVERYONE)
        responses = doc.setdefault("responses", {})
        responses["default"] = "DEFAULT_ERROR"
        if served == PUBLIC:
            return doc | {"security": []}
        responses[HTTPStatus.UNAUTHORIZED.value] = HTTPStatus.UNAUTHORIZED.name
        described = doc | {"x-roles": sorted(served)}
        if Role.SERVICE not in served:
            described["security"] = [{"bearerAuth": []}]
        scope = scope_of(self.name, facts["method"], doc_info.get("scope"))
        needs_scope = Role.SERVICE in served and scope != NO_SCOPE
        if needs_scope or served != EVERYONE:
            responses[HTTPStatus.FORBIDDEN.value] = HTTPStatus.FORBIDDEN.name
        return described | ({"x-scope": scope} if needs_scope else {})


class ProblemAPI(Api):  # type: ignore[misc]  # flask-smorest has no types
    """flask-smorest, whose own shape of errors is replaced by problem documents."""

    ERROR_SCHEMA = ProblemSchema

    def _register_error_handlers(self) -> None:
        """Leave errors to ``control_api.problems``."""

    def _register_responses(self) -> None:
        super()._register_responses()
        for response in self.spec.components.responses_lazy.values():
            content = response.get("content", {})
            if "application/json" in content:
                content[MEDIA_TYPE] = content.pop("application/json")


def make_api(app: Flask, version: str) -> ProblemAPI:
    """Set up the description of an application; blueprints are registered on what is returned."""
    app.config.update(
        API_TITLE="NeuroNova Node",
        API_VERSION=version,
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS={
            "info": {"description": DESCRIPTION, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
            "security": [{"bearerAuth": []}, {"apiKey": []}],
            "servers": [{"url": "/", "description": "This node"}],
        },
    )
    converters = {
        "uid": UIDConverter,
        "job_id": JobIDConverter,
        "model_id": ModelIDConverter,
        "model_version": ModelVersionConverter,
    }
    app.url_map.converters.update(converters)
    api = ProblemAPI(app)
    for converter in converters.values():
        api.register_converter(converter, converter.describe)  # type: ignore[attr-defined]  # each has one
    api.register_field(CursorField, "string", None)
    _describe_security(api.spec)
    return api


def _describe_security(spec: APISpec) -> None:
    spec.components.security_scheme(
        "viewerSession",
        {
            "type": "apiKey",
            "in": "cookie",
            "name": "viewer_session_0",
            "description": "A cookie of `POST /api/viewer/session`, which opens pictures of some studies to OHIF.",
        },
    )
    spec.components.security_scheme(
        "bearerAuth",
        {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The access token that `POST /api/auth/login` gives.",
        },
    )
    spec.components.security_scheme(
        "apiKey",
        {
            "type": "apiKey",
            "in": "header",
            "name": "X-API-Key",
            "description": "The key of a service account; `Authorization: ApiKey …` is understood too.",
        },
    )
