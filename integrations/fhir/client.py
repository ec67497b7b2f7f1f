"""Stores reports on a FHIR R4 server, effectively once, also while others write about the same study."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import httpx

from inference.domain.result import Report
from inference.errors import FHIRConflict, FHIRRejected, FHIRUnavailable
from inference.ports import Clock, ReportSink
from integrations.fhir.identifiers import OBSERVATION_SYSTEM, dicom_uid, search
from integrations.fhir.mapping import report_bundle
from integrations.fhir.withdrawal import withdrawn

_FHIR_JSON: Final = "application/fhir+json"
_FORM: Final = "application/x-www-form-urlencoded"
_HEADERS: Final = {
    "Accept": _FHIR_JSON,
    "Cache-Control": "no-cache",  # HAPI otherwise answers a search from the last minute's
}
_CONFLICT: Final = (409, 412)
_BUSY: Final = (408, 425, 429)
_PLACE: Final = re.compile(r"DiagnosticReport/[A-Za-z0-9.-]{1,64}")
_SERVER_CODE: Final = re.compile(r"HAPI-\d{4}")

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
    409 and 412 are tried again after a short random wait.

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
    """

    def __init__(
        self, base_url: str, client: httpx.Client, clock: Clock, policy: RetryPolicy = RetryPolicy()
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._client = client
        self._clock = clock
        self._policy = policy
        self._random = random.SystemRandom()

    def store(self, report: Report) -> str:
        """Store the report and give the address of its DiagnosticReport.

        Raises
        ------
        FHIRUnavailable
            If the server does not answer, answers 408, 425, 429 or 5xx, or not as to a transaction.
        FHIRConflict
            If concurrent transactions won every time.
        FHIRRejected
            If the server refuses the content.
        """
        for _ in self._attempts():
            bundle = report_bundle(report)
            joined = self._join_study(_entry_of(bundle, "ImagingStudy"))
            responses = self._transact(bundle)
            if responses is not None and (joined or responses["ImagingStudy"]["status"].startswith("201")):
                return self._address(responses["DiagnosticReport"], bundle)
        raise self._lost()

    def withdraw(self, report: Report, reason: str) -> None:
        """Mark the report and its observations as entered in error, whatever became of them; all or none.

        Doing so again changes nothing, and a report that is not there is no error.

        Raises
        ------
        FHIRUnavailable, FHIRConflict, FHIRRejected
            As ``store``.
        """
        for _ in self._attempts():
            stored = self._stored(report)
            changed = [(was, now) for was in stored if (now := withdrawn(was, reason)) != was]
            entries = [self._entry(_update(was, now)) for was, now in changed]
            bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
            if not entries or self._transact(bundle) is not None:
                return
        raise self._lost()

    def _entry(self, update: Resource) -> Resource:
        """Name the address at which the resource lies, against which its references are read (FHIR R4 2.36.4)."""
        return {"fullUrl": f"{self._base_url}/{update['request']['url']}"} | update

    def _attempts(self) -> Iterator[int]:
        """Count the attempts, and wait before each but the first."""
        for attempt in range(self._policy.attempts):
            if attempt > 0:
                self._clock.wait(self._wait_s(attempt))
            yield attempt

    def _lost(self) -> FHIRConflict:
        return FHIRConflict(f"{self._policy.attempts} transactions in a row lost against concurrent ones")

    def _transact(self, bundle: Resource) -> dict[str, Resource] | None:
        """Carry a transaction out and give the response to each kind of resource; None where another one won."""
        answer = self._post(self._base_url, json.dumps(bundle), _FHIR_JSON)
        return None if answer.status_code in _CONFLICT else _responses(answer, bundle)

    def _stored(self, report: Report) -> list[Resource]:
        """Find the report and those of its observations that are ours; a person may have added others."""
        condition = f"{search(dicom_uid(report.report_uid))}&_include=DiagnosticReport%3Aresult"
        ours = f"{report.report_uid}/"
        return [
            resource
            for resource in self._search("DiagnosticReport", condition)
            if resource["resourceType"] == "DiagnosticReport"
            or any(
                known.get("system") == OBSERVATION_SYSTEM and str(known.get("value", "")).startswith(ours)
                for known in resource.get("identifier", [])
            )
        ]

    def _search(self, kind: str, condition: str) -> list[Resource]:
        answer = self._post(f"{self._base_url}/{kind}/_search", condition, _FORM)
        entries = _json(answer).get("entry", []) if answer.status_code == httpx.codes.OK else []
        return [entry["resource"] for entry in entries]

    def _join_study(self, entry: Resource) -> bool:
        """Add what the server's ImagingStudy lacks, under its version; False where the server has none yet.

        Studies are shared by all who report on them, and the server's own content stays. Had another writer made the
        study between this look and our transaction, our series would be lost without notice: ``store`` looks again.
        """
        found = self._search("ImagingStudy", search(entry["resource"]["identifier"][0]))
        if len(found) != 1:
            return False
        stored = found[0]
        joined = _join(stored, entry["resource"])
        if joined != stored:
            entry |= _update(stored, joined)
        return True

    def _wait_s(self, attempt: int) -> float:
        longest = self._policy.longest_wait_s
        return self._random.uniform(0, min(longest, attempt * longest / 4))

    def _post(self, url: str, content: str, content_type: str) -> httpx.Response:
        """Post, searches too: what stands in an address ends in the logs of every machine on the way."""
        headers = {**_HEADERS, "Content-Type": content_type}
        try:
            answer = self._client.post(url, content=content.encode(), headers=headers)
        except httpx.HTTPError as error:
            raise FHIRUnavailable(f"the FHIR server does not answer ({type(error).__name__})") from error
        status = answer.status_code
        if status >= 500 or status in _BUSY:
            raise FHIRUnavailable(f"the FHIR server answers {status}{_issues(answer)}")
        if status >= 400 and status not in _CONFLICT:
            raise FHIRRejected(f"the FHIR server answers {status}{_issues(answer)}")
        return answer

    def _address(self, response: Resource, bundle: Resource) -> str:
        """Give the address of the report, without its version; by its identifier where the server does not say."""
        place = _PLACE.search(response.get("location", ""))
        if place is not None:
            return f"{self._base_url}/{place[0]}"
        identifier = _entry_of(bundle, "DiagnosticReport")["resource"]["identifier"][0]
        return f"{self._base_url}/DiagnosticReport?{search(identifier)}"


def _update(stored: Resource, wanted: Resource) -> Resource:
    """Give the entry that replaces what is stored, if nobody has changed it meanwhile."""
    version = stored["meta"]["versionId"]
    url = f"{stored['resourceType']}/{stored['id']}"
    return {"resource": wanted, "request": {"method": "PUT", "url": url, "ifMatch": f'W/"{version}"'}}


def _entry_of(bundle: Resource, kind: str) -> Resource:
    entry: Resource = next(e for e in bundle["entry"] if e["resource"]["resourceType"] == kind)
    return entry


def _join(stored: Resource, ours: Resource) -> Resource:
    """Give the stored study with the series and modalities of ours that it lacks."""
    known = {series["uid"] for series in stored.get("series", [])}
    kinds = {coding.get("code") for coding in stored.get("modality", [])}
    return stored | {
        "series": [*stored.get("series", []), *(s for s in ours["series"] if s["uid"] not in known)],
        "modality": [*stored.get("modality", []), *(m for m in ours["modality"] if m["code"] not in kinds)],
    }


def _responses(answer: httpx.Response, bundle: Resource) -> dict[str, Resource]:
    """Give the response to each kind of resource after checking that every entry was carried out.

    Something between us and the server may answer 200 with a page of its own: then nothing was stored.
    """
    body = _json(answer)
    responses = [entry.get("response", {}) for entry in body.get("entry", [])]
    carried_out = all(str(response.get("status", "")).startswith("2") for response in responses)
    if body.get("type") != "transaction-response" or len(responses) != len(bundle["entry"]) or not carried_out:
        raise FHIRUnavailable(f"the FHIR server answers {answer.status_code}, but not as to a transaction")
    kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    return dict(zip(kinds, responses, strict=True))


def _json(answer: httpx.Response) -> Resource:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _issues(answer: httpx.Response) -> str:
    """Give an OperationOutcome's codes; its texts quote the content, which is patient data."""
    issues = [issue for issue in _json(answer).get("issue", []) if isinstance(issue, dict)]
    codes = {str(issue.get("code", "")) for issue in issues}
    codes |= {code for issue in issues for code in _SERVER_CODE.findall(str(issue.get("diagnostics", "")))}
    return f": {', '.join(sorted(codes))}" if codes else ""
