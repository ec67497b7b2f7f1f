"""Documents about models: cards, decisions, verifications."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, post_load, validate

from control_api.schemas.job import ModelReferenceSchema
from inference.domain.model_spec import Deployment, Layout, Normalisation, OutputKind, Placement, Registration, Task
from inference.domain.verification import VerificationState

_SAYS_SOMETHING = validate.Regexp(
    r"\A[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*\Z",
    error="Say why, without control characters.",
)
"""Neither DICOM's nor FHIR's texts may hold control characters."""


class VerificationFaultSchema(Schema):
    """One reason not to run a version."""

    part = fields.String(metadata={"description": "What is at fault.", "example": "golden numbers"})
    message = fields.String(metadata={"description": "What is wrong and what to do."})


class VerificationSchema(Schema):
    """A look at a version of a model by an inference worker."""

    state = fields.Enum(
        VerificationState,
        by_value=True,
        attribute="look.state",
        metadata={
            "description": "`requested`: no worker has begun; `running`; `passed`: it computes here what its maker "
            "saw; `failed`: the faults say why."
        },
    )
    counts = fields.Boolean(
        metadata={"description": "False where manifest or node changed since: then it has to be verified again."}
    )
    requested_at = fields.AwareDateTime(attribute="look.requested_at", metadata={"description": "When."})
    requested_by = fields.String(attribute="look.requested_by", metadata={"description": "By whom."})
    started_at = fields.AwareDateTime(
        attribute="look.started_at", allow_none=True, metadata={"description": "When a worker began, or null."}
    )
    finished_at = fields.AwareDateTime(
        attribute="look.finished_at", allow_none=True, metadata={"description": "When it was done, or null."}
    )
    worker = fields.String(
        attribute="look.worker", allow_none=True, metadata={"description": "Which worker, or null."}
    )
    provider = fields.String(
        attribute="look.provider",
        allow_none=True,
        metadata={
            "description": "What computed it, in ONNX Runtime's words; null where nothing was computed.",
            "example": "CPUExecutionProvider",
        },
    )
    faults = fields.List(
        fields.Nested(VerificationFaultSchema), attribute="look.faults", metadata={"description": "Why it failed."}
    )


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
    anatomy = fields.Nested(
        CodeSchema, allow_none=True, metadata={"description": "Where it is; null: in the model's region."}
    )
    laterality = fields.Nested(CodeSchema, allow_none=True, metadata={"description": "Its side, or null."})
    threshold = fields.Float(
        metadata={"description": "Probability from which on it is there, where labels may overlap."}
    )
    usual_ml = fields.List(
        fields.Float(), allow_none=True, metadata={"description": "Lowest and highest usual volume, mL, or null."}
    )
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
    exclude_description = fields.List(
        fields.String(),
        attribute="selection.exclude_description",
        metadata={"description": "Patterns of series descriptions that are not taken."},
    )
    normalisation = fields.Enum(
        Normalisation,
        by_value=True,
        attribute="intensity.normalisation",
        metadata={"description": "How its intensities are brought to the network's scale."},
    )
    max_slice_spacing_mm = fields.Float(
        attribute="selection.max_slice_spacing_mm", metadata={"description": "Largest distance between slices, mm."}
    )


class ModelCardSchema(Schema):
    """What a version of a model is for, what it can do, and what this node does with it."""

    model_id = fields.String(
        attribute="spec.reference.model_id",
        data_key="id",
        metadata={"description": "Id.", "example": "brain_structures"},
    )
    version = fields.String(attribute="spec.reference.version", metadata={"description": "Semantic version."})
    digest = fields.String(attribute="spec.reference.digest", metadata={"description": "SHA-256 of the weights."})
    deployment = fields.Enum(
        Deployment,
        by_value=True,
        attribute="spec.deployment",
        metadata={
            "description": "`active`: it runs and publishes; `shadow`: it runs and is recorded; `inactive`: it does "
            "not run; `recalled`: it was found to be faulty, and its results were withdrawn."
        },
    )
    task = fields.Enum(Task, by_value=True, attribute="spec.task", metadata={"description": "Type of its jobs."})
    title = fields.String(attribute="spec.title", metadata={"description": "Name."})
    intended_use = fields.String(
        attribute="spec.intended_use", metadata={"description": "What it is for, and what it is not for."}
    )
    licence = fields.String(attribute="spec.licence", metadata={"description": "Licence."})
    manufacturer = fields.String(attribute="spec.manufacturer", metadata={"description": "Who made it."})
    channels = fields.List(
        fields.Nested(ChannelSchema),
        attribute="spec.channels",
        metadata={"description": "What it reads of a study; results lie on the first."},
    )
    labels = fields.List(
        fields.Nested(LabelSchema), attribute="spec.labels", metadata={"description": "What it finds."}
    )
    total_ml = fields.List(
        fields.Float(),
        attribute="spec.plausibility.total_ml",
        metadata={"description": "Smallest and largest volume of all labels together that is believed, mL."},
    )
    verification = fields.Nested(
        VerificationSchema,
        allow_none=True,
        metadata={"description": "The latest look at it, or null where nobody asked for one."},
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


class RatioSchema(Schema):
    """Limits of a ratio between two structures."""

    numerator = fields.Integer(metadata={"description": "Label value."})
    denominator = fields.Integer(metadata={"description": "Label value."})
    lowest = fields.Float(metadata={"description": "Below, the result is not believed."})
    highest = fields.Float(metadata={"description": "Above, the result is not believed."})


class PictureSchema(Schema):
    """A picture of a model card."""

    name = fields.String(metadata={"description": "Its name in the folder `card`.", "example": "adult-a.png"})
    href = fields.String(metadata={"description": "Where it is given, as PNG."})


class InputSchema(Schema):
    """How the channels are brought to the network."""

    orientation = fields.String(
        attribute="preprocess.orientation", metadata={"description": "Axes of its grid.", "example": "LIA"}
    )
    spacing_mm = fields.List(
        fields.Float(), attribute="preprocess.spacing_mm", metadata={"description": "Voxel size, mm."}
    )
    shape = fields.List(
        fields.Integer(), attribute="preprocess.shape", metadata={"description": "Voxels of its field of view."}
    )
    placement = fields.Enum(
        Placement,
        by_value=True,
        attribute="preprocess.placement",
        metadata={"description": "How the field of view is placed in the volume."},
    )
    registration = fields.Enum(
        Registration,
        by_value=True,
        attribute="preprocess.registration",
        metadata={"description": "How further channels are brought to the first."},
    )
    layout = fields.Enum(
        Layout, by_value=True, attribute="graph.layout", metadata={"description": "What its input holds."}
    )
    context_slices = fields.Integer(
        attribute="graph.context_slices", metadata={"description": "Slices given together to a network of slices."}
    )
    precision = fields.String(attribute="graph.precision", metadata={"description": "Type of its numbers."})


class PublicationSchema(Schema):
    """What is made of a result, for destinations that take it."""

    seg = fields.Boolean(metadata={"description": "A segmentation."})
    sr = fields.Boolean(metadata={"description": "A structured report."})
    fhir = fields.Boolean(metadata={"description": "A report on the report server."})
    sc = fields.Boolean(metadata={"description": "Pictures."})
    pdf = fields.Boolean(metadata={"description": "A page."})
    parametric_map = fields.Boolean(metadata={"description": "Maps of probabilities."})
    key_images = fields.Boolean(metadata={"description": "A selection of key images."})


class ModelDetailSchema(ModelCardSchema):
    """All that is known of a version, with its model card."""

    card = fields.String(
        metadata={"description": "The model card, Markdown of its maker's: show it as text or make it harmless."}
    )
    pictures = fields.List(fields.Nested(PictureSchema), metadata={"description": "Pictures of the card."})
    added = fields.Boolean(metadata={"description": "Whether it was added to this node and can be removed."})
    input = fields.Nested(
        InputSchema, attribute="spec", metadata={"description": "How the channels are brought to it."}
    )
    output = fields.Enum(
        OutputKind, by_value=True, attribute="spec.output", metadata={"description": "What its graph says."}
    )
    ratios = fields.List(
        fields.Nested(RatioSchema), metadata={"description": "Limits of ratios of volumes that are believed."}
    )
    contrasts = fields.List(
        fields.Nested(RatioSchema), metadata={"description": "Limits of ratios of brightness that are believed."}
    )
    publication = fields.Nested(
        PublicationSchema, attribute="spec.publication", metadata={"description": "What is made of a result."}
    )


class DecisionSchema(Schema):
    """What a person decided about a version."""

    at = fields.AwareDateTime(metadata={"description": "When."})
    model = fields.Nested(ModelReferenceSchema, metadata={"description": "Which version."})
    deployment = fields.Enum(Deployment, by_value=True, metadata={"description": "What was decided."})
    actor = fields.String(metadata={"description": "Who decided.", "example": "admin"})
    reason = fields.String(metadata={"description": "Why; empty where nobody said."})


class ModelHistorySchema(Schema):
    """One model."""

    model_id = fields.String(data_key="id", metadata={"description": "Id.", "example": "brain_structures"})
    versions = fields.List(fields.Nested(ModelCardSchema), metadata={"description": "Versions that are here."})
    decisions = fields.List(
        fields.Nested(DecisionSchema),
        metadata={"description": "What was decided, oldest first, also about versions that are gone."},
    )


class ModelChangeSchema(Schema):
    """What a decision changed."""

    model = fields.Nested(ModelReferenceSchema, metadata={"description": "The version it was about."})
    before = fields.Enum(Deployment, by_value=True, metadata={"description": "What the node did with it."})
    after = fields.Enum(Deployment, by_value=True, metadata={"description": "What the node does with it."})
    instead_of = fields.Nested(
        ModelReferenceSchema,
        allow_none=True,
        metadata={"description": "The version that was active until now and is not any more, or null."},
    )


class RecallOrderSchema(Schema):
    """The order to recall a version."""

    reason = fields.String(
        required=True,
        validate=[validate.Length(1, 500), _SAYS_SOMETHING],
        metadata={
            "description": "Why, for readers of its results; no patient data.",
            "example": "it mixes up left and right",
        },
    )

    @post_load
    def _stripped(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {"reason": data["reason"].strip()}


class RecalledSchema(Schema):
    """What a recall came to for one version."""

    model = fields.Nested(ModelReferenceSchema, metadata={"description": "The version."})
    before = fields.Boolean(metadata={"description": "Whether it had been recalled before."})
    withdrawn = fields.Integer(metadata={"description": "Results whose withdrawal was ordered now."})


class RecallSchema(Schema):
    """What a recall came to."""

    recalled = fields.List(
        fields.Nested(RecalledSchema),
        metadata={"description": "Mostly one; several where other weights were known under the same version."},
    )
