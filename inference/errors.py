"""Every error the node can end in.

::

    NodeError(code, stage, retryable)
    ├── ConfigurationError          configuration.invalid       start only, all faults together, exit 78
    ├── ReceiveError
    │   ├── InstanceUnreadable      receive.unreadable          C000
    │   ├── SOPClassMismatch        receive.sop_class_mismatch  A900
    │   └── SpoolFull *             receive.spool_full          A700
    ├── StudyError                  (the named reasons a series is not analysed)
    │   ├── NoMatchingModel         selection.*
    │   ├── IncompleteSeries        series.*
    │   ├── UnsupportedGeometry     geometry.*
    │   └── UnsupportedPixelData    pixel.*
    ├── ModelError
    │   ├── ModelNotFound           model.not_found
    │   ├── ModelRecalled           model.recalled
    │   ├── DeploymentRefused       model.deployment_refused
    │   ├── WeightsMismatch         model.weights_mismatch
    │   ├── ModelContractViolated   model.contract_violated
    │   └── PackageRefused          model.package_refused       422
    ├── InferenceError
    │   ├── DeviceUnavailable *     inference.device_unavailable
    │   ├── DeviceOutOfMemory *     inference.out_of_memory
    │   ├── NonFiniteOutput         inference.non_finite
    │   └── ImplausibleResult       result.implausible          (a named reason too)
    ├── EncodingError               encoding.failed
    ├── DeliveryError
    │   ├── PeerUnavailable *       delivery.peer_unavailable
    │   ├── PeerRefused             delivery.peer_refused
    │   └── NotCommitted *          delivery.not_committed
    ├── ReportError
    │   ├── FHIRUnavailable *       report.fhir_unavailable
    │   ├── FHIRConflict *          report.fhir_conflict
    │   ├── FHIRRejected            report.fhir_rejected
    │   ├── HL7Unavailable *        report.hl7_unavailable
    │   └── HL7Rejected             report.hl7_rejected
    ├── AccountError
    │   ├── AccountNotFound         account.not_found           404
    │   ├── AccountExists           account.exists              409
    │   ├── AccountInvalid          account.invalid             422
    │   └── LastAdministrator       account.last_administrator  409
    ├── JobError
    │   ├── JobNotFound             job.not_found               404
    │   ├── StudyNotFound           study.not_found             404
    │   ├── PreviewNotFound         preview.not_found           404
    │   ├── IllegalTransition       job.illegal_transition      409
    │   ├── LeaseLost               job.lease_lost              the work belongs to somebody else now
    │   ├── JobCancelled            job.cancelled
    │   ├── QueueUnavailable *      job.queue_unavailable       503
    │   └── StoreUnavailable *      job.store_unavailable       503
    └── MasterDataError
        ├── EntryNotFound           masterdata.not_found        404
        ├── EntryExists             masterdata.exists           409
        ├── EntryChanged            masterdata.changed          412
        └── ImportRefused           masterdata.import_refused   422
                                                                 * retryable

A message is written for a person and never holds patient data. The DICOM, HTTP and queue borders each map this
tree in one table (``dicom_node/statuses.py``, ``control_api/problems.py``, ``dicom_node/verdicts.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import ClassVar


class Stage(StrEnum):
    """The stage of the line in which an error arose or a time was spent."""

    CONFIGURE = "configure"
    RECEIVE = "receive"
    ASSEMBLE = "assemble"
    SELECT = "select"
    VOLUME = "volume"
    PREPROCESS = "preprocess"
    INFER = "infer"
    POSTPROCESS = "postprocess"
    MEASURE = "measure"
    ENCODE = "encode"
    DELIVER = "deliver"
    REPORT = "report"
    JOB = "job"


class ReasonCode(StrEnum):
    """The stable names under which a series ends without an analysis (docs/errors.md explains each)."""

    NO_MODEL = "selection.no_model"
    MODALITY = "selection.modality"
    SEQUENCE = "selection.sequence"
    LOCALIZER = "selection.localizer"
    DERIVED = "selection.derived"
    SECONDARY_CAPTURE = "selection.secondary_capture"
    NOT_AN_IMAGE = "selection.not_an_image"
    DOSE_REPORT = "selection.dose_report"
    PHANTOM = "selection.phantom"
    PLANE = "selection.plane"
    CHANNEL_MISSING = "selection.channel_missing"
    CHANNEL_AWAITED = "selection.channel_awaited"
    MOSAIC = "selection.mosaic"
    TOO_FEW_SLICES = "selection.too_few_slices"
    TOO_THICK = "selection.slice_spacing"
    INCOMPLETE = "series.incomplete"
    SUPERSEDED = "series.superseded"
    MISSING_ATTRIBUTE = "series.missing_attribute"
    MIXED = "series.mixed"
    INVALID_IDENTIFIER = "series.invalid_identifier"
    GEOMETRY_MISSING = "geometry.missing"
    MIXED_ORIENTATION = "geometry.mixed_orientation"
    MIXED_MATRIX = "geometry.mixed_matrix"
    REPEATED_POSITION = "geometry.repeated_position"
    GAP = "geometry.gap"
    NON_UNIFORM = "geometry.non_uniform_spacing"
    MULTI_FRAME = "geometry.multi_frame"
    REGISTRATION = "geometry.registration"
    TRANSFER_SYNTAX = "pixel.unsupported_transfer_syntax"
    PIXEL_MISSING = "pixel.missing"
    PIXEL_CORRUPT = "pixel.corrupt"
    PIXEL_TOO_LARGE = "pixel.too_large"
    PIXEL_FORMAT = "pixel.unsupported_format"
    IMPLAUSIBLE = "result.implausible"
    HEAD_NOT_FOUND = "result.head_not_found"
    REJECTED_BEFORE = "result.rejected_before"


class NodeError(Exception):
    """An error with a stable code, the stage it belongs to and whether the same work may succeed later.

    Parameters
    ----------
    message
        What happened, for a person; free of patient data.
    """

    code: str = "node.error"
    stage: Stage = Stage.JOB
    retryable: ClassVar[bool] = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConfigurationError(NodeError):
    """The node cannot start as it is configured; the message lists every fault at once."""

    code = "configuration.invalid"
    stage = Stage.CONFIGURE


class ReceiveError(NodeError):
    """An instance could not be taken in."""

    stage = Stage.RECEIVE


class InstanceUnreadable(ReceiveError):
    """The data set cannot be understood or lacks a mandatory identifier."""

    code = "receive.unreadable"


class SOPClassMismatch(ReceiveError):
    """The data set does not agree with the command set (PS3.4 B.2.3)."""

    code = "receive.sop_class_mismatch"


class SpoolFull(ReceiveError):
    """There is no room, or no database, to keep the instance durably at the moment."""

    code = "receive.spool_full"
    retryable = True


class StudyError(NodeError):
    """A named reason why a series is not analysed.

    Parameters
    ----------
    reason
        The stable code of the reason.
    message
        What a technologist should know.
    """

    stage = Stage.SELECT

    def __init__(self, reason: ReasonCode, message: str) -> None:
        super().__init__(message)
        self.code = reason.value


class NoMatchingModel(StudyError):
    """No active model wants this series."""

    code: str = ReasonCode.NO_MODEL.value


class IncompleteSeries(StudyError):
    """The series lacks something that the model needs."""

    code: str = ReasonCode.INCOMPLETE.value


class UnsupportedGeometry(StudyError):
    """The slices do not form a volume that the model can be given."""

    code: str = ReasonCode.NON_UNIFORM.value
    stage = Stage.VOLUME


class UnsupportedPixelData(StudyError):
    """The pixel data are absent, damaged, too large or of a kind that cannot be decoded."""

    code: str = ReasonCode.PIXEL_CORRUPT.value
    stage = Stage.VOLUME


class ModelError(NodeError):
    """A model package is not usable."""

    stage = Stage.INFER


class ModelNotFound(ModelError):
    """No such model is in the catalogue."""

    code = "model.not_found"


class ModelRecalled(ModelError):
    """The model was recalled and does not run any more."""

    code = "model.recalled"


class DeploymentRefused(ModelError):
    """What is asked cannot be done with this version of the model as things stand."""

    code = "model.deployment_refused"
    stage = Stage.CONFIGURE


class WeightsMismatch(ModelError):
    """The weights are absent or their digest is not the manifest's."""

    code = "model.weights_mismatch"


class ModelContractViolated(ModelError):
    """Manifest and ONNX graph do not agree, or the manifest is not valid.

    Parameters
    ----------
    message
        What is wrong, in one sentence.
    faults
        The same one by one, where there are several.
    """

    code = "model.contract_violated"

    def __init__(self, message: str, faults: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class PackageRefused(ModelError):
    """A model package that somebody sent is not in order; the message lists every fault.

    Parameters
    ----------
    faults
        What is wrong with it, one by one.
    """

    code = "model.package_refused"
    stage = Stage.CONFIGURE

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


class InferenceError(NodeError):
    """The model could not be run, or what it said cannot be used."""

    stage = Stage.INFER


class DeviceUnavailable(InferenceError):
    """The wanted execution provider cannot be used at the moment."""

    code = "inference.device_unavailable"
    retryable = True


class DeviceOutOfMemory(InferenceError):
    """The device had too little memory for this run."""

    code = "inference.out_of_memory"
    retryable = True


class NonFiniteOutput(InferenceError):
    """The model's output holds NaN or infinity."""

    code = "inference.non_finite"


class ImplausibleResult(InferenceError):
    """The result breaks the model's plausibility limits: a named reason, never a number.

    Parameters
    ----------
    message
        Which limit was broken.
    reason
        The stable code, ``result.implausible`` unless a narrower one applies.
    """

    code: str = ReasonCode.IMPLAUSIBLE.value
    stage = Stage.MEASURE

    def __init__(self, message: str, reason: ReasonCode = ReasonCode.IMPLAUSIBLE) -> None:
        super().__init__(message)
        self.code = reason.value


class EncodingError(NodeError):
    """A result object could not be built or did not pass the check before delivery."""

    code = "encoding.failed"
    stage = Stage.ENCODE


class DeliveryError(NodeError):
    """An object did not reach its archive."""

    stage = Stage.DELIVER


class PeerUnavailable(DeliveryError):
    """The archive does not answer or is out of resources."""

    code = "delivery.peer_unavailable"
    retryable = True


class PeerRefused(DeliveryError):
    """The archive answered and said no."""

    code = "delivery.peer_refused"


class NotCommitted(DeliveryError):
    """The archive took the object but does not show it (yet)."""

    code = "delivery.not_committed"
    retryable = True


class ReportError(NodeError):
    """The report could not be stored or sent."""

    stage = Stage.REPORT


class FHIRUnavailable(ReportError):
    """The FHIR server does not answer, or answers 429 or 5xx."""

    code = "report.fhir_unavailable"
    retryable = True


class FHIRConflict(ReportError):
    """A concurrent transaction won (HTTP 409 or 412): retry after a short random wait."""

    code = "report.fhir_conflict"
    retryable = True


class FHIRRejected(ReportError):
    """The FHIR server refuses the content."""

    code = "report.fhir_rejected"


class HL7Unavailable(ReportError):
    """The receiver of HL7 v2 messages does not answer, or not to what it was sent."""

    code = "report.hl7_unavailable"
    retryable = True


class HL7Rejected(ReportError):
    """The receiver of HL7 v2 messages refuses the message."""

    code = "report.hl7_rejected"


class AccountError(NodeError):
    """A request about an account cannot be met."""

    stage = Stage.CONFIGURE


class AccountNotFound(AccountError):
    """There is no such account."""

    code = "account.not_found"


class AccountExists(AccountError):
    """The name is taken."""

    code = "account.exists"


class AccountInvalid(AccountError):
    """A name, a password, a role or a scope is not one that an account may have."""

    code = "account.invalid"


class LastAdministrator(AccountError):
    """Without this account nobody could administer the node."""

    code = "account.last_administrator"


class JobError(NodeError):
    """A request about a job or a study cannot be met."""

    stage = Stage.JOB


class JobNotFound(JobError):
    """There is no such job."""

    code = "job.not_found"


class StudyNotFound(JobError):
    """There is no such study or series on this node."""

    code = "study.not_found"


class PreviewNotFound(JobError):
    """There is nothing to show of this series, or no such slice."""

    code = "preview.not_found"


class IllegalTransition(JobError):
    """The job's state does not allow this."""

    code = "job.illegal_transition"


class LeaseLost(JobError):
    """Another worker holds the job now; this one must not publish."""

    code = "job.lease_lost"


class JobCancelled(JobError):
    """The job was cancelled while it was worked on."""

    code = "job.cancelled"


class QueueUnavailable(JobError):
    """The queue takes no message at the moment; the job waits in the database and is hinted at again."""

    code = "job.queue_unavailable"
    retryable = True


class StoreUnavailable(JobError):
    """The database, or the folder of results, cannot be read or written at the moment."""

    code = "job.store_unavailable"
    retryable = True


class MasterDataError(NodeError):
    """A request about master data cannot be met."""

    stage = Stage.CONFIGURE


class EntryNotFound(MasterDataError):
    """There is no such entry."""

    code = "masterdata.not_found"


class EntryExists(MasterDataError):
    """There is an entry with this code already."""

    code = "masterdata.exists"


class EntryChanged(MasterDataError):
    """Somebody changed the entry meanwhile."""

    code = "masterdata.changed"


class ImportRefused(MasterDataError):
    """The file cannot be read as master data."""

    code = "masterdata.import_refused"


def leaves(root: type[NodeError] = NodeError) -> Iterator[type[NodeError]]:
    """Walk the tree and yield every error class that has no subclass.

    Parameters
    ----------
    root
        The class to start from.
    """
    children = root.__subclasses__()
    if not children:
        yield root
    for child in children:
        yield from leaves(child)
