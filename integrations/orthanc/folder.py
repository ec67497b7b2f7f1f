"""A folder as archive, for a node without a PACS."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from inference.domain.artifact import DicomArtifact
from inference.domain.delivery import Compression
from inference.errors import NotCommitted, PeerUnavailable
from inference.ports import ArtifactSink
from integrations.durable_files import write_durably
from integrations.orthanc.compression import compressed

_NAME_DIGITS: Final = 32


class FolderArchive(ArtifactSink):
    """Writes ``<study>/<series>/<instance>.dcm``, each part a SHA-256 digest of its UID.

    Parameters
    ----------
    root
        The folder; made when the first object comes.
    compression
        How files are encoded.
    """

    def __init__(self, root: Path, compression: Compression = Compression.NONE) -> None:
        self._root = root
        self._compression = compression

    def deliver(self, artifacts: Sequence[DicomArtifact]) -> None:
        """Write the objects durably; the same again changes nothing.

        Raises
        ------
        PeerUnavailable
            If the file system refuses.
        """
        for artifact in artifacts:
            path, kept = self.path_of(artifact), compressed(artifact, self._compression)
            if _digest_of(path) == kept.sha256:
                continue
            try:
                write_durably(path, kept.content)
            except OSError as error:
                raise PeerUnavailable(f"the archive folder cannot be written (errno {error.errno})") from error

    def confirm(self, artifacts: Sequence[DicomArtifact]) -> None:
        """Return when every file is there with the right digest.

        Raises
        ------
        NotCommitted
            If one is not.
        """
        for artifact in artifacts:
            if _digest_of(self.path_of(artifact)) != compressed(artifact, self._compression).sha256:
                raise NotCommitted(f"the {artifact.kind} is not in the archive folder")

    def path_of(self, artifact: DicomArtifact) -> Path:
        """Give the file of an object.

        Parameters
        ----------
        artifact
            The object.
        """
        identity = artifact.identity
        study, series, instance = (
            hashlib.sha256(uid.encode("ascii")).hexdigest()[:_NAME_DIGITS]
            for uid in (identity.study_instance_uid, identity.series_instance_uid, identity.sop_instance_uid)
        )
        return self._root / study / series / f"{instance}.dcm"


def _digest_of(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
