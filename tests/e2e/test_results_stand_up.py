"""Results that are late, changed, reviewed or missing: every server ends in the right state, nothing is doubled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.support.dcmtk import storescu
from tests.support.fhir_server import FHIRServer
from tests.support.hospital import Hospital, SharedServers, jobs_of, running_hospital
from tests.support.mariadb_server import MariaDB
from tests.support.orthanc_server import OrthancOptions, OrthancServer, running_orthanc
from tests.support.package_folders import Package, write_package
from tests.support.redis_server import RedisServer
from tests.support.small_analysis import write_blocks
from tests.support.synthetic_series import SeriesOptions
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ID = "bright_tissue"
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
DESTINATIONS = """
[[destination]]
name = "pacs"
dicom = "ORTHANC@127.0.0.1:{dicom_port}"
rest = "{rest}"
compression = "deflated"
notes = true

[[destination]]
name = "research"
stow = "{stow}"
objects = ["SEG", "SR", "SC", "PDF"]
segmentation = "labelmap"
"""


@dataclass(frozen=True)
class Site:
    """A hospital with a second archive.

    Parameters
    ----------
    hospital
        Everything that any hospital has.
    research
        An archive that takes label maps, pictures and pages by STOW-RS.
    folder
        For what is sent.
    """

    hospital: Hospital
    research: OrthancServer
    folder: Path

    def write(self, name: str, seed: int) -> list[Path]:
        """Write a study nobody has seen."""
        return write_blocks(self.folder / name, SeriesOptions(seed=seed))

    def send(self, paths: Sequence[Path]) -> dict[str, Any]:
        """Send a study to the archive, which routes it to the node, and give its job once it has ended."""
        storescu(self.hospital.orthanc.dicom_port, paths, called="ORTHANC")
        study = self.hospital.wait_until_decided(uid_of(paths))
        (job,) = (job for job in jobs_of(study) if job["model"])
        return self.hospital.job(job["job_id"])

    def wait_for(self, job_id: str, *states: str) -> dict[str, Any]:
        """Wait until a job is in one of some states, and give it."""
        wait_until(lambda: self.hospital.job(job_id)["state"] in states, 120, f"the job to be {states}")
        return self.hospital.job(job_id)

    def review(self, job_id: str, **review: Any) -> dict[str, Any]:
        """Say a reader's word, and give the job once everybody knows."""
        answer = self.hospital.client.post(f"/api/jobs/{job_id}/review", json=review)
        assert answer.status_code == 202, answer.text
        return self.wait_for(job_id, "COMPLETED", "WITHDRAWN", "FAILED")

    def report(self, study_uid: str) -> dict[str, Any]:
        """Give the only report about a study."""
        (report,) = self.hospital.reports(study_uid)
        return report

    def observations(self, study_uid: str) -> dict[str, list[dict[str, Any]]]:
        """Give all observations derived from a study, by status, whether a report names them or not."""
        (study,) = self.hospital.fhir.search("ImagingStudy", identifier=f"urn:dicom:uid|urn:oid:{study_uid}")
        found: dict[str, list[dict[str, Any]]] = {}
        for one in self.hospital.fhir.search("Observation", **{"derived-from": f"ImagingStudy/{study['id']}"}):
            found.setdefault(one["status"], []).append(one)
        return found


def uid_of(paths: Sequence[Path]) -> str:
    """Give the Study Instance UID of a study on disk."""
    return str(dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID)


def predecessor(sr: Dataset) -> str | None:
    """Give the SOP Instance UID of the document that an SR replaces."""
    studies = sr.get("PredecessorDocumentsSequence")
    return (
        str(studies[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        if studies
        else None
    )


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory,
    mariadb_server: MariaDB,
    redis_server: RedisServer,
    fhir_server: FHIRServer,
) -> Iterator[Site]:
    """Give a hospital with two archives, whose node has the small model in its first version."""
    folder = tmp_path_factory.mktemp("site")
    settings_file = folder / "destinations.toml"
    shared = SharedServers(mariadb_server, fhir_server, redis_server.url_of(5))
    with ExitStack() as stack:
        research = stack.enter_context(running_orthanc(folder / "research", OrthancOptions({})))

        def settings(orthanc: OrthancServer) -> dict[str, str]:
            """Name both archives."""
            text = DESTINATIONS.format(dicom_port=orthanc.dicom_port, rest=orthanc.url, stow=research.dicom_web_url)
            settings_file.write_text(text)
            return {
                "NODE_DESTINATIONS": str(settings_file),
                "NODE_QUIET_TIME_S": "1",
                "NODE_EXECUTION_PROVIDER": "cpu",
                "NODE_ORGANIZATION": "City Hospital",
            }

        hospital = stack.enter_context(running_hospital(folder / "hospital", shared, settings))
        hospital.node.command("models", "deactivate", "brain_structures")
        hospital.node.command("models", "add", str(write_package(folder / "first", Package("1.0.0", golden=True))))
        hospital.node.command("models", "activate", ID)
        (folder / "sent").mkdir()
        yield Site(hospital, research, folder / "sent")


def test_each_archive_gets_what_it_takes(site: Site) -> None:
    """From one analysis; the job says where it has arrived, the report names the first archive's objects."""
    paths = site.write("plain", 8101)

    job = site.send(paths)

    assert {row["destination"]: row["state"] for row in job["deliveries"]} == {
        "pacs": "done",
        "research": "done",
        "fhir": "done",
    }, [(row["destination"], row["code"], row["message"]) for row in job["deliveries"]]
    (seg,), (sr,) = (site.hospital.archived(uid_of(paths), kind) for kind in ("SEG", "SR"))
    there = {(one.Modality, str(one.SOPClassUID)) for one in site.research.instances()}
    assert seg.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.4"
    assert {modality for modality, _ in there} == {"SEG", "SR", "OT", "DOC"}
    assert ("SEG", LABEL_MAP) in there
    report = site.report(uid_of(paths))
    assert report["status"] == "preliminary"
    assert {form["contentType"] for form in report["presentedForm"]} == {"text/html", "application/pdf"}
    named = {one["sop_instance_uid"] for one in job["artifacts"]}
    assert {str(seg.SOPInstanceUID), str(sr.SOPInstanceUID)} < named


def test_an_archive_that_is_down_for_the_whole_delivery_only_delays(site: Site) -> None:
    """The other archive has its objects meanwhile, nobody reads a report of what is not there, nothing doubles."""
    paths = site.write("late", 8102)
    storescu(site.hospital.node.dicom_port, paths, options=("-aet", "ORTHANC"))
    site.hospital.orthanc.stop()
    try:
        wait_until(lambda: site.hospital.knows(uid_of(paths)), 30, "the study to be known")
        wait_until(
            lambda: [job["state"] for job in jobs_of(site.hospital.study(uid_of(paths)))] == ["DELIVERING"],
            120,
            "the job to be delivered",
        )
        (listed,) = jobs_of(site.hospital.study(uid_of(paths)))

        def others_have_it() -> bool:
            states = {one["destination"]: one["state"] for one in site.hospital.job(listed["job_id"])["deliveries"]}
            return states.get("research") == "done" and states.get("pacs") == "pending"

        wait_until(others_have_it, 120, "the other archive to have it")
        assert site.hospital.reports(uid_of(paths)) == []
    finally:
        site.hospital.orthanc.start()

    job = site.wait_for(listed["job_id"], "COMPLETED", "FAILED")

    assert job["state"] == "COMPLETED", job["error"]
    assert [len(site.hospital.archived(uid_of(paths), kind)) for kind in ("SEG", "SR", "KO")] == [1, 1, 1]
    assert site.report(uid_of(paths))["status"] == "preliminary"


def test_a_reader_accepts_amends_and_rejects(site: Site) -> None:
    """Archive and report server follow each word; a result that was rejected stands nowhere."""
    paths = site.write("reviewed", 8103)
    job = site.send(paths)
    uid = uid_of(paths)

    accepted = site.review(job["job_id"], verdict="accept")

    first, verified = sorted(site.hospital.archived(uid, "SR"), key=lambda sr: sr.VerificationFlag)
    assert (accepted["state"], verified.VerificationFlag) == ("COMPLETED", "VERIFIED")
    assert predecessor(verified) == first.SOPInstanceUID
    assert verified.VerifyingObserverSequence[0].VerifyingOrganization == "City Hospital"
    assert site.report(uid)["status"] == "final"
    assert set(site.observations(uid)) == {"final"}

    site.review(job["job_id"], verdict="amend", reason="seen before", conclusion="Unchanged since May.")

    assert len(site.hospital.archived(uid, "SR")) == 3
    report = site.report(uid)
    assert report["status"] == "amended"
    assert "Unchanged since May." in report["conclusion"]

    rejected = site.review(job["job_id"], verdict="reject", reason="wrong patient position")

    assert (rejected["state"], rejected["valid"], rejected["measurements"]) == ("WITHDRAWN", False, [])
    assert site.report(uid)["status"] == "entered-in-error"
    assert set(site.observations(uid)) == {"entered-in-error"}
    rejections = [
        one for one in site.hospital.archived(uid, "KO") if one.ConceptNameCodeSequence[0].CodeValue == "113001"
    ]
    assert len(rejections) == 1


def test_what_could_not_be_analysed_is_told_where_readers_look(site: Site) -> None:
    """Slices are missing: an SR in the archive and a cancelled report say so, and no observation exists."""
    paths = site.write("gap", 8104)
    for path in paths[4:6]:
        path.unlink()
    kept = [path for path in paths if path.exists()]

    job = site.send(kept)

    assert (job["state"], job["error"]["code"]) == ("REJECTED", "geometry.gap")
    (note,) = site.hospital.archived(uid_of(kept), "SR")
    assert "not analysed" in note.SeriesDescription
    assert site.report(uid_of(kept))["status"] == "cancelled"
    assert site.observations(uid_of(kept)) == {}


def test_a_changed_result_takes_the_place_of_the_earlier_one(site: Site) -> None:
    """A newer version says something else: one report, new numbers, old ones in error, an SR that names the old."""
    paths = site.write("changed", 8105)
    before = site.send(paths)
    uid = uid_of(paths)
    old_report = site.report(uid)
    second = write_package(site.folder / "second", Package("1.1.0", threshold=0.7, golden=True))
    site.hospital.node.command("models", "add", str(second))
    site.hospital.node.command("models", "activate", ID, "1.1.0")

    for _ in range(2):  # the second order changes nothing
        answer = site.hospital.client.post("/api/jobs", json={"series_uid": before["series_uid"], "model_id": ID})
        assert answer.status_code == 202, answer.text
        again = site.wait_for(answer.json()["jobs"][0]["job_id"], "COMPLETED", "FAILED")
        assert again["state"] == "COMPLETED", again["error"]

    assert site.hospital.job(before["job_id"])["superseded_by"] is not None
    srs = {predecessor(sr): sr for sr in site.hospital.archived(uid, "SR")}
    assert len(srs) == 2
    assert srs[None].SOPInstanceUID in srs
    report = site.report(uid)
    assert (report["id"], report["status"]) == (old_report["id"], "preliminary")
    observations = site.observations(uid)
    assert {status: len(found) for status, found in observations.items()} == {
        "preliminary": len(report["result"]),
        "entered-in-error": len(old_report["result"]),
    }
    named = {one["reference"].split("/")[1] for one in report["result"]}
    assert {one["id"] for one in observations["preliminary"]} == named


def test_a_withdrawn_model_takes_back_what_stands(site: Site) -> None:
    """Of a result that a reader accepted as well, in both archives and the report server."""
    paths = site.write("recalled", 8106)
    job = site.send(paths)
    site.review(job["job_id"], verdict="accept")
    version = job["model"]["version"]

    site.hospital.node.command("models", "recall", ID, version, "--reason", "It mixes up left and right.")

    site.wait_for(job["job_id"], "WITHDRAWN")
    uid = uid_of(paths)
    assert site.report(uid)["status"] == "entered-in-error"
    assert set(site.observations(uid)) == {"entered-in-error"}
    (rejection,) = (
        one for one in site.hospital.archived(uid, "KO") if one.ConceptNameCodeSequence[0].CodeValue == "113001"
    )
    (request,) = rejection.CurrentRequestedProcedureEvidenceSequence
    rejected = {
        str(item.ReferencedSOPInstanceUID)
        for series in request.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert {str(sr.SOPInstanceUID) for sr in site.hospital.archived(uid, "SR")} < rejected
