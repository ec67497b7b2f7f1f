"""Studies that travel the whole line once, and are then looked at by several tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from dicom_node.demo.phantom import Rendering, write
from tests.support.dcmtk import storescu
from tests.support.hospital import Hospital, jobs_of
from tests.support.shared_data import SHARED

REAL_HEAD = SHARED / "data" / "mr-t1-defaced-adult-192" / "dicom"


@dataclass(frozen=True)
class Answered:
    """A study that was sent to the archive and answered by the node.

    Parameters
    ----------
    paths
        The files that were sent.
    study
        The study as the API shows it.
    job
        Its job.
    """

    paths: Sequence[Path]
    study: dict[str, Any]
    job: dict[str, Any]

    @property
    def study_uid(self) -> str:
        """Its Study Instance UID."""
        uid: str = self.study["study_uid"]
        return uid


def send_and_wait(hospital: Hospital, paths: Sequence[Path]) -> Answered:
    """Send a study to the archive, which routes it to the node, and wait for the answer."""
    storescu(hospital.orthanc.dicom_port, paths, called="ORTHANC")
    study_uid = str(dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID)
    study = hospital.wait_until_decided(study_uid)
    (job,) = jobs_of(study)
    return Answered(paths, study, hospital.job(job["job_id"]))


@pytest.fixture(scope="session")
def phantom(hospital: Hospital, tmp_path_factory: pytest.TempPathFactory) -> Answered:
    """Give the digital head phantom, answered."""
    return send_and_wait(hospital, write(tmp_path_factory.mktemp("phantom"), Rendering()))


@pytest.fixture(scope="session")
def real_head(hospital: Hospital) -> Answered:
    """Give a real, defaced head, answered."""
    if not REAL_HEAD.exists():
        pytest.skip("shared data absent")
    return send_and_wait(hospital, sorted(REAL_HEAD.iterdir()))


@pytest.fixture(scope="session", params=["phantom", "real_head"])
def answered(request: pytest.FixtureRequest) -> Answered:
    """Each of the two in turn."""
    answered: Answered = request.getfixturevalue(request.param)
    return answered
