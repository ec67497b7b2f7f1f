"""Documents about the node itself and its models."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from control_api.schemas.job import ModelReferenceSchema


class LivenessSchema(Schema):
    """The process answers."""

    status = fields.String(validate=validate.Equal("alive"), metadata={"description": "Always `alive`."})


class PartSchema(Schema):
    """A part that the node needs."""

    name = fields.String(metadata={"description": "Which.", "example": "database"})
    ready = fields.Boolean(metadata={"description": "Whether it works."})
    detail = fields.String(allow_none=True, metadata={"description": "What is wrong with it, or null."})


class ReadinessSchema(Schema):
    """Whether the node can do its work."""

    status = fields.String(
        validate=validate.OneOf(["ready", "not ready"]), metadata={"description": "`ready` when every part is."}
    )
    parts = fields.List(fields.Nested(PartSchema), metadata={"description": "Each part by name."})


class DiskSchema(Schema):
    """Room for data."""

    free_bytes = fields.Integer(metadata={"description": "Free."})
    total_bytes = fields.Integer(metadata={"description": "In all."})


class NodeStatusSchema(Schema):
    """The node at a glance."""

    version = fields.String(metadata={"description": "Version of the node.", "example": "0.1.0"})
    ae_title = fields.String(metadata={"description": "Its AE title.", "example": "NEURONOVA"})
    now = fields.AwareDateTime(metadata={"description": "The node's time of day."})
    jobs = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "Number of jobs by state.", "example": {"COMPLETED": 12, "FAILED": 0}},
    )
    receiving_series = fields.Integer(metadata={"description": "Series that are still open."})
    queues = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(allow_none=True),
        metadata={
            "description": "Waiting messages by queue; null where the queue cannot be asked.",
            "example": {"inference": 0, "delivery": 0},
        },
    )
    models = fields.List(fields.Nested(ModelReferenceSchema), metadata={"description": "Active models."})
    disk = fields.Nested(DiskSchema, metadata={"description": "The disk that holds the data."})


class CodeSchema(Schema):
    """A coded concept (PS3.3 section 8)."""

    value = fields.String(metadata={"description": "Code Value.", "example": "42695009"})
    scheme = fields.String(metadata={"description": "Coding Scheme Designator.", "example": "SCT"})
    meaning = fields.String(metadata={"description": "Code Meaning.", "example": "Thalamus"})


class LabelSchema(Schema):
    """A structure that the model finds."""

    value = fields.Integer(metadata={"description": "Value in the label map.", "example": 1})
    name = fields.String(metadata={"description": "Name.", "example": "Thalamus"})
    type = fields.Nested(CodeSchema, metadata={"description": "Segmented Property Type."})
    category = fields.Nested(CodeSchema, metadata={"description": "Segmented Property Category."})
    colour_rgb = fields.List(fields.Integer(), metadata={"description": "Red, green, blue; 0 to 255."})
    min_volume_ml = fields.Float(metadata={"description": "Below, the result is not believed."})
    max_volume_ml = fields.Float(metadata={"description": "Above, the result is not believed."})


class InputSchema(Schema):
    """Which series a model wants."""

    modality = fields.String(metadata={"description": "Modality.", "example": "MR"})
    sequence = fields.String(
        allow_none=True, metadata={"description": "Weighting, or null for any.", "example": "T1"}
    )
    body_parts = fields.List(fields.String(), metadata={"description": "Accepted BodyPartExamined; empty: any."})
    min_slices = fields.Integer(metadata={"description": "Fewest slices."})
    max_slice_spacing_mm = fields.Float(metadata={"description": "Largest distance between slices, mm."})


class ModelCardSchema(Schema):
    """What a model is for and what it can do."""

    model_id = fields.String(
        attribute="reference.model_id", data_key="id", metadata={"description": "Id.", "example": "brain_structures"}
    )
    version = fields.String(attribute="reference.version", metadata={"description": "Semantic version."})
    digest = fields.String(attribute="reference.digest", metadata={"description": "SHA-256 of the weights."})
    title = fields.String(metadata={"description": "Name."})
    intended_use = fields.String(metadata={"description": "What it is for, and what it is not for."})
    licence = fields.String(metadata={"description": "Licence."})
    manufacturer = fields.String(metadata={"description": "Who made it."})
    inputs = fields.Nested(InputSchema, attribute="selection", metadata={"description": "What it wants."})
    labels = fields.List(fields.Nested(LabelSchema), metadata={"description": "What it finds."})
    total_ml = fields.List(
        fields.Float(),
        attribute="plausibility.total_ml",
        metadata={"description": "Smallest and largest sum of all structures that is believed, mL."},
    )


class BrokenPackageSchema(Schema):
    """A model package that cannot be used."""

    package = fields.String(attribute="folder.name", metadata={"description": "Name of its folder."})
    reason = fields.String(metadata={"description": "Why.", "example": "weights.sha256: field required"})


class ModelListSchema(Schema):
    """The models of this node."""

    active = fields.List(fields.Nested(ModelCardSchema), metadata={"description": "In order of id."})
    broken = fields.List(fields.Nested(BrokenPackageSchema), metadata={"description": "Packages in need of repair."})
