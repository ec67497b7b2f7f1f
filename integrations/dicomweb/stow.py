"""Delivery to an archive by STOW-RS (PS3.18 section 10.5), and proof by WADO-RS that it holds what was sent."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from io import BytesIO
from typing import Final

from dicomweb_client.web import DICOMwebClient
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.domain.artifact import DicomArtifact
from inference.domain.delivery import Compression
from inference.errors import NotCommitted, PeerRefused, PeerUnavailable
from inference.ports import ArtifactSink
from integrations.dicomweb.client import HTTPRefusal, translated
from integrations.orthanc.comparison import same_data_set
from integrations.orthanc.compression import compressed

_ALREADY_THERE: Final = 0x0111
"""Duplicate SOP Instance (PS3.7 section C.5.6): whether it is ours shows when it is read back."""
_WARNINGS: Final = range(0xB000, 0xC000)
_OUT_OF_RESOURCES: Final = range(0xA700, 0xA800)


class STOWSink(ArtifactSink):
    """An archive reached by DICOMweb.

    Parameters
    ----------
    client
        As ``integrations.dicomweb.client.connect`` makes it.
    compression
        How objects are sent. STOW-RS negotiates nothing, so an archive that refuses a compressed object gets it
        uncompressed.
    """

    def __init__(self, client: DICOMwebClient, compression: Compression = Compression.NONE) -> None:
        self._client = client
        self._compression = compression

    def deliver(self, artifacts: Sequence[DicomArtifact]) -> None:
        """Store each object with a request of its own; one that is there already is success.

        Raises
        ------
        PeerUnavailable
            If the archive does not answer, answers 408, 429 or 5xx, or is out of resources (A7xx).
        PeerRefused
            If it refuses the request or the object; the message has its reason.
        """
        for artifact in artifacts:
            smaller = compressed(artifact, self._compression)
            try:
                self._store(smaller)
            except PeerRefused:
                if smaller is artifact:
                    raise
                self._store(artifact)

    def confirm(self, artifacts: Sequence[DicomArtifact]) -> None:
        """Return when every object is read back with our content (WADO-RS, PS3.18 section 10.4).

        Raises
        ------
        NotCommitted
            If one is not there (yet).
        PeerRefused
            If the archive holds something else under its UID, or does not let us read.
        PeerUnavailable
            If it does not answer.
        """
        for artifact in artifacts:
            held = self._held(artifact)
            with translated():
                same = same_data_set(held, dcmread(BytesIO(artifact.content)))
            if not same:
                raise PeerRefused(f"the archive holds other content under the UID of the {artifact.kind}")

    def _store(self, artifact: DicomArtifact) -> None:
        try:
            with translated():
                answer = self._client.store_instances([dcmread(BytesIO(artifact.content))])
        except HTTPRefusal as error:
            if "FailedSOPSequence" not in error.body:
                raise PeerRefused(f"the archive refused a {artifact.kind} (HTTP {error.status})") from error
            answer = error.body
        with translated():
            reasons = _failure_reasons(answer, artifact)
        _judge(reasons, artifact)

    def _held(self, artifact: DicomArtifact) -> Dataset:
        identity = artifact.identity
        try:
            with translated():
                return self._client.retrieve_instance(
                    str(identity.study_instance_uid),
                    str(identity.series_instance_uid),
                    str(identity.sop_instance_uid),
                    media_types=(("application/dicom", "*"),),
                )
        except HTTPRefusal as error:
            if error.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
                raise NotCommitted(f"the archive does not hold the {artifact.kind}") from error
            raise PeerRefused(f"the archive does not let us read a {artifact.kind} (HTTP {error.status})") from error


def _failure_reasons(answer: Dataset, artifact: DicomArtifact) -> list[int]:
    """Give the Failure Reasons (0008,1197) of an object in a Store Instances Response (PS3.18 annex I)."""
    failed = answer.get("FailedSOPSequence") or ()
    ours = str(artifact.identity.sop_instance_uid)
    return [
        int(item.get("FailureReason") or 0) for item in failed if item.get("ReferencedSOPInstanceUID", ours) == ours
    ]


def _judge(reasons: Sequence[int], artifact: DicomArtifact) -> None:
    for reason in reasons:
        if reason in _OUT_OF_RESOURCES:
            raise PeerUnavailable(f"the archive is out of resources (0x{reason:04X})")
        if reason != _ALREADY_THERE and reason not in _WARNINGS:
            raise PeerRefused(f"the archive refused a {artifact.kind} (0x{reason:04X})")
