"""``/api/ocs/medications``, ``/api/ocs/diagnoses``, ``/api/lis/tests``: what orders and results are coded with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from flask import Response, request
from flask.views import MethodView
from marshmallow import Schema

from control_api.auth.roles import serves
from control_api.conditional import seen_versions, tag, unless_seen
from control_api.openapi import APIBlueprint
from control_api.schemas import master_data as schemas
from control_api.services import services
from integrations.masterdata.entries import Entry
from integrations.masterdata.exports import write_csv, write_json
from integrations.masterdata.files import MOST_BYTES, FileRow, read_csv, read_json
from integrations.masterdata.imports import ImportReport
from integrations.masterdata.kinds import DIAGNOSES, LAB_TESTS, MEDICATIONS, Kind
from integrations.persistence.master_data import EntryQuery, KeptEntry
from integrations.persistence.users import Role

_TAG: Final = {"ETag": {"description": "Names the version.", "schema": {"type": "string"}}}
_LOCATION: Final = {"Location": {"description": "Where the entry is.", "schema": {"type": "string"}}}
_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The `ETag` of the version that was seen; `*` for any.",
    "schema": {"type": "string"},
}
_CODE: Final = "<string(maxlength=32):code>"
_FILE: Final = {
    "required": True,
    "content": {
        "text/csv": {"schema": {"type": "string"}},
        "application/json": {"schema": {"type": "object"}},
    },
}
_EXPORT: Final = {
    HTTPStatus.OK.value: {
        "description": "The file",
        "content": {"text/csv": {"schema": {"type": "string"}}, "application/json": {"schema": {"type": "object"}}},
    }
}

ADMINS: Final = frozenset({Role.ADMIN})
PRESCRIBERS: Final = frozenset({Role.ADMIN, Role.DOCTOR, Role.RADIOLOGIST})
"""Who may change medications and diagnoses."""
LABORATORY: Final = frozenset({Role.ADMIN, Role.TECHNICIAN})
"""Who may change laboratory tests."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind as the API shows it.

    Parameters
    ----------
    kind
        What is kept.
    address, description
        Of its paths.
    entry, kept, page
        Schemas of what is sent, of what is kept, and of a list.
    writers
        Who may change entries, beside administrators.
    """

    kind: Kind
    address: str
    description: str
    entry: type[Schema]
    kept: type[Schema]
    page: type[Schema]
    writers: frozenset[Role]


SHAPES: Final = (
    Shape(
        MEDICATIONS,
        "/api/ocs/medications",
        "Medications that can be ordered.",
        schemas.MedicationSchema,
        schemas.KeptMedicationSchema,
        schemas.MedicationListSchema,
        PRESCRIBERS,
    ),
    Shape(
        DIAGNOSES,
        "/api/ocs/diagnoses",
        "Diagnoses by KCD and ICD-10.",
        schemas.DiagnosisSchema,
        schemas.KeptDiagnosisSchema,
        schemas.DiagnosisListSchema,
        PRESCRIBERS,
    ),
    Shape(
        LAB_TESTS,
        "/api/lis/tests",
        "Laboratory tests with their reference ranges.",
        schemas.LabTestSchema,
        schemas.KeptLabTestSchema,
        schemas.LabTestListSchema,
        LABORATORY,
    ),
)


def _page(kind: Kind, query: EntryQuery, limit: int, after: str) -> dict[str, Any]:
    found = services().master_data.page(kind, query, limit, after)
    more = len(found) > limit
    return {"items": found[:limit], "next": found[limit - 1].entry.code if more else None}


def _file_rows(kind: Kind) -> Sequence[FileRow]:
    """Read the file that a request carries, which may be larger than any other document."""
    request.max_content_length = MOST_BYTES
    return read_json(request.get_data(), kind) if request.is_json else read_csv(request.get_data(), kind)


def _export(kind: Kind, wanted: str) -> Response:
    entries = services().master_data.every(kind)
    content = write_csv(kind, entries) if wanted == "csv" else write_json(entries)
    media_type = "text/csv; charset=utf-8" if wanted == "csv" else "application/json"
    headers = {"Content-Disposition": f'attachment; filename="{kind.name}.{wanted}"', "Cache-Control": "no-store"}
    return Response(content, content_type=media_type, headers=headers)


def _add_list(blueprint: APIBlueprint, shape: Shape) -> None:
    @blueprint.route("")
    class Entries(MethodView):
        """The list, and new entries."""

        @unless_seen
        @blueprint.arguments(schemas.EntryQuerySchema, location="query")
        @blueprint.response(HTTPStatus.OK, shape.page, headers=_TAG)
        @blueprint.alt_response(HTTPStatus.NOT_MODIFIED, description="The client has it.")
        def get(self, query: dict[str, Any]) -> dict[str, Any]:
            """List entries by code; 304 where `If-None-Match` names what the client has."""
            return _page(shape.kind, **query)

        @blueprint.arguments(shape.entry)
        @blueprint.response(HTTPStatus.CREATED, shape.kept, headers=_TAG | _LOCATION)
        @blueprint.alt_response(HTTPStatus.CONFLICT, HTTPStatus.CONFLICT.name)
        @serves(shape.writers)
        def post(self, entry: Entry) -> tuple[KeptEntry, HTTPStatus, dict[str, str]]:
            """Make an entry."""
            kept = services().master_data.create(shape.kind, entry)
            return kept, HTTPStatus.CREATED, {"Location": f"{shape.address}/{entry.code}", **tag(kept.version)}


def _add_entry(blueprint: APIBlueprint, shape: Shape) -> None:
    @blueprint.route(f"/{_CODE}")
    class OneEntry(MethodView):
        """One entry."""

        @blueprint.response(HTTPStatus.OK, shape.kept, headers=_TAG)
        @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
        def get(self, code: str) -> tuple[KeptEntry, HTTPStatus, dict[str, str]]:
            """Show an entry."""
            kept = services().master_data.get(shape.kind, code)
            return kept, HTTPStatus.OK, tag(kept.version)

        @blueprint.doc(parameters=[_IF_MATCH])
        @blueprint.arguments(shape.entry)
        @blueprint.response(HTTPStatus.OK, shape.kept, headers=_TAG)
        @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
        @blueprint.alt_response(HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_FAILED.name)
        @blueprint.alt_response(HTTPStatus.PRECONDITION_REQUIRED, HTTPStatus.PRECONDITION_REQUIRED.name)
        @serves(shape.writers)
        def put(self, entry: Entry, code: str) -> tuple[KeptEntry, HTTPStatus, dict[str, str]]:
            """Change what an entry says; the code in the address counts."""
            kept = services().master_data.update(shape.kind, code, entry, seen_versions())
            return kept, HTTPStatus.OK, tag(kept.version)


def _add_switch(blueprint: APIBlueprint, shape: Shape, name: str, *, active: bool) -> None:
    @blueprint.route(f"/{_CODE}/{name}")
    class Switch(MethodView):
        """In use or not."""

        @blueprint.doc(parameters=[_IF_MATCH], summary=f"{name.capitalize()} an entry; none is ever deleted.")
        @blueprint.response(HTTPStatus.OK, shape.kept, headers=_TAG)
        @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
        @blueprint.alt_response(HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_FAILED.name)
        @blueprint.alt_response(HTTPStatus.PRECONDITION_REQUIRED, HTTPStatus.PRECONDITION_REQUIRED.name)
        @serves(shape.writers)
        def post(self, code: str) -> tuple[KeptEntry, HTTPStatus, dict[str, str]]:
            """Switch an entry on or off."""
            kept = services().master_data.set_active(shape.kind, code, active, seen_versions())
            return kept, HTTPStatus.OK, tag(kept.version)


def _add_files(blueprint: APIBlueprint, shape: Shape) -> None:
    @blueprint.route("/import")
    class Import(MethodView):
        """Many entries at once."""

        @blueprint.doc(requestBody=_FILE)
        @blueprint.arguments(schemas.ImportQuerySchema, location="query")
        @blueprint.response(HTTPStatus.OK, schemas.ImportReportSchema)
        @serves(ADMINS)
        def post(self, query: dict[str, bool]) -> ImportReport:
            """Take a CSV file (UTF-8 or CP949) or a JSON list over; the same file again changes nothing.

            What the file does not name stays as it is, and so does what it has no column for.
            """
            return services().master_data.take_over(shape.kind, _file_rows(shape.kind), **query)

    @blueprint.route("/export")
    class Export(MethodView):
        """All entries."""

        @blueprint.arguments(schemas.ExportQuerySchema, location="query")
        @blueprint.doc(responses=_EXPORT)
        def get(self, query: dict[str, str]) -> Response:
            """Give all entries as a file that an import takes back unchanged."""
            return _export(shape.kind, query["format"])


def _blueprint(shape: Shape) -> APIBlueprint:
    made = APIBlueprint(shape.kind.name, __name__, url_prefix=shape.address, description=shape.description)
    _add_list(made, shape)
    _add_files(made, shape)
    _add_entry(made, shape)
    _add_switch(made, shape, "deactivate", active=False)
    _add_switch(made, shape, "activate", active=True)
    return made


blueprints: Final = tuple(_blueprint(shape) for shape in SHAPES)
