"""The previous study comes from a real Orthanc into the node, through its ordinary receiver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from inference.domain.identifiers import UID, AETitle
from inference.errors import PeerRefused, PeerUnavailable, StudyNotFound
from integrations.orthanc.priors import OrthancPriors
from integrations.orthanc.rest import OrthancREST
from integrations.persistence.study_index import SQLStudyIndex
from integrations.system import SystemClock
from tests.support.orthanc_server import OrthancOptions, OrthancServer, running_orthanc
from tests.support.receiving import running_receiver
from tests.support.synthetic_series import SeriesOptions, axial_grid, revision_of, write_series
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

SHAPE = (4, 8, 8)
TODAY = date(2026, 1, 2)


@dataclass
class Archive:
    """An Orthanc that knows the node, and the node's index."""

    orthanc: OrthancServer
    index: SQLStudyIndex
    folder: Path

    @property
    def priors(self) -> OrthancPriors:
        """What the node asks it with."""
        return OrthancPriors(OrthancREST(self.orthanc.url, self.orthanc.client), AETitle("NEURONOVA"))

    def has(self, seed: int, day: str, patient_id: str = "P1", modality: str = "MR") -> UID:
        """Put a study there, and give its UID."""
        header = {"StudyDate": day, "PatientID": patient_id, "Modality": modality}
        options = SeriesOptions(seed, header)
        paths = write_series(self.folder / str(seed), np.ones(SHAPE), axial_grid(SHAPE, (2.0,) * 3), options)
        for path in paths:
            self.orthanc.client.post("/instances", content=path.read_bytes()).raise_for_status()
        return revision_of(paths).study_instance_uid

    def arrived(self, study_uid: UID) -> int:
        """Count what the node has of a study."""
        try:
            self.index.signal_complete(study_uid, {})
        except StudyNotFound:
            return 0
        return sum(one.instance_count for one in self.index.receiving() if one.study_instance_uid == study_uid)


@pytest.fixture
def archive(tmp_path: Path, sqlite_engine: Engine) -> Iterator[Archive]:
    """Give a running archive and a running receiver."""
    index = SQLStudyIndex(sqlite_engine, SystemClock(), tmp_path / "spool")
    with running_receiver(tmp_path / "spool", index) as receiver:
        options = OrthancOptions({"NEURONOVA": receiver.port})
        with running_orthanc(tmp_path / "orthanc", options) as orthanc:
            yield Archive(orthanc, index, tmp_path / "sent")


def test_the_latest_earlier_study_is_found_and_arrives(archive: Archive) -> None:
    """Of the same patient and modality; every image of it, by C-STORE like any other."""
    archive.has(1, "20240101")
    wanted = archive.has(2, "20250601")
    archive.has(3, "20251201", patient_id="P10")
    archive.has(4, "20251202", modality="CT")
    archive.has(5, "20260102")
    archive.has(6, "20260301")

    found = archive.priors.latest("P1", TODAY, ["MR"])

    assert found is not None
    assert (found.study_uid, found.study_date) == (wanted, "20250601")
    archive.priors.send(found)
    wait_until(lambda: archive.arrived(wanted) == SHAPE[0], 30, "the previous study")


def test_who_has_been_here_only_once_has_no_previous_study(archive: Archive) -> None:
    """A wildcard in the number changes nothing."""
    archive.has(1, "20250101", patient_id="P11")

    assert [archive.priors.latest(one, TODAY, ["MR"]) for one in ("P1", "P1*", "P??")] == [None, None, None]


def test_an_archive_that_does_not_know_the_node_refuses(archive: Archive) -> None:
    """It is told by its own code, so that an operator sees whose configuration lacks what."""
    archive.has(1, "20250101")
    found = archive.priors.latest("P1", TODAY, [])
    assert found is not None
    strangers = OrthancPriors(OrthancREST(archive.orthanc.url, archive.orthanc.client), AETitle("STRANGER"))

    with pytest.raises(PeerRefused):
        strangers.send(found)


def test_an_archive_that_is_away_is_said_to_be_away(archive: Archive) -> None:
    """To be asked again."""
    archive.orthanc.stop()

    with pytest.raises(PeerUnavailable):
        archive.priors.latest("P1", TODAY, ["MR"])
