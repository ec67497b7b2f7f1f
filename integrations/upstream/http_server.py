"""A server behind the gateway, reached by HTTP: streamed, never redirected, with credentials that stay here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

import httpx

from integrations.upstream.circuit_breaker import CircuitBreaker
from integrations.upstream.exchange import Answer, Call, Trouble, UpstreamTrouble

TIMEOUT: Final = httpx.Timeout(120.0, connect=10.0)
"""Seconds for each part of an exchange, not for all of it: a study takes as long as it takes."""
LIMITS: Final = httpx.Limits(max_connections=64, max_keepalive_connections=16)

_AWAY: Final = {
    HTTPStatus.BAD_GATEWAY: Trouble.FAILED,
    HTTPStatus.SERVICE_UNAVAILABLE: Trouble.BUSY,
    HTTPStatus.GATEWAY_TIMEOUT: Trouble.TIMEOUT,
}
"""What a proxy in front of a server says when that is away: it counts as no answer."""
_OUR_LOGIN: Final = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}
)

Credentials = Callable[[], Mapping[str, str]]
"""Gives the headers by which we are known to a server."""


def make_client(timeout: httpx.Timeout = TIMEOUT, auth: tuple[str, str] | None = None) -> httpx.Client:
    """Give a client that follows no redirect and no proxy of the environment."""
    return httpx.Client(timeout=timeout, limits=LIMITS, auth=auth, follow_redirects=False, trust_env=False)


class HTTPServer:
    """A server behind the gateway.

    Parameters
    ----------
    name
        What it is called, for people.
    base_url
        Calls go below it and nowhere else.
    client
        From ``make_client``.
    breaker
        Leaves the server alone while it does not answer.
    credentials
        Headers by which we are known, asked for every call.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        client: httpx.Client,
        breaker: CircuitBreaker,
        credentials: Credentials = dict,
    ) -> None:
        self._name = name
        self._base = httpx.URL(base_url.rstrip("/"))
        self._client = client
        self._breaker = breaker
        self._credentials = credentials

    @property
    def name(self) -> str:
        """What it is called, for people."""
        return self._name

    @property
    def base_url(self) -> str:
        """The address that must not be seen outside."""
        return str(self._base).rstrip("/")

    def send(self, call: Call) -> Answer:
        """Ask.

        Raises
        ------
        UpstreamTrouble
            If the server does not answer, answers with 5xx or a redirect, or does not know us.
        """
        wait_s = self._breaker.admit()
        if wait_s is not None:
            raise UpstreamTrouble(self._name, Trouble.RESTING, wait_s)
        with self._counted():
            response = self._client.send(self._request(call), stream=True)
        self._judge(response)
        return Answer(response.status_code, _fields(response), self._chunks(response), response.close)

    def _request(self, call: Call) -> httpx.Request:
        target = self._base.raw_path.rstrip(b"/") + call.path.encode("ascii")
        if call.query:
            target += b"?" + call.query.encode("ascii")
        url = self._base.copy_with(raw_path=target or b"/")
        headers = {**call.headers, "accept-encoding": "identity", **self._credentials()}
        return self._client.build_request(call.method, url, headers=headers, content=call.body)

    def _judge(self, response: httpx.Response) -> None:
        """Pass what is an answer; an error of the server's, and what is about our login, is none."""
        status = response.status_code
        if status in _AWAY:
            self._breaker.failed()
        else:
            self._breaker.succeeded()
        trouble = _trouble(status)
        if trouble is not None:
            response.close()
            raise UpstreamTrouble(self._name, trouble)

    def _chunks(self, response: httpx.Response) -> Iterator[bytes]:
        with self._counted():
            yield from response.iter_raw()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count failures of the exchange, and name them.

        Raises
        ------
        UpstreamTrouble
            If the server does not answer, or not in time.
        """
        try:
            yield
        except httpx.TimeoutException as error:
            self._breaker.failed()
            raise UpstreamTrouble(self._name, Trouble.TIMEOUT) from error
        except httpx.TransportError as error:
            self._breaker.failed()
            raise UpstreamTrouble(self._name, Trouble.UNREACHABLE) from error
        except UpstreamTrouble:  # of the server that gives tokens
            self._breaker.failed()
            raise
        except BaseException:
            self._breaker.abandoned()
            raise


def _trouble(status: int) -> Trouble | None:
    if status in _AWAY:
        return _AWAY[HTTPStatus(status)]
    if status in _OUR_LOGIN:
        return Trouble.LOGIN_REFUSED
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST and status != HTTPStatus.NOT_MODIFIED:
        return Trouble.REDIRECTED
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status < HTTPStatus.OK:
        return Trouble.FAILED
    return None


def _fields(response: httpx.Response) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in response.headers.multi_items()]
