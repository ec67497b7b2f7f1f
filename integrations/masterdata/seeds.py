"""Entries to begin with: medications, diagnoses and tests of a neurological department, as CSV files in ``seed/``.

Codes are those of ATC, ICD-10 and LOINC; reference ranges are usual ones of adults, which every laboratory replaces
by its own.
"""

from __future__ import annotations

from importlib.resources import files

from integrations.masterdata.files import FileRow, read_csv
from integrations.masterdata.kinds import Kind


def seed_rows(kind: Kind) -> list[FileRow]:
    """Read the entries of a kind."""
    return read_csv(files("integrations.masterdata").joinpath("seed", f"{kind.name}.csv").read_bytes(), kind)
