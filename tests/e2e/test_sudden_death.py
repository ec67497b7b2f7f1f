"""``kill -9`` of receiver, workers and API in the middle of a study: all that was acknowledged is processed, once."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_node.demo.phantom import Rendering, write
from tests.support.dcmtk import start_storescu, storescu
from tests.support.hospital import Hospital, jobs_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Give a study that no other test sends."""
    return write(tmp_path / "phantom", Rendering(seed=9))


def _instances(hospital: Hospital, study_uid: str) -> int:
    if not hospital.knows(study_uid):
        return 0
    return sum(series["instance_count"] for series in hospital.study(study_uid)["series"])


def _states(hospital: Hospital, study_uid: str) -> list[str]:
    return [job["state"] for job in jobs_of(hospital.study(study_uid))]


def test_killed_processes_lose_nothing_and_repeat_nothing(hospital: Hospital, paths: list[Path]) -> None:
    """One SEG, one SR and one report come of a study during which every process was killed once."""
    node = hospital.node
    study_uid = str(dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID)

    sender = start_storescu(node.dicom_port, paths)
    wait_until(lambda: _instances(hospital, study_uid) > len(paths) // 4, 60, "a quarter of the study")
    node.kill("receiver")
    output, _ = sender.communicate(timeout=60)
    acknowledged = output.count("Received Store Response (Success)")
    assert 0 < acknowledged < len(paths)
    node.start("receiver")
    assert _instances(hospital, study_uid) >= acknowledged

    storescu(node.dicom_port, paths)
    hospital.complete(study_uid)
    wait_until(lambda: _states(hospital, study_uid) == ["PROCESSING"], 60, "the job to be worked on")
    node.kill("inference")
    node.kill("api")
    node.start("api")
    assert _states(hospital, study_uid) == ["PROCESSING"]
    node.start("inference")
    wait_until(lambda: _states(hospital, study_uid) == ["DELIVERING"], 90, "the job to be delivered")
    node.kill("delivery")
    node.start("delivery")

    study = hospital.wait_until_decided(study_uid)
    assert [job["state"] for job in jobs_of(study)] == ["COMPLETED"]
    assert jobs_of(study)[0]["attempt"] == 2
    assert len(hospital.archived(study_uid, "SEG")) == 1
    assert len(hospital.archived(study_uid, "SR")) == 1
    assert len(hospital.reports(study_uid)) == 1
