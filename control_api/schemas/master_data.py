"""Documents about master data; what is valid is decided by ``integrations.masterdata``."""

from __future__ import annotations

from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, fields, post_load, pre_dump, validate

from control_api.schemas.paging import NEXT, PageQuerySchema
from integrations.masterdata import entries
from integrations.masterdata.entries import Entry, values_of
from integrations.masterdata.kinds import DIAGNOSES, LAB_TESTS, MEDICATIONS, EntryInvalid, Kind
from integrations.persistence.master_data import EntryQuery, KeptEntry

_NAME_KO = {"description": "Korean name.", "example": "도네페질염산염"}


def _name(**options: Any) -> fields.String:
    return fields.String(validate=validate.Length(max=entries.LONGEST_NAME), **options)


def _text(description: str, example: str, pattern: str | None = None) -> fields.String:
    """Give a text; the pattern is for readers of the description, ``integrations.masterdata`` says what is wrong."""
    about = {"description": description, "example": example} | ({} if pattern is None else {"pattern": pattern})
    return fields.String(load_default="", validate=validate.Length(max=entries.LONGEST_TEXT), metadata=about)


class EntrySchema(Schema):
    """What every entry says."""

    kind: ClassVar[Kind]

    code = fields.String(
        required=True,
        validate=validate.Length(1, entries.LONGEST_CODE),
        metadata={
            "description": "The site's code, unique; letters become capitals. A diagnosis has its KCD code.",
            "example": "G30.9",
            "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$",
        },
    )
    name_en = _name(required=True, metadata={"description": "English name.", "example": "Donepezil"})
    name_ko = _name(load_default="", metadata=_NAME_KO)

    @post_load
    def _entry(self, data: dict[str, Any], **_: Any) -> Entry:
        try:
            return self.kind.parse(data)
        except EntryInvalid as error:
            raise ValidationError({name: list(texts) for name, texts in error.faults.items()}) from None


class MedicationSchema(EntrySchema):
    """A medication."""

    kind = MEDICATIONS

    atc_code = _text("ATC code.", "N06DA02", "^([A-Za-z][0-9]{2}([A-Za-z]([A-Za-z]([0-9]{2})?)?)?)?$")
    dose_form = _text("Dose form.", "tablet")
    strength = _text("Strength.", "5 mg")
    route = _text("Route.", "oral")


class DiagnosisSchema(EntrySchema):
    """A diagnosis; its code is KCD, with or without the dot."""

    kind = DIAGNOSES

    icd10_code = _text("The code of the WHO's ICD-10.", "G30.9", r"^([A-Za-z][0-9]{2}(\.?[0-9]{1,2})?)?$")


class ReferenceRangeSchema(Schema):
    """Usual values in some people, both ends inclusive."""

    sex = fields.String(
        load_default="any",
        validate=validate.OneOf(["any", "male", "female"]),
        metadata={"description": "Whose values.", "example": "female"},
    )
    age_from = fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, entries.OLDEST),
        metadata={"description": "Completed years from which it holds; null: from birth.", "example": 18},
    )
    age_to = fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, entries.OLDEST),
        metadata={"description": "Completed years to which it holds; null: for ever."},
    )
    low = fields.Float(
        load_default=None, allow_none=True, metadata={"description": "Lowest usual value.", "example": 12.0}
    )
    high = fields.Float(
        load_default=None, allow_none=True, metadata={"description": "Highest usual value.", "example": 16.0}
    )


class LabTestSchema(EntrySchema):
    """A laboratory test."""

    kind = LAB_TESTS

    loinc_code = _text("LOINC code, with its check digit.", "718-7", "^([0-9]{1,7}-[0-9])?$")
    unit = _text("UCUM unit; empty for a result without one.", "g/dL", "^[!-~]*$")
    specimen = _text("What is examined.", "blood")
    reference_ranges = fields.List(
        fields.Nested(ReferenceRangeSchema),
        load_default=[],
        validate=validate.Length(max=entries.MOST_RANGES),
        metadata={"description": "Usual values by sex and age."},
    )


class _Kept(Schema):
    """What the node adds to an entry."""

    active = fields.Boolean(metadata={"description": "Whether it may be used for something new."})
    version = fields.Integer(metadata={"description": "Counts its changes; the `ETag` names it.", "example": 3})
    created_at = fields.AwareDateTime(metadata={"description": "When it was made."})
    updated_at = fields.AwareDateTime(metadata={"description": "When it was last changed."})

    @pre_dump
    def _flat(self, kept: KeptEntry, **_: Any) -> dict[str, Any]:
        shown = {name: getattr(kept, name) for name in ("active", "version", "created_at", "updated_at")}
        return values_of(kept.entry) | shown


class KeptMedicationSchema(MedicationSchema, _Kept):
    """A medication as it is kept."""


class KeptDiagnosisSchema(DiagnosisSchema, _Kept):
    """A diagnosis as it is kept."""


class KeptLabTestSchema(LabTestSchema, _Kept):
    """A laboratory test as it is kept."""


class _PageSchema(Schema):
    next = fields.String(allow_none=True, metadata=NEXT)


class MedicationListSchema(_PageSchema):
    """A page of medications."""

    items = fields.List(fields.Nested(KeptMedicationSchema), metadata={"description": "By code."})


class DiagnosisListSchema(_PageSchema):
    """A page of diagnoses."""

    items = fields.List(fields.Nested(KeptDiagnosisSchema), metadata={"description": "By code."})


class LabTestListSchema(_PageSchema):
    """A page of laboratory tests."""

    items = fields.List(fields.Nested(KeptLabTestSchema), metadata={"description": "By code."})


class EntryQuerySchema(PageQuerySchema):
    """Which entries to list."""

    q = fields.String(
        load_default="",
        validate=validate.Length(max=100),
        metadata={
            "description": "Words that all stand in the Korean or English name, in any case, or begin a code.",
            "example": "치매",
        },
    )
    code = fields.String(
        load_default="",
        validate=validate.Length(max=entries.LONGEST_CODE),
        metadata={"description": "How the code begins.", "example": "G30"},
    )
    active = fields.Boolean(
        load_default=None,
        metadata={"description": "Only active entries, or only deactivated ones; both where it is not given."},
    )
    after = fields.String(  # type: ignore[assignment]  # lists are by code, so a code is the cursor
        load_default="",
        validate=validate.Length(max=entries.LONGEST_CODE),
        metadata={"description": "The `next` of the page before."},
    )

    @post_load
    def _query(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        query = EntryQuery(data["q"], data["code"], data["active"])
        return {"query": query, "limit": data["limit"], "after": data["after"]}


class ImportQuerySchema(Schema):
    """How a file is taken over."""

    all_or_nothing = fields.Boolean(
        load_default=False,
        metadata={"description": "Whether nothing is changed where an entry of the file is rejected."},
    )


class ExportQuerySchema(Schema):
    """As what entries are exported."""

    format = fields.String(
        load_default="csv",
        validate=validate.OneOf(["csv", "json"]),
        metadata={"description": "`csv` (UTF-8, safe to open in a spreadsheet) or `json`."},
    )


class RejectionSchema(Schema):
    """An entry of the file that was not taken."""

    line = fields.Integer(
        metadata={"description": "Line of the CSV file, or place in the JSON list, from 1.", "example": 17}
    )
    reasons = fields.List(fields.String(), metadata={"description": "Why; values are not repeated."})


class ImportReportSchema(Schema):
    """What an import did."""

    applied = fields.Boolean(
        metadata={"description": "False where all or nothing was wanted and an entry was rejected: nothing changed."}
    )
    created = fields.Integer(metadata={"description": "New entries.", "example": 12})
    updated = fields.Integer(metadata={"description": "Entries that were changed."})
    unchanged = fields.Integer(metadata={"description": "Entries that were there as the file has them."})
    rejected = fields.Integer(metadata={"description": "Entries that are not valid."})
    rejections = fields.List(
        fields.Nested(RejectionSchema), metadata={"description": "The first 500 of those that were rejected."}
    )
