"""Orthanc's REST API as far as the node needs it: is an object there and the one that was sent; earlier studies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from inference.domain.artifact import DicomArtifact
from inference.domain.identifiers import UID
from inference.errors import NotCommitted, PeerRefused, PeerUnavailable
from integrations.orthanc.comparison import same_content


class OrthancREST:
    """A few calls of the REST API.

    Parameters
    ----------
    base_url
        E.g. ``http://orthanc:8042``.
    client
        Carries timeouts, credentials and TLS settings.
    """

    def __init__(self, base_url: str, client: httpx.Client) -> None:
        self._base_url = base_url.rstrip("/")
        self._client = client

    def find_instance(self, sop_instance_uid: UID) -> str | None:
        """Give Orthanc's own id of an instance, None where it holds none (``POST /tools/lookup``).

        Parameters
        ----------
        sop_instance_uid
            The instance.

        Raises
        ------
        PeerUnavailable, PeerRefused
        """
        answer = self._request("POST", "/tools/lookup", str(sop_instance_uid).encode("ascii"))
        try:
            found = [str(entry["ID"]) for entry in answer.json() if entry["Type"] == "Instance"]
        except (ValueError, KeyError, TypeError) as error:
            raise PeerUnavailable("the archive's REST API gave no lookup answer") from error
        return found[0] if found else None

    def instance_file(self, orthanc_id: str) -> bytes:
        """Give the stored Part 10 file (``GET /instances/{id}/file``).

        Parameters
        ----------
        orthanc_id
            As ``find_instance`` gave it.

        Raises
        ------
        PeerUnavailable, PeerRefused
        """
        return self._request("GET", f"/instances/{orthanc_id}/file").content

    def find_studies(self, query: Mapping[str, str]) -> object:
        """Give what the archive has of studies that match, as it writes it (``POST /tools/find``).

        Raises
        ------
        PeerUnavailable, PeerRefused
        """
        asked = {"Level": "Study", "Query": {name: value for name, value in query.items() if value}, "Expand": True}
        answer = self._request("POST", "/tools/find", json.dumps(asked).encode())
        try:
            found: object = answer.json()
        except ValueError as error:
            raise PeerUnavailable("the archive's REST API gave no list of studies") from error
        return found

    def send_to(self, modality: str, orthanc_id: str) -> None:
        """Order that something is sent to a modality; returns at once (``POST /modalities/{name}/store``).

        Raises
        ------
        PeerUnavailable, PeerRefused
        """
        order = {"Resources": [orthanc_id], "Synchronous": False}
        self._request("POST", f"/modalities/{quote(modality, safe='')}/store", json.dumps(order).encode())

    def patients(self, since: int, limit: int) -> list[dict[str, Any]]:
        """Give some of all patients, expanded (``GET /patients``); an empty list is the end.

        Parameters
        ----------
        since, limit
            How many to leave out, and how many to give at most.

        Raises
        ------
        PeerUnavailable, PeerRefused
        """
        found = self._json(f"/patients?expand&since={since}&limit={limit}")
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def first_instance(self, patient: dict[str, Any]) -> dict[str, Any]:
        """Give the header of one of a patient's instances, decoded, names as keys; empty where there is none left.

        Parameters
        ----------
        patient
            As ``patients`` gave it.

        Raises
        ------
        PeerUnavailable, PeerRefused
        """
        study = self._child("studies", patient.get("Studies"))
        series = self._child("series", study.get("Series"))
        instances = series.get("Instances") or []
        header = self._json(f"/instances/{instances[0]}/simplified-tags") if instances else None
        return header if isinstance(header, dict) else {}

    def _child(self, level: str, ids: Any) -> dict[str, Any]:
        found = self._json(f"/{level}/{ids[0]}") if ids else None
        return found if isinstance(found, dict) else {}

    def _json(self, path: str) -> Any:
        """Get a document; None for what is gone meanwhile."""
        try:
            answer = self._request("GET", path, accepts_absence=True)
            return None if answer.status_code == HTTPStatus.NOT_FOUND else answer.json()
        except ValueError as error:
            raise PeerUnavailable("the archive's REST API gave no JSON") from error

    def _request(
        self, method: str, path: str, content: bytes | None = None, *, accepts_absence: bool = False
    ) -> httpx.Response:
        try:
            answer = self._client.request(method, self._base_url + path, content=content)
        except httpx.HTTPError as error:
            raise PeerUnavailable(f"the archive's REST API does not answer ({type(error).__name__})") from error
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise PeerUnavailable(f"the archive's REST API answers {answer.status_code}")
        absent = accepts_absence and answer.status_code == HTTPStatus.NOT_FOUND
        if answer.status_code >= HTTPStatus.BAD_REQUEST and not absent:
            raise PeerRefused(f"the archive's REST API answers {answer.status_code}")
        return answer


class RESTReadBack:
    """Confirms by reading every object back and comparing it with what was sent.

    Orthanc answers success to a re-sent SOP Instance UID and keeps the bytes it had, so only the content tells
    whether the archive holds *this* result.

    Parameters
    ----------
    api
        The archive's REST API.
    """

    def __init__(self, api: OrthancREST) -> None:
        self._api = api

    def confirm(self, artifacts: Sequence[DicomArtifact]) -> None:
        """Return when every object is held with our content.

        Raises
        ------
        NotCommitted
            If one is not there (yet).
        PeerRefused
            If the archive holds something else under its UID.
        PeerUnavailable
            If the archive does not answer.
        """
        for artifact in artifacts:
            orthanc_id = self._api.find_instance(artifact.identity.sop_instance_uid)
            if orthanc_id is None:
                raise NotCommitted(f"the archive does not hold the {artifact.kind}")
            if not same_content(self._api.instance_file(orthanc_id), artifact.content):
                raise PeerRefused(f"the archive holds other content under the UID of the {artifact.kind}")
