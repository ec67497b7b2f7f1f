"""The life of a model on a running node with real servers: added, published, tried, rolled back, recalled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.support.conformance import dciodvfy_errors
from tests.support.dcmtk import storescu
from tests.support.fhir_server import FHIRServer
from tests.support.hospital import Hospital, SharedServers, jobs_of, running_hospital
from tests.support.mariadb_server import MariaDB
from tests.support.package_folders import Package, as_zip, write_package
from tests.support.redis_server import RedisServer
from tests.support.small_analysis import write_blocks
from tests.support.synthetic_series import SeriesOptions
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

ID = "bright_tissue"
REASON = "It mixes up left and right."


@pytest.fixture(scope="module")
def hospital(
    tmp_path_factory: pytest.TempPathFactory,
    mariadb_server: MariaDB,
    redis_server: RedisServer,
    fhir_server: FHIRServer,
) -> Iterator[Hospital]:
    """Give a hospital whose node knows only the models that come with it."""
    shared = SharedServers(mariadb_server, fhir_server, redis_server.url_of(4))
    settings = {"NODE_QUIET_TIME_S": "1", "NODE_EXECUTION_PROVIDER": "cpu"}
    with running_hospital(tmp_path_factory.mktemp("life-cycle"), shared, settings) as running:
        yield running


class Sender:
    """Sends one study after another to the archive, which routes it to the node.

    Parameters
    ----------
    hospital
        Where.
    folder
        For what is sent.
    """

    def __init__(self, hospital: Hospital, folder: Path) -> None:
        self._hospital = hospital
        self._folder = folder
        self._sent = 0

    def send(self) -> dict[str, Any]:
        """Send a study nobody has seen, and give it when everything about it has ended."""
        self._sent += 1
        paths = write_blocks(self._folder / f"{self._sent}", SeriesOptions(seed=7000 + self._sent))
        storescu(self._hospital.orthanc.dicom_port, paths, called="ORTHANC")
        return self._hospital.wait_until_decided(str(dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID))


def versions(study: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """Give state and shadow of each version's job."""
    return {job["model"]["version"]: (job["state"], job["shadow"]) for job in jobs_of(study) if job["model"]}


def published(hospital: Hospital, study: dict[str, Any]) -> dict[str, list[Dataset]]:
    """Give what the archive holds of results in a study; of Key Object Selections, those that reject apart."""
    found = {kind: list(hospital.archived(study["study_uid"], kind)) for kind in ("SEG", "SR", "KO")}
    selections = found.pop("KO")
    is_rejection = [each.ConceptNameCodeSequence[0].CodeValue == "113001" for each in selections]
    return {
        **found,
        "key images": [each for each, rejects in zip(selections, is_rejection, strict=True) if not rejects],
        "rejections": [each for each, rejects in zip(selections, is_rejection, strict=True) if rejects],
    }


ONE_RESULT = {"SEG": 1, "SR": 1, "key images": 1, "rejections": 0}


def statuses(hospital: Hospital, study: dict[str, Any]) -> tuple[set[str], set[str]]:
    """Give the states of a study's reports and of their observations."""
    reports = hospital.reports(study["study_uid"])
    observations = [hospital.fhir.get(result["reference"]) for report in reports for result in report["result"]]
    return {report["status"] for report in reports}, {observation["status"] for observation in observations}


def rejected(note: Dataset) -> set[str]:
    """Give the instances that a rejection note names."""
    (request,) = note.CurrentRequestedProcedureEvidenceSequence
    series = request.ReferencedSeriesSequence
    return {str(item.ReferencedSOPInstanceUID) for one in series for item in one.ReferencedSOPSequence}


@pytest.mark.timeout(900)
def test_a_model_comes_runs_and_is_recalled(hospital: Hospital, tmp_path: Path) -> None:
    """No code, no restart: each decision holds for the study that is sent after it, a recall for those before."""
    node, sender = hospital.node, Sender(hospital, tmp_path / "sent")
    assert versions(sender.send()) == {}

    first = as_zip(write_package(tmp_path / "first", Package("1.0.0", golden=True)), tmp_path / "first.zip")
    node.command("models", "add", str(first))
    assert versions(sender.send()) == {}
    node.command("models", "activate", ID)
    before = sender.send()
    assert versions(before) == {"1.0.0": ("COMPLETED", False)}
    assert {kind: len(found) for kind, found in published(hospital, before).items()} == ONE_RESULT

    second = write_package(tmp_path / "second", Package("1.1.0", threshold=0.6, golden=True))
    node.command("models", "add", str(second))
    node.command("models", "shadow", ID, "1.1.0")
    beside = sender.send()
    assert versions(beside) == {"1.0.0": ("COMPLETED", False), "1.1.0": ("COMPLETED", True)}
    assert {kind: len(found) for kind, found in published(hospital, beside).items()} == ONE_RESULT
    assert len(hospital.reports(beside["study_uid"])) == 1
    (shadow,) = (hospital.job(job["job_id"]) for job in jobs_of(beside) if job["shadow"])
    assert (shadow["artifacts"], shadow["report"], shadow["valid"]) == ([], None, False)
    assert shadow["measurements"]

    node.command("models", "activate", ID, "1.1.0")
    newer = sender.send()
    assert versions(newer) == {"1.1.0": ("COMPLETED", False)}
    assert "1.0.0 is active now" in node.command("models", "rollback", ID)
    assert versions(sender.send()) == {"1.0.0": ("COMPLETED", False)}

    assert "3 results are being withdrawn" in node.command("models", "recall", ID, "1.0.0", "--reason", REASON)
    wait_until(lambda: len(hospital.get("/api/jobs?state=WITHDRAWN")["items"]) == 3, 120, "three withdrawals")
    assert versions(sender.send()) == {}
    for study in (before, beside):
        results = published(hospital, study)
        (note,) = results["rejections"]
        assert rejected(note) == {str(results[kind][0].SOPInstanceUID) for kind in ("SEG", "SR", "key images")}
        assert any(REASON in str(item.get("TextValue", "")) for item in note.ContentSequence)
        note.save_as(tmp_path / "note.dcm")
        assert dciodvfy_errors(tmp_path / "note.dcm") == []
        assert statuses(hospital, study) == ({"entered-in-error"}, {"entered-in-error"})
    (job,) = (hospital.job(job["job_id"]) for job in jobs_of(before))
    assert (job["state"], job["withdrawn"]["reason"], job["valid"]) == ("WITHDRAWN", REASON, False)
    assert job["measurements"] == []

    assert published(hospital, newer)["rejections"] == []
    assert statuses(hospital, newer) == ({"preliminary"}, {"preliminary"})
    assert "0 results are being withdrawn" in node.command("models", "recall", ID, "1.0.0", "--reason", REASON)
    logs = node.logs()
    assert not any(value in logs for value in ("Phantom^Test", "TEST-1", before["study_uid"]))
