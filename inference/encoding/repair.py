"""Bring one data element of a source to the letter of the standard, or leave it out.

What a result copies from its source is checked as if the node had written it, so a source's defects would become
ours. Identifiers are never altered: a shortened PatientID would be another patient.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any, Final

from pydicom.datadict import dictionary_has_tag, dictionary_VM, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.multival import MultiValue
from pydicom.valuerep import PersonName

from inference.domain.identifiers import UID

KEPT_AS_IT_IS: Final = frozenset({"PatientID", "AccessionNumber", "StudyID", "IssuerOfPatientID"})
"""Text that identifies something elsewhere: a shortened value would be somebody else's. Who encodes an object leaves
out what is too long for it; who reports elsewhere can say it whole."""

_MAX_LENGTH: Final[Mapping[str, int]] = {"SH": 16, "LO": 64}
_NAME_GROUPS: Final = 3
_GROUP_LENGTH: Final = 64
"""Of a PN: alphabetic, ideographic and phonetic, each of at most so many characters (PS3.5 section 6.2)."""
_JOINED: Final = frozenset({"LO", "SH", "PN"})
"""Free text in which a backslash was written that is no separator."""
_PLAIN: Final = frozenset({"US", "SS", "UL", "SL", "FL", "FD", "AT", "ST", "LT", "UT", "UR", "UC", "AE"})
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")
_CODE_STRING: Final = re.compile(r"[A-Z0-9_ ]{0,16}")
_AGE: Final = re.compile(r"\d{1,3}[DWMY]")
_TIME: Final = re.compile(r"(\d{2})(?:(\d{2})(?:(\d{2})(?:\.(\d{1,6}))?)?)?")
_DATE_TIME: Final = re.compile(r"\d{4,14}(\.\d{1,6})?([+-]\d{4})?")
_OFFSET: Final = re.compile(r"([+-])(\d{2})(\d{2})")


def parse_date(text: str) -> date | None:
    """Read a DA value (PS3.5 section 6.2), also in the older form with dots; None when it is not a date."""
    digits = text.strip().replace(".", "")
    try:
        return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC).date() if len(digits) == 8 else None
    except ValueError:
        return None


def parse_time(text: str) -> time | None:
    """Read a TM value (PS3.5 section 6.2), also with colons; None when it is not a time."""
    match = _TIME.fullmatch(text.strip().replace(":", ""))
    if match is None:
        return None
    hour, minute, second, fraction = match.groups()
    try:
        return time(int(hour), int(minute or 0), int(second or 0), int((fraction or "").ljust(6, "0")))
    except ValueError:
        return None


def parse_offset(text: str) -> timezone | None:
    """Read Timezone Offset From UTC, ``&ZZXX`` (PS3.3 section C.12.1.1.8); None when it is not one."""
    match = _OFFSET.fullmatch(text.strip())
    if match is None or int(match[2]) > 14 or int(match[3]) > 59:
        return None
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(-offset if match[1] == "-" else offset)


def repair(element: DataElement) -> DataElement | None:
    """Give a conformant copy of an element other than a sequence.

    Parameters
    ----------
    element
        The source's element, converted from its raw form.

    Returns
    -------
    DataElement or None
        None where nothing valid is left, or the element is bulk data.
    """
    keyword, vr = keyword_for_tag(element.tag), str(element.VR)
    values = _values(element.value)
    if len(values) > 1 and dictionary_has_tag(element.tag) and dictionary_VM(element.tag) == "1":
        if vr not in _JOINED:
            return None
        values = ["/".join(str(value) for value in values)]
    if vr in _PLAIN:
        repaired = list(values)
    elif vr in _REPAIRS:
        texts = [str(v) for v in values]
        keep = keyword in KEPT_AS_IT_IS
        repaired = [text for text in (t if keep else _REPAIRS[vr](t) for t in texts) if text is not None]
        if len(repaired) != len(values):
            return None
    else:
        return None
    return DataElement(element.tag, vr, repaired[0] if len(repaired) == 1 else repaired or None)


def _values(value: Any) -> Sequence[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, MultiValue | list | tuple) else [value]


def _name(text: str) -> PersonName:
    groups = _CONTROL.sub("", text).split("=")[:_NAME_GROUPS]
    return PersonName("=".join(group[:_GROUP_LENGTH] for group in groups))


def _date(text: str) -> str | None:
    parsed = parse_date(text)
    return parsed.strftime("%Y%m%d") if parsed else ("" if not text.strip() else None)


def _time(text: str) -> str | None:
    compact = text.strip().replace(":", "")
    return compact if not compact or parse_time(compact) else None


def _date_time(text: str) -> str | None:
    compact = text.strip()
    whole = _DATE_TIME.fullmatch(compact) and (len(compact) < 8 or parse_date(compact[:8]))
    return compact if whole or not compact else None


def _age(text: str) -> str | None:
    compact = text.strip().upper()
    return compact.zfill(4) if _AGE.fullmatch(compact) else None


def _uid(text: str) -> str | None:
    try:
        return str(UID(text.strip("\0 ")))
    except ValueError:
        return None


def _code_string(text: str) -> str | None:
    compact = text.strip().upper()
    return compact if _CODE_STRING.fullmatch(compact) else None


def _decimal(text: str) -> str | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return decimal_string(number) if math.isfinite(number) else None


def decimal_string(number: float) -> str:
    """Write a number as DS: at most 16 characters (PS3.5 section 6.2).

    Raises
    ------
    ValueError
        If it is not finite.
    """
    if not math.isfinite(number):
        raise ValueError("DS holds finite numbers only")
    texts = (f"{number:.{digits}g}" for digits in range(16, 0, -1))
    return next(text for text in texts if len(text) <= 16)


def _integer(text: str) -> str | None:
    try:
        return str(int(float(text)))
    except (ValueError, OverflowError):
        return None


def _text(vr: str) -> Callable[[str], str]:
    return lambda text: _CONTROL.sub(" ", text).strip()[: _MAX_LENGTH[vr]]


_REPAIRS: Final[Mapping[str, Callable[[str], Any]]] = {
    "PN": _name,
    "DA": _date,
    "TM": _time,
    "DT": _date_time,
    "AS": _age,
    "UI": _uid,
    "CS": _code_string,
    "DS": _decimal,
    "IS": _integer,
    "SH": _text("SH"),
    "LO": _text("LO"),
}
