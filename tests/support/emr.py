"""An EMR that answers FHIR searches for patients page by page, as OpenEMR does."""

from __future__ import annotations

from typing import Any, Final

import httpx

BASE: Final = "https://emr.example/apis/default/fhir"


class FakeEMR:
    """Pages of patients; ``status`` is the answer while it is not 200, ``next_url`` where the first page leads."""

    def __init__(self, *patients: dict[str, Any], page: int = 2) -> None:
        self.patients = list(patients)
        self.requests: list[httpx.Request] = []
        self.status = 200
        self.next_url: str | None = None
        self._page = page

    def client(self) -> httpx.Client:
        """Give a client that reaches it."""
        return httpx.Client(transport=httpx.MockTransport(self._answer), auth=_bearer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.status != 200:
            return httpx.Response(self.status)
        start = int(request.url.params.get("_offset", 0))
        links = []
        if start + self._page < len(self.patients):
            links = [{"relation": "next", "url": self.next_url or f"{BASE}/Patient?_offset={start + self._page}"}]
        entries = [{"resource": one} for one in self.patients[start : start + self._page]]
        return httpx.Response(200, json={"resourceType": "Bundle", "link": links, "entry": entries})


def emr_patient(number: str, family: str = "Kim", **members: Any) -> dict[str, Any]:
    """Give a Patient as OpenEMR answers it."""
    kinds = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PT"}]}
    return {
        "resourceType": "Patient",
        "id": f"emr-{number}",
        "meta": {"versionId": "1"},
        "text": {"status": "generated", "div": "<div>…</div>"},
        "identifier": [
            {"use": "official", "type": {"coding": [{"code": "SS"}]}, "value": "not for others"},
            {"use": "official", "type": kinds, "value": number},
        ],
        "active": True,
        "name": [{"use": "official", "family": family, "given": ["Minji"]}],
        "gender": "female",
        "birthDate": "1970-01-02",
    } | members


def _bearer(request: httpx.Request) -> httpx.Request:
    request.headers["Authorization"] = "Bearer secret"
    return request
