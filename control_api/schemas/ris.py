"""Documents about what is in the archive."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

LARGEST_PAGE = 200

_TEXT = (
    validate.Length(1, 64),
    validate.Regexp(r"^[^\\\x00-\x1f\x7f]*$", error="Must not hold backslash or control characters."),
)


def _text(description: str, example: str) -> fields.String:
    return fields.String(metadata={"description": description, "example": example})


class RISQuerySchema(Schema):
    """What is searched for."""

    patient_id = fields.String(validate=_TEXT, metadata={"description": "Patient ID.", "example": "DEMO-1"})
    patient_name = fields.String(
        validate=_TEXT,
        metadata={"description": "Beginning of the name, as DICOM writes it; `*` and `?` stand for others."},
    )
    accession_number = fields.String(validate=_TEXT, metadata={"description": "Accession Number."})
    study_description = fields.String(validate=_TEXT, metadata={"description": "Beginning of the description."})
    modality = fields.String(
        validate=validate.Regexp(r"^[A-Z0-9_]{1,16}$"), metadata={"description": "A modality.", "example": "MR"}
    )
    from_date = fields.Date(metadata={"description": "First Study Date."})
    to_date = fields.Date(metadata={"description": "Last Study Date."})
    limit = fields.Integer(
        load_default=50, validate=validate.Range(1, LARGEST_PAGE), metadata={"description": "Most entries."}
    )
    offset = fields.Integer(
        load_default=0, validate=validate.Range(0, 100_000), metadata={"description": "Entries to leave out first."}
    )


class RISStudySchema(Schema):
    """A study in the archive."""

    study_uid = _text("Study Instance UID.", "1.2.826.0.1.3680043.8.498.1")
    patient_id = _text("Patient ID.", "DEMO-1")
    patient_name = _text("Name, groups parted by `=`.", "Demo^Patient")
    patient_birth_date = _text("As DICOM writes it.", "19700101")
    patient_sex = _text("F, M, O or empty.", "F")
    accession_number = _text("Accession Number.", "A-17")
    study_date = _text("As DICOM writes it.", "20260102")
    study_time = _text("As DICOM writes it.", "120000")
    study_description = _text("Description.", "Head")
    modalities = fields.List(
        fields.String(), metadata={"description": "Modalities of its series.", "example": ["MR", "SEG"]}
    )
    series_count = fields.Integer(allow_none=True, metadata={"description": "Number of series.", "example": 3})
    instance_count = fields.Integer(allow_none=True, metadata={"description": "Number of instances.", "example": 194})


class RISSeriesSchema(Schema):
    """A series in the archive."""

    series_uid = _text("Series Instance UID.", "1.2.826.0.1.3680043.8.498.1.2")
    modality = _text("Modality.", "MR")
    series_number = fields.Integer(allow_none=True, metadata={"description": "Series Number.", "example": 1})
    series_description = _text("Description.", "T1w")
    body_part = _text("Body Part Examined.", "HEAD")
    instance_count = fields.Integer(allow_none=True, metadata={"description": "Number of instances.", "example": 192})


class RISInstanceSchema(Schema):
    """An instance in the archive."""

    instance_uid = _text("SOP Instance UID.", "1.2.826.0.1.3680043.8.498.1.2.3")
    sop_class_uid = _text("SOP Class UID.", "1.2.840.10008.5.1.4.1.1.4")
    instance_number = fields.Integer(allow_none=True, metadata={"description": "Instance Number.", "example": 1})
    rows = fields.Integer(allow_none=True, metadata={"description": "Rows.", "example": 256})
    columns = fields.Integer(allow_none=True, metadata={"description": "Columns.", "example": 256})
    frames = fields.Integer(allow_none=True, metadata={"description": "Number of Frames.", "example": 1})


class RISPatientSchema(Schema):
    """A patient in the archive, as its studies say."""

    patient_id = _text("Patient ID.", "DEMO-1")
    patient_name = _text("Name, groups parted by `=`.", "Demo^Patient")
    patient_birth_date = _text("As DICOM writes it.", "19700101")
    patient_sex = _text("F, M, O or empty.", "F")
    study_count = fields.Integer(metadata={"description": "Studies that match.", "example": 2})
    last_study_date = _text("Of the newest of them.", "20260102")


_NEXT = {"description": "Where the next part begins; null at the end.", "example": 50}


class RISStudyListSchema(Schema):
    """A part of the list of studies."""

    studies = fields.List(
        fields.Nested(RISStudySchema),
        attribute="rows",
        metadata={"description": "Studies, as the archive sorts them."},
    )
    next_offset = fields.Integer(allow_none=True, metadata=_NEXT)


class RISSeriesListSchema(Schema):
    """All series of a study."""

    series = fields.List(fields.Nested(RISSeriesSchema), attribute="rows", metadata={"description": "Series."})


class RISInstanceListSchema(Schema):
    """All instances of a series."""

    instances = fields.List(
        fields.Nested(RISInstanceSchema), attribute="rows", metadata={"description": "Instances."}
    )


class RISPatientListSchema(Schema):
    """A part of the list of patients."""

    patients = fields.List(
        fields.Nested(RISPatientSchema), attribute="rows", metadata={"description": "Patients by Patient ID."}
    )
    next_offset = fields.Integer(allow_none=True, metadata=_NEXT)
