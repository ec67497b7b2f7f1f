"""Errors as ``application/problem+json`` (RFC 9457): one table from the error tree to HTTP, one shape for all.

A problem's ``type`` is ``urn:neuronova:problem:<code>``; the code is the stable name (docs/errors.md), the title is
the same for every occurrence, the detail is for a person and free of patient data.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

import structlog
from flask import Flask, Response, json
from werkzeug.exceptions import HTTPException

from control_api.request_context import request_id
from inference import errors

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 10
"""What a client is told to wait before it repeats a request that may succeed later."""

STATUS: Final[Mapping[type[errors.NodeError], HTTPStatus]] = MappingProxyType(
    {
        errors.ConfigurationError: HTTPStatus.INTERNAL_SERVER_ERROR,
        errors.InstanceUnreadable: HTTPStatus.UNPROCESSABLE_ENTITY,
        errors.SOPClassMismatch: HTTPStatus.UNPROCESSABLE_ENTITY,
        errors.SpoolFull: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.NoMatchingModel: HTTPStatus.UNPROCESSABLE_ENTITY,
        errors.IncompleteSeries: HTTPStatus.CONFLICT,
        errors.UnsupportedGeometry: HTTPStatus.UNPROCESSABLE_ENTITY,
        errors.UnsupportedPixelData: HTTPStatus.UNPROCESSABLE_ENTITY,
        errors.ModelNotFound: HTTPStatus.NOT_FOUND,
        errors.ModelRecalled: HTTPStatus.CONFLICT,
        errors.DeploymentRefused: HTTPStatus.CONFLICT,
        errors.WeightsMismatch: HTTPStatus.INTERNAL_SERVER_ERROR,
        errors.ModelContractViolated: HTTPStatus.INTERNAL_SERVER_ERROR,
        errors.PackageRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
        errors.DeviceUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.DeviceOutOfMemory: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.NonFiniteOutput: HTTPStatus.INTERNAL_SERVER_ERROR,
        errors.ImplausibleResult: HTTPStatus.UNPROCESSABLE_ENTITY,
        errors.EncodingError: HTTPStatus.INTERNAL_SERVER_ERROR,
        errors.PeerUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.PeerRefused: HTTPStatus.BAD_GATEWAY,
        errors.NotCommitted: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.FHIRUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.FHIRConflict: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.FHIRRejected: HTTPStatus.BAD_GATEWAY,
        errors.HL7Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.HL7Rejected: HTTPStatus.BAD_GATEWAY,
        errors.AccountNotFound: HTTPStatus.NOT_FOUND,
        errors.AccountExists: HTTPStatus.CONFLICT,
        errors.AccountInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
        errors.LastAdministrator: HTTPStatus.CONFLICT,
        errors.JobNotFound: HTTPStatus.NOT_FOUND,
        errors.StudyNotFound: HTTPStatus.NOT_FOUND,
        errors.PreviewNotFound: HTTPStatus.NOT_FOUND,
        errors.IllegalTransition: HTTPStatus.CONFLICT,
        errors.LeaseLost: HTTPStatus.CONFLICT,
        errors.JobCancelled: HTTPStatus.CONFLICT,
        errors.QueueUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.EntryNotFound: HTTPStatus.NOT_FOUND,
        errors.EntryExists: HTTPStatus.CONFLICT,
        errors.EntryChanged: HTTPStatus.PRECONDITION_FAILED,
        errors.ImportRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""HTTP status of every leaf of the error tree; a test walks the tree and demands an entry for each."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong with a request.

    Parameters
    ----------
    location
        ``json``, ``query`` or ``path``, or ``package`` for a model package.
    pointer
        JSON Pointer (RFC 6901) to the member within that location.
    detail
        What is wrong with it; never repeats the value.
    """

    location: str
    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem before it is written (RFC 9457 section 3).

    Parameters
    ----------
    status
        HTTP status.
    code
        Stable name; becomes part of the type.
    title
        Summary of the kind of problem.
    detail
        What happened this time, None where the title says it all.
    errors
        Faults of the request, member by member.
    headers
        Further header fields of the response.
    """

    status: HTTPStatus
    code: str
    title: str
    detail: str | None = None
    errors: tuple[FieldError, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Give the members of the problem document, with the request's id as an extension."""
        members: dict[str, Any] = {
            "type": f"urn:neuronova:problem:{self.code}",
            "title": self.title,
            "status": self.status.value,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id(),
        }
        if self.errors:
            members["errors"] = [
                {"in": fault.location, "pointer": fault.pointer, "detail": fault.detail} for fault in self.errors
            ]
        return {name: value for name, value in members.items() if value is not None}

    def response(self) -> Response:
        """Write the problem as an HTTP response."""
        response = Response(json.dumps(self.document()), self.status.value, mimetype=MEDIA_TYPE)
        response.headers.update(self.headers)
        return response


NO_SUCH_RESOURCE: Final = Problem(HTTPStatus.NOT_FOUND, "http.not_found", "Not Found")
"""What is answered for a part of the API that is switched off."""


def of_node_error(error: errors.NodeError) -> Problem:
    """Translate an error of the node's own tree through the table."""
    kind = next((kind for kind in type(error).__mro__ if kind in STATUS), None)
    status = STATUS[kind] if kind else HTTPStatus.INTERNAL_SERVER_ERROR
    title = (type(error).__doc__ or status.phrase).strip().splitlines()[0]
    headers = {"Retry-After": str(RETRY_AFTER_S)} if error.retryable else {}
    faults = error.faults if isinstance(error, errors.PackageRefused) else ()
    listed = tuple(FieldError("package", "", fault) for fault in faults)
    return Problem(status, error.code, title, error.message, listed, headers)


def of_http_error(error: HTTPException) -> Problem:
    """Translate what Werkzeug, Flask or webargs raised, e.g. 404, 405, 413, 415 and validation (422)."""
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    faults: Mapping[str, Any] = getattr(error, "data", {}).get("messages", {})
    code = "request.invalid" if faults else f"http.{status.name.lower()}"
    title = "The request is not valid." if faults else status.phrase
    kept = {name: value for name, value in error.get_headers() if name.lower() != "content-type"}
    detail = None if faults else error.description
    return Problem(status, code, title, detail, tuple(_field_errors(faults)), kept)


def _field_errors(faults: Mapping[str, Any]) -> Iterator[FieldError]:
    for location, messages in faults.items():
        yield from _walk(location, "", messages)


def _walk(location: str, pointer: str, messages: object) -> Iterator[FieldError]:
    """Flatten marshmallow's nested messages into one entry per message."""
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            token = "" if name == "_schema" else "/" + str(name).replace("~", "~0").replace("/", "~1")
            yield from _walk(location, pointer + token, inner)
    else:
        for message in messages if isinstance(messages, list) else [messages]:
            yield FieldError(location, pointer, str(message))


def _unexpected(error: Exception) -> Response:
    _log_unexpected(error)
    title = "Something went wrong that should not; the log holds it under this request's id."
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "http.internal_server_error", title).response()


def _log_unexpected(error: Exception) -> None:
    """Log kind and place only: a foreign message may quote statement parameters, which are patient data."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown"
    structlog.get_logger(__name__).error(
        "http.unexpected", request_id=request_id(), error=type(error).__qualname__, place=place
    )


def register(app: Flask) -> None:
    """Let every error that leaves a view become a problem document."""
    app.register_error_handler(errors.NodeError, lambda error: of_node_error(error).response())
    app.register_error_handler(HTTPException, lambda error: error.response or of_http_error(error).response())
    app.register_error_handler(Exception, _unexpected)
