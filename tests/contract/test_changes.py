"""What changed last is told alike by SQLite and MariaDB."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from control_api.changes import Change, JobChange, StudyChange, Topic
from inference.domain.identifiers import UID
from inference.domain.job import JobState
from integrations.persistence.tables import series, studies
from integrations.persistence.times import to_column
from tests.support.control_api import SERIES, STUDY, ControlAPI
from tests.support.fakes import NOON


@pytest.fixture
def rows(database: Engine, tmp_path: Path) -> ControlAPI:
    """Give a database to put rows into."""
    return ControlAPI(database, tmp_path)


def _versions(rows: ControlAPI) -> tuple[str, str]:
    return rows.services.changes.version(Topic.JOBS), rows.services.changes.version(Topic.STUDIES)


def _named(changes: list[Change]) -> list[str]:
    return [change.job_id if isinstance(change, JobChange) else change.study_uid for change in changes]


def test_every_change_makes_another_version(rows: ControlAPI) -> None:
    """An arrival, a signal, a closed series and a job each do; the first three are nothing to jobs."""
    seen = [_versions(rows)]
    rows.has_study()
    seen.append(_versions(rows))
    rows.has_series(completed_at=None, receiving=True)
    for table, values in ((studies, {"signalled_at": to_column(NOON)}), (series, {"completed_at": to_column(NOON)})):
        with rows.engine.begin() as connection:
            connection.execute(update(table).values(values))
        seen.append(_versions(rows))
    rows.has_job(1)
    seen.append(_versions(rows))

    of_jobs, of_studies = zip(*seen, strict=True)
    assert len(set(of_studies)) == len(seen)
    assert len(set(of_jobs)) == 2
    assert _versions(rows) == seen[-1]


def test_changes_since_a_time_are_listed_in_order(rows: ControlAPI) -> None:
    """With what a client needs to know whether it matters; a study once, however much of it changed."""
    rows.has_study(minutes=1, signalled_at=to_column(NOON + timedelta(minutes=4)))
    rows.has_series(completed_at=to_column(NOON + timedelta(minutes=3)))
    rows.has_series(UID(f"{SERIES}.1"), completed_at=to_column(NOON + timedelta(minutes=2)))
    rows.has_study(UID("1.2"), minutes=-60)
    before = rows.has_job(0, updated_at=to_column(NOON - timedelta(minutes=1)))
    after = rows.has_job(5, JobState.FAILED, shadow=True)

    found = rows.services.changes.since(NOON, 100)

    study, job = found
    assert study == StudyChange(STUDY, NOON + timedelta(minutes=4))
    assert isinstance(job, JobChange)
    assert (job.job_id, job.study_uid, job.state, job.shadow) == (after, STUDY, JobState.FAILED, True)
    assert before not in _named(list(found))


def test_of_many_changes_the_oldest_are_listed(rows: ControlAPI) -> None:
    """The newer ones are for the next look."""
    made = [rows.has_job(number) for number in range(5)]

    assert _named(list(rows.services.changes.since(NOON, 3))) == made[:3]
