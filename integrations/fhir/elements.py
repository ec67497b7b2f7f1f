"""FHIR R4 elements that several resources are made of."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any, Final

from inference.domain.codes import FHIR_SYSTEMS, Code

TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem"

Resource = dict[str, Any]


def concept(code: Code, text: str) -> Resource:
    """Give a CodeableConcept; a scheme that FHIR has no name for gets no invented one."""
    system = FHIR_SYSTEMS.get(code.scheme)
    coding = {"code": code.value, "display": code.meaning} | ({"system": system} if system else {})
    return {"coding": [coding], "text": text}


def moment(at: datetime | None) -> str | None:
    """Write a study's start; exact midnight means that the source gives no time, so only the date is said."""
    if at is None:
        return None
    return at.date().isoformat() if at.time() == time.min else at.isoformat()


def present(elements: Resource) -> Resource:
    """Leave out what is empty: FHIR has no empty strings or lists (FHIR R4 section 2.6.2)."""
    return {name: value for name, value in elements.items() if value}
