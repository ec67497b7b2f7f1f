"""Master data as files that an import takes back unchanged, and that are safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from integrations.masterdata.cells import guarded
from integrations.masterdata.entries import values_of
from integrations.masterdata.files import ACTIVE
from integrations.masterdata.imports import Known
from integrations.masterdata.kinds import Kind
from integrations.masterdata.range_text import write_ranges


def write_csv(kind: Kind, entries: Iterable[Known]) -> bytes:
    """Write a CSV file in UTF-8 with a byte order mark, without which Excel takes it for the system's code page."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([*kind.members, ACTIVE])
    for known in entries:
        writer.writerow([guarded(_cell(value)) for value in _values(known).values()])
    return text.getvalue().encode("utf-8-sig")


def write_json(entries: Iterable[Known]) -> bytes:
    """Write a JSON file."""
    document = {"items": [_values(known) for known in entries]}
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def _values(known: Known) -> dict[str, Any]:
    return {**values_of(known.entry), ACTIVE: known.active}


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return write_ranges(value) if isinstance(value, list) else str(value)
