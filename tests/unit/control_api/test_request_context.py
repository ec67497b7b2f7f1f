"""Every request has an id, one log line and an answer that a browser cannot be tricked with."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from control_api.request_context import HEADER, SECURITY_HEADERS
from tests.support.control_api import STUDY, ControlAPI


def test_a_plain_request_id_is_kept(api: ControlAPI) -> None:
    """A trace spans systems by the id that the caller brought."""
    answer = api.client.get("/api/health/live", headers={HEADER: "trace-0123.4_5"})

    assert answer.headers[HEADER] == "trace-0123.4_5"


@pytest.mark.parametrize("offered", ["", "short", "x" * 65, "with space", "<script>", "Müller-123"])
def test_an_odd_request_id_is_replaced(api: ControlAPI, offered: str) -> None:
    """Nothing that could forge a log line or a page is taken over."""
    answer = api.client.get("/api/health/live", headers={HEADER: offered.encode("latin-1").decode("latin-1")})

    assert answer.headers[HEADER].startswith("token-")


def test_a_problem_names_the_request(api: ControlAPI) -> None:
    """The id in the answer is the one under which the log has it."""
    with capture_logs() as logs:
        answer = api.client.get("/api/jobs")

    assert answer.json["request_id"] == answer.headers[HEADER] == logs[-1]["request_id"]


def test_the_log_names_the_route_and_never_the_path_or_query(api: ControlAPI) -> None:
    """Paths hold study UIDs and queries hold patient ids: both lead to a person."""
    api.has_study()
    with capture_logs() as logs:
        api.get(f"/api/studies/{STUDY}")
        api.get("/api/studies?patient_id=SECRET-77")

    assert [line["route"] for line in logs] == ["/api/studies/<uid:study_uid>", "/api/studies"]
    assert [line["status"] for line in logs] == [200, 200]
    assert STUDY not in str(logs)
    assert "SECRET-77" not in str(logs)


@pytest.mark.parametrize("path", ["/", "/api/health/live", "/api/jobs", "/api/docs/", "/nowhere"])
def test_every_answer_is_protected(api: ControlAPI, path: str) -> None:
    """The protecting header fields are on pages, documents and errors alike, and no page runs inline scripts."""
    answer = api.client.get(path)

    assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy


def test_documents_are_not_kept_by_caches(api: ControlAPI) -> None:
    """What the API says may be about a patient."""
    assert api.get("/api/studies").headers["Cache-Control"] == "no-store"


def test_no_foreign_page_may_read_answers(api: ControlAPI) -> None:
    """There is no CORS: a page from elsewhere is told nothing."""
    answer = api.client.get("/api/health/live", headers={"Origin": "https://elsewhere.example"})

    assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]
