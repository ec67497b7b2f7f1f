"""Documents about the node itself and its models."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from control_api.schemas.job import ModelReferenceSchema
from inference.domain.model_spec import Deployment, Task


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
    shadow_jobs = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "The same of jobs in shadow, which are only recorded.", "example": {"COMPLETED": 3}},
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


class ChannelSchema(Schema):
    """A series that a model reads."""

    name = fields.String(metadata={"description": "Name.", "example": "T1"})
    required = fields.Boolean(metadata={"description": "Whether the model cannot run without it."})
    modality = fields.String(attribute="selection.modality", metadata={"description": "Modality.", "example": "MR"})
    sequence = fields.String(
        attribute="selection.sequence",
        allow_none=True,
        metadata={"description": "Weighting, or null for any.", "example": "T1"},
    )
    plane = fields.String(
        attribute="selection.plane",
        allow_none=True,
        metadata={"description": "How its slices lie, or null for any."},
    )
    body_parts = fields.List(
        fields.String(),
        attribute="selection.body_parts",
        metadata={"description": "Accepted BodyPartExamined; empty: any."},
    )
    min_slices = fields.Integer(attribute="selection.min_slices", metadata={"description": "Fewest slices."})
    max_slice_spacing_mm = fields.Float(
        attribute="selection.max_slice_spacing_mm", metadata={"description": "Largest distance between slices, mm."}
    )


class ModelCardSchema(Schema):
    """What a version of a model is for, what it can do, and what this node does with it."""

    model_id = fields.String(
        attribute="reference.model_id", data_key="id", metadata={"description": "Id.", "example": "brain_structures"}
    )
    version = fields.String(attribute="reference.version", metadata={"description": "Semantic version."})
    digest = fields.String(attribute="reference.digest", metadata={"description": "SHA-256 of the weights."})
    deployment = fields.Enum(
        Deployment,
        by_value=True,
        metadata={
            "description": "`active`: it runs and publishes; `shadow`: it runs and is recorded; `inactive`: it does "
            "not run; `recalled`: it was found to be faulty, and its results were withdrawn."
        },
    )
    task = fields.Enum(Task, by_value=True, metadata={"description": "Type of its jobs."})
    title = fields.String(metadata={"description": "Name."})
    intended_use = fields.String(metadata={"description": "What it is for, and what it is not for."})
    licence = fields.String(metadata={"description": "Licence."})
    manufacturer = fields.String(metadata={"description": "Who made it."})
    channels = fields.List(
        fields.Nested(ChannelSchema),
        metadata={"description": "What it reads of a study; results lie on the first."},
    )
    labels = fields.List(fields.Nested(LabelSchema), metadata={"description": "What it finds."})
    total_ml = fields.List(
        fields.Float(),
        attribute="plausibility.total_ml",
        metadata={"description": "Smallest and largest volume of all labels together that is believed, mL."},
    )


class BrokenPackageSchema(Schema):
    """A model package that cannot be used."""

    package = fields.String(attribute="folder.name", metadata={"description": "Name of its folder."})
    reason = fields.String(metadata={"description": "Why.", "example": "weights.sha256: field required"})


class ModelListSchema(Schema):
    """The models of this node."""

    models = fields.List(
        fields.Nested(ModelCardSchema), metadata={"description": "Every version, in order of id and version."}
    )
    broken = fields.List(fields.Nested(BrokenPackageSchema), metadata={"description": "Packages in need of repair."})
