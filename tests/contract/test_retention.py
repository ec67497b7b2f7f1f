"""What may be removed and what never, on SQLite and on MariaDB, with a real spool and real result folders."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, insert, select, update

from dicom_node.cleaning import Cleaning, CleaningPlaces
from dicom_node.spool import FolderSpool
from inference.domain.arrival import Arrival, ArrivalHeader, Decision
from inference.domain.identifiers import UID, AETitle, JobID
from inference.domain.job import JobState, ModelReference, NewJob
from inference.domain.study import CompletionEvidence
from integrations.persistence.notifications import SQLNotificationOutbox
from integrations.persistence.periodic_runs import SQLTurns
from integrations.persistence.retention import SQLRetention
from integrations.persistence.study_index import SQLStudyIndex
from integrations.persistence.tables import deliveries, instances, jobs, sessions
from integrations.persistence.times import to_column
from integrations.preview_folder import PreviewFolder
from integrations.result_folder import FolderResultStore
from tests.support.arrivals import SYNTAX, identity_of, small_bytes, small_instance
from tests.support.fakes import CountingUIDSource, FixedClock

DAY = 86400.0
MODEL = ModelReference("brain", "1.0.0", "d" * 64)


class Site:
    """A node that received a study of three images ten days ago, with one job about it."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.clock = FixedClock()
        self.root = folder / "spool"
        self.spool = FolderSpool(self.root)
        self.index = SQLStudyIndex(engine, self.clock, self.root, CountingUIDSource())
        self.results = FolderResultStore(folder / "results")
        self.previews = PreviewFolder(folder / "previews")
        self.retention = SQLRetention(engine, self.clock, self.root)
        for number in range(3):
            self.receive(number)
        self.study = UID(small_instance().StudyInstanceUID)
        self.series = UID(small_instance().SeriesInstanceUID)
        revision = self.index.series(self.series, CompletionEvidence.QUIET_TIME)
        decision = Decision(analysed=True, code=None, message=None)
        self.job_id: JobID = self.index.close(revision, decision, [NewJob(self.study, self.series, 1, MODEL)])[0]
        self.has(JobState.COMPLETED)
        home = folder / "results" / self.job_id[:2] / self.job_id
        home.mkdir(parents=True)
        (home / "current").write_text("attempt")
        self.result = home
        self.previews.save(self.job_id, [b"pictures"])
        self.clock.advance(10 * DAY)

    def receive(self, number: int) -> Arrival:
        """Take one image in, as the receiver does; its file is as old as the clock says."""
        stored = self.spool.store(identity_of(small_instance(number)), SYNTAX, small_bytes(number))
        seconds = self.clock.now().timestamp()
        os.utime(stored.path, (seconds, seconds))
        return self.index.add(stored, ArrivalHeader(), AETitle("CT"))

    def has(self, state: JobState) -> None:
        """Let the job be in a state, with a result, since now."""
        values = {"state": state.value, "result": {"measurements": []}, "updated_at": to_column(self.clock.now())}
        with self.engine.begin() as connection:
            connection.execute(update(jobs).values(**values))

    def delivers(self, state: str) -> None:
        """Let the job have a delivery."""
        row = {"job_id": self.job_id, "errand": "result", "destination": "archive", "state": state, "attempts": 1}
        with self.engine.begin() as connection:
            connection.execute(insert(deliveries).values(**row, created_at=to_column(self.clock.now())))

    def clean(self, spool_days: int = 7, results_days: int = 7) -> dict[str, int]:
        """Make a pass."""
        outbox = SQLNotificationOutbox(self.engine, self.clock, [])
        turns = SQLTurns(self.engine, self.clock)
        places = CleaningPlaces(self.retention, self.results, self.previews, outbox, turns, self.clock)
        return Cleaning(places, spool_days, results_days).clean()

    def files(self) -> list[Path]:
        """List the images in the spool."""
        return sorted(path for path in self.root.rglob("*") if path.is_file())

    def rows(self) -> int:
        """Count the images in the database."""
        with self.engine.connect() as connection:
            return int(connection.scalar(select(func.count()).select_from(instances)) or 0)


@pytest.fixture
def site(database: Engine, tmp_path: Path) -> Site:
    """Give a node with an old study."""
    return Site(database, tmp_path)


def test_what_is_old_and_delivered_goes(site: Site) -> None:
    """Images with their rows, and results with their previews; again, nothing is left to do."""
    site.delivers("done")
    removed = site.clean()
    assert (removed["images"], removed["results"]) == (3, 1)
    assert (site.files(), site.rows(), site.result.exists()) == ([], 0, False)
    assert site.previews.find(site.job_id) is None
    assert (site.clean()["images"], site.clean()["results"]) == (0, 0)


def test_nothing_goes_unless_the_site_says_so(site: Site) -> None:
    """The default is for ever; and what is younger than the limit stays."""
    assert site.clean(0, 0)["images"] == 0
    assert site.clean(11, 11) == {"sessions": 0, "notifications": 0, "turns": 0, "images": 0, "results": 0}
    assert (len(site.files()), site.rows(), site.result.exists()) == (3, 3, True)


@pytest.mark.parametrize(
    "state",
    [
        JobState.RECEIVED,
        JobState.QUEUED,
        JobState.PROCESSING,
        JobState.DELIVERING,
        JobState.REVIEWING,
        JobState.WITHDRAWING,
        JobState.FAILED,
    ],
)
def test_what_somebody_waits_for_stays(site: Site, state: JobState) -> None:
    """Also of a job that failed: a person may try it again."""
    site.has(state)
    site.clock.advance(365 * DAY)
    removed = site.clean()
    assert (removed["images"], removed["results"]) == (0, 0)
    assert len(site.files()) == 3


@pytest.mark.parametrize("state", ["pending", "failed"])
def test_what_a_destination_lacks_stays(site: Site, state: str) -> None:
    """Whatever the job says."""
    site.delivers(state)
    removed = site.clean()
    assert (removed["images"], removed["results"]) == (0, 0)


def test_a_study_that_something_is_added_to_stays(site: Site) -> None:
    """As long as a series is open, and for the whole time after it was closed."""
    site.receive(3)
    assert site.clean()["images"] == 0
    site.clock.advance(100 * DAY)
    assert site.clean()["images"] == 0


def test_a_job_that_was_tried_again_lately_keeps_its_images(site: Site) -> None:
    """The time counts from the last thing that happened."""
    site.has(JobState.COMPLETED)
    removed = site.clean()
    assert (removed["images"], removed["results"]) == (0, 0)


def test_images_that_are_sent_again_are_analysed_again(site: Site) -> None:
    """They are new to the node, which says so honestly, also to who asks for storage commitment."""
    held = identity_of(small_instance()).sop_instance_uid
    assert held in site.index.held([held])
    site.clean()
    assert site.index.held([held]) == {}
    assert site.receive(0) is Arrival.NEW
    (open_series,) = site.index.receiving()
    assert open_series.revision == 2
    assert held in site.index.held([held])


def test_an_image_that_arrives_at_this_very_moment_stays(site: Site) -> None:
    """Its file is written before its row is looked for: it must not be deleted between the two."""
    stored = site.spool.store(identity_of(small_instance(1)), SYNTAX, small_bytes(1))
    now = site.clock.now().timestamp()
    os.utime(stored.path, (now, now))
    assert site.clean()["images"] == 2
    assert site.files() == [stored.path]
    assert site.index.add(stored, ArrivalHeader(), AETitle("CT")) is Arrival.DUPLICATE
    assert site.index.held([stored.identity.sop_instance_uid])


def test_a_cleaning_that_was_cut_off_is_finished(site: Site) -> None:
    """Rows whose files are gone, or were moved aside, are found again."""
    first, second, _ = site.files()
    first.unlink()
    second.rename(second.with_name(second.name + ".gone"))
    assert site.clean()["images"] == 3
    assert (site.files(), site.rows()) == ([], 0)


def test_expired_sessions_go(site: Site) -> None:
    """They open nothing any more."""
    with site.engine.begin() as connection:
        for name, seconds in (("old", -1), ("new", 1)):
            expires = to_column(site.clock.now() + timedelta(seconds=seconds))
            connection.execute(
                insert(sessions).values(session_id=name, username="kim", created_at=expires, expires_at=expires)
            )
    assert site.clean()["sessions"] == 1
    with site.engine.connect() as connection:
        assert connection.scalars(select(sessions.c.session_id)).all() == ["new"]
