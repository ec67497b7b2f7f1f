"""The three kinds of master data, and how values become an entry or a list of faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from pydantic import ValidationError

from integrations.masterdata.entries import Diagnosis, Entry, LabTest, Medication, dotted


class EntryInvalid(ValueError):
    """Values that make no entry.

    Parameters
    ----------
    faults
        What is wrong, by member; never repeats a value.
    """

    def __init__(self, faults: Mapping[str, list[str]]) -> None:
        super().__init__("not a valid entry")
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of master data.

    Parameters
    ----------
    name
        Of its table and its files.
    entry
        What its entries are.
    further_code
        The member that holds the international code.
    """

    name: str
    entry: type[Any]
    further_code: str

    @property
    def members(self) -> tuple[str, ...]:
        """The members of an entry, in order."""
        return tuple(field.name for field in fields(self.entry))

    def parse(self, values: Mapping[str, Any]) -> Entry:
        """Make an entry.

        Raises
        ------
        EntryInvalid
            With every fault.
        """
        try:
            entry: Entry = self.entry(**values)
        except ValidationError as error:
            raise EntryInvalid(_faults(error)) from None
        return entry

    def normal_code(self, code: object) -> str:
        """Give a code as it is kept, whatever case it was written in; a diagnosis with its dot."""
        return dotted(str(code)) if self.entry is Diagnosis else str(code).strip().upper()


MEDICATIONS: Final = Kind("medications", Medication, "atc_code")
DIAGNOSES: Final = Kind("diagnoses", Diagnosis, "icd10_code")
LAB_TESTS: Final = Kind("lab_tests", LabTest, "loinc_code")
KINDS: Final = (MEDICATIONS, DIAGNOSES, LAB_TESTS)


def _faults(error: ValidationError) -> dict[str, list[str]]:
    faults: dict[str, list[str]] = {}
    for entry in error.errors(include_input=False, include_url=False, include_context=False):
        place = [str(part) for part in entry["loc"]]
        message = str(entry["msg"]).removeprefix("Value error, ")
        where = f"{' '.join(place[1:])}: " if len(place) > 1 else ""
        faults.setdefault(place[0] if place else "entry", []).append(f"{where}{message}")
    return faults
