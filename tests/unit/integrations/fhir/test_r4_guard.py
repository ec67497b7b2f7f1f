"""What the R4B classes let through, measured, and an R4 server would refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from inference.errors import FHIRRejected
from integrations.fhir.mapping import report_bundle
from integrations.fhir.r4_guard import check_r4
from tests.support.reports import full_report, make_report

Bundle = dict[str, Any]


def entry_of(bundle: Bundle, kind: str) -> Bundle:
    """Give the first entry of a type."""
    entry: Bundle = next(e for e in bundle["entry"] if e["resource"]["resourceType"] == kind)
    return entry


def resource_of(bundle: Bundle, kind: str) -> Bundle:
    """Give the first resource of a type."""
    resource: Bundle = entry_of(bundle, kind)["resource"]
    return resource


def bogus_status(bundle: Bundle) -> None:
    """Say a word that R4B classes take and R4 does not know."""
    resource_of(bundle, "DiagnosticReport")["status"] = "bogus"


def bogus_gender(bundle: Bundle) -> None:
    """Put a DICOM value where FHIR has its own."""
    resource_of(bundle, "Patient")["gender"] = "M"


def bogus_name_type(bundle: Bundle) -> None:
    """Spoil a code in a list of items."""
    resource_of(bundle, "Device")["deviceName"][1]["type"] = "model"


def wrong_target(bundle: Bundle) -> None:
    """Name an Observation as the subject."""
    resource_of(bundle, "DiagnosticReport")["subject"] = {"reference": entry_of(bundle, "Observation")["fullUrl"]}


def dangling_reference(bundle: Bundle) -> None:
    """Refer to an address that is nowhere in the bundle."""
    resource_of(bundle, "Observation")["device"] = {"reference": "urn:uuid:00000000-0000-0000-0000-000000000000"}


def r4b_only_subject(bundle: Bundle) -> None:
    """Take an Organization as the subject, which R4B allows and R4 does not."""
    resource_of(bundle, "Observation")["subject"] = {"reference": "Organization/1"}


def blind_post(bundle: Bundle) -> None:
    """Leave the condition out: a repeat would make a second one."""
    del entry_of(bundle, "DiagnosticReport")["request"]["ifNoneExist"]


def same_address(bundle: Bundle) -> None:
    """Give two entries one address."""
    bundle["entry"][1]["fullUrl"] = bundle["entry"][0]["fullUrl"]


def other_kind_of_bundle(bundle: Bundle) -> None:
    """Ask for a batch, which may be stored by halves."""
    bundle["type"] = "batch"


def foreign_resource(bundle: Bundle) -> None:
    """Put in something that no report is made of."""
    bundle["entry"][0]["resource"] = {"resourceType": "Organization", "name": "x"}


def unknown_element(bundle: Bundle) -> None:
    """Add an element of R5."""
    resource_of(bundle, "DiagnosticReport")["composition"] = {"reference": "Composition/1"}


def wrong_hash(bundle: Bundle) -> None:
    """Say another document's hash."""
    resource_of(bundle, "DiagnosticReport")["presentedForm"][0]["hash"] = "AAAA"


def odd_document(bundle: Bundle) -> None:
    """Call a page something else."""
    resource_of(bundle, "DiagnosticReport")["presentedForm"][0]["contentType"] = "page"


def range_without_limits(bundle: Bundle) -> None:
    """Leave out both limits of a usual range (obs-3)."""
    resource_of(bundle, "Observation")["referenceRange"] = [{"type": {"text": "usual"}}]


def order_that_is_none(bundle: Bundle) -> None:
    """Name a report as the order."""
    resource_of(bundle, "DiagnosticReport")["basedOn"] = [{"reference": "DiagnosticReport/1"}]


def device_that_interprets(bundle: Bundle) -> None:
    """Name a machine as the one who interprets."""
    resource_of(bundle, "DiagnosticReport")["resultsInterpreter"] = [{"reference": "http://x.test/fhir/Device/1"}]


def dangling_inner_reference(bundle: Bundle) -> None:
    """Refer to something that the resource does not contain."""
    inner = {"url": "http://hl7.org/fhir/StructureDefinition/bodySite", "valueReference": {"reference": "#none"}}
    resource_of(bundle, "Observation")["bodySite"]["extension"] = [inner]


@pytest.mark.parametrize(
    ("spoil", "path"),
    [
        (wrong_hash, "size or hash"),
        (odd_document, "presentedForm.contentType"),
        (range_without_limits, "referenceRange"),
        (order_that_is_none, "basedOn.reference"),
        (device_that_interprets, "resultsInterpreter.reference"),
        (dangling_inner_reference, "valueReference.reference"),
        (bogus_status, "DiagnosticReport.status"),
        (bogus_gender, "Patient.gender"),
        (bogus_name_type, "Device.deviceName.type"),
        (wrong_target, "DiagnosticReport.subject.reference"),
        (dangling_reference, "Observation.device.reference"),
        (r4b_only_subject, "Observation.subject.reference"),
        (blind_post, "request"),
        (same_address, "fullUrl"),
        (other_kind_of_bundle, "Bundle.type"),
        (foreign_resource, "Organization"),
        (unknown_element, "composition"),
    ],
)
def test_a_fault_is_found_and_named(spoil: Callable[[Bundle], None], path: str) -> None:
    """By its path."""
    bundle = report_bundle(make_report())
    spoil(bundle)
    with pytest.raises(FHIRRejected, match=path):
        check_r4(bundle)


def test_an_update_under_a_known_id_is_conditional_enough() -> None:
    """That is how an existing study is extended."""
    bundle = report_bundle(make_report())
    entry_of(bundle, "ImagingStudy")["request"] = {"method": "PUT", "url": "ImagingStudy/1", "ifMatch": 'W/"1"'}
    check_r4(bundle)


def test_what_others_may_add_is_let_through() -> None:
    """A person may have linked an encounter; such elements are not ours to judge, only their form."""
    bundle = report_bundle(full_report(), order="http://ris.test/fhir/ServiceRequest/7/_history/2")
    diagnostic = resource_of(bundle, "DiagnosticReport")
    diagnostic["encounter"] = {"reference": "Encounter/3"}
    check_r4(bundle)
    diagnostic["encounter"] = {"reference": "nowhere"}
    with pytest.raises(FHIRRejected, match="encounter"):
        check_r4(bundle)
