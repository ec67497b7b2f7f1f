"""Result objects for delivery tests."""

from __future__ import annotations

import hashlib
from io import BytesIO

from pydicom.dataset import Dataset

from inference.domain.artifact import ArtifactKind, DicomArtifact
from inference.domain.identifiers import UID
from tests.support.arrivals import identity_of, small_instance


def artifact(index: int = 0, seed: int = 7, **attributes: object) -> DicomArtifact:
    """Make an object that an archive takes; ``attributes`` change its data set."""
    data_set = small_instance(index, seed)
    for keyword, value in attributes.items():
        setattr(data_set, keyword, value)
    return artifact_of(data_set)


def artifact_of(data_set: Dataset) -> DicomArtifact:
    """Encode a data set as an artifact."""
    data_set.file_meta.MediaStorageSOPClassUID = data_set.SOPClassUID
    buffer = BytesIO()
    data_set.save_as(buffer, enforce_file_format=True)
    content = buffer.getvalue()
    return DicomArtifact(
        ArtifactKind.SEG,
        identity_of(data_set),
        UID(data_set.file_meta.TransferSyntaxUID),
        content,
        hashlib.sha256(content).hexdigest(),
    )
