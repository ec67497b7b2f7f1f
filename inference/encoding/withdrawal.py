"""The object that says that others do not stand: a Key Object Selection "Rejected for Quality Reasons".

That is how an archive and its viewers are told (IHE RAD, Imaging Object Change Management; PS3.16 TID 2010): what was
sent stays where it is, and whoever knows the profile no longer shows it. It has no Document Title Modifier, which TID
2010 leaves to the user: CID 7011 lists faults of acquisitions.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO

from highdicom import ko
from highdicom.sr import ObserverContext
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.domain.artifact import ArtifactKind, DicomArtifact
from inference.domain.codes import REJECTED_FOR_QUALITY
from inference.domain.identifiers import UID
from inference.domain.job import ModelReference
from inference.encoding.concepts import concept
from inference.encoding.equipment import (
    MANUFACTURER,
    contribution,
    observer,
    series_description,
    stamp,
)
from inference.encoding.libraries import LIBRARY_ERRORS, silence
from inference.encoding.part10 import to_artifact
from inference.encoding.series_numbers import BEYOND_FIRST, REJECTION
from inference.errors import EncodingError


@dataclass(frozen=True, eq=False)
class Rejection:
    """Why objects do not stand.

    Parameters
    ----------
    text
        Said in the document, for a person; no patient data.
    at
        When that was decided, aware. The same input gives the same bytes, so that it can be sent twice.
    word
        What happened to them, for the Series Description.
    person
        Who decided, where it was the reader of the result.
    """

    text: str
    at: datetime
    word: str = "withdrawn"
    person: ObserverContext | None = None


def withdrawal(
    artifacts: Sequence[DicomArtifact], model: ModelReference, reason: str, produced_at: datetime
) -> DicomArtifact:
    """Say that the objects of a result are withdrawn since their model was recalled.

    Parameters
    ----------
    artifacts
        What is withdrawn, as it was stored; a rejection among them is passed over.
    model
        Which model was recalled.
    reason
        Why, for a person; no patient data.
    produced_at
        When it was recalled, aware.

    Raises
    ------
    EncodingError
        If there is nothing to withdraw, or the stored bytes cannot be read.
    """
    text = f"withdrawn: model {model.model_id} version {model.version} was recalled: {reason}"
    return reject(artifacts, model, Rejection(text, produced_at))


def reject(artifacts: Sequence[DicomArtifact], model: ModelReference, rejection: Rejection) -> DicomArtifact:
    """Say that the objects of a result do not stand, in their study and in a series of its own.

    Parameters
    ----------
    artifacts
        What is rejected, as it was stored; a rejection among them is passed over.
    model
        Which model made them.
    rejection
        Why, when and by whom.

    Raises
    ------
    EncodingError
        If there is nothing to reject, or the stored bytes cannot be read.
    """
    with silence():
        try:
            by_uid = {each.identity.sop_instance_uid: each for each in artifacts if not is_rejection(each)}
            if not by_uid:
                raise EncodingError("no object was made that could be withdrawn")
            return to_artifact(ArtifactKind.KOS, _document(tuple(by_uid.values()), model, rejection))
        except LIBRARY_ERRORS as error:
            raise EncodingError(f"the withdrawal could not be built ({type(error).__name__})") from error


def is_rejection(artifact: DicomArtifact) -> bool:
    """Tell a Key Object Selection that rejects from one of key images."""
    if artifact.kind is not ArtifactKind.KOS:
        return False
    title = dcmread(BytesIO(artifact.content)).ConceptNameCodeSequence[0]
    return bool(title.CodeValue == REJECTED_FOR_QUALITY.value)


def _document(rejected: Sequence[DicomArtifact], model: ModelReference, rejection: Rejection) -> Dataset:
    objects = [dcmread(BytesIO(artifact.content), stop_before_pixels=True) for artifact in rejected]
    sources = "\n".join(artifact.identity.sop_instance_uid for artifact in rejected)
    document = ko.KeyObjectSelectionDocument(
        evidence=objects,
        content=ko.KeyObjectSelection(
            document_title=concept(REJECTED_FOR_QUALITY),
            referenced_objects=objects,
            observer_person_context=rejection.person,
            observer_device_context=observer(model),
            description=rejection.text,
        ),
        series_instance_uid=_derived("series", sources),
        series_number=int(objects[0].SeriesNumber) - BEYOND_FIRST.get(rejected[0].kind, 0) + REJECTION,
        sop_instance_uid=_derived("instance", sources, rejection.text, rejection.at.astimezone(UTC).isoformat()),
        instance_number=1,
        manufacturer=MANUFACTURER,
        contributing_equipment=[contribution(model)],
        series_description=series_description(model.model_id, rejection.word),
    )
    document.copy_patient_and_study_information(objects[0])
    stamp(document, objects[0], rejection.at)
    return document


def _derived(*parts: str) -> UID:
    name = "\n".join(("withdrawal", *parts))
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, name).int}")
