"""What arrives, what is open, and what was decided: the values of receiving and assembling."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from inference.domain.identifiers import UID


class Arrival(StrEnum):
    """What an arriving instance meant."""

    NEW = "new"
    DUPLICATE = "duplicate"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class ArrivalHeader:
    """What lists and assembly need of an instance's header; patient data, never logged."""

    patient_id: str = ""
    patient_name: str = ""
    accession_number: str = ""
    study_date: str = ""
    study_description: str = ""
    modality: str = ""
    series_description: str = ""
    promised_instances: int | None = None


@dataclass(frozen=True, slots=True)
class ReceivingSeries:
    """A series that is still open.

    Parameters
    ----------
    study_instance_uid, series_instance_uid, revision
        Which one.
    instance_count
        Distinct SOP instances here.
    calling_ae
        Who sent it last.
    last_received_at
        When the last instance was committed.
    signalled
        Whether somebody said that the study is complete.
    expected_count
        Number of instances the signal named, or None.
    promised_count
        Number of instances the headers promise, or None.
    """

    study_instance_uid: UID
    series_instance_uid: UID
    revision: int
    instance_count: int
    calling_ae: str
    last_received_at: datetime
    signalled: bool
    expected_count: int | None
    promised_count: int | None


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision on a series, for people (ARCHITECTURE section 6).

    ``code`` and ``message`` are None when at least one model runs.
    """

    analysed: bool
    code: str | None
    message: str | None
