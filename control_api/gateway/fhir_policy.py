"""Which FHIR interactions are passed on, and for whom; what is not named here does not exist.

Types stand for kinds of data: what a technician needs to acquire images is less than what a doctor reads. Searches
that reach over references into other types (``_include``, ``_revinclude``, ``_has``, chains) are for those who may
read all of them. Nothing is deleted or patched through the gateway, and no operation is called.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from control_api.gateway.refusals import forbidden, malformed, not_found
from integrations.persistence.users import Role

IMAGING: Final = frozenset(
    {
        *("Appointment", "Device", "DiagnosticReport", "Encounter", "Endpoint", "ImagingStudy", "Location"),
        *("Observation", "Organization", "Patient", "Practitioner", "PractitionerRole", "Provenance"),
        *("Schedule", "ServiceRequest", "Slot"),
    }
)
CLINICAL: Final = IMAGING | frozenset(
    {
        *("AllergyIntolerance", "CarePlan", "CareTeam", "Composition", "Condition", "Coverage", "DocumentReference"),
        *("EpisodeOfCare", "FamilyMemberHistory", "Flag", "Goal", "Group", "HealthcareService", "Immunization"),
        *("List", "Medication", "MedicationAdministration", "MedicationRequest", "MedicationStatement", "Media"),
        *("Procedure", "QuestionnaireResponse", "RelatedPerson", "RiskAssessment", "Specimen", "Task"),
    }
)
READS: Final[Mapping[str, frozenset[str]]] = {
    Role.ADMIN: CLINICAL,
    Role.RADIOLOGIST: CLINICAL,
    Role.DOCTOR: CLINICAL,
    Role.NURSE: CLINICAL,
    Role.TECHNICIAN: IMAGING,
    Role.SERVICE: CLINICAL,
}
WRITES: Final[Mapping[str, frozenset[str]]] = {
    Role.ADMIN: frozenset({"Device", "Endpoint", "Location", "Organization", "Practitioner", "PractitionerRole"}),
    Role.RADIOLOGIST: frozenset({"Condition", "DiagnosticReport", "Observation", "ServiceRequest", "Task"}),
    Role.DOCTOR: CLINICAL - {"Device", "Endpoint", "ImagingStudy", "Location", "Organization", "Provenance"},
    Role.NURSE: frozenset({"Appointment", "Encounter", "Flag", "MedicationAdministration", "Observation", "Task"}),
    Role.TECHNICIAN: frozenset({"Appointment", "Procedure", "Task"}),
    Role.SERVICE: CLINICAL,
}

_TYPE: Final = r"(?P<type>[A-Z][A-Za-z]{2,40})"
_ID: Final = r"[A-Za-z0-9.-]{1,64}"
_PATHS: Final[Mapping[str, tuple[re.Pattern[str], ...]]] = {
    "GET": tuple(
        map(re.compile, (_TYPE, f"{_TYPE}/{_ID}", f"{_TYPE}/{_ID}/_history", f"{_TYPE}/{_ID}/_history/{_ID}"))
    ),
    "PUT": tuple(map(re.compile, (_TYPE, f"{_TYPE}/{_ID}"))),
    "POST": (re.compile(_TYPE),),
}
_SEARCH: Final = re.compile(f"{_TYPE}/_search")
_PAGE_NAMES: Final = frozenset({"_getpages", "_getpagesoffset", "_count", "_pretty", "_bundletype"})
_BUNDLES: Final = frozenset({"transaction", "batch"})


class Interaction(StrEnum):
    """What a request is about; what its access is noted as."""

    CAPABILITIES = "capabilities"
    READ = "read"
    SEARCH = "search"
    WRITE = "write"
    BUNDLE = "bundle"


@dataclass(frozen=True, slots=True)
class Allowed:
    """An interaction that the account may have.

    Parameters
    ----------
    interaction
        Which.
    query
        What of the query is passed on.
    """

    interaction: Interaction
    query: str


def allow(role: str, method: str, path: str, query: str) -> Allowed:
    """Decide about a request; of a search by POST, ``check_search`` decides about the rest.

    Parameters
    ----------
    role
        Of the account.
    method, path, query
        As they were sent; the path without a slash at its beginning.

    Raises
    ------
    Refusal
        404 where there is no such interaction, 403 where it is not for the role.
    """
    reading = "GET" if method == "HEAD" else method
    kept = _without_format(query)
    if reading == "GET" and path == "metadata":
        return Allowed(Interaction.CAPABILITIES, kept)
    if path == "":
        return _of_root(role, reading, kept)
    if reading == "POST" and (search := _SEARCH.fullmatch(path)):
        _check_type(role, search["type"], READS)
        check_search(role, kept)
        return Allowed(Interaction.SEARCH, kept)
    match = next((found for one in _PATHS.get(reading, ()) if (found := one.fullmatch(path))), None)
    if match is None:
        raise not_found()
    _check_type(role, match["type"], READS if reading == "GET" else WRITES)
    check_search(role, kept)  # a condition of a PUT is a search too
    if reading == "GET":
        return Allowed(Interaction.READ if "/" in path else Interaction.SEARCH, kept)
    return Allowed(Interaction.WRITE, kept)


def _of_root(role: str, method: str, query: str) -> Allowed:
    """Decide about the base address: a further page of a search, or a bundle."""
    names = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
    if method == "GET" and "_getpages" in names <= _PAGE_NAMES:
        return Allowed(Interaction.SEARCH, query)
    if method == "POST" and not query:
        if not WRITES.get(role):
            raise forbidden("the role writes nothing")
        return Allowed(Interaction.BUNDLE, query)
    raise not_found()


def check_search(role: str, query: str) -> None:
    """Return where a search stays within what the role may read.

    Raises
    ------
    Refusal
        Otherwise.
    """
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameter = name.partition(":")[0]
        if parameter in {"_include", "_revinclude"}:
            _check_reach(role)
            _check_type(role, value.partition(":")[0], READS)
        elif parameter == "_has":
            _check_reach(role)
            _check_type(role, ([*name.split(":"), ""])[1], READS)
        elif "." in name:
            _check_reach(role)
        elif parameter in {"_query", "_filter", "_source"}:
            raise not_found()


def _check_reach(role: str) -> None:
    if READS.get(role) != CLINICAL:
        raise forbidden("the role may not search over references")


def _check_type(role: str, name: str, allowed: Mapping[str, frozenset[str]]) -> None:
    if name not in CLINICAL:
        raise not_found()
    if name not in allowed.get(role, frozenset()):
        raise forbidden("the role may not do this with resources of this type")


def _without_format(query: str) -> str:
    """Leave out what asks for another format than JSON."""
    pairs = parse_qsl(query, keep_blank_values=True)
    if not any(name == "_format" for name, _ in pairs):
        return query
    return urlencode([(name, value) for name, value in pairs if name != "_format"])


def check_bundle(role: str, bundle: Any) -> None:
    """Return where every entry of a bundle is an interaction that the role may have by itself.

    Parameters
    ----------
    role
        Of the account.
    bundle
        Parsed JSON.

    Raises
    ------
    Refusal
        For the first that is not.
    """
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle" or bundle.get("type") not in _BUNDLES:
        raise malformed("the body is no Bundle of type transaction or batch")
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        raise malformed("the entries of the Bundle are no list")
    for entry in entries:
        _check_entry(role, entry)


def _check_entry(role: str, entry: Any) -> None:
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(request, dict) or not all(isinstance(request.get(name), str) for name in ("method", "url")):
        raise malformed("an entry of the Bundle has no request")
    method, (path, _, query) = request["method"], request["url"].partition("?")
    if method not in {"GET", "POST", "PUT"} or not path:
        raise forbidden("entries of a Bundle read, create and update, and nothing else")
    allow(role, method, path, query)
    check_search(role, str(request.get("ifNoneExist", "")).rpartition("?")[2])
    kind = path.partition("/")[0]
    if method != "GET" and _type_of(entry) != kind:  # servers go by the resource, not by the address
        raise malformed("an entry's resource is not of the type that its address names")


def _type_of(entry: Mapping[str, Any]) -> object:
    resource = entry.get("resource")
    return resource.get("resourceType") if isinstance(resource, dict) else None


def types() -> Iterable[str]:
    """Give every type that is passed on, for the description."""
    return sorted(CLINICAL)
