"""A medical record as OpenEMR 7 presents itself: an OAuth 2 server (Authlib) in front of a real FHIR server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import httpx
from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector, current_token
from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from flask import Flask, Response, jsonify, request
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.serving import WSGIRequestHandler, make_server

CLIENT_ID = "neuronova"
SCOPES = "system/Patient.read system/Encounter.read system/Appointment.read"
SITE = "/apis/default"


class _Client(ClientMixin):  # type: ignore[misc]
    """The one client that is registered; it is known by its key and may ask for itself only."""

    def get_client_id(self) -> str:
        """Give its id."""
        return CLIENT_ID

    def get_allowed_scope(self, scope: str) -> str:
        """Give what it may have of what it asks for."""
        return " ".join(one for one in scope.split() if one in SCOPES.split())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Take a signed assertion only."""
        return (method, endpoint) == (JWTBearerClientAssertion.CLIENT_AUTH_METHOD, "token")

    def check_grant_type(self, grant_type: str) -> bool:
        """Take client credentials only."""
        return grant_type == "client_credentials"


@dataclass
class _Token(TokenMixin):  # type: ignore[misc]
    """A token that was given."""

    scope: str
    revoked: bool = False

    def check_client(self, client: Any) -> bool:
        """There is one client."""
        return True

    def get_scope(self) -> str:
        """Give what it is good for."""
        return self.scope

    def get_expires_in(self) -> int:
        """Give its life."""
        return 3600

    def is_expired(self) -> bool:
        """No test takes an hour."""
        return False

    def is_revoked(self) -> bool:
        """Say whether it was taken back."""
        return self.revoked


@dataclass
class MedicalRecord:
    """A running medical record.

    Parameters
    ----------
    url
        Its base address.
    tokens
        What it gave, by token.
    assertions
        Ids of assertions that were used; none is taken twice.
    asked
        Paths that were asked for with a good token.
    """

    url: str = ""
    tokens: dict[str, _Token] = field(default_factory=dict)
    assertions: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def revoke_all(self) -> None:
        """Take every token back, as a restart of the server does."""
        for token in self.tokens.values():
            token.revoked = True


def _authorization(app: Flask, record: MedicalRecord, keys: Callable[[], dict[str, Any]]) -> None:
    server = AuthorizationServer(app, query_client=lambda client_id: _Client() if client_id == CLIENT_ID else None)

    class Assertion(JWTBearerClientAssertion):  # type: ignore[misc]
        """Checks what the client signed against the keys that it publishes."""

        def get_audiences(self) -> list[str]:
            return [f"{record.url}/oauth2/default/token"]

        def process_assertion_claims(self, assertion: str, resolve_key: KeySet) -> Any:
            claims = jwt.decode(assertion, resolve_key, algorithms=["RS384"]).claims
            self.verify_claims(claims)
            return claims

        def validate_jti(self, claims: dict[str, Any], jti: str) -> bool:
            record.assertions.append(jti)
            return record.assertions.count(jti) == 1 and claims["exp"] - claims["iat"] <= 300

        def resolve_client_public_key(self, client: Any) -> KeySet:
            return KeySet.import_key_set(keys())

    class Grant(ClientCredentialsGrant):  # type: ignore[misc]
        """Client credentials, by assertion only."""

        TOKEN_ENDPOINT_AUTH_METHODS = [Assertion.CLIENT_AUTH_METHOD]  # noqa: RUF012 - as Authlib has it

    def save(token: dict[str, Any], _request: object) -> None:
        record.tokens[token["access_token"]] = _Token(token["scope"])

    server.save_token = save
    server.register_client_auth_method(Assertion.CLIENT_AUTH_METHOD, Assertion())
    server.register_grant(Grant)
    app.post("/oauth2/default/token", endpoint="token")(server.create_token_response)


def _resources(app: Flask, record: MedicalRecord, fhir_url: str) -> None:
    protector = ResourceProtector()

    class Validator(BearerTokenValidator):  # type: ignore[misc]
        """Looks tokens up."""

        def authenticate_token(self, token_string: str) -> _Token | None:
            return record.tokens.get(token_string)

    protector.register_token_validator(Validator())

    @app.get(f"{SITE}/fhir/<path:path>")
    @protector(["system/Patient.read"])
    def fhir(path: str) -> Response:
        """Give what the real FHIR server has, with links of this one, slashes escaped as PHP does."""
        record.asked.append(path)
        answer = httpx.get(f"{fhir_url}/{path}", params=request.args.to_dict(), timeout=60)
        text = answer.text.replace(fhir_url, f"{record.url}{SITE}/fhir").replace("/", "\\/")
        return Response(text, answer.status_code, mimetype="application/fhir+json")

    @app.get(f"{SITE}/api/<path:path>")
    @protector(["system/Patient.read"])
    def standard(path: str) -> Response:
        """Give the shape of the standard API's answers."""
        record.asked.append(path)
        assert current_token
        return jsonify({"validationErrors": [], "internalErrors": [], "data": [{"path": path}]})


class _Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the name of the overridden method
        """Keep silent."""


@contextmanager
def running_medical_record(fhir_url: str, keys: Callable[[], dict[str, Any]]) -> Iterator[MedicalRecord]:
    """Run a medical record for the length of a ``with`` block.

    Parameters
    ----------
    fhir_url
        The FHIR server behind it.
    keys
        Fetches the client's key set.
    """
    app, record = Flask("medical_record"), MedicalRecord()
    app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {"client_credentials": 3600}
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    record.url = f"http://127.0.0.1:{server.server_port}"
    _authorization(app, record, keys)
    _resources(app, record, fhir_url)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield record
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
