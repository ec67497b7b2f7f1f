"""Documents about the node itself."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from control_api.schemas.job import ModelReferenceSchema, ReasonSchema
from inference.domain.job import JobState, QueueName
from inference.domain.node_report import PeerKind


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


class WindowQuerySchema(Schema):
    """How far to look back."""

    hours = fields.Integer(
        load_default=24,
        validate=validate.Range(1, 168),
        metadata={"description": "Hours to look back, at most a week."},
    )


class QueueSchema(Schema):
    """A queue."""

    name = fields.Enum(QueueName, by_value=True, metadata={"description": "Which."})
    depth = fields.Integer(
        allow_none=True, metadata={"description": "Messages in it; null where the queue cannot be asked."}
    )
    waiting = fields.Integer(attribute="work.waiting", metadata={"description": "Jobs that could be worked on now."})
    postponed = fields.Integer(
        attribute="work.postponed", metadata={"description": "Jobs that wait for their next attempt."}
    )
    working = fields.Integer(attribute="work.working", metadata={"description": "Jobs that a worker has."})
    oldest_waiting_at = fields.AwareDateTime(
        attribute="work.oldest_waiting_at",
        allow_none=True,
        metadata={"description": "Since when the job waits that waits longest, or null."},
    )


class QueueListSchema(Schema):
    """The queues."""

    queues = fields.List(fields.Nested(QueueSchema), metadata={"description": "Both."})


class HeldJobSchema(Schema):
    """A job that a worker has."""

    job_id = fields.String(metadata={"description": "Id."})
    model = fields.Nested(ModelReferenceSchema, allow_none=True, metadata={"description": "Its model, or null."})
    state = fields.Enum(JobState, by_value=True, metadata={"description": "State."})
    heartbeat_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When the worker last said that it is at it."}
    )
    lease_expires_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When the job is taken from it unless it is heard of."}
    )


class WorkerSchema(Schema):
    """A process that works."""

    owner = fields.String(metadata={"description": "Its name.", "example": "node:17:Kx3_0aBc"})
    alive = fields.Boolean(metadata={"description": "Whether it was heard of a moment ago."})
    silent_seconds = fields.Float(
        allow_none=True, metadata={"description": "How long ago; null where only its leases are known."}
    )
    kind = fields.String(
        attribute="report.kind",
        dump_default=None,
        allow_none=True,
        metadata={"description": "`inference`, `delivery` or `receiver`.", "example": "inference"},
    )
    host = fields.String(
        attribute="report.host", dump_default=None, allow_none=True, metadata={"description": "Its machine."}
    )
    pid = fields.Integer(
        attribute="report.pid", dump_default=None, allow_none=True, metadata={"description": "Its process id there."}
    )
    threads = fields.Integer(
        attribute="report.threads",
        dump_default=None,
        allow_none=True,
        metadata={"description": "Jobs, or associations, at once."},
    )
    version = fields.String(
        attribute="report.version",
        dump_default=None,
        allow_none=True,
        metadata={"description": "Version of the node that it runs."},
    )
    started_at = fields.AwareDateTime(
        attribute="report.started_at", dump_default=None, allow_none=True, metadata={"description": "Since when."}
    )
    seen_at = fields.AwareDateTime(
        attribute="report.seen_at", dump_default=None, allow_none=True, metadata={"description": "Last word."}
    )
    jobs = fields.List(fields.Nested(HeldJobSchema), metadata={"description": "What it has."})
    verifying = fields.List(
        fields.Nested(ModelReferenceSchema), metadata={"description": "The version that it looks over."}
    )


class WorkerListSchema(Schema):
    """The processes that work."""

    workers = fields.List(fields.Nested(WorkerSchema), metadata={"description": "By kind, oldest first."})


class GPUSchema(Schema):
    """An NVIDIA GPU, as `nvidia-smi` describes it; what a card does not tell is null."""

    index = fields.Integer(allow_none=True, metadata={"description": "Number."})
    name = fields.String(allow_none=True, metadata={"description": "Name.", "example": "NVIDIA L4"})
    driver = fields.String(allow_none=True, metadata={"description": "Version of the driver."})
    memory_total_mib = fields.Integer(allow_none=True, metadata={"description": "Memory, MiB."})
    memory_used_mib = fields.Integer(allow_none=True, metadata={"description": "Memory in use, MiB."})
    busy_percent = fields.Integer(allow_none=True, metadata={"description": "How busy."})
    celsius = fields.Integer(allow_none=True, metadata={"description": "Temperature."})


def _fact(name: str) -> dict[str, Any]:
    return {"attribute": f"facts.{name}", "dump_default": None, "allow_none": True}


class DeviceSchema(Schema):
    """A machine on which workers run, as they describe it."""

    host = fields.String(metadata={"description": "Its name."})
    seen_at = fields.AwareDateTime(metadata={"description": "When a worker on it was last heard of."})
    provider = fields.String(
        **_fact("provider"),
        metadata={
            "description": "Where models run, in ONNX Runtime's words; null without an inference worker.",
            "example": "CUDAExecutionProvider",
        },
    )
    provider_fault = fields.String(
        **_fact("provider_fault"), metadata={"description": "Why models cannot run there, or null."}
    )
    gpus = fields.List(
        fields.Nested(GPUSchema),
        **(_fact("gpus") | {"dump_default": list, "allow_none": False}),
        metadata={"description": "Its NVIDIA GPUs."},
    )
    cpu_count = fields.Integer(**_fact("cpu_count"), metadata={"description": "Cores."})
    load_1m = fields.Float(**_fact("load_1m"), metadata={"description": "Processes that want one, over a minute."})
    memory_total_bytes = fields.Integer(**_fact("memory_total_bytes"), metadata={"description": "Memory."})
    memory_available_bytes = fields.Integer(**_fact("memory_available_bytes"), metadata={"description": "Left."})


class DeviceListSchema(Schema):
    """The machines of the workers."""

    devices = fields.List(fields.Nested(DeviceSchema), metadata={"description": "In order of their names."})


class DiskDetailSchema(DiskSchema):
    """Room for data, and what fills it."""

    reserve_bytes = fields.Integer(metadata={"description": "What must stay free: below, nothing is received."})
    spool_bytes = fields.Integer(allow_none=True, metadata={"description": "What was received; null: not counted."})
    results_bytes = fields.Integer(allow_none=True, metadata={"description": "Results; null: not counted."})
    counted_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When these two were counted."})
    received_bytes = fields.Integer(metadata={"description": "Received in the last 24 hours."})
    full_at = fields.AwareDateTime(
        allow_none=True,
        metadata={"description": "When the reserve is reached at that rate; null: not within ten years."},
    )


class PeerSchema(Schema):
    """A server that the node talks to."""

    name = fields.String(metadata={"description": "Its name here.", "example": "archive"})
    kind = fields.Enum(
        PeerKind,
        by_value=True,
        metadata={
            "description": "How it is asked: `dicom` by C-ECHO, `dicomweb` by a search, `orthanc` by its REST API, "
            "`fhir` by its capability statement, `hl7` by a connection."
        },
    )
    address = fields.String(metadata={"description": "Where.", "example": "ORTHANC@orthanc:4242"})
    reachable = fields.Boolean(metadata={"description": "Whether it can be used."})
    probed_at = fields.AwareDateTime(metadata={"description": "When it was asked."})
    seconds = fields.Float(metadata={"description": "How long the answer took."})
    reachable_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When it could last be used, or null."}
    )
    error = fields.Nested(
        ReasonSchema, attribute="failure", allow_none=True, metadata={"description": "Why not, or null."}
    )


class PeerListSchema(Schema):
    """The servers that the node talks to."""

    peers = fields.List(fields.Nested(PeerSchema), metadata={"description": "In order of their names."})


class HourSchema(Schema):
    """What came and was made in an hour."""

    at = fields.AwareDateTime(metadata={"description": "When it began."})
    studies = fields.Integer(metadata={"description": "New studies."})
    series = fields.Integer(metadata={"description": "New series."})
    jobs = fields.Integer(metadata={"description": "New jobs."})
    completed = fields.Integer(metadata={"description": "Of these jobs, completed by now."})
    failed = fields.Integer(metadata={"description": "Failed by now."})
    rejected = fields.Integer(metadata={"description": "Rejected by now."})


class ThroughputSchema(Schema):
    """What came and was made, hour by hour."""

    hours = fields.List(
        fields.Nested(HourSchema), metadata={"description": "Oldest first; the last one has not ended."}
    )


class StageStatisticsSchema(Schema):
    """How long a stage takes with a model."""

    model = fields.Nested(ModelReferenceSchema, metadata={"description": "The model."})
    stage = fields.String(metadata={"description": "The stage.", "example": "infer"})
    count = fields.Integer(metadata={"description": "How often it was timed."})
    p50 = fields.Float(metadata={"description": "Half of them took no longer, seconds."})
    p95 = fields.Float(metadata={"description": "95 of 100 took no longer, seconds."})
    max = fields.Float(attribute="longest", metadata={"description": "The longest, seconds."})


class StageListSchema(Schema):
    """How long the stages take."""

    stages = fields.List(fields.Nested(StageStatisticsSchema), metadata={"description": "By model and stage."})
