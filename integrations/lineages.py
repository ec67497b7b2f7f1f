"""What was the last report of each lineage: the memory of a sink whose receiver cannot be asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from inference.domain.identifiers import UID
from inference.domain.result import Report
from integrations.durable_files import write_durably


@dataclass(frozen=True, slots=True)
class Entry:
    """The last report of a lineage.

    Parameters
    ----------
    report_uid
        Its identifier.
    ordered_at
        When its run was ordered, aware.
    reviewed_at
        When a person last accepted or amended it, aware; None before anybody did.
    withdrawn
        Whether it does not stand.
    """

    report_uid: UID
    ordered_at: datetime
    reviewed_at: datetime | None = None
    withdrawn: bool = False

    def is_after(self, report: Report) -> bool:
        """Tell whether this report came after another one; of two of the same moment always the same one did."""
        return (self.ordered_at, self.report_uid) > (report.succession, report.report_uid)


class LineageFolder:
    """One small file for each lineage.

    Parameters
    ----------
    folder
        Is made where it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def last(self, report: Report) -> Entry | None:
        """Give the last report of a report's lineage; None where there is none, or its file is damaged.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        try:
            kept = json.loads(self._path(report).read_bytes())
            ordered_at = datetime.fromisoformat(kept["ordered_at"])
            reviewed_at = datetime.fromisoformat(kept["reviewed_at"]) if kept["reviewed_at"] else None
            return Entry(UID(kept["report_uid"]), ordered_at, reviewed_at, bool(kept["withdrawn"]))
        except (FileNotFoundError, ValueError, LookupError, TypeError):
            return None

    def note(self, report: Report, *, reviewed_at: datetime | None = None, withdrawn: bool = False) -> None:
        """Keep a report as the last of its lineage.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        kept = {
            "report_uid": report.report_uid,
            "ordered_at": report.succession.isoformat(),
            "reviewed_at": None if reviewed_at is None else reviewed_at.isoformat(),
            "withdrawn": withdrawn,
        }
        write_durably(self._path(report), json.dumps(kept).encode())

    def _path(self, report: Report) -> Path:
        """Name the file of a lineage; a report without one is its own."""
        return self._folder / f"{report.lineage_uid or report.report_uid}.json"
