"""Where patients come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class SourcePatient:
    """A patient as a source knows them. Patient data: never log.

    Parameters
    ----------
    resource
        FHIR R4 Patient with at least one identifier; None where the source does not identify them.
    changed
        When the source changed them last, in its own words, which sort by time; empty where it does not say.
    """

    resource: dict[str, Any] | None
    changed: str = ""


class PatientSource(Protocol):
    """A system that knows patients."""

    @property
    def name(self) -> str:
        """Name in reports."""

    @property
    def rules(self) -> bool:
        """Whether its word on a name, a sex or a birth date replaces what is stored; otherwise it fills gaps."""

    def patients(self, since: str) -> Iterator[SourcePatient]:
        """Give the patients that changed at or after a time, all for an empty one.

        Parameters
        ----------
        since
            The latest ``changed`` of an earlier time.

        Raises
        ------
        PeerUnavailable, PeerRefused
            If the system does not answer, or refuses.
        """
