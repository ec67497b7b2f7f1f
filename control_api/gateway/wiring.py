"""From settings to the servers behind the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from control_api.gateway.ports import Gateway, ViewerOptions
from inference.ports import Clock, UIDSource
from integrations.local_archive.index import FolderIndex
from integrations.local_archive.server import FolderServer
from integrations.settings import Settings
from integrations.upstream.circuit_breaker import CircuitBreaker
from integrations.upstream.client_assertion import (
    AssertedTokens,
    AssertingClient,
    TokenServer,
    public_key_set,
    read_key,
)
from integrations.upstream.exchange import Server
from integrations.upstream.http_server import HTTPServer, make_client

ARCHIVE = "archive"
REPORTS = "report server"
RECORD = "medical record"

READING_SCOPES = ("system/Patient.read", "system/Encounter.read", "system/Appointment.read")


def build_gateway(settings: Settings, clock: Clock, uid_source: UIDSource) -> Gateway:
    """Wire the servers; nothing is connected yet.

    Raises
    ------
    ConfigurationError
        If the key for the medical record is none.
    """
    emr_fhir, emr_api, keys = _record(settings, clock)
    return Gateway(
        archive=_archive(settings, clock, uid_source),
        reports=_reports(settings, clock),
        emr_fhir=emr_fhir,
        emr_api=emr_api,
        emr_keys=keys,
        viewer=ViewerOptions(settings.viewer_minutes, settings.viewer_cookie_secure, folder=settings.viewer_dir),
        public_url=settings.public_url,
    )


def _archive(settings: Settings, clock: Clock, uid_source: UIDSource) -> Server | None:
    """Give the archive with a REST address; the node's own folders where no archive is named at all."""
    if settings.archive_rest_url is not None:
        user, password = settings.archive_rest_user, settings.archive_rest_password.get_secret_value()
        client = make_client(auth=(user, password) if user else None)
        return HTTPServer(ARCHIVE, f"{settings.archive_rest_url}/dicom-web", client, CircuitBreaker(clock))
    if settings.archive is not None or settings.destinations is not None:
        return None
    index = FolderIndex([settings.spool_dir, settings.archive_dir], clock, settings.default_charset)
    return FolderServer(index, uid_source)


def _reports(settings: Settings, clock: Clock) -> Server | None:
    if settings.report_url is None:
        return None
    return HTTPServer(REPORTS, settings.report_url, make_client(), CircuitBreaker(clock))


def _record(settings: Settings, clock: Clock) -> tuple[Server | None, Server | None, Mapping[str, Any]]:
    pem = settings.emr_private_key.get_secret_value()
    if not pem:
        return None, None, {"keys": []}
    key = read_key(pem)
    if settings.emr_url is None or not settings.emr_client_id:
        return None, None, public_key_set(key)
    token_url = f"{settings.emr_url}/oauth2/{settings.emr_site}/token"
    me = AssertingClient(token_url, settings.emr_client_id, key, settings.emr_scopes or READING_SCOPES)
    client, breaker = make_client(), CircuitBreaker(clock)
    tokens = AssertedTokens(RECORD, me, client, clock)
    fhir, api = (
        TokenServer(
            HTTPServer(
                RECORD, f"{settings.emr_url}/apis/{settings.emr_site}/{part}", client, breaker, tokens.headers
            ),
            tokens,
        )
        for part in ("fhir", "api")
    )
    return fhir, api, public_key_set(key)
