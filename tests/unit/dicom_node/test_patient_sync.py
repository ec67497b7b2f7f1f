"""Synchronising patients: where it begins, where it ends, and what is kept of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from dicom_node.patient_sync import TASK, PatientSync
from dicom_node.periodic import in_turn
from inference.errors import PeerUnavailable
from integrations.patients.source import SourcePatient
from integrations.patients.synchroniser import PatientSynchroniser
from integrations.persistence.periodic_runs import SQLTurns
from tests.support.fakes import FixedClock
from tests.support.memory_fhir import BASE, MemoryFHIR


def patient(number: int, **members: Any) -> dict[str, Any]:
    """Give a patient."""
    return {"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": f"P{number}"}], **members}


class FakeSource:
    """Patients that changed on the day of their number; ``asked`` keeps since when, ``fails`` ends it early."""

    def __init__(self, name: str, *, rules: bool = False, **members: Any) -> None:
        self.name = name
        self.rules = rules
        self.asked: list[str] = []
        self.fails = False
        self.members = members

    def patients(self, since: str) -> Iterator[SourcePatient]:
        """Give three patients, or fail after the first."""
        self.asked.append(since)
        for number in range(1, 4):
            if str(number) >= since:
                yield SourcePatient(patient(number, **self.members), str(number))
            if self.fails:
                raise PeerUnavailable("the archive does not answer")


class Bench:
    """A synchronisation with two sources and a server in memory."""

    def __init__(self, engine: Engine) -> None:
        self.clock = FixedClock()
        self.server = MemoryFHIR()
        self.turns = SQLTurns(engine, self.clock)
        self.archive, self.emr = FakeSource("orthanc", gender="male"), FakeSource("emr", rules=True, gender="female")
        synchroniser = PatientSynchroniser(BASE, self.server.client(), self.clock)
        self.sync = PatientSync(synchroniser, [self.archive, self.emr], self.turns)

    def turn(self) -> Any:
        """Make the next turn, and give what is kept of it."""
        self.clock.advance(900)
        return in_turn(self.turns, TASK, f"{self.clock.now():%H:%M}", self.sync.run)


@pytest.fixture
def bench(sqlite_engine: Engine) -> Bench:
    """Give a synchronisation that was never made."""
    return Bench(sqlite_engine)


def test_the_emrs_word_stands_and_nothing_is_written_twice(bench: Bench) -> None:
    """The archive makes patients, the EMR corrects them, and from then on both agree to differ."""
    first, second = bench.turn(), bench.turn()
    assert [first[name]["created"] for name in ("orthanc", "emr")] == [3, 0]
    assert first["emr"]["updated"] == 3
    assert [second[name][what] for name in ("orthanc", "emr") for what in ("created", "updated")] == [0, 0, 0, 0]
    assert [(one["gender"], one["meta"]["versionId"]) for one in bench.server.patients] == [("female", "2")] * 3


def test_a_turn_begins_where_the_last_one_ended(bench: Bench) -> None:
    """By hand, all are looked at."""
    bench.turn()
    bench.turn()
    bench.sync.run(everything=True)
    assert bench.archive.asked == ["", "3", ""]


def test_a_source_that_ended_early_begins_where_it_had_begun(bench: Bench) -> None:
    """Nobody is left out; the other source is not held up."""
    bench.archive.fails = True
    report = bench.turn()
    assert (report["orthanc"]["error"], report["orthanc"]["latest"]) == ("delivery.peer_unavailable", "")
    assert (report["emr"]["error"], report["emr"]["latest"]) == (None, "3")
    bench.archive.fails = False
    bench.turn()
    assert bench.archive.asked == ["", ""]


def test_a_patient_that_was_refused_is_tried_again(bench: Bench) -> None:
    """As long as somebody is missing, a turn begins where the last complete one ended."""
    bench.server.status = 422
    report = bench.turn()
    assert report["orthanc"]["failed"] == {"report.fhir_rejected": 3}
    bench.server.status = 200
    assert bench.turn()["orthanc"]["created"] == 3


def test_a_server_that_is_away_is_asked_again_within_the_turn(bench: Bench) -> None:
    """The turn fails, keeps no report, and is taken again some minutes later."""
    bench.server.status = 503
    assert bench.turn() is None
    assert bench.turns.last_report(TASK) is None
    bench.server.status = 200
    assert bench.turn()["orthanc"]["created"] == 3


def test_concurrent_writers_are_waited_for_with_patience(bench: Bench) -> None:
    """A few times, for a moment each; then the patient counts as failed."""
    bench.server.status = 409
    report = bench.turn()
    assert report["orthanc"]["failed"] == {"report.fhir_conflict": 3}
    assert 0 < max(bench.clock.waits) <= 1
