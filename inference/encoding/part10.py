"""A data set as the file that is sent (PS3.10)."""

from __future__ import annotations

import hashlib
from io import BytesIO

from pydicom.dataset import Dataset

from inference.domain.artifact import ArtifactKind, DicomArtifact
from inference.domain.identifiers import UID
from inference.domain.study import InstanceIdentity


def to_artifact(kind: ArtifactKind, data_set: Dataset) -> DicomArtifact:
    """Write a data set, with preamble and File Meta Information."""
    buffer = BytesIO()
    data_set.save_as(buffer, enforce_file_format=True)
    content = buffer.getvalue()
    identity = InstanceIdentity(
        UID(data_set.StudyInstanceUID),
        UID(data_set.SeriesInstanceUID),
        UID(data_set.SOPInstanceUID),
        UID(data_set.SOPClassUID),
    )
    syntax = UID(data_set.file_meta.TransferSyntaxUID)
    return DicomArtifact(kind, identity, syntax, content, hashlib.sha256(content).hexdigest())
