"""Every operation, asked by Schemathesis with whatever its description allows: no fault of ours, no surprise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import schemathesis
from argon2 import PasswordHasher
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import URL

from inference.domain.job import JobState
from integrations.persistence.engine import engine_for
from integrations.persistence.migrations import upgrade
from integrations.persistence.users import PEOPLE, SQLUserStore
from tests.support.control_api import ControlAPI
from tests.support.fakes import FixedClock
from tests.support.repository import REPOSITORY

CHECKS: Final = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
ENDLESS: Final = "text/event-stream"
PASSWORD: Final = "a long password for tests"


def _operations() -> list[tuple[str, str]]:
    """List the operations that answer and are done with it, as they are committed."""
    description = json.loads((REPOSITORY / "docs" / "openapi.json").read_text(encoding="utf-8"))
    return [
        (path, method.upper())
        for path, item in description["paths"].items()
        for method, operation in item.items()
        if method != "parameters" and ENDLESS not in json.dumps(operation)
    ]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlAPI]:
    """Give an API with people, a study and jobs."""
    folder: Path = tmp_path_factory.mktemp("api")
    engine = engine_for(URL.create("sqlite", database=str(folder / "node.sqlite3")))
    upgrade(engine)
    accounts = SQLUserStore(engine, FixedClock(), PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    for role in PEOPLE:
        accounts.create(role, PASSWORD, role)
    api = ControlAPI(engine, folder, accounts=accounts)
    api.has_study()
    api.has_series()
    api.has_job(1, JobState.COMPLETED)
    api.has_job(2, JobState.FAILED)
    yield api
    engine.dispose()


@pytest.fixture(scope="module")
def description(api: ControlAPI) -> Any:
    """Give what Schemathesis makes of the description."""
    return schemathesis.openapi.from_wsgi("/api/openapi.json", api.app)


def _headers(api: ControlAPI, roles: list[str]) -> dict[str, str]:
    """Log in anew, for one example may end the session: as an administrator where they are served."""
    if not roles:
        return {}
    return api.bearer("admin" if "admin" in roles else roles[0])


def _ask(api: ControlAPI, description: Any, path: str, method: str) -> None:
    operation = description[path][method]
    roles = operation.definition.raw.get("x-roles", [])

    @given(case=operation.as_strategy())
    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        case.headers = {name: value for name, value in (case.headers or {}).items() if name != "X-API-Key"}
        answer = case.call(headers=_headers(api, roles))
        case.validate_response(answer, checks=list(CHECKS))

    ask()


@pytest.mark.parametrize(("path", "method"), _operations())
def test_an_operation_answers_as_it_is_described(api: ControlAPI, description: Any, path: str, method: str) -> None:
    """Whatever a client may send gets an answer of a described status, type and shape, and never a 5xx."""
    _ask(api, description, path, method)


def test_a_fault_would_be_found(api: ControlAPI, description: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operation that breaks down fails here."""

    def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(type(api.services.queries), "list_jobs", break_down)

    with pytest.raises((FailureGroup, Failure)):
        _ask(api, description, "/api/jobs", "GET")


def test_another_shape_would_be_found(api: ControlAPI, description: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer with other members than described fails here."""
    monkeypatch.setattr(type(api.services.service_accounts), "list", lambda _: [{"name": 7}])

    with pytest.raises((FailureGroup, Failure)):
        _ask(api, description, "/api/service-accounts", "GET")
