"""The note that a model wanted a series and did not analyse it, where the reader looks: a Comprehensive SR.

Silence could mean that nothing was found. Status and reason are coded (PS3.16 CID 6042; the reason has the node's own
stable name), the reason is said in words too, and nothing that looks like a finding is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from highdicom import sr
from pydicom.dataset import Dataset

from inference.domain.artifact import ArtifactKind, DicomArtifact
from inference.domain.codes import (
    ANALYSIS_FAILED,
    NOT_ANALYSED,
    NOT_ATTEMPTED,
    REASON_NOT_ANALYSED,
    SUMMARY_OF_ANALYSES,
    Code,
)
from inference.domain.model_spec import ModelSpec
from inference.domain.result import Refusal
from inference.domain.study import InstanceIdentity
from inference.encoding.concepts import concept
from inference.encoding.equipment import (
    NOTICE,
    Imprint,
    contribution,
    equipment_of,
    series_description,
)
from inference.encoding.libraries import LIBRARY_ERRORS, silence
from inference.encoding.part10 import to_artifact
from inference.encoding.series_numbers import NOTE
from inference.encoding.source import normalise
from inference.encoding.source_images import keep_what_results_carry
from inference.encoding.sr import as_evidence, report_root
from inference.encoding.sr_evaluations import comment
from inference.errors import EncodingError
from inference.uids import OutputUIDs

_AFTER_AN_ATTEMPT: Final = ("result.", "inference.", "encoding.")
"""How the codes of reasons begin that come after the model has run, or has begun to."""


@dataclass(frozen=True, eq=False)
class NoteSubject:
    """What was not analysed, and why.

    Parameters
    ----------
    header
        Header of one instance of the series, as ``inference.headers`` reads it; pixel data need not be there.
    instances
        Every instance of the series.
    spec
        The model that wanted it.
    refusal
        The reason.
    uids
        Identifiers of the result that it would have had.
    produced_at
        When that was decided, aware.
    """

    header: Dataset
    instances: Sequence[InstanceIdentity]
    spec: ModelSpec
    refusal: Refusal
    uids: OutputUIDs
    produced_at: datetime


def refusal_note(subject: NoteSubject) -> DicomArtifact:
    """Write the note.

    Its SOP Instance UID depends on the reason, for an archive keeps the bytes that it had under a UID.

    Parameters
    ----------
    subject
        What it says; the same input gives the same bytes.

    Raises
    ------
    EncodingError
        If the header does not allow it.
    """
    with silence():
        try:
            return to_artifact(ArtifactKind.SR, _document(subject))
        except LIBRARY_ERRORS as error:
            raise EncodingError(f"the note could not be built ({type(error).__name__})") from error


def _document(subject: NoteSubject) -> Dataset:
    spec, refusal = subject.spec, subject.refusal
    header = _patient_and_study(subject.header)
    document = sr.ComprehensiveSR(
        evidence=_evidence(header, subject.instances),
        content=_content(subject),
        series_instance_uid=subject.uids.series("NOTE"),
        series_number=spec.publication.series_number + NOTE,
        sop_instance_uid=subject.uids.instance(f"NOTE {refusal.code} {refusal.message}"),
        instance_number=1,
        **equipment_of(spec.reference),
        is_complete=True,
        is_final=False,
        is_verified=False,
        performed_procedure_codes=[concept(spec.publication.procedure)],
        contributing_equipment=[contribution(spec.reference)],
        series_description=series_description(spec.title, "not analysed"),
    )
    Imprint(spec, subject.uids, subject.produced_at).press(document, header)
    return document


def _content(subject: NoteSubject) -> sr.ContainerContentItem:
    """Give the tree. Its items are separate: viewers write the values of continuous ones in a row, without names."""
    spec, refusal = subject.spec, subject.refusal
    attempted = refusal.code.startswith(_AFTER_AN_ATTEMPT)
    root = report_root(NOT_ANALYSED, spec, is_continuous=False, template_id=None)
    status = _coded(SUMMARY_OF_ANALYSES, ANALYSIS_FAILED if attempted else NOT_ATTEMPTED)
    meaning = refusal.code.replace(".", ": ").replace("_", " ")
    reason = _coded(REASON_NOT_ANALYSED, Code(refusal.code, "99NEURONOVA", meaning[:64]))
    who = f"{spec.title} ({spec.reference.model_id} {spec.reference.version})"
    words = f"{who} gives no result for this series: {refusal.message.rstrip('.')}. {NOTICE}"
    root.ContentSequence.extend([status, reason, comment(words)])
    return root


def _coded(name: Code, value: Code) -> sr.CodeContentItem:
    return sr.CodeContentItem(concept(name), concept(value), relationship_type=sr.RelationshipTypeValues.CONTAINS)


def _patient_and_study(header: Dataset) -> Dataset:
    normal = normalise(header)
    keep_what_results_carry(normal)
    return normal


def _evidence(header: Dataset, instances: Sequence[InstanceIdentity]) -> list[Dataset]:
    """Give the instances of the series; the first carries patient and study."""
    own = str(header.SOPInstanceUID)
    return [header, *(as_evidence(identity) for identity in instances if identity.sop_instance_uid != own)]
