"""Tokens of an OAuth 2 server for a client that signs who it is (RFC 7523, SMART Backend Services)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Lock
from typing import Any, Final

import httpx
from authlib.oauth2.rfc7523 import private_key_jwt_sign
from joserfc.jwk import RSAKey

from inference.errors import ConfigurationError
from inference.ports import Clock
from integrations.upstream.exchange import Answer, Call, Server, Trouble, UpstreamTrouble

ALGORITHM: Final = "RS384"
"""What OpenEMR and SMART Backend Services ask for."""
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS: Final = 240
"""SMART allows five minutes at most; clocks differ a little."""
RENEW_BEFORE_S: Final = 30.0
"""So that none ends on its way; of a token with a short life, as OpenEMR's of a minute, the last quarter."""
SHORTEST_KEY_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class AssertingClient:
    """Who we are to an authorization server.

    Parameters
    ----------
    token_url
        Its token endpoint, which is the audience of what we sign, too.
    client_id
        Our registration there.
    key
        Private RSA key; the public part is registered, or fetched from our key set.
    scopes
        What is asked for.
    """

    token_url: str
    client_id: str
    key: RSAKey = field(repr=False)
    scopes: Sequence[str]


def read_key(pem: str) -> RSAKey:
    """Read a private RSA key.

    Raises
    ------
    ConfigurationError
        If it is none, or a short one.
    """
    try:
        key = RSAKey.import_key(pem)
        private, bits = key.is_private, key.raw_value.key_size
    except Exception as error:
        raise ConfigurationError("the key for OpenEMR is no RSA key in PEM form") from error
    if not private or bits < SHORTEST_KEY_BITS:
        raise ConfigurationError(f"the key for OpenEMR must be a private one of at least {SHORTEST_KEY_BITS} bits")
    return key


def public_key_set(key: RSAKey) -> dict[str, Any]:
    """Give the public part as a JSON Web Key Set (RFC 7517), which an authorization server may fetch."""
    public = {**key.as_dict(private=False), "kid": key.thumbprint(), "use": "sig", "alg": ALGORITHM}
    return {"keys": [public]}


class AssertedTokens:
    """Gives the Authorization header; a token is asked for when there is none, or the one there is ends soon.

    Parameters
    ----------
    server
        What the authorization server is called, for people.
    me
        Who we are to it.
    client
        Carries timeouts and TLS settings.
    clock
        Time of assertions and of the ends of tokens.
    """

    def __init__(self, server: str, me: AssertingClient, client: httpx.Client, clock: Clock) -> None:
        self._server = server
        self._me = me
        self._client = client
        self._clock = clock
        self._lock = Lock()
        self._token = ""
        self._renew_at = 0.0

    def headers(self) -> Mapping[str, str]:
        """Give the header of a request.

        Raises
        ------
        UpstreamTrouble
            If no token can be had.
        """
        with self._lock:
            if not self._token or self._clock.monotonic() >= self._renew_at:
                self._renew()
            return {"authorization": f"Bearer {self._token}"}

    def forget(self) -> None:
        """Ask for a new one next time."""
        with self._lock:
            self._token = ""

    def _renew(self) -> None:
        asked_at = self._clock.monotonic()
        document = self._ask()
        try:
            self._token, life_s = str(document["access_token"]), float(document.get("expires_in", 60))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UpstreamTrouble(self._server, Trouble.FAILED) from error
        self._renew_at = asked_at + life_s - min(RENEW_BEFORE_S, life_s / 4)

    def _ask(self) -> Any:
        form = {
            "grant_type": "client_credentials",
            "scope": " ".join(self._me.scopes),
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._assertion(),
        }
        try:
            answer = self._client.post(self._me.token_url, data=form, headers={"accept": "application/json"})
        except httpx.TimeoutException as error:
            raise UpstreamTrouble(self._server, Trouble.TIMEOUT) from error
        except httpx.TransportError as error:
            raise UpstreamTrouble(self._server, Trouble.UNREACHABLE) from error
        if answer.status_code != HTTPStatus.OK:
            is_fault = answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
            raise UpstreamTrouble(self._server, Trouble.FAILED if is_fault else Trouble.LOGIN_REFUSED)
        try:
            return answer.json()
        except ValueError as error:
            raise UpstreamTrouble(self._server, Trouble.FAILED) from error

    def _assertion(self) -> str:
        signed: str = private_key_jwt_sign(
            self._me.key,
            self._me.client_id,
            self._me.token_url,
            alg=ALGORITHM,
            header={"kid": self._me.key.thumbprint(), "typ": "JWT"},
            issued_at=int(self._clock.now().timestamp()),
            expires_in=ASSERTION_SECONDS,
        )
        return signed


class TokenServer:
    """A server that wants such a token; one that it no longer takes is replaced once.

    Parameters
    ----------
    server
        Asked with the tokens' header.
    tokens
        Where they come from.
    """

    def __init__(self, server: Server, tokens: AssertedTokens) -> None:
        self._inner = server
        self._tokens = tokens

    @property
    def name(self) -> str:
        """What it is called, for people."""
        return self._inner.name

    @property
    def base_url(self) -> str:
        """The address that must not be seen outside."""
        return self._inner.base_url

    def send(self, call: Call) -> Answer:
        """Ask; a body cannot be sent twice, so with one the client has to ask again.

        Raises
        ------
        UpstreamTrouble
            If there is no answer that can be passed on.
        """
        try:
            return self._inner.send(call)
        except UpstreamTrouble as error:
            if error.trouble is not Trouble.LOGIN_REFUSED:
                raise
            self._tokens.forget()
            if call.body is not None:
                raise
        return self._inner.send(call)
