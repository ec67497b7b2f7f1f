"""Fetching the previous study of a patient from the archive, so that there is something to compare with."""

from __future__ import annotations

from dataclasses import dataclass

from control_api.comparison import study_date
from control_api.services import Services
from inference.domain.identifiers import UID
from inference.errors import StudyNotFound


@dataclass(frozen=True, slots=True)
class FetchedPrior:
    """The previous study, as far as the archive knows.

    Parameters
    ----------
    study_uid, study_date
        Which.
    ordered
        Whether it is sent to this node now; if not, it is here already.
    """

    study_uid: UID
    study_date: str
    ordered: bool


def fetch(given: Services, study_uid: UID) -> FetchedPrior:
    """Have the archive send the latest earlier study of the same patient, unless it is here.

    It arrives by C-STORE as any study does, and is analysed as any study is.

    Raises
    ------
    StudyNotFound
        If the study is not here, names no patient or day, or nobody can be asked or knows an earlier one.
    PeerUnavailable, PeerRefused
        If the archive does not answer or does not send.
    """
    study = given.queries.study(study_uid)
    day = study_date(study)
    if given.priors is None:
        raise StudyNotFound("no archive is named that could be asked for earlier studies")
    if not study.patient_id or day is None:
        raise StudyNotFound("the study names no patient or no day, so nothing is known to be earlier")
    modalities = sorted({series.modality for series in study.series if series.modality})
    found = given.priors.latest(study.patient_id, day, modalities)
    if found is None:
        raise StudyNotFound("the archive has no earlier study of this patient")
    here = given.queries.has_study(found.study_uid)
    if not here:
        given.priors.send(found)
    return FetchedPrior(found.study_uid, found.study_date, ordered=not here)
