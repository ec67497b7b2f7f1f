"""Answers with a tag: polling is nearly free, and never shows what is no longer true for longer than it may."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import update

from inference.domain.identifiers import UID, JobID
from inference.domain.job import JobState, QueueName
from integrations.persistence.tables import jobs
from integrations.persistence.times import to_column
from integrations.read_cache import Lookup
from tests.support.control_api import STUDY, ControlAPI
from tests.support.fakes import NOON


def _paths(job_id: str) -> list[str]:
    of_job = [f"/api/jobs/{job_id}{part}" for part in ("", "/timeline", "/logs")]
    return ["/api/jobs", *of_job, "/api/studies", f"/api/studies/{STUDY}"]


def _status_with(api: ControlAPI, path: str, tag: str) -> int:
    headers = {**api.bearer("nurse"), "If-None-Match": tag}
    return api.client.get(path, headers=headers).status_code


def test_who_has_the_present_answer_is_told_so(api: ControlAPI) -> None:
    """A tag that is sent back saves the document, also where the gateway has made it weak by compressing."""
    api.has_study()
    api.has_series()
    for path in _paths(api.has_job(1)):
        first = api.get(path)
        tag = first.headers["ETag"]
        headers = {**api.bearer("nurse"), "If-None-Match": f"W/{tag}"}
        again = api.client.get(path, headers=headers)

        assert (first.status_code, again.status_code, again.data) == (200, 304, b""), path
        assert (again.headers["ETag"], again.headers["Cache-Control"]) == (tag, "no-store")


def test_a_change_makes_another_answer(api: ControlAPI) -> None:
    """Whatever is shown of a job, its change is seen by the next poll of everything that shows it."""
    api.has_study()
    api.has_series()
    job_id = api.has_job(1, JobState.PROCESSING)
    tags = {path: api.get(path).headers["ETag"] for path in _paths(job_id)}

    with api.engine.begin() as connection:
        changed = {"state": JobState.FAILED.value, "error_code": "encoding.failed", "updated_at": to_column(NOON)}
        connection.execute(update(jobs).values(changed))

    assert {path: _status_with(api, path, tag) for path, tag in tags.items()} == dict.fromkeys(tags, 200)


def test_stages_and_deliveries_are_changes_too(api: ControlAPI) -> None:
    """They are shown with the job, so they make another answer although its state stays."""
    job_id = api.has_job(1, JobState.DELIVERING)
    lease = api.services.jobs.claim(JobID(job_id), QueueName.DELIVERY, "worker-1", 120)
    assert lease is not None
    tag = api.get(f"/api/jobs/{job_id}").headers["ETag"]
    api.clock.advance(1)

    api.has_delivery(lease, "pacs")

    assert _status_with(api, f"/api/jobs/{job_id}", tag) == 200


def test_what_arrives_does_not_make_other_answers_about_jobs(api: ControlAPI) -> None:
    """A node that receives all day would else never have an answer ready for those who look at jobs."""
    tags = {path: api.get(path).headers["ETag"] for path in ("/api/jobs", "/api/studies")}

    api.has_study(UID("1.2"))

    assert {path: _status_with(api, path, tag) for path, tag in tags.items()} == {
        "/api/jobs": 304,
        "/api/studies": 200,
    }
    assert api.services.documents.cache.counts() == {Lookup.HIT: 1, Lookup.MISS: 3}


def test_filters_are_different_questions(api: ControlAPI) -> None:
    """But not the order in which they stand."""
    api.has_job(1)
    api.has_job(2, JobState.FAILED)

    one = api.get("/api/jobs?state=FAILED&limit=5")
    other = api.get("/api/jobs?state=COMPLETED&limit=5")
    turned = api.get("/api/jobs?limit=5&state=FAILED")

    assert one.headers["ETag"] != other.headers["ETag"]
    assert [job["state"] for job in other.json["items"]] == ["COMPLETED"]
    assert turned.json == one.json
    assert api.services.documents.cache.counts()[Lookup.HIT] == 1


def test_a_version_is_believed_for_a_moment(api_with: Callable[..., ControlAPI]) -> None:
    """Within it nobody asks the database again; after it every change is seen."""
    api = api_with(version_seconds=0.5)
    assert api.get("/api/jobs").json["items"] == []

    api.has_job(1)
    within = api.get("/api/jobs").json["items"]
    api.clock.advance(0.6)
    after = api.get("/api/jobs").json["items"]

    assert (within, len(after)) == ([], 1)


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_who_changes_something_sees_it_at_once(api_with: Callable[..., ControlAPI], action: str) -> None:
    """A button that seems to do nothing is pressed again."""
    api = api_with(version_seconds=3600)
    job_id = api.has_job(1, JobState.QUEUED if action == "cancel" else JobState.FAILED)
    before = api.get("/api/jobs").json["items"][0]["state"]

    api.post(f"/api/jobs/{job_id}/{action}")

    assert api.get("/api/jobs").json["items"][0]["state"] != before


def test_a_slow_transaction_is_seen_although_a_later_one_was_faster(api: ControlAPI) -> None:
    """A time of change is older than its commit: the latest time alone would hide it."""
    api.has_job(1, updated_at=to_column(NOON))
    api.has_job(9)
    tag = api.get("/api/jobs").headers["ETag"]

    api.has_job(2)  # with a time between the two

    assert _status_with(api, "/api/jobs", tag) == 200


def test_what_is_kept_is_shown_to_nobody_without_a_token(api: ControlAPI) -> None:
    """The gate comes first, whatever the cache holds and whatever tag is sent."""
    tag = api.get("/api/jobs").headers["ETag"]

    answer = api.client.get("/api/jobs", headers={"If-None-Match": tag})

    assert (answer.status_code, answer.json["code"]) == (401, "auth.token_missing")


def test_an_answer_that_was_forgotten_is_made_again(api: ControlAPI) -> None:
    """A cache may lose anything at any time; a tag that it still knows does no harm."""
    api.has_job(1)
    first = api.get("/api/jobs")
    api.services.documents.cache.forget(f"content {first.headers['ETag'].strip(chr(34))}")

    again = api.get("/api/jobs")

    assert (again.json, again.headers["ETag"]) == (first.json, first.headers["ETag"])


def test_errors_have_no_tag(api: ControlAPI) -> None:
    """What is not there may come."""
    answer = api.get(f"/api/jobs/{'0' * 32}")

    assert (answer.status_code, "ETag" in answer.headers) == (404, False)


def test_metrics_show_how_often_the_cache_knew(api: ControlAPI) -> None:
    """A hit rate that falls is seen before the database is."""
    for _ in range(4):
        api.get("/api/jobs")

    lines = api.client.get("/metrics").get_data(as_text=True).splitlines()

    assert 'node_read_cache_lookups_total{outcome="hit"} 3.0' in lines
    assert 'node_read_cache_lookups_total{outcome="miss"} 1.0' in lines
    assert "node_read_cache_hit_ratio 0.75" in lines
