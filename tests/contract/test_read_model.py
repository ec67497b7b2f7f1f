"""What the API asks the database is answered alike by SQLite and MariaDB."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from control_api.queries import ReadModel
from control_api.records import Cursor, JobFilter, StudyFilter
from inference.domain.identifiers import UID, JobID
from inference.domain.job import JobState
from inference.errors import JobNotFound, StudyNotFound
from integrations.persistence.tables import joined_series
from tests.support.control_api import BRAIN, RESULT, SERIES, STUDY, ControlAPI
from tests.support.fakes import NOON


@pytest.fixture
def rows(database: Engine, tmp_path: Path) -> ControlAPI:
    """Give a database to put rows into."""
    return ControlAPI(database, tmp_path)


@pytest.fixture
def queries(rows: ControlAPI) -> ReadModel:
    """Give the read side of it."""
    return rows.services.queries


def test_pages_of_jobs_join_without_gap_or_repeat(rows: ControlAPI, queries: ReadModel) -> None:
    """Microseconds and equal times both keep their order."""
    same = NOON.replace(tzinfo=None)
    for number in range(3):
        rows.has_job(number, created_at=same)
    for number in range(3, 6):
        rows.has_job(number, created_at=same.replace(microsecond=number))

    seen, cursor = [], None
    for _ in range(3):
        page = queries.list_jobs(JobFilter(), 2, cursor)
        seen += [int(job.job_id, 16) - 0xA000 for job in page.items]
        cursor = page.next

    assert (seen, cursor) == ([5, 4, 3, 2, 1, 0], None)


def test_a_job_is_given_with_stages_and_result(rows: ControlAPI, queries: ReadModel) -> None:
    """JSON, times and numbers come back as they were put in."""
    job_id = JobID(rows.has_job(1, result=RESULT))
    rows.has_stage(job_id, "infer", 4.25)

    job = queries.job(job_id)

    assert (job.model, job.state, dict(job.result)) == (BRAIN, JobState.COMPLETED, RESULT)
    assert [(stage.stage.value, stage.seconds, stage.started_at) for stage in job.stages] == [("infer", 4.25, NOON)]


def test_studies_are_counted_and_filtered(rows: ControlAPI, queries: ReadModel) -> None:
    """Counts are numbers and not the database's decimals; filters narrow each other."""
    rows.has_study(patient_id="P1", study_date="20260102", patient_name="Müller^Jörg")
    rows.has_study(UID("1.2"), minutes=-1, patient_id="P1", study_date="20250102")
    rows.has_series(instance_count=3)
    rows.has_series(UID(f"{STUDY}.3"), instance_count=4, receiving=True)

    [study] = queries.list_studies(StudyFilter(patient_id="P1", date_from=date(2026, 1, 1)), 10).items

    assert (study.series_count, study.instance_count, study.receiving) == (2, 7, True)
    assert all(type(count) is int for count in (study.series_count, study.instance_count))
    assert study.patient_name == "Müller^Jörg"
    older = queries.list_studies(StudyFilter(), 10, Cursor(study.last_received_at, study.study_uid)).items
    assert [(one.study_uid, one.series_count, one.receiving) for one in older] == [(UID("1.2"), 0, False)]
    assert queries.receiving_count() == 1


def test_a_study_is_given_with_its_series_and_their_jobs(rows: ControlAPI, queries: ReadModel) -> None:
    """Also by one of its series."""
    rows.has_study()
    rows.has_series(reason_code="geometry.gap", reason_message="two slices are missing", decision="rejected")
    job_id = rows.has_job(4)

    study = queries.study_of(SERIES)

    assert study == queries.study(STUDY)
    [series] = study.series
    assert series.reason is not None
    assert (series.reason.code, series.receiving, [job.job_id for job in series.jobs]) == (
        "geometry.gap",
        False,
        [job_id],
    )


def test_a_job_is_shown_with_every_series_that_stands_with_it(rows: ControlAPI, queries: ReadModel) -> None:
    """A job about a study is seen from each of its series, once, in order with their own jobs."""
    joined = UID(f"{STUDY}.3")
    rows.has_study()
    rows.has_series()
    rows.has_series(joined)
    own, shared = rows.has_job(1, series_instance_uid=joined), rows.has_job(2, whole_study=True)
    with rows.engine.begin() as connection:
        for revision in (1, 2):
            row = {"job_id": shared, "series_instance_uid": joined, "revision": revision}
            connection.execute(joined_series.insert().values(row))

    found = {series.series_uid: [job.job_id for job in series.jobs] for series in queries.study(STUDY).series}

    assert found == {SERIES: [shared], joined: [own, shared]}


def test_run_numbers_and_counts(rows: ControlAPI, queries: ReadModel) -> None:
    """The next run follows the highest of the same input and weights; every state is counted."""
    rows.has_job(4)
    rows.has_job(9, JobState.FAILED, model_digest="0" * 64)
    rows.has_job(3, JobState.REJECTED, shadow=True)

    assert queries.next_run(SERIES, 1, BRAIN) == 5
    assert queries.next_run(SERIES, 2, BRAIN) == 1
    assert queries.job_counts() == dict.fromkeys(JobState, 0) | {JobState.COMPLETED: 1, JobState.FAILED: 1}
    assert queries.job_counts(shadow=True) == dict.fromkeys(JobState, 0) | {JobState.REJECTED: 1}


def test_what_is_not_there_is_named(queries: ReadModel) -> None:
    """Not None, which a caller could forget to look at."""
    with pytest.raises(JobNotFound):
        queries.job(JobID("0" * 32))
    with pytest.raises(StudyNotFound):
        queries.study(STUDY)
    with pytest.raises(StudyNotFound):
        queries.study_of(SERIES)


def test_a_worklist_is_filtered_and_summed_up_alike(rows: ControlAPI, queries: ReadModel) -> None:
    """Texts are compared whatever their case, and never as patterns; counts are numbers."""
    rows.has_study(patient_id="P_1", patient_name="Müller^Jörg")
    rows.has_series(promised_count=5, reason_code="geometry.gap", reason_message="gap", decision="rejected")
    rows.has_job(1, JobState.FAILED, error_code="encoding.failed")
    rows.has_study(UID("1.2"), minutes=-1, patient_id="PX1", patient_name="홍길동")
    rows.has_job(2, study_instance_uid="1.2", series_instance_uid="1.2.1")

    def found(**wanted: object) -> list[str]:
        return [study.study_uid for study in queries.list_studies(StudyFilter(**wanted), 10).items]  # type: ignore[arg-type]

    assert found(text="müller") == found(text="P_1") == found(incomplete=True) == found(has_result=False) == [STUDY]
    assert found(text="길동") == found(has_result=True) == found(incomplete=False) == ["1.2"]
    assert found(text="%") == []
    [failed, done] = queries.list_studies(StudyFilter(), 10).items
    assert (failed.missing_count, failed.jobs, done.jobs) == (2, {JobState.FAILED: 1}, {JobState.COMPLETED: 1})
    assert [reason.code for reason in failed.reasons] == ["geometry.gap", "encoding.failed"]
    assert type(failed.missing_count) is int


def test_jobs_are_found_by_patient_and_time(rows: ControlAPI, queries: ReadModel) -> None:
    """A job knows whom it is about through its study."""
    rows.has_study(patient_id="P1")
    for number in range(3):
        rows.has_job(number)

    wanted = JobFilter(
        patient_id="P1", created_from=NOON + timedelta(minutes=1), created_before=NOON + timedelta(minutes=2)
    )
    [job] = queries.list_jobs(wanted, 10).items

    assert (job.run, job.patient_id) == (1, "P1")


def test_earlier_results_are_found_alike(rows: ControlAPI, queries: ReadModel) -> None:
    """The latest study first, each with its study and the name of its series."""
    rows.has_study(patient_id="P1", study_date="20260102")
    rows.has_series(series_description="t1")
    rows.has_job(1, result=RESULT)
    for number, day in enumerate(["20240101", "20251230", "20270101"], start=2):
        uid = UID(f"1.2.840.{number}")
        rows.has_study(uid, -number, patient_id="P1", study_date=day)
        rows.has_series(UID(f"{uid}.1"), uid, series_description=f"t1 of {day}")
        rows.has_job(number, study_instance_uid=uid, series_instance_uid=f"{uid}.1", result=RESULT)

    [current] = queries.standing_results(STUDY)
    earlier = queries.earlier_results(current)

    assert (current.series_description, current.study.series) == ("t1", ())
    assert [one.series_description for one in earlier] == ["t1 of 20251230", "t1 of 20240101"]
    assert all(one.study.study_uid == one.job.study_uid and one.job.result == RESULT for one in earlier)
