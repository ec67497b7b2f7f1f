"""A model that reads two series of a study, given to a node as a folder: it waits, runs, and says what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.domain.identifiers import UID
from inference.domain.model_spec import Weighting
from tests.support.dcmtk import storescu
from tests.support.fhir_server import FHIRServer
from tests.support.hospital import Hospital, SharedServers, jobs_of, running_hospital
from tests.support.mariadb_server import MariaDB
from tests.support.model_packages import Graph
from tests.support.redis_server import RedisServer
from tests.support.several_channels import study_uid, write_contrast
from tests.support.waiting import wait_until
from tests.support.written_packages import changed, manifest_values, write_package

pytestmark = pytest.mark.e2e

WAIT_SECONDS = 30
SHAPE = (12, 16, 16)
LESION = (slice(4, 8), slice(5, 10), slice(6, 12))
LESION_ML = 4 * 5 * 6 * 8 / 1000

RULE = {"modality": "MR", "min_slices": 10, "max_slice_spacing_mm": 3.0}
AS_IT_IS = {"normalisation": "none"}
CHANNELS = [
    {"name": name, "selection": {**RULE, "sequence": name}, "intensity": AS_IT_IS} for name in ("T1", "FLAIR")
]


def two_channels(root: Path) -> Path:
    """Write a package whose graph hands its two channels on as two classes; give the folder of packages.

    Whatever is brighter in FLAIR than in T1 is the structure.
    """
    both = (1, 2, "d", "h", "w")
    graph = Graph(("Identity",), input_shape=both, output_shape=both)
    values = changed(manifest_values("two_channels"), {"channels": CHANNELS, "preprocess.shape": [16, 12, 16]})
    write_package(root / "two_channels", values, graph, golden=False)
    return root


@pytest.fixture(scope="module")
def hospital_with_two(
    tmp_path_factory: pytest.TempPathFactory,
    mariadb_server: MariaDB,
    redis_server: RedisServer,
    fhir_server: FHIRServer,
) -> Iterator[Hospital]:
    """Give a hospital whose node has the package, and waits only as long as a test can."""
    folder = tmp_path_factory.mktemp("two-channels")
    settings = {
        "NODE_MODELS_DIRS": str(two_channels(folder / "packages")),
        "NODE_CHANNEL_WAIT_SECONDS": str(WAIT_SECONDS),
        "NODE_QUIET_TIME_S": "1",
    }
    shared = SharedServers(mariadb_server, fhir_server, redis_server.url_of(3))
    with running_hospital(folder, shared, settings) as running:
        yield running


def send(hospital: Hospital, folder: Path, weighting: Weighting, study: UID, array: NDArray[Any]) -> None:
    """Send one contrast of a study straight to the node."""
    storescu(hospital.node.dicom_port, write_contrast(folder / weighting, weighting, study, array), options=["-R"])


def job_about(hospital: Hospital, study: UID) -> dict[str, Any] | None:
    """Give the only job about a study; None as long as there is none."""
    found = {job["job_id"]: job for job in jobs_of(hospital.study(study))} if hospital.knows(study) else {}
    assert len(found) <= 1, found
    return next(iter(found.values()), None)


def waits(hospital: Hospital, study: UID) -> bool:
    """Tell whether the study's job says that it waits for a channel."""
    job = job_about(hospital, study)
    return bool(job and job["error"] and job["error"]["code"] == "selection.channel_awaited")


def test_a_study_waits_for_its_channels_and_is_answered_once(hospital_with_two: Hospital, tmp_path: Path) -> None:
    """FLAIR comes first and its job says what it waits for; T1 joins it, and one answer of both goes out."""
    hospital, study = hospital_with_two, study_uid("complete")
    t1, flair = np.full(SHAPE, 100), np.zeros(SHAPE)
    flair[LESION] = 300

    send(hospital, tmp_path, Weighting.FLAIR, study, flair)
    wait_until(lambda: waits(hospital, study), 60, "a job that waits")
    waiting = job_about(hospital, study)
    assert waiting is not None
    assert (waiting["state"], waiting["attempt"]) == ("QUEUED", 0)
    assert waiting["error"]["message"] == "waiting for T1"
    assert waiting["next_run_at"] > waiting["updated_at"]
    send(hospital, tmp_path, Weighting.T1, study, t1)
    shown = hospital.wait_until_decided(study)

    job = hospital.job(waiting["job_id"])
    assert job["state"] == "COMPLETED", job
    assert {one["label"]: one["value"] for one in job["measurements"]} == {"Structure": pytest.approx(LESION_ML)}
    assert [(one["decision"], [made["job_id"] for made in one["jobs"]]) for one in shown["series"]] == [
        ("analysed", [job["job_id"]])
    ] * 2
    (seg,) = hospital.archived(study, "SEG")
    assert seg.pixel_array.sum() == LESION_ML * 1000 / 8
    assert len(hospital.archived(study, "SR")) == 1
    assert len(hospital.reports(study)) == 1


def test_a_study_without_a_channel_says_which(hospital_with_two: Hospital, tmp_path: Path) -> None:
    """When the wait is over, series and job end with the named reason, and nothing is published."""
    hospital, study = hospital_with_two, study_uid("without T1")

    send(hospital, tmp_path, Weighting.FLAIR, study, np.zeros(SHAPE))
    shown = hospital.wait_until_decided(study)

    job = job_about(hospital, study)
    assert job is not None
    reason = {"code": "selection.channel_missing", "message": "the study has no T1; found: FLAIR"}
    assert (job["state"], job["error"]) == ("REJECTED", reason)
    (series,) = shown["series"]
    assert (series["decision"], series["reason"]) == ("rejected", reason)
    assert hospital.archived(study, "SEG") == []
    assert hospital.reports(study) == []
