"""Identifiers in paths and documents, parsed by the core's own types before a view sees them."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import ValidationError, fields
from werkzeug.routing import BaseConverter
from werkzeug.routing import ValidationError as NoMatch

from inference.domain.identifiers import UID, JobID

UID_PATTERN: Final = r"^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+$"
"""Grammar of a UID (PS3.5 section 9.1), for descriptions."""
JOB_ID_PATTERN: Final = r"^[0-9a-f]{32}$"
MODEL_ID_PATTERN: Final = r"^[a-z][a-z0-9_]{1,63}$"
VERSION_PATTERN: Final = r"^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$"
"""Semantic Versioning, without its finer points."""


class UIDConverter(BaseConverter):
    """A DICOM UID in a path; anything else is no such resource (404)."""

    regex = r"[0-9.]{1,64}"

    def to_python(self, value: str) -> UID:
        """Parse the path's part."""
        try:
            return UID(value)
        except ValueError as error:
            raise NoMatch from error

    @staticmethod
    def describe(_converter: BaseConverter) -> dict[str, Any]:
        """Give the JSON schema of the parameter."""
        return {
            "type": "string",
            "pattern": UID_PATTERN,
            "maxLength": 64,
            "examples": ["1.2.826.0.1.3680043.8.498.1"],
        }


class JobIDConverter(BaseConverter):
    """A job's id in a path."""

    regex = r"[0-9a-f]{32}"

    def to_python(self, value: str) -> JobID:
        """Parse the path's part."""
        return JobID(value)

    @staticmethod
    def describe(_converter: BaseConverter) -> dict[str, Any]:
        """Give the JSON schema of the parameter."""
        return {"type": "string", "pattern": JOB_ID_PATTERN, "examples": ["0f8fad5bd9cb469fa16570867728950e"]}


class ModelIDConverter(BaseConverter):
    """A model's id in a path."""

    regex = r"[a-z][a-z0-9_]{1,63}"

    @staticmethod
    def describe(_converter: BaseConverter) -> dict[str, Any]:
        """Give the JSON schema of the parameter."""
        return {"type": "string", "pattern": MODEL_ID_PATTERN, "examples": ["brain_structures"]}


class ModelVersionConverter(BaseConverter):
    """A model's version in a path: as strict as needed to tell it from other words, not more."""

    regex = r"[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?"

    @staticmethod
    def describe(_converter: BaseConverter) -> dict[str, Any]:
        """Give the JSON schema of the parameter."""
        return {"type": "string", "pattern": VERSION_PATTERN, "maxLength": 64, "examples": ["1.0.0"]}


class UIDField(fields.String):
    """A DICOM UID in a document or a query."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> UID:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return UID(text)
        except ValueError:
            raise ValidationError("Not a valid UID (PS3.5 section 9.1).") from None
