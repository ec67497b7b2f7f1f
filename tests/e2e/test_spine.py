"""A study arrives at the archive, and its result is in the archive, in the report server and in the API."""

from __future__ import annotations

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.e2e.conftest import Answered
from tests.support.dcmtk import storescu
from tests.support.hospital import Hospital
from tests.support.segmentation_reader import read_segments

pytestmark = pytest.mark.e2e

STAGES = ["volume", "preprocess", "infer", "postprocess", "measure", "encode", "deliver", "report"]


def test_api_shows_the_job_completed_with_the_time_of_every_stage(answered: Answered) -> None:
    """The API must show the state, what decided completeness, and a time for each stage in order."""
    assert answered.job["state"] == "COMPLETED", answered.job
    assert [stage["stage"] for stage in answered.job["stages"]] == STAGES
    assert all(stage["seconds"] >= 0 for stage in answered.job["stages"])
    (series,) = answered.study["series"]
    assert series["decision"] == "analysed"
    assert series["evidence"] == "archive_count"
    assert series["instance_count"] == len(answered.paths)


def test_archive_holds_seg_with_references_to_the_sources(answered: Answered, hospital: Hospital) -> None:
    """The SEG must lie in the source's study and frame of reference, and cite only instances that were sent."""
    (seg,) = hospital.archived(answered.study_uid, "SEG")
    source = dcmread(answered.paths[0], stop_before_pixels=True)
    sent = {str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in answered.paths}
    cited = {uid for segment in read_segments(seg).values() for uid, _ in segment.sources}
    referenced = {str(i.ReferencedSOPInstanceUID) for i in seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence}
    assert seg.PatientID == source.PatientID
    assert seg.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == source.SeriesInstanceUID
    assert cited <= referenced <= sent


def test_archive_holds_sr_that_cites_segmentation_and_sources(answered: Answered, hospital: Hospital) -> None:
    """The SR must be a TID 1500 report, complete, not verified, and name the SEG and instances that were sent."""
    (sr,) = hospital.archived(answered.study_uid, "SR")
    (seg,) = hospital.archived(answered.study_uid, "SEG")
    sent = {str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in answered.paths}
    cited = set(_referenced_instances(sr))
    assert sr.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert (sr.CompletionFlag, sr.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    assert str(seg.SOPInstanceUID) in cited
    assert cited - {str(seg.SOPInstanceUID)} <= sent


def test_seg_sr_and_report_share_one_identity(answered: Answered, hospital: Hospital) -> None:
    """Each finding must carry the same tracking UID in SEG, SR and FHIR."""
    (seg,) = hospital.archived(answered.study_uid, "SEG")
    (sr,) = hospital.archived(answered.study_uid, "SR")
    in_seg = {segment.tracking_uid for segment in read_segments(seg).values()}
    in_sr = {str(item.UID) for item in _content_items(sr) if item.ValueType == "UIDREF" and _code(item) == "112040"}
    in_fhir = str(_observations(answered, hospital))
    assert in_seg == in_sr
    assert all(uid in in_fhir for uid in in_seg)


def test_report_server_holds_the_report_and_its_observations(answered: Answered, hospital: Hospital) -> None:
    """One preliminary DiagnosticReport of the study, whose Observations carry the API's numbers in UCUM."""
    (report,) = hospital.reports(answered.study_uid)
    measured = {
        observation["code"].get("text", ""): observation["valueQuantity"]
        for observation in _observations(answered, hospital)
    }
    values = sorted(round(quantity["value"], 2) for quantity in measured.values())
    wanted = sorted(round(m["value"], 2) for m in answered.job["measurements"])
    assert report["status"] == "preliminary"
    assert values == pytest.approx(wanted, abs=0.02)
    assert {quantity["system"] for quantity in measured.values()} == {"http://unitsofmeasure.org"}


def test_stored_resources_are_valid(answered: Answered, hospital: Hospital) -> None:
    """The server's own validator must find no error in anything the report consists of."""
    (report,) = hospital.reports(answered.study_uid)
    references = [report["subject"], *report["imagingStudy"]]
    resources = [report, *_observations(answered, hospital), *(hospital.fhir.get(r["reference"]) for r in references)]
    resources += hospital.fhir.search("Provenance", target=f"DiagnosticReport/{report['id']}")
    assert {r["resourceType"] for r in resources} >= {
        "DiagnosticReport", "Observation", "Patient", "ImagingStudy", "Provenance",
    }  # fmt: skip
    assert [fault for resource in resources for fault in hospital.fhir.faults(resource)] == []


def test_sending_the_study_again_changes_nothing(answered: Answered, hospital: Hospital) -> None:
    """A study that comes twice must leave archive, report server and API as they were."""
    before = (hospital.orthanc.statistics()["CountInstances"], hospital.fhir.counts(), _without_times(answered.study))
    storescu(hospital.node.dicom_port, answered.paths)
    storescu(hospital.orthanc.dicom_port, answered.paths, called="ORTHANC")
    study = hospital.wait_until_decided(answered.study_uid)
    after = (hospital.orthanc.statistics()["CountInstances"], hospital.fhir.counts(), _without_times(study))
    assert after == before


def test_running_a_series_again_leaves_one_answer(answered: Answered, hospital: Hospital) -> None:
    """The same model on the same series is the same answer: the archive and the report server gain nothing by it."""
    before = (hospital.orthanc.statistics()["CountInstances"], hospital.fhir.counts())
    order = {"series_uid": answered.study["series"][0]["series_uid"], "model_id": answered.job["model"]["id"]}
    (created,) = hospital.client.post("/api/jobs", json=order).json()["jobs"]
    hospital.wait_until_decided(answered.study_uid)
    again = hospital.job(created["job_id"])
    assert (again["state"], again["run"]) == ("COMPLETED", 1), again
    assert again["report"] == answered.job["report"]
    assert (hospital.orthanc.statistics()["CountInstances"], hospital.fhir.counts()) == before


def test_logs_hold_no_patient_data(answered: Answered, hospital: Hospital) -> None:
    """No name or identifier may be in any log (a value of two digits is everywhere, and tells nothing)."""
    source = dcmread(answered.paths[0], stop_before_pixels=True)
    identifying = [str(source.PatientName), str(source.PatientID), str(source.AccessionNumber), answered.study_uid]
    logs = hospital.node.logs()
    assert "job.claimed" in logs
    assert [value for value in identifying if len(value) > 4 and value in logs] == []


def _observations(answered: Answered, hospital: Hospital) -> list[dict[str, object]]:
    (report,) = hospital.reports(answered.study_uid)
    return [hospital.fhir.get(result["reference"]) for result in report["result"]]


def _content_items(data_set: Dataset) -> list[Dataset]:
    items = list(data_set.get("ContentSequence", []))
    return items + [inner for item in items for inner in _content_items(item)]


def _code(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue) if "ConceptNameCodeSequence" in item else ""


def _referenced_instances(sr: Dataset) -> list[str]:
    references = [r for item in _content_items(sr) for r in item.get("ReferencedSOPSequence", [])]
    return [str(reference.ReferencedSOPInstanceUID) for reference in references]


def _without_times(study: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in study.items() if not key.endswith("_at")}
