"""Marking what was stored as withdrawn, in place: whoever holds a link to it must see that it no longer stands."""

from __future__ import annotations

from typing import Any, Final

WITHDRAWN: Final = "entered-in-error"
"""Status of a report or observation that must not be used (FHIR R4 sections 9.1 and 10.3)."""

Resource = dict[str, Any]


def withdrawn(resource: Resource, reason: str) -> Resource:
    """Give a DiagnosticReport or Observation as withdrawn; anything else, or one that already is, as it is.

    The report opens its conclusion with the reason, and has no coded one and no page or PDF any more; an observation
    gets a note.

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
        return in_error(resource, why)
    conclusion = " ".join(filter(None, [f"{why}.", resource.get("conclusion")]))
    kept = {name: value for name, value in resource.items() if name not in ("conclusionCode", "presentedForm")}
    return kept | {"status": WITHDRAWN, "conclusion": conclusion}


def in_error(observation: Resource, why: str) -> Resource:
    """Give an Observation as entered in error, with a note that says why; one that already is, as it is.

    Parameters
    ----------
    observation
        As it is stored; not changed.
    why
        For a person.
    """
    if observation.get("status") == WITHDRAWN:
        return observation
    return observation | {"status": WITHDRAWN, "note": [*observation.get("note", []), {"text": why}]}
