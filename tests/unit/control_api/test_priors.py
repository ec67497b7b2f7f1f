"""Fetching the previous study: asked for once, of the right patient, and never in vain without a word."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import httpx
import pytest

from inference.domain.identifiers import UID, AETitle
from inference.errors import NodeError, PeerRefused, PeerUnavailable
from integrations.orthanc.priors import ArchivedStudy, OrthancPriors
from integrations.orthanc.rest import OrthancREST
from tests.support.control_api import STUDY, ControlAPI

PRIOR = ArchivedStudy(UID("1.2.840.1"), "20250102", "orthanc-id")
ASK = f"/api/studies/{STUDY}/prior"


@dataclass
class FakeArchive:
    """An archive with one earlier study, or none; ``failure`` is raised while one is set."""

    prior: ArchivedStudy | None = PRIOR
    failure: NodeError | None = None
    asked: list[tuple[str, date, list[str]]] = field(default_factory=list)
    sent: list[ArchivedStudy] = field(default_factory=list)

    def latest(self, patient_id: str, before: date, modalities: Collection[str]) -> ArchivedStudy | None:
        """Note what was asked."""
        if self.failure is not None:
            raise self.failure
        self.asked.append((patient_id, before, list(modalities)))
        return self.prior

    def send(self, study: ArchivedStudy) -> None:
        """Note what was ordered."""
        self.sent.append(study)


@pytest.fixture
def archive() -> FakeArchive:
    """Give an archive."""
    return FakeArchive()


@pytest.fixture
def api(api_with: Callable[..., ControlAPI], archive: FakeArchive) -> ControlAPI:
    """Give an API that asks it."""
    return api_with(priors=archive)


def test_the_previous_study_is_sent(api: ControlAPI, archive: FakeArchive) -> None:
    """The latest before the day, of the modalities that this study has."""
    api.has_study(patient_id="P1", study_date="20260102")
    api.has_series(modality="MR")
    api.has_series(UID(f"{STUDY}.9"), modality="CT")

    answer = api.post(ASK, role="radiologist")

    assert (answer.status_code, answer.json) == (
        *(202,),
        {"study_uid": PRIOR.study_uid, "study_date": "20250102", "ordered": True},
    )
    assert archive.asked == [("P1", date(2026, 1, 2), ["CT", "MR"])]
    assert archive.sent == [PRIOR]


def test_a_study_that_is_here_is_not_sent_again(api: ControlAPI, archive: FakeArchive) -> None:
    """It has been looked at already, or is just being received."""
    api.has_study(patient_id="P1", study_date="20260102")
    api.has_study(PRIOR.study_uid)

    assert api.post(ASK).json["ordered"] is False
    assert archive.sent == []


@pytest.mark.parametrize("columns", [{"study_date": "20260102"}, {"patient_id": "P1"}])
def test_a_study_of_nobody_or_of_no_day_has_no_prior(
    api: ControlAPI, archive: FakeArchive, columns: dict[str, Any]
) -> None:
    """The archive is not even asked: it would find everybody's."""
    api.has_study(**columns)

    assert api.post(ASK).json["code"] == "study.not_found"
    assert archive.asked == []


def test_an_archive_that_knows_none_is_said_to_know_none(api: ControlAPI, archive: FakeArchive) -> None:
    """As what is not there."""
    archive.prior = None
    api.has_study(patient_id="P1", study_date="20260102")

    assert (api.post(ASK).status_code, archive.sent) == (404, [])


def test_a_node_without_such_an_archive_says_so(api_with: Callable[..., ControlAPI]) -> None:
    """It is a matter of settings, and the message names what is missing."""
    api = api_with()
    api.has_study(patient_id="P1", study_date="20260102")

    assert "no archive" in api.post(ASK).json["detail"]


@pytest.mark.parametrize(
    ("failure", "status"), [(PeerUnavailable("no answer"), 503), (PeerRefused("no such modality"), 502)]
)
def test_an_archive_that_fails_is_a_problem(
    api: ControlAPI, archive: FakeArchive, failure: NodeError, status: int
) -> None:
    """Who asks knows whether to ask again."""
    archive.failure = failure
    api.has_study(patient_id="P1", study_date="20260102")

    assert api.post(ASK).status_code == status


@pytest.mark.parametrize(("role", "status"), [("doctor", 202), ("technician", 202), ("nurse", 403), ("patient", 403)])
def test_those_who_read_or_operate_may_fetch(api: ControlAPI, role: str, status: int) -> None:
    """Others may look at what is here."""
    api.has_study(patient_id="P1", study_date="20260102")

    assert api.post(ASK, role=role).status_code == status


def _orthanc(answer: Any) -> OrthancPriors:
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json=answer))
    return OrthancPriors(OrthancREST("http://orthanc", httpx.Client(transport=transport)), AETitle("NEURONOVA"))


def _entry(patient_id: str, day: str, uid: str = "1.2.3") -> dict[str, Any]:
    tags = {"StudyInstanceUID": uid, "StudyDate": day}
    return {"ID": "id", "PatientMainDicomTags": {"PatientID": patient_id}, "MainDicomTags": tags}


def test_a_wildcard_in_a_number_finds_nobody_else() -> None:
    """A Patient ID may be any text; what the archive makes of it is checked."""
    entries = [_entry("P*", "20240101", "1.1"), _entry("P7", "20250101", "1.2"), _entry("P*", "", "1.3")]

    found = _orthanc(entries).latest("P*", date(2026, 1, 2), ["MR"])

    assert found is not None
    assert found.study_uid == "1.1"
    assert _orthanc([_entry("P*", "20260102")]).latest("P*", date(2026, 1, 2), ["MR"]) is None


@pytest.mark.parametrize("answer", [{"error": 1}, [1], [{"ID": "x"}], "text", [_entry("P1", "20250101", "no uid")]])
def test_an_answer_that_is_no_list_of_studies_is_a_failure(answer: Any) -> None:
    """And not a study that is not there."""
    with pytest.raises(PeerUnavailable):
        _orthanc(answer).latest("P1", date(2026, 1, 2), [])
