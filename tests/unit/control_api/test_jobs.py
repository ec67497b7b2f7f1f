"""Jobs: listed, shown, started, repeated and stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from inference.domain.identifiers import UID
from inference.domain.job import Failure, Hint, JobState, ModelReference, QueueName
from inference.domain.model_spec import Weighting
from inference.errors import QueueUnavailable
from integrations.persistence.deliveries import SQLDeliveryLog
from tests.support.control_api import BRAIN, RESULT, SERIES, STUDY, ControlAPI, FakeCatalogue
from tests.support.fakes import NOON
from tests.support.model_packages import make_spec
from tests.support.several_channels import with_channels

OTHER_SERIES = UID(f"{STUDY}.3")
SPINE = ModelReference("spine", "2.0.0", "e" * 64)


def _numbers(document: dict[str, Any]) -> list[int]:
    return [int(job["job_id"], 16) - 0xA000 for job in document["items"]]


def test_jobs_are_listed_newest_first(api: ControlAPI) -> None:
    """A list shows what a person wants to see first."""
    for number in (1, 3, 2):
        api.has_job(number)

    document = api.get("/api/jobs").json

    assert (_numbers(document), document["next"]) == ([3, 2, 1], None)


def test_pages_follow_each_other_without_repeats_while_jobs_arrive(api: ControlAPI) -> None:
    """The cursor marks a row, not a number of rows, also among rows of the same time."""
    for number in range(5):
        api.has_job(number, created_at=NOON.replace(tzinfo=None))
    first = api.get("/api/jobs?limit=2").json
    api.has_job(9)
    second = api.get(f"/api/jobs?limit=2&after={first['next']}").json
    third = api.get(f"/api/jobs?limit=2&after={second['next']}").json

    assert [_numbers(page) for page in (first, second, third)] == [[4, 3], [2, 1], [0]]
    assert third["next"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=FAILED", [2]),
        (f"study_uid={STUDY}", [2, 1]),
        (f"series_uid={OTHER_SERIES}", [3]),
        ("model=spine", [3]),
        (f"state=FAILED&study_uid={STUDY}&model=spine", []),
    ],
)
def test_lists_are_filtered(api: ControlAPI, query: str, expected: list[int]) -> None:
    """Filters narrow each other."""
    api.has_job(1)
    api.has_job(2, JobState.FAILED)
    api.has_job(3, study_instance_uid="1.9", series_instance_uid=OTHER_SERIES, model_id="spine")

    assert _numbers(api.get(f"/api/jobs?{query}").json) == expected


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("state=DONE", "/state"),
        ("study_uid=1.02", "/study_uid"),
        ("limit=0", "/limit"),
        ("limit=201", "/limit"),
        ("after=%C3%A4", "/after"),
        ("after=WzEsMl0", "/after"),
        ("after=WyIyMDI2LTAxLTAyIiwieCJd", "/after"),
        ("colour=red", "/colour"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(api: ControlAPI, query: str, pointer: str) -> None:
    """A misspelt filter that is ignored would show the wrong jobs."""
    answer = api.get(f"/api/jobs?{query}")

    assert answer.status_code == 422
    assert [(fault["in"], fault["pointer"]) for fault in answer.json["errors"]] == [("query", pointer)]


def test_a_job_is_shown_with_all_that_is_known(api: ControlAPI) -> None:
    """Stages in order, findings, result objects, the report."""
    job_id = api.has_job(1, result=RESULT, superseded_by="b" * 32)
    api.has_stage(job_id, "volume", 0.5)
    api.has_stage(job_id, "infer", 4.25)

    document = api.get(f"/api/jobs/{job_id}").json

    assert document["model"] == {"id": BRAIN.model_id, "version": BRAIN.version, "digest": BRAIN.digest}
    assert (document["state"], document["error"], document["superseded_by"]) == ("COMPLETED", None, "b" * 32)
    assert [(stage["stage"], stage["seconds"]) for stage in document["stages"]] == [("volume", 0.5), ("infer", 4.25)]
    assert {name: document[name] for name in RESULT} == RESULT
    assert document["created_at"] == "2026-01-02T12:01:00+00:00"


TUMOR = {
    "task": "tumor_detection",
    "tumor_detected": True,
    "confidence": 0.875,
    "location": {"x": -12.5, "y": 30.25, "z": 41.0},
    "volume_ml": 3.25,
}
NO_TUMOR = TUMOR | {"tumor_detected": False, "confidence": 0.12, "location": None, "volume_ml": 0.0}
FINDING = {"label": "Tumour", "code": "108369006", "present": True, "probability": 0.93, "location": None}
CLASSIFIED = {"task": "classification", "findings": [FINDING | {"tracking_uid": "2.25.1"}]}


@pytest.mark.parametrize("answer", [TUMOR, NO_TUMOR, CLASSIFIED, {"task": "segmentation"}])
def test_a_job_answers_as_its_task_asks(api: ControlAPI, answer: dict[str, Any]) -> None:
    """The clinical system reads it at the top of the result; nothing of other tasks is in it."""
    job_id = api.has_job(1, result=RESULT | answer)
    assert api.get(f"/api/jobs/{job_id}").json["result"] == answer


@pytest.mark.parametrize("kept", [RESULT, {}])
def test_a_job_without_an_answer_has_no_result(api: ControlAPI, kept: dict[str, Any]) -> None:
    """It has not been done yet, or by an earlier version."""
    assert api.get(f"/api/jobs/{api.has_job(1, result=kept)}").json["result"] is None


def test_a_job_without_model_and_result_says_why(api: ControlAPI) -> None:
    """A rejected series has a job that names the reason; lists in it are empty, not absent."""
    job_id = api.has_job(
        1, JobState.REJECTED, model_id="", error_code="selection.no_model", error_message="no model takes CT"
    )

    document = api.get(f"/api/jobs/{job_id}").json

    assert document["model"] is None
    assert document["error"] == {"code": "selection.no_model", "message": "no model takes CT"}
    assert [document[name] for name in ("stages", "measurements", "artifacts", "warnings")] == [[], [], [], []]
    assert document["report"] is None


@pytest.mark.parametrize("job_id", ["f" * 32, "xyz", "F" * 32, "..%2f"])
def test_a_job_that_is_not_there_is_404(api: ControlAPI, job_id: str) -> None:
    """Also what is not a job id at all is simply not there."""
    assert api.get(f"/api/jobs/{job_id}").status_code == 404


# --- starting -----------------------------------------------------------------------------------------------------


def test_a_series_is_analysed_again_by_the_model_that_is_named(api: ControlAPI) -> None:
    """The run counts up from the highest, the answer says where to look, and a worker is told at once."""
    api.has_study()
    api.has_series()
    api.has_job(0)
    api.has_job(4)

    answer = api.post("/api/jobs", {"series_uid": SERIES, "model_id": BRAIN.model_id})

    [job] = answer.json["jobs"]
    assert answer.status_code == 202
    assert (job["run"], job["revision"], job["series_uid"]) == (5, 1, SERIES)
    assert answer.headers["Location"] == f"/api/jobs/{job['job_id']}"
    assert api.get(answer.headers["Location"]).json["state"] in {"RECEIVED", "QUEUED"}
    assert api.queue.hints == [Hint(QueueName.INFERENCE, job["job_id"])]


def test_the_first_run_on_request_is_number_one(api: ControlAPI) -> None:
    """Number 0 is kept for the run that arrival makes, so that arrival can never be told that its job exists."""
    api.has_study()
    api.has_series()

    assert api.post("/api/jobs", {"series_uid": SERIES}).json["jobs"][0]["run"] == 1


def test_a_new_revision_and_a_new_digest_count_from_one(api: ControlAPI) -> None:
    """A run number belongs to one input and one set of weights."""
    api.has_study()
    api.has_series(revision=2)
    api.has_job(7, revision=1)
    api.has_job(8, revision=2, model_digest="0" * 64)

    [job] = api.post("/api/jobs", {"series_uid": SERIES}).json["jobs"]

    assert (job["revision"], job["run"]) == (2, 1)


def test_a_study_is_analysed_by_every_model_that_wants_a_series_of_it(api_with: Any) -> None:
    """Series that no model wants and series that still arrive are left out; the answer points to the study."""
    api = api_with(catalogue=FakeCatalogue(BRAIN, SPINE), unwanted={OTHER_SERIES})
    api.has_study()
    api.has_series()
    api.has_series(OTHER_SERIES)
    api.has_series(UID(f"{STUDY}.4"), receiving=True, evidence=None)

    answer = api.post("/api/jobs", {"study_uid": STUDY})

    made = {(job["series_uid"], job["model"]["id"]) for job in answer.json["jobs"]}
    assert made == {(SERIES, "brain_structures"), (SERIES, "spine")}
    assert answer.headers["Location"] == f"/api/jobs?study_uid={STUDY}"
    assert len(api.queue.hints) == 2


def test_a_named_model_runs_even_where_its_rule_does_not_select(api: ControlAPI) -> None:
    """The person decides; the worker still checks geometry and plausibility."""
    api.unwanted.add(SERIES)
    api.has_study()
    api.has_series(decision="rejected")

    assert api.post("/api/jobs", {"series_uid": SERIES, "model_id": BRAIN.model_id}).status_code == 202


TUMOUR = ModelReference("tumour", "1.0.0", "a" * 64)


@pytest.fixture
def api_with_channels(api_with: Any) -> ControlAPI:
    """Give an API with a model for one series and one that reads two, and a study with three closed series."""
    two = with_channels(make_spec(), T1=Weighting.T1, FLAIR=Weighting.FLAIR)
    catalogue = FakeCatalogue(BRAIN, replace(two, reference=TUMOUR))
    api: ControlAPI = api_with(catalogue=catalogue)
    api.has_study()
    for number in (2, 3, 4):
        api.has_series(UID(f"{STUDY}.{number}"))
    return api


@pytest.mark.parametrize("body", [{"study_uid": STUDY}, {"series_uid": f"{STUDY}.3"}])
def test_a_model_that_reads_several_series_runs_once_for_a_study(
    api_with_channels: ControlAPI, body: dict[str, str]
) -> None:
    """However the order is given, named or not; a model for one series runs for each that is ordered."""
    made = api_with_channels.post("/api/jobs", body).json["jobs"]
    ordered = [job["model"]["id"] for job in made]
    assert ordered.count("tumour") == 1
    assert ordered.count("brain_structures") == (3 if "study_uid" in body else 1)
    (again,) = api_with_channels.post("/api/jobs", {**body, "model_id": "tumour"}).json["jobs"]
    (first,) = [job["job_id"] for job in made if job["model"]["id"] == "tumour"]
    assert again["job_id"] == first, "a job that has not begun is not made twice"


def test_a_model_that_reads_several_series_is_ordered_by_any_of_them(api_with_channels: ControlAPI) -> None:
    """The job is filed with a series that the model reads: the ordered one, or another of the study."""
    unwanted, wanted = UID(f"{STUDY}.2"), UID(f"{STUDY}.4")
    api_with_channels.unwanted |= {unwanted, UID(f"{STUDY}.3")}
    (job,) = api_with_channels.post("/api/jobs", {"series_uid": unwanted, "model_id": "tumour"}).json["jobs"]
    assert job["series_uid"] == wanted
    assert api_with_channels.services.jobs.get(job["job_id"]).whole_study


def test_a_model_that_reads_no_series_of_a_study_is_refused(api_with_channels: ControlAPI) -> None:
    """There is nothing with which it could be run."""
    api_with_channels.unwanted |= {UID(f"{STUDY}.{number}") for number in (2, 3, 4)}
    answer = api_with_channels.post("/api/jobs", {"study_uid": STUDY, "model_id": "tumour"})
    assert (answer.status_code, answer.json["code"]) == (422, "selection.modality")
    assert api_with_channels.queue.hints == []


def test_a_study_that_is_still_open_is_not_ordered(api_with_channels: ControlAPI) -> None:
    """Not even by a model that could use some of it: nothing of it is complete."""
    other = UID("1.2.826.0.1.3680043.8.498.7")
    api_with_channels.has_study(other)
    api_with_channels.has_series(UID(f"{other}.1"), other, receiving=True, evidence=None, decision=None)
    answer = api_with_channels.post("/api/jobs", {"study_uid": other, "model_id": "tumour"})
    assert (answer.status_code, answer.json["code"]) == (409, "series.incomplete")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"study_uid": "1.5"}, 404, "study.not_found"),
        ({"series_uid": "1.5"}, 404, "study.not_found"),
        ({"series_uid": SERIES, "model_id": "absent"}, 404, "model.not_found"),
        ({"series_uid": OTHER_SERIES}, 409, "series.incomplete"),
        ({"series_uid": f"{STUDY}.4"}, 422, "selection.modality"),
        ({}, 422, "request.invalid"),
        ({"study_uid": STUDY, "series_uid": SERIES}, 422, "request.invalid"),
        ({"study_uid": "not a uid"}, 422, "request.invalid"),
        ({"study_uid": STUDY, "priority": 1}, 422, "request.invalid"),
    ],
)
def test_an_order_that_cannot_be_met_says_why(api: ControlAPI, body: dict[str, str], status: int, code: str) -> None:
    """Nothing is made of an order that is refused."""
    api.has_study()
    api.has_series()
    api.has_series(OTHER_SERIES, receiving=True, evidence=None, decision=None)
    api.has_series(UID(f"{STUDY}.4"))
    api.unwanted.add(UID(f"{STUDY}.4"))

    answer = api.post("/api/jobs", body)

    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert api.get("/api/jobs").json["items"] == []
    assert api.queue.hints == []


def test_a_queue_that_is_away_does_not_stop_an_order(api: ControlAPI) -> None:
    """The job is in the database; the dispatcher finds it there."""
    api.has_study()
    api.has_series()
    api.queue.failure = QueueUnavailable("the queue takes no message")

    assert api.post("/api/jobs", {"series_uid": SERIES}).status_code == 202


# --- repeating and stopping ---------------------------------------------------------------------------------------


def test_a_failed_job_gets_another_go(api: ControlAPI) -> None:
    """It is queued again, and a worker is told at once."""
    job_id = api.has_job(1, JobState.FAILED, attempt=3, error_code="inference.out_of_memory")

    answer = api.post(f"/api/jobs/{job_id}/retry")

    assert (answer.status_code, answer.json["state"], answer.json["attempt"]) == (202, "QUEUED", 0)
    assert api.queue.hints == [Hint(QueueName.INFERENCE, job_id)]


def test_a_waiting_job_is_cancelled(api: ControlAPI) -> None:
    """Its state says so at once."""
    job_id = api.has_job(1, JobState.QUEUED)

    answer = api.post(f"/api/jobs/{job_id}/cancel")

    assert (answer.status_code, answer.json["state"]) == (202, "CANCELLED")


@pytest.mark.parametrize("action", ["retry", "cancel"])
def test_what_is_complete_cannot_be_repeated_or_stopped(api: ControlAPI, action: str) -> None:
    """The table of transitions decides; another run is a new job."""
    job_id = api.has_job(1, JobState.COMPLETED)

    answer = api.post(f"/api/jobs/{job_id}/{action}")

    assert (answer.status_code, answer.json["code"]) == (409, "job.illegal_transition")


# Shadow and recall


def test_jobs_in_shadow_are_marked_and_can_be_told_apart(api: ControlAPI) -> None:
    """By a filter, and in every document; a result in shadow is never a valid one."""
    plain, shadow = api.has_job(1), api.has_job(2, shadow=True, result=RESULT)

    def listed(query: str) -> list[str]:
        return [job["job_id"] for job in api.get(f"/api/jobs{query}").json["items"]]

    assert listed("") == [shadow, plain]
    assert (listed("?shadow=true"), listed("?shadow=false")) == ([shadow], [plain])
    document = api.get(f"/api/jobs/{shadow}").json
    assert (document["shadow"], document["valid"], document["measurements"]) == (True, False, RESULT["measurements"])
    assert api.get(f"/api/jobs/{plain}").json["valid"]


@pytest.mark.parametrize("state", [JobState.WITHDRAWING, JobState.WITHDRAWN, JobState.FAILED])
def test_a_withdrawn_result_says_why_and_shows_no_number(api: ControlAPI, state: JobState) -> None:
    """From the order on, also where the withdrawal has failed so far: nobody may read a number off it."""
    note = {"reason": "it mixes up left and right", "at": NOON.isoformat()}
    answer = {"task": "segmentation"}
    job_id = api.has_job(1, state, result={**RESULT, "result": answer, "withdrawn": note})

    document = api.get(f"/api/jobs/{job_id}").json

    assert document["withdrawn"] == {"reason": note["reason"], "at": "2026-01-02T12:00:00+00:00", "by": None}
    assert not document["valid"]
    assert (document["measurements"], document["absent"], document["warnings"]) == ([], [], [])
    assert document["result"] is None
    assert (document["artifacts"], document["report"]) == (RESULT["artifacts"], RESULT["report"])


def test_the_study_does_not_offer_a_withdrawn_result(api: ControlAPI) -> None:
    """Its jobs say which result stands."""
    api.has_study()
    api.has_series()
    api.has_job(1, JobState.WITHDRAWN, result={**RESULT, "withdrawn": {"reason": "faulty", "at": NOON.isoformat()}})
    api.has_job(2, superseded_by="f" * 32, result=RESULT)
    api.has_job(3, result=RESULT)

    [series] = api.get(f"/api/studies/{STUDY}").json["series"]

    assert [job["valid"] for job in series["jobs"]] == [False, False, True]
    assert [job["withdrawn"] is None for job in series["jobs"]] == [False, True, True]


def test_a_retry_of_a_withdrawal_goes_to_the_delivery_workers(api: ControlAPI) -> None:
    """There is nothing to analyse."""
    note = {"reason": "faulty", "at": NOON.isoformat()}
    job_id = api.has_job(1, JobState.FAILED, result={**RESULT, "withdrawn": note}, error_code="delivery.peer_refused")

    answer = api.post(f"/api/jobs/{job_id}/retry")

    assert (answer.status_code, answer.json["state"]) == (202, "WITHDRAWING")
    assert [hint.queue for hint in api.queue.hints] == [QueueName.DELIVERY]


# Reviews

TRACKED = "2.25.77"
ACCEPT = {"verdict": "accept"}


def test_a_reader_accepts_a_result(api: ControlAPI) -> None:
    """The job says who said what, and a delivery worker hears of it."""
    job_id = api.has_job(1, result=RESULT)

    response = api.post(f"/api/jobs/{job_id}/review", ACCEPT, role="radiologist")

    assert response.status_code == 202
    assert (response.json["state"], response.json["valid"]) == ("REVIEWING", True)
    (review,) = response.json["reviews"]
    assert (review["verdict"], review["reviewer"], review["excluded"]) == ("accept", "radiologist", [])
    assert api.queue.hints == [Hint(QueueName.DELIVERY, job_id)]
    kept = api.services.jobs.get(job_id).result
    assert kept is not None
    assert kept["reviews"][0]["organization"] == api.services.options.organization  # type: ignore[index]


def test_a_reader_excludes_a_finding(api: ControlAPI) -> None:
    """By the tracking UID that the job shows; what is none of the result's findings cannot be excluded."""
    job_id = api.has_job(1, result=RESULT)
    amend = {"verdict": "amend", "reason": "not the thalamus", "excluded": [TRACKED], "conclusion": "Normal."}

    other = api.post(f"/api/jobs/{job_id}/review", amend | {"excluded": ["2.25.1"]}, role="doctor")
    response = api.post(f"/api/jobs/{job_id}/review", amend, role="doctor")

    assert (other.status_code, other.json["code"]) == (409, "job.illegal_transition")
    assert response.status_code == 202
    (review,) = response.json["reviews"]
    assert (review["excluded"], review["conclusion"]) == ([TRACKED], "Normal.")


def test_a_rejected_result_shows_no_number(api: ControlAPI) -> None:
    """It says who rejected it and why, from this moment on."""
    job_id = api.has_job(1, result=RESULT)

    document = api.post(
        f"/api/jobs/{job_id}/review", {"verdict": "reject", "reason": "motion"}, role="radiologist"
    ).json

    assert (document["state"], document["valid"], document["measurements"]) == ("WITHDRAWING", False, [])
    assert (document["withdrawn"]["reason"], document["withdrawn"]["by"]) == ("motion", "radiologist")
    assert [review["verdict"] for review in document["reviews"]] == ["reject"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"verdict": "maybe"},
        {"verdict": "reject"},
        {"verdict": "reject", "reason": "  "},
        {"verdict": "amend", "reason": "why"},
        {"verdict": "amend", "reason": "why", "conclusion": "   "},
        {"verdict": "accept", "excluded": [TRACKED]},
        {"verdict": "accept", "conclusion": "Normal."},
        {"verdict": "amend", "reason": "why", "excluded": ["../x"]},
        {"verdict": "accept", "reviewer": "somebody else"},
        {"verdict": "reject", "reason": "motion\x00"},
        {"verdict": "amend", "reason": "why", "conclusion": "a\x0bb"},
    ],
)
def test_a_review_that_makes_no_sense_is_refused(api: ControlAPI, body: dict[str, Any]) -> None:
    """Before anything is written."""
    job_id = api.has_job(1, result=RESULT)

    assert api.post(f"/api/jobs/{job_id}/review", body, role="radiologist").status_code == 422
    assert api.get(f"/api/jobs/{job_id}").json["reviews"] == []


@pytest.mark.parametrize("role", ["nurse", "technician", "service", "admin"])
def test_only_readers_review(api: ControlAPI, role: str) -> None:
    """Whoever runs the node does not make a result final."""
    job_id = api.has_job(1, result=RESULT)
    assert api.post(f"/api/jobs/{job_id}/review", ACCEPT, role=role).status_code == 403


@pytest.mark.parametrize("state", [JobState.DELIVERING, JobState.FAILED, JobState.WITHDRAWN])
def test_what_is_not_published_is_not_reviewed(api: ControlAPI, state: JobState) -> None:
    """There is nothing to accept, or it does not stand."""
    job_id = api.has_job(1, state, result=RESULT)
    assert api.post(f"/api/jobs/{job_id}/review", ACCEPT, role="radiologist").status_code == 409


def test_a_job_shows_where_its_result_has_arrived(api: ControlAPI) -> None:
    """Each destination with its state, and why it has not."""
    job_id = api.has_job(1, JobState.DELIVERING, result=RESULT)
    lease = api.services.jobs.claim(job_id, QueueName.DELIVERY, "worker-1", 120)
    assert lease is not None
    log = SQLDeliveryLog(api.engine, api.services.clock)
    first, second = log.plan(lease, "result", ["pacs", "research"])
    log.done(lease, first, "somewhere")
    log.put_off(lease, second, Failure("delivery.peer_unavailable", "no answer"), NOON)

    pacs, research = api.get(f"/api/jobs/{job_id}").json["deliveries"]

    assert (pacs["destination"], pacs["state"], pacs["address"]) == ("pacs", "done", "somewhere")
    assert (research["state"], research["code"], research["attempts"]) == ("pending", "delivery.peer_unavailable", 1)
    assert research["next_run_at"] == "2026-01-02T12:00:00+00:00"


def test_what_a_reader_took_out_is_not_shown(api: ControlAPI) -> None:
    """Nor what sums it up."""
    other = {**RESULT["measurements"][0], "label": "Pons", "tracking_uid": "2.25.78"}
    total = {**RESULT["measurements"][0], "label": "All", "tracking_uid": None}
    review = {
        "verdict": "amend", "reviewer": "kim", "reviewer_name": "kim", "organization": "x", "at": NOON.isoformat(),
        "reason": "no", "excluded": [TRACKED], "conclusion": "",
    }  # fmt: skip
    measurements = [*RESULT["measurements"], other, total]
    job_id = api.has_job(1, result={**RESULT, **TUMOR, "measurements": measurements, "reviews": [review]})

    document = api.get(f"/api/jobs/{job_id}").json

    assert [one["label"] for one in document["measurements"]] == ["Pons"]
    assert "tumor_detected" not in document["result"]


# --- what the clinical system asks ----------------------------------------------------------------------------------


def test_a_job_has_the_names_of_the_clinical_system(api: ControlAPI) -> None:
    """Its client reads them as it always did; ours say the same in the words of the standard."""
    api.has_study(patient_id="P1")
    job_id = api.has_job(1, JobState.PROCESSING)

    job = api.get(f"/api/jobs/{job_id}").json

    names = ("study_id", "patient_id", "model_type", "status", "task_id", "result")
    assert [job[name] for name in names] == [STUDY, "P1", "brain_structures", "PROCESSING", job_id, None]


def test_a_job_of_no_study_and_no_model_has_them_too(api: ControlAPI) -> None:
    """What is not known is said to be so."""
    job_id = api.has_job(1, JobState.REJECTED, model_id="")

    job = api.get(f"/api/jobs/{job_id}").json

    assert (job["patient_id"], job["model_type"]) == ("", None)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("patient_id=P1", [2, 1]),
        ("patient_id=P%25", []),
        ("created_from=2026-01-02T12:02:00Z", [3, 2]),
        ("created_before=2026-01-02T21:02:00%2B09:00", [1]),
        ("created_from=2026-01-02T12:02:00Z&created_before=2026-01-02T12:03:00Z", [2]),
        ("shadow=true", [3]),
    ],
)
def test_jobs_are_found_by_patient_time_and_shadow(api: ControlAPI, query: str, expected: list[int]) -> None:
    """Times carry their zone; the first belongs to the span and the last does not, so that spans join."""
    api.has_study(patient_id="P1")
    api.has_study(UID("1.2"), patient_id="P2")
    api.has_job(1)
    api.has_job(2)
    api.has_job(3, shadow=True, study_instance_uid="1.2")

    items = api.get(f"/api/jobs?{query}").json["items"]

    assert [job["run"] for job in items] == expected


def test_a_time_without_a_zone_is_refused(api: ControlAPI) -> None:
    """Guessing one would shift the list by hours, unseen."""
    answer = api.get("/api/jobs?created_from=2026-01-02T12:00:00")

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/created_from")


# --- again, with another model ------------------------------------------------------------------------------------


def test_a_job_is_run_again_with_another_model(api_with: Callable[..., ControlAPI]) -> None:
    """On the same series, as a run of that model; the first job stays as it is."""
    other = ModelReference("other_structures", "2.0.0", "e" * 64)
    api = api_with(catalogue=FakeCatalogue(BRAIN, other))
    api.has_study()
    api.has_series()
    job_id = api.has_job(1)

    answer = api.post(f"/api/jobs/{job_id}/rerun", {"model_id": "other_structures"})

    [job] = answer.json["jobs"]
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/api/jobs/{job['job_id']}")
    assert (job["series_uid"], job["model"]["id"], job["run"]) == (SERIES, "other_structures", 1)
    assert api.get(f"/api/jobs/{job_id}").json["state"] == "COMPLETED"
    assert [hint.job_id for hint in api.queue.hints] == [job["job_id"]]


@pytest.mark.parametrize("body", [{}, {"model_id": None}])
def test_a_job_is_run_again_with_its_own_model(api: ControlAPI, body: dict[str, Any]) -> None:
    """In the version that is active now."""
    api.has_study()
    api.has_series()
    job_id = api.has_job(1)

    [job] = api.post(f"/api/jobs/{job_id}/rerun", body).json["jobs"]

    assert (job["model"]["id"], job["run"]) == (BRAIN.model_id, 2)


@pytest.mark.parametrize(
    ("columns", "body", "status", "code"),
    [
        ({}, {"model_id": "nothing_of_that_name"}, 404, "model.not_found"),
        ({"model_id": ""}, {}, 422, "selection.no_model"),
        ({}, {"model": "x"}, 422, "request.invalid"),
    ],
)
def test_a_rerun_that_cannot_be_says_why(
    api: ControlAPI, columns: dict[str, Any], body: dict[str, Any], status: int, code: str
) -> None:
    """And makes no job."""
    api.has_study()
    api.has_series()
    job_id = api.has_job(1, **columns)

    answer = api.post(f"/api/jobs/{job_id}/rerun", body)

    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert api.queue.hints == []


def test_an_open_series_is_not_run_again(api: ControlAPI) -> None:
    """More has come to it meanwhile: the run would be made of a part."""
    api.has_study()
    api.has_series(receiving=True)
    job_id = api.has_job(1)

    answer = api.post(f"/api/jobs/{job_id}/rerun", {})

    assert (answer.status_code, answer.json["code"]) == (409, "series.incomplete")


def test_a_job_that_is_not_there_is_not_run_again(api: ControlAPI) -> None:
    """It is simply not there."""
    assert api.post(f"/api/jobs/{'0' * 32}/rerun", {}).json["code"] == "job.not_found"
