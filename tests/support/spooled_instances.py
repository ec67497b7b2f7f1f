"""Instances for the study index, without any DICOM behind them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from inference.domain.identifiers import UID, AETitle
from inference.domain.study import InstanceIdentity, StoredInstance

STUDY = UID("1.2.3")
SERIES = UID("1.2.3.1")
SENDER = AETitle("MODALITY")
MR_IMAGE_STORAGE = UID("1.2.840.10008.5.1.4.1.1.4")
EXPLICIT_LITTLE_ENDIAN = UID("1.2.840.10008.1.2.1")


def arriving(
    number: int, root: Path, *, series: UID = SERIES, study: UID = STUDY, content: str = ""
) -> StoredInstance:
    """Give instance ``number`` of a series; other ``content`` makes other bytes under the same UID."""
    digest = hashlib.sha256(f"{study} {series} {number} {content}".encode()).hexdigest()
    return StoredInstance(
        InstanceIdentity(study, series, UID(f"{series}.{number}"), MR_IMAGE_STORAGE),
        EXPLICIT_LITTLE_ENDIAN,
        root / digest[:2] / f"{digest}.dcm",
        digest,
        1000 + number,
    )
