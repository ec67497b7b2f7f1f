"""Marking what was stored as withdrawn, in place: whoever holds a link to it must see that it no longer stands."""

from __future__ import annotations

from typing import Any, Final

WITHDRAWN: Final = "entered-in-error"
"""Status of a report or observation that must not be used (FHIR R4 sections 9.1 and 10.3)."""

Resource = dict[str, Any]


def withdrawn(resource: Resource, reason: str) -> Resource:
    """Give a DiagnosticReport or Observation as withdrawn; anything else, or one that already is, as it is.

    The report opens its conclusion with the reason, and has no coded one any more; an observation gets a note.

    Parameters
    ----------
    resource
        As it is stored; not changed.
    reason
        Why, for a person.
    """
    kind = resource["resourceType"]
    if kind not in ("DiagnosticReport", "Observation") or resource.get("status") == WITHDRAWN:
        return resource
    why = f"Withdrawn: {reason}"
    if kind == "Observation":
        return resource | {"status": WITHDRAWN, "note": [*resource.get("note", []), {"text": why}]}
    conclusion = " ".join(filter(None, [f"{why}.", resource.get("conclusion")]))
    kept = {name: value for name, value in resource.items() if name != "conclusionCode"}
    return kept | {"status": WITHDRAWN, "conclusion": conclusion}
