"""Documents about sessions of the viewer."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from control_api.identifiers import UID_PATTERN, UIDField

MOST_STUDIES = 16
"""Of one session: a study and its priors, with room."""


class ViewerOrderSchema(Schema):
    """What shall be looked at."""

    studies = fields.List(
        UIDField(metadata={"pattern": UID_PATTERN, "maxLength": 64}),
        required=True,
        validate=validate.Length(max=MOST_STUDIES),
        metadata={
            "description": "Study Instance UIDs, the one to open first; none, for administrators, for all.",
            "example": ["1.2.826.0.1.3680043.8.498.1"],
        },
    )
    series = UIDField(
        metadata={
            "description": "Series Instance UID to open at, e.g. of the segmentation.",
            "pattern": UID_PATTERN,
            "maxLength": 64,
            "example": "1.2.826.0.1.3680043.8.498.1.2",
        }
    )


class ViewerSessionSchema(Schema):
    """A session; the browser has its cookie already."""

    url = fields.String(
        required=True,
        metadata={
            "description": "Where to send the browser, on this host.",
            "example": "/pacs-viewer/viewer?StudyInstanceUIDs=1.2.826.0.1.3680043.8.498.1",
        },
    )
    expires_at = fields.AwareDateTime(
        required=True, metadata={"description": "When it ends.", "example": "2026-01-02T12:30:00+00:00"}
    )
