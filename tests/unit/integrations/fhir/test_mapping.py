"""A report becomes an R4 transaction that can be repeated, and that claims nothing it does not know."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import pytest

from inference.domain.codes import LEFT, NEOPLASM, RIGHT, Code
from inference.domain.result import NameGroup, Report, Subject
from inference.errors import FHIRRejected
from integrations.fhir.mapping import report_bundle
from tests.support.reports import (
    PDF,
    SEOUL,
    Names,
    findings_report,
    full_report,
    make_report,
    refused_report,
    tumor_report,
)


def resources(report: Report, kind: str) -> list[dict[str, Any]]:
    """Give the resources of a type in the bundle of a report."""
    entries = report_bundle(report)["entry"]
    return [entry["resource"] for entry in entries if entry["resource"]["resourceType"] == kind]


def only(report: Report, kind: str) -> dict[str, Any]:
    """Give the one resource of a type."""
    (resource,) = resources(report, kind)
    return resource


def with_subject(**changes: Any) -> Report:
    """Give a report about somebody else."""
    report = make_report()
    return replace(report, subject=replace(report.subject, **changes))


def with_source(**changes: Any) -> Report:
    """Give a report about another source."""
    report = make_report()
    return replace(report, source=replace(report.source, **changes))


def test_the_same_report_gives_the_same_bundle() -> None:
    """Also its temporary addresses."""
    assert json.dumps(report_bundle(make_report())) == json.dumps(report_bundle(make_report()))


def test_no_entry_is_posted_blind() -> None:
    """Every entry is conditional on an identifier, or written under an id of our making."""
    for entry in report_bundle(make_report())["entry"]:
        request = entry["request"]
        if request["method"] == "PUT":
            assert request["url"] == f"Provenance/{entry['resource']['id']}"
            continue
        identifier = entry["resource"]["identifier"][0]
        assert unquote(request["ifNoneExist"]) == f"identifier={identifier['system']}|{identifier['value']}"


def test_characters_with_a_meaning_in_searches_are_escaped() -> None:
    """A PatientID may hold any of them."""
    (patient, *_) = report_bundle(with_subject(patient_id="a|b,c$d\\e&f"))["entry"]
    assert unquote(patient["request"]["ifNoneExist"]).endswith("|a\\|b\\,c\\$d\\\\e&f")
    assert "&" not in patient["request"]["ifNoneExist"]


def test_two_studies_of_a_patient_share_the_patient_only() -> None:
    """Conditions are equal for Patient and Device, and differ for the rest."""
    first, second = (
        {e["request"].get("ifNoneExist", e["request"]["url"]) for e in report_bundle(make_report(names))["entry"]}
        for names in (Names(), Names(report=2, study=2))
    )
    kinds = sorted(unquote(condition).split("|")[0] for condition in first & second)
    assert kinds == ["identifier=urn:neuronova:model", "identifier=urn:neuronova:patient-id:Hospital%20A"]


def test_another_report_on_the_same_study_shares_study_patient_and_device() -> None:
    """A re-run makes another report, not another study."""
    first, second = (
        {e["request"].get("ifNoneExist", e["request"]["url"]) for e in report_bundle(make_report(names))["entry"]}
        for names in (Names(), Names(report=2))
    )
    assert len(first & second) == 3


def test_the_patient_is_who_the_source_says() -> None:
    """Identifier of the issuer, name, gender and birth date."""
    patient = only(make_report(), "Patient")
    assert patient["identifier"][0]["system"] == "urn:neuronova:patient-id:Hospital%20A"
    assert patient["identifier"][0]["value"] == "P-1"
    assert patient["name"] == [{"family": "홍", "given": ["길동"]}]
    assert (patient["gender"], patient["birthDate"]) == ("male", "1980-01-02")


def test_every_form_of_a_name_is_told() -> None:
    """Alphabetic, ideographic and phonetic, each said to be what it is (HL7 V3 EntityNameUse, iso21090)."""
    names = (
        NameGroup("ABC", "Hong", "Gildong", middle="K", prefix="Dr", suffix="PhD"),
        NameGroup("IDE", "洪", "吉洞"),
    )
    said = only(with_subject(names=names), "Patient")["name"]
    assert [name.pop("extension")[0]["valueCode"] for name in said] == ["ABC", "IDE"]
    assert said == [
        {"family": "Hong", "given": ["Gildong", "K"], "prefix": ["Dr"], "suffix": ["PhD"]},
        {"family": "洪", "given": ["吉洞"]},
    ]


def test_a_name_in_one_other_form_says_which() -> None:
    """Only an alphabetic name needs no word."""
    (name,) = only(with_subject(names=(NameGroup("IDE", "洪", "吉洞"),)), "Patient")["name"]
    assert name["extension"][0]["valueCode"] == "IDE"


def test_the_same_number_of_another_issuer_is_another_patient() -> None:
    """Numbers mean a patient only where they were issued."""
    systems = {only(with_subject(issuer=i), "Patient")["identifier"][0]["system"] for i in ("", "A", "B")}
    assert len(systems) == 3


def test_an_unidentified_patient_is_known_by_the_study_alone() -> None:
    """Two anonymous studies must not become one person."""
    nobody = Subject("", "", "", "", "", "")
    first, second = (only(make_report(Names(study=study, subject=nobody)), "Patient") for study in (1, 2))
    assert first["identifier"][0]["system"] == "urn:neuronova:patient-of-study"
    assert first["identifier"] != second["identifier"]
    assert set(first) == {"resourceType", "identifier"}


def test_the_study_is_identified_as_fhir_wants_it() -> None:
    """``urn:oid:`` for the study, bare UIDs for series and instances, the accession number typed."""
    report = make_report()
    study = only(report, "ImagingStudy")
    known, accession = study["identifier"]
    assert known == {"system": "urn:dicom:uid", "value": f"urn:oid:{report.source.study_instance_uid}"}
    assert (accession["type"]["coding"][0]["code"], accession["value"]) == ("ACSN", "ACC-1")
    assert [series["modality"]["code"] for series in study["series"]] == ["MR", "SEG", "SR"]
    assert study["series"][0]["uid"] == report.source.series_instance_uid
    assert study["series"][0]["numberOfInstances"] == 3
    assert study["series"][1]["instance"][0]["uid"] == report.evidence[0].identity.sop_instance_uid


def test_without_accession_number_there_is_none() -> None:
    """Empty values are left out."""
    study = only(with_source(accession_number="", study_description="", series_description=""), "ImagingStudy")
    assert len(study["identifier"]) == 1
    assert "description" not in study
    assert "description" not in study["series"][0]


def test_a_modality_that_is_no_code_is_other() -> None:
    """The element is mandatory."""
    assert only(with_source(modality="m r"), "ImagingStudy")["modality"][0]["code"] == "OT"


@pytest.mark.parametrize(
    ("started_at", "expected"),
    [
        (datetime(2026, 1, 2, 9, 30, tzinfo=SEOUL), "2026-01-02T09:30:00+09:00"),
        (datetime(2026, 1, 2, tzinfo=SEOUL), "2026-01-02"),
        (None, None),
    ],
)
def test_the_time_of_the_study_is_said_as_far_as_it_is_known(
    started_at: datetime | None, expected: str | None
) -> None:
    """With its zone; only the date where there is no time; nothing rather than a guess."""
    report = with_source(started_at=started_at)
    said = [only(report, "DiagnosticReport").get("effectiveDateTime"), only(report, "ImagingStudy").get("started")]
    said += [observation.get("effectiveDateTime") for observation in resources(report, "Observation")]
    assert set(said) == {expected}


def test_each_measurement_is_a_preliminary_observation_with_a_ucum_value() -> None:
    """Found again by report and tracking UID, and by the tracking UID alone."""
    report = make_report()
    observations = resources(report, "Observation")
    assert len(observations) == 3
    first, *_, total = observations
    assert first["valueQuantity"] == {
        "value": 15.1235,
        "unit": "mL",
        "system": "http://unitsofmeasure.org",
        "code": "mL",
    }
    assert first["code"]["coding"][0] == {
        "system": "http://snomed.info/sct",
        "code": "118565006",
        "display": "Volume",
    }
    assert first["bodySite"]["coding"][0]["code"] == "42695009"
    tracking = report.measurements[0].tracking_uid
    assert first["identifier"][0]["value"] == f"{report.report_uid}/{tracking}"
    assert first["identifier"][1] == {"system": "urn:dicom:uid", "value": f"urn:oid:{tracking}"}
    assert [i["value"] for i in total["identifier"]] == [f"{report.report_uid}/total-2"]
    assert {observation["status"] for observation in observations} == {"preliminary"}


def test_the_report_is_preliminary_radiology_and_no_diagnosis() -> None:
    """It says so in words, with what was not found and what a reader should know."""
    diagnostic = only(make_report(), "DiagnosticReport")
    assert diagnostic["status"] == "preliminary"
    assert [category["coding"][0]["code"] for category in diagnostic["category"]] == ["LP29684-5", "RAD"]
    assert diagnostic["code"]["coding"][0]["code"] == "24590-2"
    assert len(diagnostic["result"]) == 3
    assert diagnostic["conclusion"].startswith("Research use only. Not for diagnosis.")
    assert "Looked for and not found: Hippocampus." in diagnostic["conclusion"]
    assert "One slice is missing" in diagnostic["conclusion"]


def test_a_report_without_results_has_none() -> None:
    """FHIR has no empty lists."""
    report = replace(make_report(), measurements=(), absent=(), warnings=())
    diagnostic = only(report, "DiagnosticReport")
    assert "result" not in diagnostic
    assert "not found" not in diagnostic["conclusion"]


def test_provenance_names_report_objects_source_and_model() -> None:
    """Who reads a SEG's UID finds what made it."""
    report = make_report()
    bundle = report_bundle(report)
    addresses = {entry["resource"]["resourceType"]: entry["fullUrl"] for entry in bundle["entry"]}
    provenance = only(report, "Provenance")
    assert provenance["target"][0] == {"reference": addresses["DiagnosticReport"]}
    named = {target["identifier"]["value"] for target in provenance["target"][1:]}
    assert named == {f"urn:oid:{item.identity.sop_instance_uid}" for item in report.evidence}
    assert provenance["agent"][0]["who"] == {"reference": addresses["Device"]}
    assert provenance["entity"][0]["what"] == {"reference": addresses["ImagingStudy"]}


def quantities(observation: dict[str, Any]) -> dict[str, tuple[float, str]]:
    """Give the components of an Observation by their text: value and UCUM code."""
    return {
        component["code"]["text"]: (component["valueQuantity"]["value"], component["valueQuantity"]["code"])
        for component in observation.get("component", [])
    }


def presence(observation: dict[str, Any]) -> tuple[str, str]:
    """Give code and display of an Observation's value."""
    coding = observation["valueCodeableConcept"]["coding"][0]
    assert coding["system"] == "http://snomed.info/sct"
    return coding["code"], coding["display"]


def test_a_tumor_is_an_observation_with_volume_confidence_and_place() -> None:
    """Before the measurements, found by the report, and in millimetres of the patient."""
    report = tumor_report()
    tumor, volume = resources(report, "Observation")
    assert tumor["code"]["coding"][0]["code"] == "108369006"
    assert presence(tumor) == ("52101004", "Present")
    assert quantities(tumor) == {
        "Probability": (87.5, "%"),
        "Volume": (3.25, "mL"),
        "Location x, towards the patient's left": (-12.5, "mm"),
        "Location y, towards the back": (30.25, "mm"),
        "Location z, towards the head": (41.0, "mm"),
    }
    assert tumor["bodySite"]["coding"][0]["code"] == "12738006"
    assert [i["value"] for i in tumor["identifier"]] == [f"{report.report_uid}/tumor"]
    assert volume["valueQuantity"]["value"] == 3.25


def test_every_observation_of_a_report_is_its_result() -> None:
    """In one bundle, so that all or none is stored."""
    for report in (tumor_report(), tumor_report(found=False), findings_report(), make_report()):
        entries = report_bundle(report)["entry"]
        urls = [e["fullUrl"] for e in entries if e["resource"]["resourceType"] == "Observation"]
        assert [result["reference"] for result in only(report, "DiagnosticReport")["result"]] == urls
        assert len(set(urls)) == len(urls) > 0


def test_no_tumor_is_said_and_not_left_out() -> None:
    """With the probability, without volume and place."""
    report = tumor_report(found=False)
    (tumor,) = resources(report, "Observation")
    assert presence(tumor) == ("272519000", "Absent")
    assert quantities(tumor) == {"Probability": (12.0, "%")}
    diagnostic = only(report, "DiagnosticReport")
    assert "No tumour found (probability 12 %)." in diagnostic["conclusion"]
    assert diagnostic["conclusionCode"] == [{"text": "No finding"}]


def test_the_conclusion_of_a_tumor_is_coded_and_in_words() -> None:
    """For whoever reads no Observations."""
    diagnostic = only(tumor_report(), "DiagnosticReport")
    assert "Tumour found: 3.25 mL, probability 87.5 %." in diagnostic["conclusion"]
    assert [code["coding"][0]["code"] for code in diagnostic["conclusionCode"]] == ["108369006"]


def test_findings_are_observations_that_say_whether_they_are_there() -> None:
    """With their probability and place as far as they are known, under the tracking UID of the SR."""
    report = findings_report()
    first, second, third = resources(report, "Observation")
    assert [presence(o)[1] for o in (first, second, third)] == ["Present", "Present", "Absent"]
    assert quantities(first)["Probability"] == (93.4, "%")
    assert len(quantities(first)) == 4
    assert quantities(second) == {"Probability": (70.0, "%")}
    assert "component" not in third
    for observation, finding in zip((first, second, third), report.findings, strict=True):
        assert observation["code"]["coding"][0]["code"] == finding.label.type.value
        assert observation["identifier"] == [
            {"system": "urn:neuronova:observation", "value": f"{report.report_uid}/{finding.tracking_uid}"},
            {"system": "urn:dicom:uid", "value": f"urn:oid:{finding.tracking_uid}"},
        ]


def test_a_finding_is_coded_once_in_the_conclusion() -> None:
    """However often it is there; what is absent is said in words."""
    diagnostic = only(findings_report(), "DiagnosticReport")
    assert [code["text"] for code in diagnostic["conclusionCode"]] == ["Tumour (2)"]
    assert (
        "Tumour 1: present, probability 93.4 %. Tumour 2: present, probability 70 %. Edema: absent."
        in (diagnostic["conclusion"])
    )


def test_what_several_labels_say_by_one_code_is_named_by_all_of_them() -> None:
    """A left and a right one are one code, and a reader of the code still learns of both."""
    report = findings_report()
    first, second, _ = report.findings
    left, right = (replace(first.label, laterality=side) for side in (LEFT, RIGHT))
    both = (replace(first, label=left), replace(second, label=right), replace(second, label=right))
    diagnostic = only(replace(report, findings=both), "DiagnosticReport")
    (code,) = diagnostic["conclusionCode"]
    assert code["text"] == "Left Tumour; Right Tumour (2)"


def test_a_finding_lies_where_its_label_says_and_on_its_side() -> None:
    """Of a label without a place of its own the model's region is the site."""
    report = findings_report()
    lobe = Code("83251001", "SCT", "Frontal lobe")
    sided_label = replace(report.findings[0].label, anatomy=lobe, laterality=LEFT)
    report = replace(report, findings=(replace(report.findings[0], label=sided_label), *report.findings[1:]))
    placed, unplaced, _ = resources(report, "Observation")
    assert placed["bodySite"]["coding"][0]["code"] == "83251001"
    assert placed["bodySite"]["text"] == "Left Frontal lobe"
    (structure,) = placed["contained"]
    assert structure["locationQualifier"][0]["coding"][0]["code"] == LEFT.value
    assert unplaced["bodySite"]["coding"][0]["code"] == report.region.value
    assert "contained" not in unplaced


def test_what_is_measured_of_a_lesion_is_no_site() -> None:
    """Where it lies is the site; what it is, a component."""
    report = tumor_report()
    lesion = replace(report.measurements[0], site=report.region, laterality=RIGHT)
    _, volume = resources(replace(report, measurements=(lesion,)), "Observation")
    assert volume["bodySite"]["coding"][0]["code"] == report.region.value
    assert volume["bodySite"]["text"] == "Right Brain"
    (what,) = volume["component"]
    assert what["code"]["coding"][0]["code"] == "121071"
    assert what["valueCodeableConcept"]["coding"][0]["code"] == NEOPLASM.value
    assert volume["code"]["text"] == "Right Tumour: Volume"


def test_a_segmentation_has_no_coded_conclusion() -> None:
    """Volumes of structures are no finding."""
    assert "conclusionCode" not in only(make_report(), "DiagnosticReport")


def test_every_source_series_is_named() -> None:
    """In the study and in the provenance, the reference first."""
    report = tumor_report()
    uids = [report.source.series_instance_uid, report.further_sources[0].series_instance_uid]
    study = only(report, "ImagingStudy")
    assert [series["uid"] for series in study["series"]][:2] == uids
    assert [series["modality"]["code"] for series in study["series"]] == ["MR", "MR", "SEG", "SR"]
    assert [modality["code"] for modality in study["modality"]] == ["MR"]
    entities = only(report, "Provenance")["entity"][1:]
    assert [entity["what"]["identifier"]["value"] for entity in entities] == [f"urn:oid:{uid}" for uid in uids]


def test_a_code_of_an_unknown_scheme_has_no_invented_system() -> None:
    """Better no system than a wrong one."""
    report = replace(make_report(), procedure=Code("X1", "99LOCAL", "Local procedure"))
    assert only(report, "DiagnosticReport")["code"]["coding"] == [{"code": "X1", "display": "Local procedure"}]


def test_what_does_not_fit_r4_is_refused_without_its_values() -> None:
    """The message says where, never what: it may be a name."""
    with pytest.raises(FHIRRejected, match="birthDate") as caught:
        report_bundle(with_subject(birth_date="SENTINEL"))
    assert "SENTINEL" not in str(caught.value)


def observation(report: Report, position: int) -> dict[str, Any]:
    """Give one Observation of a report."""
    return resources(report, "Observation")[position]


def test_a_usual_range_stands_beside_the_value_and_says_where_it_lies() -> None:
    """With the unit of the value; nothing where the model states no range."""
    thalamus, axis, _, caudate, _ = resources(full_report(), "Observation")
    (usual,) = thalamus["referenceRange"]
    assert [(usual[limit]["value"], usual[limit]["code"]) for limit in ("low", "high")] == [(4.5, "mL"), (9.0, "mL")]
    flags = [one["interpretation"][0]["coding"][0]["code"] for one in (thalamus, caudate)]
    assert flags == ["H", "L"]
    assert not {"referenceRange", "interpretation"} & set(axis)
    report = full_report()
    usual_one = replace(report.measurements[0], value=9.0)
    within = observation(replace(report, measurements=(usual_one,)), 0)
    assert within["interpretation"][0]["coding"][0]["code"] == "N"


def test_the_side_is_coded_in_a_body_structure_and_said_in_words() -> None:
    """The coded site stays the structure; the words name the side once."""
    thalamus, *_, caudate, total = resources(full_report(), "Observation")
    assert [one["bodySite"]["text"] for one in (thalamus, caudate)] == ["Left thalamus", "Left Caudate"]
    assert [coding["code"] for coding in thalamus["bodySite"]["coding"]] == ["42695009"]
    (structure,) = thalamus["contained"]
    assert structure["locationQualifier"][0]["coding"][0]["code"] == "7771000"
    assert thalamus["bodySite"]["extension"][0]["valueReference"] == {"reference": f"#{structure['id']}"}
    assert structure["patient"] == thalamus["subject"]
    assert "contained" not in total


def test_diameters_are_observations_of_their_own_with_the_same_tracking_uid() -> None:
    """No two have the same identifier of ours."""
    found = resources(full_report(), "Observation")
    own = [one["identifier"][0]["value"] for one in found]
    assert len(set(own)) == len(own) == 5
    assert found[0]["identifier"][1] == found[1]["identifier"][1] == found[2]["identifier"][1]
    assert [one["valueQuantity"]["code"] for one in found[1:3]] == ["mm", "mm"]


def test_page_and_pdf_are_presented_with_size_and_hash() -> None:
    """SHA-1 as R4 wants it; the PDF only where one was made."""
    page, pdf = only(full_report(), "DiagnosticReport")["presentedForm"]
    assert [form["contentType"] for form in (page, pdf)] == ["text/html", "application/pdf"]
    assert base64.b64decode(pdf["data"]) == PDF
    for form in (page, pdf):
        content = base64.b64decode(form["data"])
        assert form["size"] == len(content)
        assert base64.b64decode(form["hash"]) == hashlib.sha1(content).digest()
        assert form["language"] == "en"
    assert len(only(make_report(), "DiagnosticReport")["presentedForm"]) == 1


def test_what_was_not_analysed_is_cancelled_and_coded() -> None:
    """With the reason's own code, and without results."""
    diagnostic = only(refused_report(), "DiagnosticReport")
    assert diagnostic["status"] == "cancelled"
    assert diagnostic["conclusion"].startswith("Not analysed by Brain structures 1.2.0: two slices are missing.")
    assert diagnostic["conclusionCode"] == [
        {
            "coding": [{"system": "urn:neuronova:code", "code": "geometry.gap"}],
            "text": "Not analysed: two slices are missing",
        }
    ]
    assert resources(refused_report(), "Observation") == []


def test_a_report_names_its_lineage_and_when_it_was_made() -> None:
    """Under these a later one finds it, and knows which of the two is later."""
    own, lineage = only(full_report(), "DiagnosticReport")["identifier"]
    assert own["period"] == {"start": "2026-01-02T12:30:00+00:00"}
    assert lineage == {"system": "urn:neuronova:lineage", "value": "2.25.600.1"}
    assert len(only(make_report(), "DiagnosticReport")["identifier"]) == 1


def test_a_site_names_the_system_of_its_patients_by_issuer() -> None:
    """Those of other issuers keep ours."""
    systems = {"Hospital A": "urn:hospital:mrn", "": "urn:hospital:unnamed"}
    for issuer, expected in [*systems.items(), ("B", "urn:neuronova:patient-id:B")]:
        (patient, *_) = report_bundle(with_subject(issuer=issuer), systems)["entry"]
        assert patient["resource"]["identifier"][0]["system"] == expected
        assert patient["resource"]["identifier"][0]["value"] == "P-1"


def test_an_order_is_referred_to_where_it_is_known() -> None:
    """And never made."""
    bundle = report_bundle(make_report(), order="ServiceRequest/7")
    (diagnostic,) = [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "DiagnosticReport"]
    assert diagnostic["basedOn"] == [{"reference": "ServiceRequest/7"}]
    assert "basedOn" not in only(make_report(), "DiagnosticReport")
