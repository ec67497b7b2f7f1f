"""What arrived: instances, and the series and study they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from inference.domain.identifiers import UID


@dataclass(frozen=True, slots=True)
class InstanceIdentity:
    """The identifiers that every composite instance must carry (PS3.3 section C.12.1)."""

    study_instance_uid: UID
    series_instance_uid: UID
    sop_instance_uid: UID
    sop_class_uid: UID


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """One instance, kept byte for byte as received.

    Parameters
    ----------
    identity
        The instance's identifiers.
    transfer_syntax_uid
        The transfer syntax of the stored bytes.
    path
        The Part 10 file in the spool; made of digests, never of a received value.
    sha256
        Hexadecimal digest of the data set's bytes as received (File Meta not counted).
    size_bytes
        Size of the file.
    """

    identity: InstanceIdentity
    transfer_syntax_uid: UID
    path: Path
    sha256: str
    size_bytes: int


class CompletionEvidence(StrEnum):
    """What decided that a series is complete, strongest first (ARCHITECTURE section 5)."""

    SIGNAL = "signal"
    ARCHIVE_COUNT = "archive_count"
    HEADER_PROMISE = "header_promise"
    QUIET_TIME = "quiet_time"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class SeriesRevision:
    """A series as it stood when it was declared complete; a late instance opens the next revision.

    Parameters
    ----------
    study_instance_uid, series_instance_uid
        Identifiers.
    revision
        1 for the first; counts up when instances arrive after completion.
    instances
        The instances of this revision, in order of SOP Instance UID.
    evidence
        What showed that it was complete.
    arrivals
        The index's count of NEW and CHANGED instances when the revision was read; fences ``StudyIndex.close``.
    completed_at
        When it was declared complete; None while it is open. Results are dated by it, so that the same work done
        again makes the same bytes: an archive keeps the first bytes of a UID and must not meet others.
    calling_ae
        AE title of the last sender; empty where it came otherwise. What its texts are encoded in may depend on it.
    """

    study_instance_uid: UID
    series_instance_uid: UID
    revision: int
    instances: tuple[StoredInstance, ...]
    evidence: CompletionEvidence
    arrivals: int = 0
    completed_at: datetime | None = None
    calling_ae: str = ""


@dataclass(frozen=True, slots=True)
class StudyContents:
    """A study as it stands.

    Parameters
    ----------
    closed
        The present revisions of the series that were declared complete, in order of arrival.
    receiving
        Whether any of its series is still open.
    last_received_at
        When its latest instance came.
    signalled
        Whether somebody said since then that it is complete, and named no series that is not here.
    """

    closed: tuple[SeriesRevision, ...]
    receiving: bool
    last_received_at: datetime
    signalled: bool = False
