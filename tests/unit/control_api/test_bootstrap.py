"""The API is wired from settings, starts without its servers, and says which of them is away."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import structlog
from flask import Flask

from control_api import wsgi
from control_api.app import create_app
from control_api.bootstrap import build_services
from inference.errors import InstanceUnreadable, NoMatchingModel, StudyError
from integrations.persistence.engine import make_engine
from integrations.persistence.migrations import upgrade
from integrations.settings import Settings, load_settings
from tests.support.synthetic_series import SeriesOptions, axial_grid, revision_of, write_series

SHAPE = (60, 16, 16)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give the settings of an embedded node."""
    (tmp_path / "data").mkdir()
    return load_settings({"NODE_DATA_DIR": str(tmp_path / "data"), "NODE_SPOOL_RESERVE_MB": "0"})


@pytest.fixture
def quiet_logs() -> Iterator[None]:
    """Put logging back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def test_a_node_without_schema_is_alive_but_not_ready(settings: Settings) -> None:
    """The answer names the part and what to do about it; a migration makes it ready."""
    client = create_app(build_services(settings)).test_client()

    before = client.get("/api/health/ready")
    upgrade(make_engine(settings))
    after = client.get("/api/health/ready")

    assert client.get("/api/health/live").status_code == 200
    parts = {part["name"]: part for part in before.json["parts"]}
    assert (before.status_code, parts["database"]["ready"], parts["queue"]["ready"]) == (503, False, True)
    assert "migrate" in parts["database"]["detail"]
    assert (after.status_code, sorted(part["name"] for part in after.json["parts"])) == (
        200,
        ["database", "disk", "queue"],
    )


def test_a_queue_that_is_away_is_named(settings: Settings) -> None:
    """Redis at a port where nobody listens."""
    away = settings.model_copy(update={"redis_url": type(settings.jwt_secret)("redis://127.0.0.1:1/0")})
    upgrade(make_engine(away))

    answer = create_app(build_services(away)).test_client().get("/api/health/ready")

    assert answer.status_code == 503
    assert [part["name"] for part in answer.json["parts"] if not part["ready"]] == ["queue"]


def test_models_match_by_the_headers_in_the_spool(settings: Settings, tmp_path: Path) -> None:
    """A T1-weighted head matches; a CT does not, for a named reason; files that are gone are one, too."""
    upgrade(make_engine(settings))
    match = build_services(settings).match
    grid = axial_grid(SHAPE, (3, 15, 15))
    head = revision_of(write_series(tmp_path / "mr", np.ones(SHAPE), grid, SeriesOptions(1)))
    body = revision_of(write_series(tmp_path / "ct", np.ones(SHAPE), grid, SeriesOptions(2, {"Modality": "CT"})))
    gone = replace(head, instances=tuple(replace(one, path=tmp_path / "gone") for one in head.instances))

    assert [spec.reference.model_id for spec in match(head)] == ["brain_structures"]
    with pytest.raises(NoMatchingModel) as refusal:
        match(body)
    assert refusal.value.code.startswith("selection.")
    with pytest.raises((InstanceUnreadable, StudyError)):
        match(gone)
    with pytest.raises(StudyError) as removed:
        match(replace(head, instances=()))
    assert removed.value.code == "series.incomplete"


def test_a_server_gets_the_application_by_call_or_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet_logs: None
) -> None:
    """Nothing is built by importing the module."""
    monkeypatch.setenv("NODE_DATA_DIR", str(tmp_path))

    assert "app" not in vars(wsgi)
    assert isinstance(wsgi.app, Flask)
    assert isinstance(wsgi.create(), Flask)
    with pytest.raises(AttributeError):
        _ = wsgi.application


@pytest.mark.parametrize(
    ("address", "storage"),
    [
        (None, "memory://"),
        ("redis://:word@redis:6379/0", "redis://:word@redis:6379/0"),
        ("rediss://redis:6380/1", "rediss://redis:6380/1"),
        ("unix:///run/redis.sock", "redis+unix:///run/redis.sock"),
    ],
)
def test_clients_are_counted_where_the_queue_is(settings: Settings, address: str | None, storage: str) -> None:
    """Each process counts for itself where there is no Redis; a socket has another name there."""
    redis_url = None if address is None else type(settings.jwt_secret)(address)

    options = build_services(settings.model_copy(update={"redis_url": redis_url})).options

    assert (options.limits.api, options.limits.login, options.limits.storage) == (100, 20, storage)


def test_access_is_as_the_settings_say(settings: Settings) -> None:
    """Cookies, proxies and the provider of people."""
    plain = build_services(settings).options
    chosen = {"cookie_secure": True, "trusted_proxies": 2, "oidc_issuer": "https://idp.example"}
    chosen |= {"public_url": "https://node.example", "oidc_client_id": "node", "oidc_roles": (("it", "admin"),)}

    options = build_services(settings.model_copy(update=chosen)).options

    assert (plain.cookie_secure, plain.trusted_proxies, plain.oidc) == (False, 0, None)
    assert (options.cookie_secure, options.trusted_proxies) == (True, 2)
    assert options.oidc is not None
    assert (options.oidc.issuer, options.oidc.roles) == ("https://idp.example", {"it": "admin"})
