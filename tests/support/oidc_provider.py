"""A real OpenID provider: Authlib's authorization server with PKCE and signed ID tokens, on a port of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, Response, jsonify
from joserfc.jwk import KeySet, RSAKey
from werkzeug.serving import make_server

CLIENT_ID: Final = "neuronova"
CLIENT_SECRET: Final = "the secret of the node at the provider"
KEY: Final = RSAKey.generate_key(2048, {"kid": "test", "use": "sig", "alg": "RS256"}, private=True)
OTHER_KEY: Final = RSAKey.generate_key(2048, {"kid": "test", "use": "sig", "alg": "RS256"}, private=True)


@dataclass(frozen=True)
class Client(ClientMixin):
    """The node, as the provider has registered it."""

    redirect_uri: str

    def get_client_id(self) -> str:
        """Give its name."""
        return CLIENT_ID

    def get_default_redirect_uri(self) -> str:
        """Give where browsers are sent back to."""
        return self.redirect_uri

    def get_allowed_scope(self, scope: str) -> str:
        """Allow what is asked."""
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Take the registered one only."""
        return redirect_uri == self.redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        """Take the right one only."""
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Take a secret, in the header or in the form."""
        return method in {"client_secret_basic", "client_secret_post"}

    def check_response_type(self, response_type: str) -> bool:
        """Take the code flow only."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Take the code flow only."""
        return grant_type == "authorization_code"


@dataclass
class Code(AuthorizationCodeMixin):
    """An authorization code that was given out."""

    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str | None
    code_challenge_method: str | None

    def get_redirect_uri(self) -> str:
        """Give where it went."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """Give what it is for."""
        return self.scope

    def get_nonce(self) -> str | None:
        """Give what the ID token has to repeat."""
        return self.nonce

    def get_auth_time(self) -> None:
        """Say nothing."""

    def get_acr(self) -> None:
        """Say nothing."""

    def get_amr(self) -> None:
        """Say nothing."""


@dataclass
class Provider:
    """A running provider, at which one person is logged in.

    Parameters
    ----------
    issuer
        Its address.
    person
        What it says of them: claims of the ID token.
    client
        The node; the test sets where browsers are sent back to.
    overruled
        Claims that it says wrongly.
    key
        What it signs with.
    codes
        Authorization codes that were not used yet.
    """

    issuer: str = ""
    person: dict[str, Any] = field(default_factory=dict)
    client: Client = field(default_factory=lambda: Client("http://localhost/api/auth/oidc/callback"))
    overruled: dict[str, Any] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: KEY)
    codes: dict[str, Code] = field(default_factory=dict)


@contextmanager
def running_provider(person: Mapping[str, Any]) -> Iterator[Provider]:
    """Run a provider at which somebody is logged in."""
    provider = Provider(person=dict(person))
    server = make_server("localhost", 0, _application(provider), threaded=True)
    provider.issuer = f"http://localhost:{server.port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _application(provider: Provider) -> Flask:
    app = Flask("oidc_provider")
    server = AuthorizationServer(app, lambda client_id: provider.client if client_id == CLIENT_ID else None, _forget)
    server.register_grant(_code_grant(provider), [_id_token(provider), CodeChallenge(required=True)])

    @app.get("/.well-known/openid-configuration")
    def metadata() -> Response:
        return jsonify(
            issuer=provider.issuer,
            authorization_endpoint=f"{provider.issuer}/authorize",
            token_endpoint=f"{provider.issuer}/token",
            jwks_uri=f"{provider.issuer}/jwks",
            id_token_signing_alg_values_supported=["RS256"],
        )

    @app.get("/jwks")
    def keys() -> Response:
        return jsonify(KeySet([KEY]).as_dict(private=False))

    @app.get("/authorize")
    def authorize() -> Any:
        grant = server.get_consent_grant(end_user=provider.person or None)
        return server.create_authorization_response(grant=grant, grant_user=provider.person or None)

    app.post("/token", endpoint="token")(server.create_token_response)
    return app


def _forget(*_: object) -> None:
    """Keep no access token: the node asks nothing with it."""


def _code_grant(provider: Provider) -> type[AuthorizationCodeGrant]:
    class Grant(AuthorizationCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]  # noqa: RUF012 - Authlib's way

        def save_authorization_code(self, code: str, request: Any) -> None:
            data = request.payload.data
            challenge = (data.get("code_challenge"), data.get("code_challenge_method"))
            provider.codes[code] = Code(request.payload.redirect_uri, request.scope, data.get("nonce"), *challenge)

        def query_authorization_code(self, code: str, client: Client) -> Code | None:
            return provider.codes.pop(code, None)

        def delete_authorization_code(self, authorization_code: Code) -> None:
            """Do nothing: it was taken when it came."""

        def authenticate_user(self, authorization_code: Code) -> Any:
            return provider.person

    return Grant


def _id_token(provider: Provider) -> OpenIDCode:
    class IDToken(OpenIDCode):
        def exists_nonce(self, nonce: str, request: Any) -> bool:
            return False

        def resolve_client_private_key(self, client: Client) -> RSAKey:
            return provider.key

        def get_encode_header(self, client: Client) -> dict[str, str]:
            return {"alg": "RS256", "kid": "test"}

        def get_client_claims(self, client: Client) -> dict[str, Any]:
            return {"iss": provider.issuer, "aud": [CLIENT_ID]}

        def generate_user_info(self, user: dict[str, Any], scope: str) -> dict[str, Any]:
            return user | provider.overruled

    return IDToken(require_nonce=True)
