"""What every study index must do, on SQLite and on MariaDB."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, func, select

from inference.domain.arrival import Arrival, ArrivalHeader, Decision, ReceivingSeries
from inference.domain.identifiers import UID
from inference.domain.job import ModelReference, NewJob
from inference.domain.study import CompletionEvidence, SeriesRevision
from inference.errors import InstanceUnreadable, SpoolFull, StudyNotFound
from integrations.persistence.engine import engine_for
from integrations.persistence.study_index import SQLStudyIndex
from integrations.persistence.tables import jobs, outbox, series, studies
from tests.support.fakes import CountingUIDSource, FixedClock
from tests.support.spooled_instances import SENDER, SERIES, STUDY, arriving

ROOT = Path("spool").absolute()
HEADER = ArrivalHeader(patient_id="P1", patient_name="Ada^Lovelace", modality="MR", series_description="T1")
MODEL = ModelReference("brain-structures", "1.0.0", "d" * 64)
ANALYSED = Decision(analysed=True, code=None, message=None)
REJECTED = Decision(analysed=False, code="selection.no_model", message="no model wants this series")


@pytest.fixture
def clock() -> FixedClock:
    """Give a clock that the test moves."""
    return FixedClock()


@pytest.fixture
def index(database: Engine, clock: FixedClock) -> SQLStudyIndex:
    """Give an empty index."""
    return SQLStudyIndex(database, clock, ROOT, CountingUIDSource())


def add(index: SQLStudyIndex, number: int, header: ArrivalHeader = HEADER, **changes: object) -> Arrival:
    """Add instance ``number``."""
    return index.add(arriving(number, ROOT, **changes), header, SENDER)  # type: ignore[arg-type]


def only(index: SQLStudyIndex) -> ReceivingSeries:
    """Give the one series that is open."""
    (found,) = index.receiving()
    return found


def read(index: SQLStudyIndex, series_uid: UID = SERIES) -> SeriesRevision:
    """Read a series as an assembler does."""
    return index.series(series_uid, CompletionEvidence.QUIET_TIME)


def new_job(revision: int = 1, run: int = 0) -> NewJob:
    """Give a job for the series."""
    return NewJob(STUDY, SERIES, revision, MODEL, run)


def count(engine: Engine, table: object) -> int:
    """Count the rows of a table."""
    with engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)  # type: ignore[arg-type]


def test_a_new_instance_opens_its_series(index: SQLStudyIndex, clock: FixedClock) -> None:
    """The first instance makes study and series, and the series is receiving."""
    assert add(index, 1, replace(HEADER, promised_instances=20)) is Arrival.NEW

    assert only(index) == ReceivingSeries(
        STUDY, SERIES, 1, 1, "MODALITY", clock.now(), signalled=False, expected_count=None, promised_count=20
    )


def test_what_is_held_is_told_with_its_class(database: Engine, clock: FixedClock, tmp_path: Path) -> None:
    """More instances than one question takes; what never came, and what lost its file, are left out."""
    index = SQLStudyIndex(database, clock, tmp_path, CountingUIDSource())
    kept = [arriving(number, tmp_path) for number in range(3)]
    for instance in kept:
        instance.path.parent.mkdir(parents=True, exist_ok=True)
        instance.path.write_bytes(b"")
        index.add(instance, HEADER, SENDER)
    never = [UID(f"1.2.{number}") for number in range(1200)]
    wanted = [*never, *(one.identity.sop_instance_uid for one in kept)]

    assert index.held(wanted) == {one.identity.sop_instance_uid: one.identity.sop_class_uid for one in kept}
    kept[0].path.unlink()
    assert set(index.held(wanted)) == {one.identity.sop_instance_uid for one in kept[1:]}
    assert index.held([]) == {}


def test_a_series_knows_who_sent_it(index: SQLStudyIndex) -> None:
    """The sender decides what is assumed of text without a character set."""
    add(index, 1)
    assert read(index).calling_ae == SENDER


def test_the_same_bytes_again_change_nothing(index: SQLStudyIndex, clock: FixedClock) -> None:
    """A repeated instance is a DUPLICATE: no count, no time and no revision moves."""
    add(index, 1)
    before = read(index), only(index)
    clock.advance(60)

    assert add(index, 1) is Arrival.DUPLICATE
    assert (read(index), only(index)) == before


def test_a_duplicate_does_not_reopen_a_closed_series(index: SQLStudyIndex) -> None:
    """Re-sending a study that is analysed already does nothing."""
    add(index, 1)
    index.close(read(index), ANALYSED, [new_job()])

    assert add(index, 1) is Arrival.DUPLICATE
    assert index.receiving() == []


def test_other_bytes_replace_the_older(index: SQLStudyIndex) -> None:
    """Other bytes under a known UID are CHANGED; the series has the newest bytes, once."""
    add(index, 1)

    assert add(index, 1, content="corrected") is Arrival.CHANGED

    assert read(index).instances == (arriving(1, ROOT, content="corrected"),)
    assert only(index).instance_count == 1


def test_replaced_bytes_that_come_again_count_again(index: SQLStudyIndex) -> None:
    """The newest arrival wins, also when it is an older version."""
    add(index, 1)
    add(index, 1, content="corrected")

    assert add(index, 1) is Arrival.CHANGED
    assert read(index).instances == (arriving(1, ROOT),)
    assert add(index, 1) is Arrival.DUPLICATE


def test_instances_come_back_as_they_were_given(index: SQLStudyIndex) -> None:
    """A revision holds every instance in order of UID, with absolute paths."""
    for number in (3, 1, 2):
        add(index, number)

    found = read(index)

    assert found.instances == tuple(arriving(number, ROOT) for number in (1, 2, 3))
    assert (found.study_instance_uid, found.revision, found.arrivals) == (STUDY, 1, 3)
    assert found.evidence is CompletionEvidence.QUIET_TIME


def test_a_spool_that_moved_is_found(database: Engine, index: SQLStudyIndex, clock: FixedClock) -> None:
    """Paths follow the spool, because the database keeps them relative to it."""
    add(index, 1)
    moved = Path("elsewhere").absolute()

    found = SQLStudyIndex(database, clock, moved).series(SERIES, CompletionEvidence.SIGNAL)

    assert found.instances == (arriving(1, moved),)


def test_a_series_of_another_study_is_refused(index: SQLStudyIndex, database: Engine) -> None:
    """A series belongs to one study: an instance that says otherwise is refused and leaves no trace."""
    add(index, 1)

    with pytest.raises(InstanceUnreadable):
        add(index, 2, study=UID("9.9"))

    assert count(database, studies) == 1
    assert len(read(index).instances) == 1


def test_nobody_takes_an_instance_out_of_another_series(index: SQLStudyIndex) -> None:
    """The same SOP Instance UID in another series is an instance of that series only."""
    add(index, 1)
    other = arriving(1, ROOT, series=UID("1.2.4"), study=UID("1.2"))
    stolen = replace(other, identity=replace(other.identity, sop_instance_uid=UID(f"{SERIES}.1")))

    assert index.add(stolen, HEADER, SENDER) is Arrival.NEW
    assert read(index).instances == (arriving(1, ROOT),)


def test_the_first_header_is_kept_and_blanks_are_filled(index: SQLStudyIndex, database: Engine) -> None:
    """What the first header says stays; what it lacked is taken from a later one; promises only grow."""
    add(index, 1, ArrivalHeader(patient_id="P1", series_description="first", promised_instances=20))
    add(index, 2, ArrivalHeader(patient_id="P2", series_description="second", modality="MR", promised_instances=10))

    with database.connect() as connection:
        row = connection.execute(select(series)).one()
        assert connection.scalar(select(studies.c.patient_id)) == "P1"
    assert (row.series_description, row.modality, row.promised_count) == ("first", "MR", 20)


def test_texts_that_do_not_fit_are_cut(index: SQLStudyIndex, database: Engine) -> None:
    """A header that is too long, or not Unicode, does not keep the instance out."""
    odd = ArrivalHeader(patient_id="x" * 10_000, patient_name="bad \udc80", modality="LONGER THAN SIXTEEN")

    assert add(index, 1, odd) is Arrival.NEW

    with database.connect() as connection:
        row = connection.execute(select(studies)).one()
    assert (row.patient_id, row.patient_name) == ("x" * 255, "bad ?")


def test_closing_makes_jobs_with_their_hints(index: SQLStudyIndex, database: Engine) -> None:
    """A closed series is not receiving, says why, and has its job and the outbox row."""
    add(index, 1)

    (job_id,) = index.close(read(index), ANALYSED, [new_job()])

    assert index.receiving() == []
    with database.connect() as connection:
        row = connection.execute(select(series)).one()
        made = connection.execute(select(jobs.c.job_id, jobs.c.state)).one()
        owed = connection.execute(select(outbox.c.job_id, outbox.c.queue, outbox.c.dispatched_at)).one()
    assert (row.decision, row.reason_code, row.evidence) == ("analysed", None, "quiet_time")
    assert tuple(made) == (job_id, "RECEIVED")
    assert tuple(owed) == (job_id, "inference", None)


def test_a_series_without_a_model_has_a_rejected_job(index: SQLStudyIndex, database: Engine) -> None:
    """A job born REJECTED carries the reason and asks nobody to work on it."""
    add(index, 1)
    born = NewJob(STUDY, SERIES, 1, None, rejection=("selection.no_model", "no model wants this series"))

    index.close(read(index), REJECTED, [born])

    with database.connect() as connection:
        row = connection.execute(select(jobs)).one()
        decided = connection.execute(select(series.c.decision, series.c.reason_code)).one()
    assert (row.state, row.error_code, row.model_id) == ("REJECTED", "selection.no_model", "")
    assert tuple(decided) == ("rejected", "selection.no_model")
    assert count(database, outbox) == 0


@pytest.mark.parametrize("content", ["", "corrected"])
def test_an_instance_that_arrived_meanwhile_stops_the_closing(index: SQLStudyIndex, content: str) -> None:
    """Whether new or changed: what arrived after the revision was read keeps the series open."""
    add(index, 1)
    seen = read(index)
    add(index, 1 if content else 2, content=content)

    assert index.close(seen, ANALYSED, [new_job()]) == []
    assert only(index).revision == 1


def test_closing_twice_makes_the_jobs_once(index: SQLStudyIndex, database: Engine) -> None:
    """An assembler that repeats after a lost answer gets the same jobs."""
    add(index, 1)
    seen = read(index)

    first = index.close(seen, ANALYSED, [new_job()])

    assert index.close(seen, ANALYSED, [new_job()]) == first
    assert count(database, jobs) == count(database, outbox) == 1


def test_a_late_instance_opens_the_next_revision(index: SQLStudyIndex, database: Engine) -> None:
    """The decision is taken back, the revision counts up, and a new job is made for it."""
    add(index, 1)
    index.signal_complete(STUDY, {SERIES: 1})
    (first,) = index.close(read(index), ANALYSED, [new_job()])

    assert add(index, 2) is Arrival.NEW

    found = only(index)
    assert (found.revision, found.instance_count, found.expected_count) == (2, 2, None)
    with database.connect() as connection:
        row = connection.execute(select(series)).one()
    assert (row.decision, row.evidence, row.completed_at) == (None, None, None)
    (second,) = index.close(read(index), ANALYSED, [new_job(revision=2)])
    assert first != second


def test_a_signal_holds_until_an_instance_comes_after_it(index: SQLStudyIndex, clock: FixedClock) -> None:
    """Something that arrives after "complete" shows that it was not."""
    add(index, 1)
    clock.advance(1)
    index.signal_complete(STUDY, {})
    assert only(index).signalled

    clock.advance(1)
    add(index, 2)

    assert not only(index).signalled


def test_a_number_in_the_signal_outlives_arrivals(index: SQLStudyIndex, clock: FixedClock) -> None:
    """A hook that names the count may speak first: the series waits for that number."""
    add(index, 1)
    index.signal_complete(STUDY, {SERIES: 3})
    clock.advance(1)
    add(index, 2)

    assert (only(index).signalled, only(index).expected_count) == (True, 3)


def test_a_series_may_be_named_before_it_arrives(index: SQLStudyIndex, clock: FixedClock) -> None:
    """A named series without an instance is not listed; with its first instance it knows the number."""
    later = UID("1.2.3.2")
    add(index, 1)
    index.signal_complete(STUDY, {later: 5})
    assert [found.series_instance_uid for found in index.receiving()] == [SERIES]

    clock.advance(5)
    add(index, 1, series=later)

    found = next(entry for entry in index.receiving() if entry.series_instance_uid == later)
    assert (found.expected_count, found.instance_count, found.last_received_at) == (5, 1, clock.now())


def test_a_signal_does_not_touch_other_series(index: SQLStudyIndex) -> None:
    """A number for a series of another study, or for a closed one, is not kept."""
    add(index, 1)
    add(index, 1, series=UID("7.0.1"), study=UID("7.0"))
    index.close(read(index), ANALYSED, [])

    index.signal_complete(STUDY, {UID("7.0.1"): 1, SERIES: 1})

    assert only(index).expected_count is None
    add(index, 2)
    assert all(found.expected_count is None for found in index.receiving())


def test_what_is_not_known_is_said_so(index: SQLStudyIndex) -> None:
    """An unknown series or study is an error with a name, and a signal for it leaves nothing."""
    with pytest.raises(StudyNotFound):
        read(index)
    with pytest.raises(StudyNotFound):
        index.signal_complete(STUDY, {SERIES: 1})
    assert index.close(SeriesRevision(STUDY, SERIES, 1, (), CompletionEvidence.SIGNAL), ANALYSED, []) == []


def test_open_series_come_longest_silent_first(index: SQLStudyIndex, clock: FixedClock) -> None:
    """The series that waited longest is looked at first."""
    for number in (2, 1, 3):
        add(index, 1, series=UID(f"1.2.3.{number}"))
        clock.advance(1)

    assert [str(found.series_instance_uid)[-1] for found in index.receiving()] == ["2", "1", "3"]


def test_associations_may_add_the_same_new_series_at_once(index: SQLStudyIndex) -> None:
    """Eight senders with different instances of a study nobody knows yet: every instance is counted once."""
    everything = [(number, series_uid) for number in range(1, 41) for series_uid in (SERIES, UID("1.2.3.2"))]

    def send(entry: tuple[int, UID]) -> Arrival:
        return add(index, entry[0], series=entry[1])

    with ThreadPoolExecutor(8) as pool:
        arrivals = list(pool.map(send, everything))

    assert arrivals == [Arrival.NEW] * 80
    for series_uid in (SERIES, UID("1.2.3.2")):
        found = read(index, series_uid)
        assert (len(found.instances), found.arrivals) == (40, 40)
    assert {found.instance_count for found in index.receiving()} == {40}


def test_the_same_instance_at_once_is_new_once(index: SQLStudyIndex) -> None:
    """Eight senders with the same instance: one is NEW, seven are DUPLICATE."""
    with ThreadPoolExecutor(8) as pool:
        arrivals = sorted(pool.map(lambda _: add(index, 1), range(8)))

    assert arrivals == sorted([Arrival.NEW] + [Arrival.DUPLICATE] * 7)
    assert read(index).arrivals == 1


def test_an_instance_and_a_closing_at_once_lose_nothing(index: SQLStudyIndex) -> None:
    """Whoever wins, an instance is either in the revision that was closed or opens another."""
    for number in range(1, 21):
        add(index, 2 * number - 1)
        seen = read(index)
        with ThreadPoolExecutor(2) as pool:
            closing = pool.submit(index.close, seen, ANALYSED, [new_job(seen.revision)])
            arriving_now = pool.submit(add, index, 2 * number)
            closed, arrival = closing.result(), arriving_now.result()
        assert arrival is Arrival.NEW
        assert only(index).revision == seen.revision + len(closed)


def test_without_a_database_the_sender_is_told_to_come_again(clock: FixedClock) -> None:
    """A database that is away is SpoolFull (A700), which senders answer by trying again."""
    away = engine_for(URL.create("mysql+pymysql", "nobody", None, "127.0.0.1", 1, "nothing"))

    with pytest.raises(SpoolFull):
        add(SQLStudyIndex(away, clock, ROOT), 1)
