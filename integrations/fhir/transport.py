"""How we talk to a FHIR server: searches and transactions, and what each of its answers means."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

import httpx

from inference.errors import FHIRRejected, FHIRUnavailable

_FHIR_JSON: Final = "application/fhir+json"
_FORM: Final = "application/x-www-form-urlencoded"
_HEADERS: Final = {
    "Accept": _FHIR_JSON,
    "Cache-Control": "no-cache",  # HAPI otherwise answers a search from the last minute's
}
_CONFLICT: Final = (409, 412)
_BUSY: Final = (408, 425, 429)
_SERVER_CODE: Final = re.compile(r"HAPI-\d{4}")

Resource = dict[str, Any]


class LostRace(Exception):
    """A concurrent transaction won (HTTP 409 or 412); the whole attempt is to be made anew."""


class FHIRTransport:
    """A FHIR server's endpoint.

    Parameters
    ----------
    base_url
        Its address.
    client
        Carries authentication, timeouts and certificates.
    """

    def __init__(self, base_url: str, client: httpx.Client) -> None:
        self.base_url = base_url.rstrip("/")
        self._client = client

    def transact(self, entries: Sequence[Resource]) -> list[Resource]:
        """Carry a transaction out and give the response to each entry.

        Parameters
        ----------
        entries
            Of the Bundle, in order.

        Raises
        ------
        LostRace
            If another transaction won.
        FHIRUnavailable, FHIRRejected
            If the server cannot, or does not want to.
        """
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        return _responses(self._post(self.base_url, json.dumps(bundle), _FHIR_JSON), len(entries))

    def search(self, kind: str, condition: str) -> list[Resource]:
        """Give what a search finds on its first page.

        Parameters
        ----------
        kind
            Type of resource.
        condition
            Percent-encoded search.

        Raises
        ------
        LostRace, FHIRUnavailable, FHIRRejected
            As ``transact``.
        """
        answer = self._post(f"{self.base_url}/{kind}/_search", condition, _FORM)
        entries = _json(answer).get("entry", []) if answer.status_code == httpx.codes.OK else []
        return [entry["resource"] for entry in entries]

    def update(self, stored: Resource, wanted: Resource) -> Resource:
        """Give the entry that replaces what is stored, if nobody has changed it meanwhile.

        Its address is that at which it lies, against which its references are read (FHIR R4 section 2.36.4).
        """
        change = update_of(stored, wanted)
        return {"fullUrl": f"{self.base_url}/{change['request']['url']}"} | change

    def _post(self, url: str, content: str, content_type: str) -> httpx.Response:
        """Post, searches too: what stands in an address ends in the logs of every machine on the way."""
        headers = {**_HEADERS, "Content-Type": content_type}
        try:
            answer = self._client.post(url, content=content.encode(), headers=headers)
        except httpx.HTTPError as error:
            raise FHIRUnavailable(f"the FHIR server does not answer ({type(error).__name__})") from error
        status = answer.status_code
        if status in _CONFLICT:
            raise LostRace
        if status >= 500 or status in _BUSY:
            raise FHIRUnavailable(f"the FHIR server answers {status}{_issues(answer)}")
        if status >= 400:
            raise FHIRRejected(f"the FHIR server answers {status}{_issues(answer)}")
        return answer


def update_of(stored: Resource, wanted: Resource) -> Resource:
    """Give the request that replaces what is stored under its version."""
    version = stored["meta"]["versionId"]
    url = f"{stored['resourceType']}/{stored['id']}"
    return {"resource": wanted, "request": {"method": "PUT", "url": url, "ifMatch": f'W/"{version}"'}}


def _responses(answer: httpx.Response, expected: int) -> list[Resource]:
    """Give the responses after checking that every entry was carried out.

    Something between us and the server may answer 200 with a page of its own: then nothing was stored.
    """
    body = _json(answer)
    responses: list[Resource] = [entry.get("response", {}) for entry in body.get("entry", [])]
    carried_out = all(str(response.get("status", "")).startswith("2") for response in responses)
    if body.get("type") != "transaction-response" or len(responses) != expected or not carried_out:
        raise FHIRUnavailable(f"the FHIR server answers {answer.status_code}, but not as to a transaction")
    return responses


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
