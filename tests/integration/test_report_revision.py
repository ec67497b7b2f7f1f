"""A later result takes the place of an earlier one on a real HAPI FHIR server, and nothing is doubled."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from inference.domain.result import Report
from inference.errors import FHIRUnavailable
from integrations.fhir.client import HAPIReportSink, RetryPolicy
from integrations.fhir.mapping import report_bundle
from integrations.system import SystemClock
from tests.support.fhir_server import FHIRServer
from tests.support.reports import Names, accepted, full_report, refused_report

pytestmark = pytest.mark.integration

Resource = dict[str, Any]
KEPT_WITHOUT_REPORT = ("Patient", "Device", "ImagingStudy", "Observation")


@pytest.fixture
def sink(fhir_server: FHIRServer) -> Iterator[HAPIReportSink]:
    """Give a client of the server."""
    with httpx.Client(timeout=120) as client:
        yield HAPIReportSink(fhir_server.base_url, client, SystemClock(), RetryPolicy(attempts=12))


def run(number: int, *, of: int, hours: int = 0) -> Report:
    """Give the report of one of several runs on a series."""
    return full_report(Names(report=number, study=of, series=of), lineage=of, hours=hours)


def reports_of(server: FHIRServer, lineage: int) -> list[Resource]:
    """Give the DiagnosticReports of a lineage."""
    return server.search("DiagnosticReport", identifier=f"urn:neuronova:lineage|2.25.600.{lineage}")


def observations_of(server: FHIRServer, report: Report) -> list[Resource]:
    """Give the Observations of a report, also those that it does not name."""
    found = server.search("Observation", **{"derived-from:ImagingStudy.identifier": study_of(report)})
    return [one for one in found if one["identifier"][0]["value"].startswith(f"{report.report_uid}/")]


def study_of(report: Report) -> str:
    """Give the search for a report's study."""
    return f"urn:dicom:uid|urn:oid:{report.source.study_instance_uid}"


def statuses(resources: list[Resource]) -> set[str]:
    """Give the statuses, each once."""
    return {one["status"] for one in resources}


def test_a_changed_run_takes_the_place_of_the_earlier_one(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """One report at one address, its observations new, the old ones in error, and the provenance says what it was."""
    first, second = run(2000, of=2000), run(2001, of=2000, hours=1)
    address = sink.store(first)
    before = fhir_server.counts()
    assert sink.store(second) == address
    after = fhir_server.counts()
    assert {kind: after[kind] - before[kind] for kind in after if after[kind] != before[kind]} == {
        "Observation": 5,
        "Provenance": 1,
    }
    (diagnostic,) = reports_of(fhir_server, 2000)
    assert diagnostic["status"] == "preliminary"
    assert diagnostic["identifier"][0]["value"] == f"urn:oid:{second.report_uid}"
    assert len(diagnostic["result"]) == 5
    assert statuses(observations_of(fhir_server, second)) == {"preliminary"}
    old = observations_of(fhir_server, first)
    assert statuses(old) == {"entered-in-error"}
    assert [one["note"] for one in old] == [[{"text": "Replaced by a newer analysis."}]] * 5
    provenances = fhir_server.search("Provenance", target=f"DiagnosticReport/{diagnostic['id']}")
    named = [e for one in provenances for e in one["entity"] if e["role"] == "revision"]
    assert [one["what"]["identifier"]["value"] for one in named] == [f"urn:oid:{first.report_uid}"]
    assert [fault for one in (diagnostic, *old, *provenances) for fault in fhir_server.faults(one)] == []


def test_late_repeats_change_nothing(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """Neither of the newer report nor of the older one, which does not come back."""
    first, second = run(2010, of=2010), run(2011, of=2010, hours=1)
    address = sink.store(first)
    sink.store(second)
    before, counts = reports_of(fhir_server, 2010), fhir_server.counts()
    assert [sink.store(one) for one in (first, second, first)] == [address] * 3
    assert reports_of(fhir_server, 2010) == before
    assert fhir_server.counts() == counts
    assert statuses(observations_of(fhir_server, first)) == {"entered-in-error"}


def test_an_older_result_that_comes_late_is_left(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """Its delivery had waited; what it would say is out of date."""
    late, second = run(2020, of=2020), run(2021, of=2020, hours=1)
    address = sink.store(second)
    assert sink.store(late) == address
    assert observations_of(fhir_server, late) == []
    assert len(reports_of(fhir_server, 2020)) == 1


def test_what_a_lost_race_left_behind_is_taken_back(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """Observations were stored, but another writer's later report came before their own."""
    late, second = run(2025, of=2025), run(2026, of=2025, hours=1)
    address = sink.store(second)
    bundle = report_bundle(late)
    bundle["entry"] = [e for e in bundle["entry"] if e["resource"]["resourceType"] in KEPT_WITHOUT_REPORT]
    assert httpx.post(fhir_server.base_url, json=bundle, timeout=60).status_code == httpx.codes.OK
    assert statuses(observations_of(fhir_server, late)) == {"preliminary"}
    assert sink.store(late) == address
    assert statuses(observations_of(fhir_server, late)) == {"entered-in-error"}
    assert statuses(observations_of(fhir_server, second)) == {"preliminary"}


def test_a_run_that_comes_back_is_valid_again(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """After a change of models and back the answer is the first one, made anew: its observations are as new."""
    first, second, again = run(2030, of=2030), run(2031, of=2030, hours=1), run(2030, of=2030, hours=2)
    for report in (first, second, again):
        sink.store(report)
    assert statuses(observations_of(fhir_server, again)) == {"preliminary"}
    assert len(observations_of(fhir_server, again)) == 5
    assert statuses(observations_of(fhir_server, second)) == {"entered-in-error"}


def test_what_a_person_had_reviewed_is_amended_and_says_so(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """The reader of a final report must see that nobody has reviewed what stands there now."""
    first, second = run(2040, of=2040), run(2041, of=2040, hours=5)
    sink.review(first, accepted(first))
    sink.store(second)
    (diagnostic,) = reports_of(fhir_server, 2040)
    assert diagnostic["status"] == "amended"
    assert diagnostic["conclusion"].startswith(
        "Automatic result, not reviewed by a person, that replaces a reviewed one."
    )
    assert not {"resultsInterpreter", "performer"} & set(diagnostic)
    assert fhir_server.faults(diagnostic) == []


def test_a_later_analysis_replaces_a_review_that_came_after_it(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """The review was of the earlier result: what counts is when the analyses were made."""
    first, second = run(2045, of=2045), run(2046, of=2045, hours=1)
    sink.review(first, accepted(first, hours=3))
    sink.store(second)
    (diagnostic,) = reports_of(fhir_server, 2045)
    assert diagnostic["identifier"][0]["value"] == f"urn:oid:{second.report_uid}"


def test_what_a_person_added_to_the_report_stays(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """An observation by hand is not ours to take away."""
    first, second = run(2050, of=2050), run(2051, of=2050, hours=1)
    address = sink.store(first)
    by_hand = {"resourceType": "Observation", "status": "final", "code": {"text": "by hand"}}
    place = httpx.post(f"{fhir_server.base_url}/Observation", json=by_hand, timeout=60).json()
    diagnostic = httpx.get(address, timeout=60).json()
    diagnostic["result"].append({"reference": f"Observation/{place['id']}"})
    assert httpx.put(address, json=diagnostic, timeout=60).status_code == httpx.codes.OK
    sink.store(second)
    assert {"reference": f"Observation/{place['id']}"} in httpx.get(address, timeout=60).json()["result"]
    assert fhir_server.get(f"Observation/{place['id']}")["status"] == "final"


def test_a_withdrawn_lineage_gets_a_new_report(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """The withdrawn one stays withdrawn, also when either is repeated."""
    first, second = run(2060, of=2060), run(2061, of=2060, hours=1)
    address = sink.store(first)
    sink.withdraw(first, "left and right were exchanged")
    other = sink.store(second)
    assert other != address
    assert [sink.store(first), sink.store(second)] == [address, other]
    found = {one["identifier"][0]["value"]: one["status"] for one in reports_of(fhir_server, 2060)}
    assert found == {
        f"urn:oid:{first.report_uid}": "entered-in-error",
        f"urn:oid:{second.report_uid}": "preliminary",
    }


def test_the_first_answer_comes_back_after_the_second_was_withdrawn(
    fhir_server: FHIRServer, sink: HAPIReportSink
) -> None:
    """It has a report that stands, its observations are as new, and the withdrawn one stays withdrawn."""
    first, second, again = run(2300, of=2300), run(2301, of=2300, hours=1), run(2300, of=2300, hours=2)
    address = sink.store(first)
    sink.store(second)
    sink.withdraw(second, "left and right were exchanged")
    renewed = sink.store(again)
    assert renewed != address
    assert sink.store(again) == renewed
    found = {one["identifier"][0]["value"]: one["status"] for one in reports_of(fhir_server, 2300)}
    assert found == {
        f"urn:oid:{second.report_uid}": "entered-in-error",
        f"urn:oid:{again.report_uid}": "preliminary",
    }
    assert statuses(observations_of(fhir_server, again)) == {"preliminary"}
    assert statuses(observations_of(fhir_server, second)) == {"entered-in-error"}


def test_withdrawing_what_was_replaced_leaves_the_later_one(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """The order to withdraw names the earlier result only."""
    first, second = run(2065, of=2065), run(2066, of=2065, hours=1)
    sink.store(first)
    sink.store(second)
    sink.withdraw(first, "it was wrong")
    assert statuses(reports_of(fhir_server, 2065)) == {"preliminary"}
    assert statuses(observations_of(fhir_server, second)) == {"preliminary"}


def test_a_refusal_is_cancelled_and_a_result_takes_its_place(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """The reader sees first why there is nothing, then what there is."""
    names = Names(report=2070, study=2070, series=2070)
    address = sink.store(refused_report(names))
    (diagnostic,) = reports_of(fhir_server, 2070)
    assert diagnostic["status"] == "cancelled"
    assert diagnostic["conclusion"].startswith("Not analysed by Brain structures 1.2.0: two slices are missing.")
    assert diagnostic["conclusionCode"][0]["coding"] == [{"system": "urn:neuronova:code", "code": "geometry.gap"}]
    assert "result" not in diagnostic
    assert sink.store(run(2071, of=2070, hours=1)) == address
    (diagnostic,) = reports_of(fhir_server, 2070)
    assert (diagnostic["status"], len(diagnostic["result"])) == ("preliminary", 5)
    assert "not analysed" not in diagnostic["conclusion"].lower()


def test_a_refusal_does_not_take_away_what_a_person_reviewed(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """A result that nobody reviewed goes; a reviewed one stands until there is another."""
    seen = run(2080, of=2080)
    sink.review(seen, accepted(seen))
    sink.store(refused_report(Names(report=2081, study=2080, series=2080), hours=3))
    assert statuses(reports_of(fhir_server, 2080)) == {"final"}
    unseen = run(2085, of=2085)
    sink.store(unseen)
    sink.store(refused_report(Names(report=2086, study=2085, series=2085), hours=3))
    assert statuses(reports_of(fhir_server, 2085)) == {"cancelled"}
    assert statuses(observations_of(fhir_server, unseen)) == {"entered-in-error"}


def test_several_runs_written_at_once_end_in_the_last_one(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """HAPI lets one transaction through at a time; whoever loses looks again."""
    runs = [run(2090 + n, of=2090, hours=n) for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        addresses = set(pool.map(sink.store, runs))
    (diagnostic,) = reports_of(fhir_server, 2090)
    assert addresses == {f"{fhir_server.base_url}/DiagnosticReport/{diagnostic['id']}"}
    assert diagnostic["identifier"][0]["value"] == f"urn:oid:{runs[-1].report_uid}"
    assert statuses(observations_of(fhir_server, runs[-1])) == {"preliminary"}
    earlier = [one for report in runs[:-1] for one in observations_of(fhir_server, report)]
    assert statuses(earlier) <= {"entered-in-error"}
    assert len(fhir_server.search("ImagingStudy", identifier=study_of(runs[0]))) == 1


@pytest.mark.parametrize("fault", [500, 409, 429, "timeout", "answer lost"])
def test_a_server_with_faults_ends_in_the_right_state(fhir_server: FHIRServer, fault: int | str) -> None:
    """The second request of a changed run meets the fault, also after it was carried out; the repeat heals it."""
    number = 2100 + 10 * [500, 409, 429, "timeout", "answer lost"].index(fault)
    first, second = run(number, of=number), run(number + 1, of=number, hours=1)
    with httpx.Client(transport=Faulty(fault), timeout=60) as client:
        sink = HAPIReportSink(fhir_server.base_url, client, SystemClock())
        with httpx.Client(timeout=60) as sound:
            address = HAPIReportSink(fhir_server.base_url, sound, SystemClock()).store(first)
        if fault != 409:
            with pytest.raises(FHIRUnavailable):
                sink.store(second)
        assert [sink.store(second), sink.store(second)] == [address] * 2
    (diagnostic,) = reports_of(fhir_server, number)
    assert diagnostic["identifier"][0]["value"] == f"urn:oid:{second.report_uid}"
    assert len(observations_of(fhir_server, second)) == 5
    assert statuses(observations_of(fhir_server, second)) == {"preliminary"}
    assert statuses(observations_of(fhir_server, first)) == {"entered-in-error"}


class Faulty(httpx.BaseTransport):
    """Lets everything through but the first transaction, which meets a fault.

    Parameters
    ----------
    fault
        A status, ``timeout`` before the request arrives, or ``answer lost`` after it was carried out.
    """

    def __init__(self, fault: int | str) -> None:
        self._fault: int | str | None = fault
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        fault = self._fault
        if fault is None or request.url.path.endswith("_search"):
            return self._inner.handle_request(request)
        self._fault = None
        if isinstance(fault, int):
            return httpx.Response(fault, json={}, headers={"Retry-After": "3600"})
        if fault == "answer lost":
            self._inner.handle_request(request).read()
        raise httpx.ReadTimeout("too late", request=request)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()
