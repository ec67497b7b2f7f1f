"""Documents about reviews: a person's word on a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from control_api.identifiers import UIDField
from inference.domain.identifiers import UID
from inference.domain.review import Verdict

_REASON = "Why, for whoever reads the result; no patient data."
_PRINTABLE = validate.Regexp(r"\A[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*\Z", error="Control characters are not allowed.")
"""Neither DICOM's nor FHIR's texts may hold them."""


@dataclass(frozen=True, slots=True)
class ReviewOrder:
    """A person's word, as it was sent.

    Parameters
    ----------
    verdict, reason, excluded, conclusion
        As in ``inference.domain.review.Review``.
    """

    verdict: Verdict
    reason: str
    excluded: tuple[UID, ...]
    conclusion: str


class ReviewOrderSchema(Schema):
    """Accept a result, amend it, or reject it."""

    verdict = fields.Enum(
        Verdict,
        by_value=True,
        required=True,
        metadata={
            "description": "`accept`: the report becomes final. `amend`: it becomes amended, without what is "
            "excluded and with the conclusion. `reject`: it is entered in error, and the objects are rejected.",
        },
    )
    reason = fields.String(
        load_default="",
        validate=[validate.Length(max=500), _PRINTABLE],
        metadata={"description": f"{_REASON} Required unless the result is accepted.", "example": "motion artefacts"},
    )
    excluded = fields.List(
        UIDField(),
        load_default=[],
        validate=validate.Length(max=1000),
        metadata={"description": "Amend: tracking UIDs of the findings that do not stand."},
    )
    conclusion = fields.String(
        load_default="",
        validate=[validate.Length(max=4000), _PRINTABLE],
        metadata={"description": "Amend: what the report says besides.", "example": "Normal for age."},
    )

    @validates_schema
    def _fits_its_verdict(self, data: dict[str, Any], **_: Any) -> None:
        faults: dict[str, list[str]] = {}
        verdict = data.get("verdict")
        if verdict is not Verdict.ACCEPT and not str(data.get("reason", "")).strip():
            faults["reason"] = ["A result is amended or rejected for a reason."]
        adds = bool(data.get("excluded") or str(data.get("conclusion", "")).strip())
        if verdict is Verdict.AMEND and not adds:
            faults["verdict"] = ["To amend is to exclude a finding or to add a conclusion."]
        if verdict is not Verdict.AMEND and adds:
            faults["verdict"] = ["Findings are excluded and conclusions added with `amend` only."]
        if faults:
            raise ValidationError(faults)

    @post_load
    def _order(self, data: dict[str, Any], **_: Any) -> ReviewOrder:
        return ReviewOrder(
            data["verdict"], data["reason"].strip(), tuple(data["excluded"]), data["conclusion"].strip()
        )


class ReviewSchema(Schema):
    """A review as it is kept."""

    verdict = fields.String(
        validate=validate.OneOf([verdict.value for verdict in Verdict]), metadata={"description": "What was said."}
    )
    reviewer = fields.String(metadata={"description": "Account of the reader.", "example": "kim"})
    at = fields.AwareDateTime(metadata={"description": "When."})
    reason = fields.String(metadata={"description": _REASON})
    excluded = fields.List(fields.String(), metadata={"description": "Tracking UIDs of findings that do not stand."})
    conclusion = fields.String(metadata={"description": "What the reader added."})
