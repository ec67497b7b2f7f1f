"""Every error of the tree has an HTTP status, and every answer that is an error has the same shape."""

from __future__ import annotations

import pytest
from flask import Flask
from marshmallow import Schema, fields
from structlog.testing import capture_logs
from webargs.flaskparser import use_args

from control_api import problems, request_context
from inference import errors
from tests.support.fakes import CountingUIDSource, FixedClock


def test_every_leaf_of_the_error_tree_has_a_status() -> None:
    """An error that somebody adds must not reach a client as 500 because nobody thought of it."""
    own = [leaf for leaf in errors.leaves() if leaf.__module__ == errors.__name__]

    missing = [leaf.__name__ for leaf in own if leaf not in problems.STATUS]

    assert missing == []
    assert set(problems.STATUS) <= set(own)


@pytest.mark.parametrize("kind", list(problems.STATUS), ids=lambda kind: kind.__name__)
def test_what_may_succeed_later_says_when_to_ask_again(kind: type[errors.NodeError]) -> None:
    """503 and Retry-After go together, for exactly the retryable errors."""
    reason = [errors.ReasonCode.GAP] if issubclass(kind, errors.StudyError) else []

    problem = problems.of_node_error(kind(*reason, "m"))

    assert (problem.status == 503) is kind.retryable
    assert ("Retry-After" in problem.headers) is kind.retryable


def test_a_subclass_is_mapped_like_its_parent_and_a_stranger_is_500() -> None:
    """The table is asked by the class's ancestry."""

    class Narrow(errors.JobNotFound):
        """A narrower kind."""

    stranger = type("Stranger", (errors.NodeError,), {})

    assert problems.of_node_error(Narrow("m")).status == 404
    assert problems.of_node_error(stranger("m")).status == 500


class _Inner(Schema):
    count = fields.Integer()


class _Outer(Schema):
    items = fields.List(fields.Nested(_Inner))
    by_name = fields.Dict(keys=fields.String(), values=fields.Integer(), data_key="by/name")


@pytest.fixture
def app() -> Flask:
    """Give an application that only fails."""
    app = Flask(__name__)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    request_context.install(app, FixedClock(), CountingUIDSource())
    problems.register(app)

    @app.get("/gap")
    def gap() -> str:
        raise errors.UnsupportedGeometry(errors.ReasonCode.GAP, "two slices are missing")

    @app.get("/surprise")
    def surprise() -> str:
        raise ZeroDivisionError("Doe^Jane was divided")

    @app.post("/valid")
    @use_args(_Outer)
    def valid(_: object) -> str:
        return "yes"

    return app


def test_a_node_error_becomes_a_problem_document(app: Flask) -> None:
    """Members and media type are those of RFC 9457; the code is the error's own."""
    answer = app.test_client().get("/gap")

    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert answer.json == {
        "type": "urn:neuronova:problem:geometry.gap",
        "title": "The slices do not form a volume that the model can be given.",
        "status": 422,
        "detail": "two slices are missing",
        "code": "geometry.gap",
        "request_id": "token-1",
    }


def test_validation_errors_point_to_the_member(app: Flask) -> None:
    """Each fault is found by a JSON Pointer, also where a name holds a slash (RFC 6901)."""
    body = {"items": [{"count": 1}, {"count": "x"}], "by/name": {"a~b": "y"}}

    answer = app.test_client().post("/valid", json=body)

    assert answer.status_code == 422
    faults = {(fault["in"], fault["pointer"]) for fault in answer.json["errors"]}
    assert faults == {("json", "/items/1/count"), ("json", "/by~1name/a~0b/value")}


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("GET", "/nowhere", {}, 404, "http.not_found"),
        ("DELETE", "/gap", {}, 405, "http.method_not_allowed"),
        ("POST", "/valid", {"data": "{", "content_type": "application/json"}, 400, "request.invalid"),
    ],
)
def test_errors_of_the_framework_have_the_same_shape(
    app: Flask, method: str, path: str, options: dict[str, str], status: int, code: str
) -> None:
    """A client reads one kind of error, whoever raised it."""
    answer = app.test_client().open(path, method=method, **options)

    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert (answer.json["status"], answer.json["code"]) == (status, code)


def test_a_method_that_is_not_allowed_names_those_that_are(app: Flask) -> None:
    """Header fields that Werkzeug adds to an error are kept (RFC 9110 section 15.5.6)."""
    assert "GET" in app.test_client().delete("/gap").headers["Allow"]


def test_what_nobody_expected_is_500_without_its_message(app: Flask) -> None:
    """A foreign message may hold patient data: it goes neither to the client nor to the log."""
    with capture_logs() as logs:
        answer = app.test_client().get("/surprise")

    assert (answer.status_code, answer.json["code"]) == (500, "http.internal_server_error")
    unexpected = next(line for line in logs if line["event"] == "http.unexpected")
    assert unexpected["error"] == "ZeroDivisionError"
    assert __file__ in unexpected["place"]
    assert "Doe" not in answer.get_data(as_text=True) + str(logs)
