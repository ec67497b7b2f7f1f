"""Documents about previews."""

from __future__ import annotations

import math
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate

from control_api.previews import DEFAULT, PictureOrder
from inference.domain.identifiers import JobID


class PreviewQuerySchema(Schema):
    """Whose preview."""

    job_id = fields.String(
        load_default=None,
        validate=validate.Regexp(r"^[0-9a-f]{32}$"),
        metadata={"description": "Of this job's result; absent: of the latest."},
    )

    @post_load
    def _job(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return data | {"job_id": JobID(data["job_id"]) if data["job_id"] else None}


class WindowField(fields.String):
    """Name of a window, or its lowest and highest value."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        low, comma, high = text.partition(",")
        if not comma:
            return text
        try:
            window = float(low), float(high)
        except ValueError:
            raise ValidationError("Write a window's name, or two numbers with a comma between them.") from None
        if not all(map(math.isfinite, window)) or window[0] >= window[1]:
            raise ValidationError("The first number must be less than the second.")
        return window


class NumbersField(fields.String):
    """Whole numbers with commas between them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if not all(part.isascii() and part.isdecimal() and len(part) < 4 for part in parts):
            raise ValidationError("Write whole numbers with commas between them.")
        return frozenset(map(int, parts))


class PictureQuerySchema(PreviewQuerySchema):
    """How a slice is shown."""

    overlay = fields.Boolean(load_default=True, metadata={"description": "Whether structures are drawn on it."})
    structures = NumbersField(
        load_default=None,
        metadata={"description": "Numbers of those that are, with commas; absent: all.", "example": "1,2"},
    )
    window = WindowField(
        load_default=DEFAULT,
        validate=validate.Length(max=32),
        metadata={
            "description": "Name of a window of the preview, or the values that are black and white.",
            "example": "0,80",
        },
    )

    @post_load
    def _order(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        order = {name: data[name] for name in ("overlay", "structures", "window")}
        return {"job_id": data["job_id"], "order": PictureOrder(**order)}


class PreviewStructureSchema(Schema):
    """A structure that can be drawn."""

    number = fields.Integer(metadata={"description": "By which it is asked for."})
    label = fields.String(metadata={"description": "Its name.", "example": "Thalamus"})
    code = fields.String(metadata={"description": "Its code (SNOMED CT).", "example": "42695009"})
    laterality = fields.String(allow_none=True, metadata={"description": "Code of its side, or null."})
    colour_rgb = fields.List(
        fields.Integer(), metadata={"description": "Red, green, blue, 0 to 255.", "example": [0, 118, 14]}
    )
    volume_ml = fields.Float(metadata={"description": "Its volume, mL.", "example": 14.2})
    tracking_uid = fields.String(metadata={"description": "Under which SEG, SR and FHIR know it."})


class NamedWindowSchema(Schema):
    """A window that is offered."""

    name = fields.String(metadata={"description": "By which it is asked for.", "example": "brain"})
    low = fields.Float(metadata={"description": "What is black."})
    high = fields.Float(metadata={"description": "What is white."})


class PreviewSchema(Schema):
    """What can be shown of a series."""

    job_id = fields.String(attribute="job.job_id", metadata={"description": "Whose result it is."})
    valid = fields.Boolean(
        attribute="job.valid", metadata={"description": "Whether that result is published and stands."}
    )
    modality = fields.String(attribute="header.modality", metadata={"description": "Modality.", "example": "MR"})
    slices = fields.Integer(metadata={"description": "How many slices; they count from 1."})
    rows = fields.Integer(metadata={"description": "Rows that are kept."})
    columns = fields.Integer(metadata={"description": "And columns."})
    spacing_mm = fields.List(
        fields.Float(),
        attribute="header.spacing_mm",
        metadata={"description": "Between slices, rows and columns, mm.", "example": [1.0, 1.0, 1.0]},
    )
    sides = fields.List(
        fields.String(),
        attribute="header.sides",
        metadata={
            "description": "Side of the patient at the left, right, upper and lower edge.",
            "example": ["R", "L", "A", "P"],
        },
    )
    interpolated = fields.List(fields.Integer(), metadata={"description": "Slices that the source lacks."})
    windows = fields.List(
        fields.Nested(NamedWindowSchema), metadata={"description": "Windows, the one to begin with first."}
    )
    structures = fields.List(
        fields.Nested(PreviewStructureSchema),
        metadata={"description": "What can be drawn; nothing of a result that was withdrawn."},
    )
