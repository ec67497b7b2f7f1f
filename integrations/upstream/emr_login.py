"""How the medical record is told who we are: for the gateway, and for what asks it in the background."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

import httpx

from inference.errors import PeerUnavailable
from inference.ports import Clock
from integrations.settings import Settings
from integrations.upstream.client_assertion import AssertedTokens, AssertingClient, read_key
from integrations.upstream.exchange import UpstreamTrouble

RECORD: Final = "medical record"
READING_SCOPES: Final = ("system/Patient.read", "system/Encounter.read", "system/Appointment.read")
"""What is asked for where the site names nothing else."""


class TokenAuth(httpx.Auth):
    """Puts a token into each request; one that is not taken any more is replaced once.

    Parameters
    ----------
    tokens
        Where they come from.
    """

    def __init__(self, tokens: AssertedTokens) -> None:
        self._tokens = tokens

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Ask, and ask once more with a new token where the first was refused.

        Raises
        ------
        PeerUnavailable
            If no token can be had.
        """
        response = yield self._with_token(request)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self._tokens.forget()
            yield self._with_token(request)

    def _with_token(self, request: httpx.Request) -> httpx.Request:
        try:
            request.headers.update(self._tokens.headers())
        except UpstreamTrouble as error:
            raise PeerUnavailable("the medical record gives no token") from error
        return request


def emr_tokens(settings: Settings, client: httpx.Client, clock: Clock) -> AssertedTokens | None:
    """Give where tokens of the medical record come from; None where the site has none, or has not registered us.

    Parameters
    ----------
    settings
        Address, registration and key.
    client
        Carries timeouts and TLS settings.
    clock
        Time of assertions.

    Raises
    ------
    ConfigurationError
        If the key is none.
    """
    pem = settings.emr_private_key.get_secret_value()
    if settings.emr_url is None or not settings.emr_client_id or not pem:
        return None
    token_url = f"{settings.emr_url}/oauth2/{settings.emr_site}/token"
    me = AssertingClient(token_url, settings.emr_client_id, read_key(pem), settings.emr_scopes or READING_SCOPES)
    return AssertedTokens(RECORD, me, client, clock)
