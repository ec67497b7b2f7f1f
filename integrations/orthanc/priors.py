"""Earlier studies of a patient in Orthanc, and having them sent to this node as any sender sends: by C-STORE."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from inference.domain.identifiers import UID, AETitle
from inference.errors import PeerUnavailable
from integrations.orthanc.rest import OrthancREST


@dataclass(frozen=True, slots=True)
class ArchivedStudy:
    """A study that an archive has.

    Parameters
    ----------
    study_uid
        Study Instance UID.
    study_date
        Study Date as DICOM writes it.
    archive_id
        By which the archive itself knows it.
    """

    study_uid: UID
    study_date: str
    archive_id: str


class OrthancPriors:
    """Finds earlier studies by REST, and orders Orthanc to send one; its own queue does the sending.

    Parameters
    ----------
    api
        Orthanc's REST API.
    modality
        Name under which this node stands in its ``DicomModalities``.
    """

    def __init__(self, api: OrthancREST, modality: AETitle) -> None:
        self._api = api
        self._modality = modality

    def latest(self, patient_id: str, before: date, modalities: Collection[str]) -> ArchivedStudy | None:
        """Give the latest study of a patient before a day that has images of some modality; None if there is none.

        Parameters
        ----------
        patient_id
            Patient ID; what it has of wildcards means nothing but itself.
        before
            The day; a study of the day itself is no earlier one.
        modalities
            Of which one must be in the study.

        Raises
        ------
        PeerUnavailable, PeerRefused
        """
        day = f"{before:%Y%m%d}"
        query = {"PatientID": patient_id, "StudyDate": f"-{day}", "ModalitiesInStudy": "\\".join(modalities)}
        found = [study for study in _read(self._api.find_studies(query), patient_id) if "" < study.study_date < day]
        return max(found, key=lambda study: (study.study_date, study.study_uid), default=None)

    def send(self, study: ArchivedStudy) -> None:
        """Have a study sent to this node; returns when that is ordered.

        Raises
        ------
        PeerUnavailable, PeerRefused
        """
        self._api.send_to(self._modality, study.archive_id)


def _read(answer: Any, patient_id: str) -> Iterable[ArchivedStudy]:
    """Read the archive's answer; a number with a wildcard in it may have found others."""
    try:
        for entry in answer:
            if entry["PatientMainDicomTags"].get("PatientID", "") == patient_id:
                tags = entry["MainDicomTags"]
                yield ArchivedStudy(UID(tags["StudyInstanceUID"]), tags.get("StudyDate", ""), str(entry["ID"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PeerUnavailable("the archive's REST API gave no list of studies") from error
