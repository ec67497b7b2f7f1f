"""A FHIR server in memory, as far as patients are concerned; what it really does is tested against HAPI."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import parse_qs

import httpx

BASE: Final = "http://fhir.example/fhir"


class MemoryFHIR:
    """Keeps Patients; ``status`` is the answer to writes while it is not 200."""

    def __init__(self) -> None:
        self.patients: list[dict[str, Any]] = []
        self.status = 200

    def client(self) -> httpx.Client:
        """Give a client that reaches it."""
        return httpx.Client(transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("_search"):
            found = self._found(request.content.decode())
            return httpx.Response(200, json={"resourceType": "Bundle", "entry": [{"resource": one} for one in found]})
        if self.status != 200:
            return httpx.Response(self.status)
        (entry,) = json.loads(request.content)["entry"]
        response = {"response": {"status": self._write(entry)}}
        return httpx.Response(200, json={"type": "transaction-response", "entry": [response]})

    def _found(self, condition: str) -> list[dict[str, Any]]:
        wanted = set(parse_qs(condition)["identifier"][0].split(","))
        return [one for one in self.patients if wanted & {f"{i['system']}|{i['value']}" for i in one["identifier"]}]

    def _write(self, entry: dict[str, Any]) -> str:
        resource, request = entry["resource"], entry["request"]
        if request["method"] == "PUT":
            (at,) = (n for n, one in enumerate(self.patients) if one["id"] == resource["id"])
            version = int(self.patients[at]["meta"]["versionId"]) + 1
            self.patients[at] = resource | {"meta": {"versionId": str(version)}}
            return "200 OK"
        if self._found(request["ifNoneExist"]):
            return "200 OK"
        self.patients.append(resource | {"id": str(len(self.patients)), "meta": {"versionId": "1"}})
        return "201 Created"
