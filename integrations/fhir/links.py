"""The temporary addresses by which the entries of a transaction refer to each other."""

from __future__ import annotations

import uuid
from typing import Any

Resource = dict[str, Any]


class Links:
    """Addresses that are the same for the same report.

    Parameters
    ----------
    report_uid
        Identifier of the report.
    """

    def __init__(self, report_uid: str) -> None:
        self._report_uid = report_uid

    def url(self, name: str) -> str:
        """Give the bundle-internal address of a resource (``Bundle.entry.fullUrl``)."""
        return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, f'{self._report_uid} {name}')}"

    def to(self, name: str) -> Resource:
        """Give a reference to a resource of the bundle."""
        return {"reference": self.url(name)}
