"""A token is asked for with a signed assertion, kept until shortly before it ends, and replaced when refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from inference.errors import ConfigurationError
from integrations.upstream.client_assertion import (
    AssertedTokens,
    AssertingClient,
    TokenServer,
    public_key_set,
    read_key,
)
from integrations.upstream.exchange import Answer, Call, Trouble, UpstreamTrouble
from tests.support.fakes import NOON, FixedClock
from tests.support.upstream import FakeServer

URL = "https://emr.example/oauth2/default/token"
KEY = RSAKey.generate_key(2048, private=True)
PRIVATE = ("d", "p", "q", "dp", "dq", "qi")


class Endpoint:
    """A token endpoint that counts."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.answer: Callable[[], httpx.Response] = self.good

    def good(self) -> httpx.Response:
        """Give a token that lives five minutes."""
        return httpx.Response(200, json={"access_token": f"token-{len(self.forms)}", "expires_in": 300})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Take a request."""
        self.forms.append({name: values[0] for name, values in parse_qs(request.content.decode()).items()})
        return self.answer()


@pytest.fixture
def endpoint() -> Endpoint:
    """Give the endpoint."""
    return Endpoint()


@pytest.fixture
def clock() -> FixedClock:
    """Give the time."""
    return FixedClock()


@pytest.fixture
def tokens(endpoint: Endpoint, clock: FixedClock) -> AssertedTokens:
    """Give what asks it."""
    me = AssertingClient(URL, "node-1", KEY, ["system/Patient.read", "system/Encounter.read"])
    return AssertedTokens("medical record", me, httpx.Client(transport=httpx.MockTransport(endpoint)), clock)


def test_who_we_are_is_signed(tokens: AssertedTokens, endpoint: Endpoint) -> None:
    """RS384, our id as issuer and subject, the endpoint as audience, four minutes, an id that is used once."""
    tokens.headers()
    tokens.forget()
    tokens.headers()
    form = endpoint.forms[0]
    assert form["grant_type"] == "client_credentials"
    assert form["scope"] == "system/Patient.read system/Encounter.read"
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    keys = KeySet.import_key_set(public_key_set(KEY))
    read = [jwt.decode(one["client_assertion"], keys, algorithms=["RS384"]) for one in endpoint.forms]
    claims = read[0].claims
    assert read[0].header["kid"] == KEY.thumbprint()
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("node-1", "node-1", URL)
    assert (claims["iat"], claims["exp"] - claims["iat"]) == (int(NOON.timestamp()), 240)
    assert read[0].claims["jti"] != read[1].claims["jti"]


def test_a_token_is_kept_until_shortly_before_it_ends(
    tokens: AssertedTokens, endpoint: Endpoint, clock: FixedClock
) -> None:
    """So that none ends on its way."""
    assert tokens.headers() == {"authorization": "Bearer token-1"}
    clock.advance(269)
    assert tokens.headers() == {"authorization": "Bearer token-1"}
    clock.advance(1)
    assert tokens.headers() == {"authorization": "Bearer token-2"}
    assert len(endpoint.forms) == 2


def test_a_token_of_a_minute_is_kept_for_most_of_it(
    tokens: AssertedTokens, endpoint: Endpoint, clock: FixedClock
) -> None:
    """OpenEMR gives no longer ones to client credentials."""
    endpoint.answer = lambda: httpx.Response(200, json={"access_token": "x", "expires_in": 60})
    tokens.headers()
    clock.advance(44)
    tokens.headers()
    assert len(endpoint.forms) == 1
    clock.advance(1)
    tokens.headers()
    assert len(endpoint.forms) == 2


def _broken(_request: object = None) -> httpx.Response:
    raise httpx.ConnectError("no route")


def _slow(_request: object = None) -> httpx.Response:
    raise httpx.ReadTimeout("slow")


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (lambda: httpx.Response(400, json={"error": "invalid_client"}), Trouble.LOGIN_REFUSED),
        (lambda: httpx.Response(401), Trouble.LOGIN_REFUSED),
        (lambda: httpx.Response(302, headers={"Location": "https://elsewhere.example"}), Trouble.LOGIN_REFUSED),
        (lambda: httpx.Response(500), Trouble.FAILED),
        (lambda: httpx.Response(200, text="<html>"), Trouble.FAILED),
        (lambda: httpx.Response(200, json=[]), Trouble.FAILED),
        (lambda: httpx.Response(200, json={"token": 1}), Trouble.FAILED),
        (lambda: httpx.Response(200, json={"access_token": "x", "expires_in": "soon"}), Trouble.FAILED),
        (_broken, Trouble.UNREACHABLE),
        (_slow, Trouble.TIMEOUT),
    ],
)
def test_no_token_has_a_reason(
    tokens: AssertedTokens, endpoint: Endpoint, answer: Callable[[], httpx.Response], trouble: Trouble
) -> None:
    """And is asked for again the next time."""
    endpoint.answer = answer
    with pytest.raises(UpstreamTrouble) as raised:
        tokens.headers()
    assert raised.value.trouble is trouble
    endpoint.answer = endpoint.good
    assert "authorization" in tokens.headers()


class Refusing(FakeServer):
    """Refuses our login so many times."""

    refusals = 0

    def send(self, call: Call) -> Answer:
        """Refuse, or answer."""
        answer = super().send(call)
        if self.refusals:
            self.refusals -= 1
            raise UpstreamTrouble(self.name, Trouble.LOGIN_REFUSED)
        return answer


def test_a_token_that_is_refused_is_replaced_once(tokens: AssertedTokens, endpoint: Endpoint) -> None:
    """A question is asked again; a body cannot be sent twice, so there the client has to."""
    inner = Refusing()
    server = TokenServer(inner, tokens)
    tokens.headers()
    inner.refusals = 1
    assert server.send(Call("GET", "/patient")).status == 200
    inner.refusals = 2
    with pytest.raises(UpstreamTrouble):
        server.send(Call("GET", "/patient"))
    inner.refusals = 1
    with pytest.raises(UpstreamTrouble):
        server.send(Call("POST", "/patient", body=iter([b"{}"])))
    assert len(inner.calls) == 5
    assert tokens.headers() == {"authorization": "Bearer token-2"}


def test_other_failures_are_not_repeated(tokens: AssertedTokens) -> None:
    """A timeout is a timeout."""
    inner = FakeServer(trouble=UpstreamTrouble("medical record", Trouble.TIMEOUT))
    with pytest.raises(UpstreamTrouble):
        TokenServer(inner, tokens).send(Call("GET", "/patient"))
    assert len(inner.calls) == 1


def test_only_the_public_part_is_published() -> None:
    """With what it is for."""
    (published,) = public_key_set(KEY)["keys"]
    assert not set(PRIVATE) & published.keys()
    assert (published["alg"], published["use"], published["kid"]) == ("RS384", "sig", KEY.thumbprint())
    assert json.dumps(published)


def _pem(key: Any) -> str:
    return str(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
    )


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "not a key",
        str(KEY.as_pem(private=False).decode()),
        _pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
        _pem(ec.generate_private_key(ec.SECP384R1())),
    ],
    ids=["empty", "no key", "public", "short", "elliptic"],
)
def test_a_key_that_is_none_stops_the_start(pem: str) -> None:
    """Without telling what was given."""
    with pytest.raises(ConfigurationError) as raised:
        read_key(pem)
    assert "BEGIN" not in str(raised.value)


def test_a_good_key_is_read() -> None:
    """As OpenSSL writes it."""
    assert read_key(str(KEY.as_pem(private=True).decode())).thumbprint() == KEY.thumbprint()
