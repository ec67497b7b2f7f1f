"""Stores reports on a FHIR R4 server, effectively once, also while others write about the same study."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from inference.domain.result import Report
from inference.domain.review import Review
from inference.errors import FHIRConflict
from inference.ports import Clock, ReportSink
from integrations.fhir import identifiers, provenance, revision
from integrations.fhir.lookup import Lookup
from integrations.fhir.mapping import report_bundle
from integrations.fhir.r4_guard import check_r4
from integrations.fhir.review import (
    can_be_reviewed,
    review_entries,
    reviewed_observation,
    reviewed_report,
    standing_results,
)
from integrations.fhir.transport import FHIRTransport, LostRace, update_of
from integrations.fhir.withdrawal import withdrawn

_PLACE: Final = re.compile(r"DiagnosticReport/[A-Za-z0-9.-]{1,64}")
_NOT_WITHDRAWN: Final = "status%3Anot=entered-in-error"

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How conflicts are waited out.

    Parameters
    ----------
    attempts
        Transactions tried in all.
    longest_wait_s
        The n-th wait is random, up to n times a quarter of this, and never over it.
    """

    attempts: int = 8
    longest_wait_s: float = 2.0


class HAPIReportSink(ReportSink):
    """Writes a report as one transaction; named after the server whose behaviour it was measured against.

    HAPI lets one of several concurrent transactions on the same identifiers through and answers 409 to the others, so
    409 and 412 are tried again after a short random wait. A server that is busy or away is left to the caller, who
    waits longer than any ``Retry-After`` asks for.

    Parameters
    ----------
    base_url
        Address of the FHIR endpoint.
    client
        Carries authentication, timeouts and certificates.
    clock
        Passes the waits.
    policy
        How often, and how long.
    patient_systems
        FHIR system of PatientID by its issuer, ``""`` for no issuer, where the site has systems of its own.
    """

    def __init__(
        self,
        base_url: str,
        client: httpx.Client,
        clock: Clock,
        policy: RetryPolicy = RetryPolicy(),
        patient_systems: Mapping[str, str] = identifiers.NO_SYSTEMS,
    ) -> None:
        self._server = FHIRTransport(base_url, client)
        self._lookup = Lookup(self._server, patient_systems)
        self._clock = clock
        self._policy = policy
        self._patient_systems = patient_systems
        self._random = random.SystemRandom()

    def store(self, report: Report) -> str:
        """Store the report and give the address of its DiagnosticReport.

        An earlier report of its lineage is replaced in place. What is there already stays as it is, also when a
        person has changed it meanwhile, and so does a later report.

        Raises
        ------
        FHIRUnavailable
            If the server does not answer, answers 408, 425, 429 or 5xx, or not as to a transaction.
        FHIRConflict
            If concurrent transactions won every time.
        FHIRRejected
            If the server refuses the content.
        """
        return self._repeated(lambda: self._store(report))

    def review(self, report: Report, review: Review) -> str:
        """Make the report final or amended on a person's word, and give its address; store it first if need be.

        The same review again changes nothing. A report that was withdrawn, replaced or reviewed later stays.

        Raises
        ------
        FHIRUnavailable, FHIRConflict, FHIRRejected
            As ``store``.
        """
        address = self.store(report)
        self._repeated(lambda: self._review(report, review))
        return address

    def withdraw(self, report: Report, reason: str) -> None:
        """Mark the report and its observations as entered in error, whatever became of them; all or none.

        Doing so again changes nothing, and a report that is not there is no error.

        Raises
        ------
        FHIRUnavailable, FHIRConflict, FHIRRejected
            As ``store``.
        """
        self._repeated(lambda: self._withdraw(report, reason))

    def _repeated(self, attempt: Callable[[], str | None]) -> str:
        """Make attempts until one gives an answer, and wait before each but the first."""
        for number in range(self._policy.attempts):
            if number > 0:
                self._clock.wait(self._wait_s(number))
            try:
                answer = attempt()
            except LostRace:
                continue
            if answer is not None:
                return answer
        raise FHIRConflict(f"{self._policy.attempts} transactions in a row lost against concurrent ones")

    def _store(self, report: Report) -> str | None:
        diagnostics, observations = self._lookup.lineage(report)
        same = [one for one in diagnostics if revision.is_of(one, report)]
        if same:
            self._complete_study(report)
            return self._address(same[0])
        last = revision.newest(diagnostics)
        if last is None or (revision.is_withdrawn(last) and revision.gives_way(last, report)):
            return self._create(report)
        if not revision.gives_way(last, report):
            self._drop_strays(report)
            return self._address(last)
        return self._replace(report, last, observations)

    def _create(self, report: Report) -> str | None:
        """Store a report whose lineage has none that stands; None where another made one meanwhile."""
        bundle = self._bundle(report)
        diagnostic = entry_of(bundle, "DiagnosticReport")
        if report.lineage_uid is not None:
            lineage = identifiers.search(identifiers.lineage(report.lineage_uid))
            diagnostic["request"]["ifNoneExist"] = f"{lineage}&{_NOT_WITHDRAWN}"
        _renew_observations(bundle)
        response = self._transact(bundle)
        if response is None or not response["status"].startswith("201"):
            return None
        place = _PLACE.search(response.get("location", ""))
        if place is not None:
            return f"{self._server.base_url}/{place[0]}"
        search = identifiers.search(diagnostic["resource"]["identifier"][0])
        return f"{self._server.base_url}/DiagnosticReport?{search}"

    def _replace(self, report: Report, earlier: Resource, observations: Sequence[Resource]) -> str | None:
        """Store a report in the place of an earlier one of its lineage, whose observations fall."""
        bundle = self._bundle(report)
        diagnostic, made = entry_of(bundle, "DiagnosticReport"), entry_of(bundle, "Provenance")
        wanted = revision.replacing(earlier, diagnostic["resource"], report)
        others = revision.results_of_others(earlier, observations)
        if others:
            wanted["result"] = [*wanted.get("result", []), *others]
        diagnostic |= update_of(earlier, wanted)
        made |= provenance.revising(made, earlier)
        _renew_observations(bundle)
        check_r4(bundle)
        fallen = [one for one in observations if revision.is_ours(one)]
        bundle["entry"] += self._updates(fallen, revision.replaced)
        return None if self._transact(bundle) is None else self._address(earlier)

    def _review(self, report: Report, review: Review) -> str | None:
        diagnostics, linked = self._lookup.lineage(report)
        stored = next((one for one in diagnostics if revision.is_of(one, report)), None)
        if stored is None or not can_be_reviewed(stored, review):
            return ""
        observations = self._lookup.observations(report)
        results = [_reference(one) for one in standing_results(observations, report, review)]
        results += revision.results_of_others(stored, linked)
        wanted = reviewed_report(stored, report, review, results)
        person, signed = review_entries(report, review)
        place = {"fullUrl": signed["resource"]["target"][0]["reference"]}
        changed = self._updates(observations, lambda one: reviewed_observation(one, report, review))
        bundle = _transaction([person, place | update_of(stored, wanted), *changed, signed])
        check_r4(bundle)
        self._server.transact(bundle["entry"])
        return ""

    def _withdraw(self, report: Report, reason: str) -> str | None:
        diagnostics, observations = self._lookup.lineage(report)
        stored = [one for one in (*diagnostics, *observations) if revision.is_of(one, report)]
        entries = self._updates(stored, lambda one: withdrawn(one, reason))
        if entries:
            self._server.transact(entries)
        return ""

    def _drop_strays(self, report: Report) -> None:
        """Take back what an attempt stored that another writer's later report then came before."""
        entries = self._updates(self._lookup.observations(report), revision.replaced)
        if entries:
            self._server.transact(entries)

    def _updates(self, stored: Sequence[Resource], change: Callable[[Resource], Resource]) -> list[Resource]:
        """Give the entries for what a change makes different."""
        return [self._server.update(was, now) for was in stored if (now := change(was)) != was]

    def _complete_study(self, report: Report) -> None:
        """Add our series to a study that another writer made while we stored the report."""
        entry = entry_of(report_bundle(report), "ImagingStudy")
        if self._lookup.join_study(entry) and entry["request"]["method"] == "PUT":
            self._server.transact([entry])

    def _bundle(self, report: Report) -> Resource:
        return report_bundle(report, self._patient_systems, self._lookup.order(report))

    def _transact(self, bundle: Resource) -> Resource | None:
        """Carry a report's transaction out and give the response to its DiagnosticReport.

        None where another writer made the study between our look and the transaction: our series are missing from
        it, and the next attempt adds them.
        """
        study = entry_of(bundle, "ImagingStudy")
        joined = self._lookup.join_study(study)
        responses = self._server.transact(bundle["entry"])
        kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
        made = responses[kinds.index("ImagingStudy")]["status"].startswith("201")
        return responses[kinds.index("DiagnosticReport")] if joined or made else None

    def _wait_s(self, attempt: int) -> float:
        longest = self._policy.longest_wait_s
        return self._random.uniform(0, min(longest, attempt * longest / 4))

    def _address(self, diagnostic: Resource) -> str:
        return f"{self._server.base_url}/{_reference(diagnostic)['reference']}"


def entry_of(bundle: Resource, kind: str) -> Resource:
    """Give the first entry of a kind of resource; there is one."""
    entry: Resource = next(e for e in bundle["entry"] if e["resource"]["resourceType"] == kind)
    return entry


def _renew_observations(bundle: Resource) -> None:
    """Store observations also where they are already: an earlier run may have left them in error."""
    for entry in bundle["entry"]:
        if entry["resource"]["resourceType"] == "Observation":
            condition = entry["request"]["ifNoneExist"]
            entry["request"] = {"method": "PUT", "url": f"Observation?{condition}"}


def _transaction(entries: Sequence[Resource]) -> Resource:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def _reference(stored: Resource) -> Resource:
    return {"reference": f"{stored['resourceType']}/{stored['id']}"}
