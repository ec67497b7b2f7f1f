"""The object that says that others are withdrawn: a Key Object Selection "Rejected for Quality Reasons".

That is how an archive and its viewers are told (IHE RAD, Imaging Object Change Management; PS3.16 TID 2010): what was
sent stays where it is, and whoever knows the profile no longer shows it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO

from highdicom import ko
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
from inference.errors import EncodingError


def withdrawal(
    artifacts: Sequence[DicomArtifact], model: ModelReference, reason: str, produced_at: datetime
) -> DicomArtifact:
    """Say that the objects of a result are withdrawn, in their study and in a series of its own.

    Parameters
    ----------
    artifacts
        What is withdrawn, as it was stored; a withdrawal among them is passed over.
    model
        Which model was recalled.
    reason
        Why, for a person; no patient data.
    produced_at
        When it was recalled, aware. The same input gives the same bytes, so that it can be sent twice.

    Raises
    ------
    EncodingError
        If there is nothing to withdraw, or the stored bytes cannot be read.
    """
    withdrawn = [artifact for artifact in artifacts if artifact.kind is not ArtifactKind.KOS]
    if not withdrawn:
        raise EncodingError("no object was made that could be withdrawn")
    text = f"withdrawn: model {model.model_id} version {model.version} was recalled: {reason}"
    with silence():
        try:
            return to_artifact(ArtifactKind.KOS, _document(withdrawn, model, text, produced_at))
        except LIBRARY_ERRORS as error:
            raise EncodingError(f"the withdrawal could not be built ({type(error).__name__})") from error


def _document(withdrawn: Sequence[DicomArtifact], model: ModelReference, text: str, produced_at: datetime) -> Dataset:
    objects = [dcmread(BytesIO(artifact.content), stop_before_pixels=True) for artifact in withdrawn]
    sources = "\n".join(artifact.identity.sop_instance_uid for artifact in withdrawn)
    document = ko.KeyObjectSelectionDocument(
        evidence=objects,
        content=ko.KeyObjectSelection(
            document_title=concept(REJECTED_FOR_QUALITY),
            referenced_objects=objects,
            observer_device_context=observer(model),
            description=text,
        ),
        series_instance_uid=_derived("series", sources),
        series_number=_series_number(withdrawn, objects),
        sop_instance_uid=_derived("instance", sources, text, produced_at.astimezone(UTC).isoformat()),
        instance_number=1,
        manufacturer=MANUFACTURER,
        contributing_equipment=[contribution(model)],
        series_description=series_description(model.model_id, "withdrawn"),
    )
    stamp(document, objects[0], produced_at)
    return document


def _series_number(withdrawn: Sequence[DicomArtifact], objects: Sequence[Dataset]) -> int:
    """Give the number after the SR's, which is the one after the SEG's."""
    beyond_seg = {ArtifactKind.SEG: 2, ArtifactKind.SR: 1}
    return int(objects[0].SeriesNumber) + beyond_seg.get(withdrawn[0].kind, 1)


def _derived(*parts: str) -> UID:
    name = "\n".join(("withdrawal", *parts))
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, name).int}")
