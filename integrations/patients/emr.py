"""Patients of an EMR that speaks FHIR R4, as OpenEMR does (``/apis/default/fhir``)."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpx

from inference.errors import PeerRefused, PeerUnavailable
from integrations.fhir.identifiers import IDENTIFIER_TYPES, PATIENT_ID_SYSTEM
from integrations.patients.source import SourcePatient

EMR_PATIENT_SYSTEM: Final = "urn:neuronova:emr-patient"
"""System of the EMR's own ids of Patient resources, so that the gateway finds them again."""

_AT_ONCE: Final = 100
_MOST_PAGES: Final = 100_000
_NUMBER_TYPES: Final = ("PT", "MR")
"""Types (v2-0203) of a patient's number in the EMR: OpenEMR says PT; others say MR."""

_KEPT: Final = ("active", "name", "telecom", "gender", "birthDate", "deceasedBoolean", "deceasedDateTime", "address")
"""What is brought to the report server."""


class EMRPatients:
    """The patients of an EMR, whose word on them rules.

    Parameters
    ----------
    base_url
        Its FHIR endpoint.
    client
        Carries authentication, timeouts and certificates.
    system
        Under which the report server knows the EMR's patient numbers; empty: that of sources without an issuer.
    """

    name = "emr"
    rules = True

    def __init__(self, base_url: str, client: httpx.Client, system: str = "") -> None:
        self._base_url = base_url.rstrip("/")
        self._client = client
        self._system = system or PATIENT_ID_SYSTEM

    def patients(self, since: str) -> Iterator[SourcePatient]:
        """Give all patients, page by page: EMRs differ in whether they search by the time of a change.

        Raises
        ------
        PeerUnavailable, PeerRefused
        """
        _ = since
        address: str | None = f"{self._base_url}/Patient?_count={_AT_ONCE}"
        for _page in range(_MOST_PAGES):
            if address is None:
                return
            bundle = self._get(address)
            for resource in _resources(bundle):
                yield SourcePatient(self._wanted(resource))
            address = self._next(bundle, address)

    def _wanted(self, stored: dict[str, Any]) -> dict[str, Any] | None:
        number = _number(stored)
        if number is None:
            return None
        kinds = {"coding": [{"system": IDENTIFIER_TYPES, "code": "MR"}]}
        named = [{"type": kinds, "system": self._system, "value": number}]
        if stored.get("id"):
            named.append({"system": EMR_PATIENT_SYSTEM, "value": str(stored["id"])})
        kept: dict[str, Any] = {name: stored[name] for name in _KEPT if name in stored}
        return {"resourceType": "Patient", "identifier": named, **kept}

    def _next(self, bundle: dict[str, Any], address: str) -> str | None:
        """Give the address of the next page, as long as it is the same server's: it is followed with our token.

        Raises
        ------
        PeerRefused
            If it is another's.
        """
        links = (link.get("url") for link in bundle.get("link", []) if link.get("relation") == "next")
        following = next((str(url) for url in links if url), None)
        if following is None:
            return None
        whole = urljoin(address, following)
        ours = urlsplit(self._base_url)
        if (urlsplit(whole).scheme, urlsplit(whole).netloc) != (ours.scheme, ours.netloc):
            raise PeerRefused("the EMR's next page is on another server")
        return whole

    def _get(self, address: str) -> dict[str, Any]:
        try:
            answer = self._client.get(address, headers={"Accept": "application/fhir+json"}, follow_redirects=False)
        except httpx.HTTPError as error:
            raise PeerUnavailable(f"the EMR does not answer ({type(error).__name__})") from error
        if answer.is_server_error or answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            raise PeerUnavailable(f"the EMR answers {answer.status_code}")
        if answer.status_code != HTTPStatus.OK:
            raise PeerRefused(f"the EMR answers {answer.status_code}")
        return _bundle(answer)


def _bundle(answer: httpx.Response) -> dict[str, Any]:
    try:
        bundle = answer.json()
    except ValueError as error:
        raise PeerUnavailable("the EMR gave no JSON") from error
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise PeerRefused("the EMR gave no Bundle")
    return bundle


def _resources(bundle: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in bundle.get("entry", []):
        resource = entry.get("resource", {})
        if resource.get("resourceType") == "Patient":
            yield resource


def _number(patient: dict[str, Any]) -> str | None:
    """Give the patient's number: the identifier of that type, or the only one there is."""
    named = [one for one in patient.get("identifier", []) if one.get("value")]
    for one in named:
        codes = {coding.get("code") for coding in one.get("type", {}).get("coding", [])}
        if codes & set(_NUMBER_TYPES):
            return str(one["value"])
    return str(named[0]["value"]) if len(named) == 1 else None
