"""The entries of master data, and what a valid one is: the one place for API, import and seed."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

LONGEST_CODE: Final = 32
LONGEST_NAME: Final = 255
LONGEST_TEXT: Final = 64
LONGEST_UNIT: Final = 32
MOST_RANGES: Final = 32
OLDEST: Final = 150
"""Years; beyond, an age is a slip of the keyboard."""

_CODE: Final = re.compile(r"[A-Z0-9][A-Z0-9._-]*")
_ATC: Final = re.compile(r"[A-Z][0-9]{2}([A-Z]([A-Z]([0-9]{2})?)?)?")
_KCD: Final = re.compile(r"[A-Z][0-9]{2}(\.[0-9]{1,4})?")
_ICD10: Final = re.compile(r"[A-Z][0-9]{2}(\.[0-9]{1,2})?")
_UNDOTTED: Final = re.compile(r"([A-Z][0-9]{2})([0-9]+)")
_LOINC: Final = re.compile(r"[0-9]{1,7}-[0-9]")
_UNIT: Final = re.compile(r"[!-~]*")
_CONFIG: Final = ConfigDict(str_strip_whitespace=True, coerce_numbers_to_str=True, extra="forbid")


def dotted(code: str) -> str:
    """Give an ICD-10 or KCD code with its dot: ``G309``, as Korean claims write it, is ``G30.9``."""
    upper = code.strip().upper()
    parts = _UNDOTTED.fullmatch(upper)
    return f"{parts[1]}.{parts[2]}" if parts else upper


def _printable(text: str) -> str:
    composed = unicodedata.normalize("NFC", text)
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in composed):
        raise ValueError("control characters are not allowed")
    return composed


def _code(text: str) -> str:
    upper = text.upper()
    if not _CODE.fullmatch(upper):
        raise ValueError("a code is letters, digits, dot, hyphen and underscore, and begins with a letter or digit")
    return upper


def _atc(text: str) -> str:
    upper = text.upper()
    if upper and not _ATC.fullmatch(upper):
        raise ValueError("write an ATC code, for example N06DA02")
    return upper


def _kcd(text: str) -> str:
    code = dotted(text)
    if not _KCD.fullmatch(code):
        raise ValueError("write a KCD code, for example G30.9")
    return code


def _icd10(text: str) -> str:
    code = dotted(text)
    if code and not _ICD10.fullmatch(code):
        raise ValueError("write an ICD-10 code, for example G30.9")
    return code


def _loinc(text: str) -> str:
    if text and not (_LOINC.fullmatch(text) and _check_digit(text[:-2]) == text[-1]):
        raise ValueError("write a LOINC code with its check digit, for example 718-7")
    return text


def _check_digit(number: str) -> str:
    """Compute the check digit of a LOINC code (modulus 10; LOINC Users' Guide, appendix C)."""
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(number))]
    return str(-sum(value // 10 + value % 10 for value in doubled) % 10)


def _unit(text: str) -> str:
    if not _UNIT.fullmatch(text):
        raise ValueError("write a UCUM unit, for example mg/dL or 10*3/uL")
    return text


Code = Annotated[str, Field(min_length=1, max_length=LONGEST_CODE), AfterValidator(_code)]
KCDCode = Annotated[str, Field(min_length=1, max_length=LONGEST_CODE), AfterValidator(_kcd)]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_printable)]
FurtherName = Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(_printable)]
Text = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(_printable)]
Age = Annotated[int, Field(ge=0, le=OLDEST)]
Value = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True, slots=True, config=_CONFIG)
class Medication:
    """A medication that can be ordered.

    Parameters
    ----------
    code
        The site's code.
    name_en, name_ko
        Generic name.
    atc_code
        Anatomical Therapeutic Chemical code.
    dose_form, strength, route
        As on the label.
    """

    code: Code
    name_en: Name
    name_ko: FurtherName = ""
    atc_code: Annotated[str, AfterValidator(_atc)] = ""
    dose_form: Text = ""
    strength: Text = ""
    route: Text = ""


@dataclass(frozen=True, slots=True, config=_CONFIG)
class Diagnosis:
    """A diagnosis.

    Parameters
    ----------
    code
        KCD, the Korean modification of ICD-10, which divides some codes further.
    name_en, name_ko
        Title.
    icd10_code
        The code of the World Health Organization's ICD-10.
    """

    code: KCDCode
    name_en: Name
    name_ko: FurtherName = ""
    icd10_code: Annotated[str, AfterValidator(_icd10)] = ""


@dataclass(frozen=True, slots=True, config=_CONFIG)
class ReferenceRange:
    """Usual values of a test in some people.

    Parameters
    ----------
    sex
        ``any``, ``male`` or ``female``.
    age_from, age_to
        In completed years, both inclusive; None where there is no limit.
    low, high
        In the test's unit; None where there is no limit, but one of them is there.
    """

    sex: Literal["any", "male", "female"] = "any"
    age_from: Age | None = None
    age_to: Age | None = None
    low: Value | None = None
    high: Value | None = None

    def __post_init__(self) -> None:
        """Refuse a range that nobody and nothing is in."""
        if self.low is None and self.high is None:
            raise ValueError("a range has a low or a high end")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("the low end of a range is not above its high end")
        if self.age_from is not None and self.age_to is not None and self.age_from > self.age_to:
            raise ValueError("the first age of a range is not above its last")


@dataclass(frozen=True, slots=True, config=_CONFIG)
class LabTest:
    """A laboratory test.

    Parameters
    ----------
    code
        The site's code.
    name_en, name_ko
        Name.
    loinc_code
        LOINC code.
    unit
        UCUM unit of the result; empty for one without.
    specimen
        What is examined.
    reference_ranges
        Usual values by sex and age.
    """

    code: Code
    name_en: Name
    name_ko: FurtherName = ""
    loinc_code: Annotated[str, AfterValidator(_loinc)] = ""
    unit: Annotated[str, Field(max_length=LONGEST_UNIT), AfterValidator(_unit)] = ""
    specimen: Text = ""
    reference_ranges: Annotated[tuple[ReferenceRange, ...], Field(max_length=MOST_RANGES)] = ()


Entry = Medication | Diagnosis | LabTest


def values_of(entry: Entry) -> dict[str, Any]:
    """Give an entry's members as JSON values."""
    values = {name: getattr(entry, name) for name in entry.__dataclass_fields__}
    if isinstance(entry, LabTest):
        values["reference_ranges"] = [range_values(one) for one in entry.reference_ranges]
    return values


def range_values(one: ReferenceRange) -> dict[str, Any]:
    """Give a range's members as JSON values."""
    return {name: getattr(one, name) for name in ("sex", "age_from", "age_to", "low", "high")}
