"""Lists that are read page by page, by cursor: rows that arrive meanwhile neither repeat nor hide others."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validate

from control_api.records import Cursor

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 200


class CursorField(fields.Field[Cursor]):
    """A cursor, opaque to clients: time and key of the last row seen."""

    def _serialize(self, value: Cursor | None, *_: Any, **__: Any) -> str | None:
        if value is None:
            return None
        text = json.dumps([value.at.isoformat(), value.key], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Cursor:
        try:
            at, key = json.loads(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))
            cursor = Cursor(datetime.fromisoformat(at), str(key))
        except (binascii.Error, UnicodeError, ValueError, TypeError):
            raise ValidationError("Not a cursor that this node gave out.") from None
        if cursor.at.tzinfo is None:
            raise ValidationError("Not a cursor that this node gave out.")
        return cursor


class PageQuerySchema(Schema):
    """Which page of a list."""

    limit = fields.Integer(
        load_default=DEFAULT_LIMIT,
        validate=validate.Range(1, MAX_LIMIT),
        metadata={"description": "Most rows to give."},
    )
    after = CursorField(metadata={"description": "The `next` of the page before."})


NEXT: Final = {"description": "Pass it as `after` to get the next page; null on the last page."}
