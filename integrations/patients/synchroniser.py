"""``sync_patient_to_fhir``: every patient of a source is on the report server once, under their identifiers."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import structlog

from inference.errors import FHIRConflict, FHIRRejected, PeerRefused, PeerUnavailable
from inference.ports import Clock
from integrations.fhir import identifiers
from integrations.fhir.transport import FHIRTransport, LostRace
from integrations.patients.source import PatientSource

LOG = structlog.get_logger(__name__)

ATTEMPTS: Final = 6
_LONGEST_WAIT_S: Final = 1.0
_OWN: Final = frozenset({"resourceType", "identifier"})

Resource = dict[str, Any]

CREATED, UPDATED, UNCHANGED, CONFLICTS, UNIDENTIFIED = "created", "updated", "unchanged", "conflicts", "unidentified"


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What became of the patients of one source; counts, and no patient data.

    Parameters
    ----------
    counts
        Patients by what was done.
    failed
        Patients that the report server refused, by code.
    error
        Code of what ended the source early; None where all were read.
    latest
        Latest change that was seen, in the source's own words.
    """

    counts: Mapping[str, int]
    failed: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None
    latest: str = ""

    @property
    def complete(self) -> bool:
        """Whether the next time may begin where this one ended."""
        return self.error is None and not self.failed

    def document(self) -> dict[str, Any]:
        """Give JSON values."""
        return {**self.counts, "failed": dict(self.failed), "error": self.error, "latest": self.latest}


class PatientSynchroniser:
    """Writes Patients to one FHIR server.

    Parameters
    ----------
    base_url
        Address of its endpoint.
    client
        Carries authentication, timeouts and certificates.
    clock
        Passes the waits between attempts.
    """

    def __init__(self, base_url: str, client: httpx.Client, clock: Clock) -> None:
        self._server = FHIRTransport(base_url, client)
        self._clock = clock
        self._random = random.SystemRandom()

    def sync(self, source: PatientSource, since: str = "") -> SourceReport:
        """Bring the patients of a source to the server.

        Doing so again changes nothing. One patient that is refused, or of whom the server has several, keeps nothing
        from the others.

        Parameters
        ----------
        source
            Who knows them.
        since
            Only those that changed at or after it; all for an empty one.

        Raises
        ------
        FHIRUnavailable
            If the report server does not answer.
        """
        counts = Counter(dict.fromkeys((CREATED, UPDATED, UNCHANGED, CONFLICTS, UNIDENTIFIED), 0))
        failed: Counter[str] = Counter()
        latest, ended = since, None
        try:
            for patient in source.patients(since):
                latest = max(latest, patient.changed)
                try:
                    done = UNIDENTIFIED if patient.resource is None else self._bring(patient.resource, source.rules)
                    counts[done] += 1
                except (FHIRRejected, FHIRConflict) as error:
                    failed[error.code] += 1
        except (PeerUnavailable, PeerRefused) as error:
            ended = error.code
        report = SourceReport(counts, failed, ended, latest)
        LOG.info("patients.synchronised", source=source.name, **counts, failed=failed.total(), error=ended)
        return report

    def _bring(self, wanted: Resource, rules: bool) -> str:
        for attempt in range(ATTEMPTS):
            if attempt:
                self._clock.wait(self._random.uniform(0, _LONGEST_WAIT_S))
            try:
                done = sync_patient_to_fhir(self._server, wanted, rules=rules)
            except LostRace:
                continue
            if done is not None:
                return done
        raise FHIRConflict(f"{ATTEMPTS} writes of a patient in a row lost against concurrent ones")


def sync_patient_to_fhir(server: FHIRTransport, wanted: Resource, *, rules: bool) -> str | None:
    """Create or complete one Patient, and give what was done; None where somebody else made them meanwhile.

    Parameters
    ----------
    server
        The report server.
    wanted
        As the source knows them, the identifier that counts first.
    rules
        Whether the source's word replaces what is stored.

    Raises
    ------
    LostRace, FHIRUnavailable, FHIRRejected
        As ``FHIRTransport`` says.
    """
    found = server.search("Patient", identifiers.search(*wanted["identifier"]))
    if len(found) > 1:
        return CONFLICTS
    if not found:
        return _create(server, wanted)
    merged = merge(found[0], wanted, rules=rules)
    if merged == found[0]:
        return UNCHANGED
    server.transact([server.update(found[0], merged)])
    return UPDATED


def _create(server: FHIRTransport, wanted: Resource) -> str | None:
    condition = identifiers.search(wanted["identifier"][0])
    request = {"method": "POST", "url": "Patient", "ifNoneExist": condition}
    (response,) = server.transact([{"resource": wanted, "request": request}])
    return CREATED if response["status"].startswith("201") else None


def merge(stored: Resource, wanted: Resource, *, rules: bool) -> Resource:
    """Give a stored Patient with what a source adds to it; what only the server knows stays."""
    known = {(one.get("system"), one.get("value")) for one in stored.get("identifier", [])}
    added = [one for one in wanted["identifier"] if (one["system"], one["value"]) not in known]
    members = {name: value for name, value in wanted.items() if name not in _OWN}
    if not rules:
        members = {name: value for name, value in members.items() if not stored.get(name)}
    if added:
        members["identifier"] = [*stored.get("identifier", []), *added]
    return {**stored, **members}
