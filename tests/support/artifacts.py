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


def byte_image(index: int = 0, seed: int = 7) -> DicomArtifact:
    """Make an object with three 8-bit samples a pixel, 63 in all, so that its pixels need padding."""
    data_set = small_instance(index, seed)
    data_set.BitsAllocated = data_set.BitsStored = 8
    data_set.HighBit = 7
    data_set.SamplesPerPixel = 3
    data_set.PhotometricInterpretation = "RGB"
    data_set.PlanarConfiguration = 0
    data_set.Rows, data_set.Columns = 3, 7
    data_set.PixelData = bytes(range(63)) + b"\0"
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
