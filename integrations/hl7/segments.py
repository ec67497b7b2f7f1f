"""How HL7 v2 writes values, components and segments (HL7 v2.5.1 chapter 2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from typing import Final

from inference.domain.codes import Code

ENCODING_CHARACTERS: Final = "^~\\&"
_ESCAPES: Final = str.maketrans({"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"})


def escape(value: str) -> str:
    """Escape the characters that mean something (section 2.7); line breaks are kept, other control characters go.

    Parameters
    ----------
    value
        Any text.
    """
    lines = (line.translate(_ESCAPES) for line in value.splitlines())
    return "\\.br\\".join("".join(c for c in line if c >= " " and c != "\x7f") for line in lines)


def components(*values: str, separator: str = "^") -> str:
    """Join values to a field of components, or of subcomponents with ``&``; empty ones at the end are left out."""
    return separator.join(map(escape, values)).rstrip(separator)


def coded(code: Code, text: str | None = None) -> str:
    """Write a code with its meaning, or another text (data types CE and CWE, section 2.A)."""
    return components(code.value, text or code.meaning, code.scheme)


def timestamp(at: datetime | None) -> str:
    """Write a time with its offset (data type TS); exact midnight means that the source gives no time of day."""
    if at is None:
        return ""
    return at.strftime("%Y%m%d") if at.time() == time.min else at.strftime("%Y%m%d%H%M%S%z")


def segment(name: str, fields: Mapping[int, str]) -> str:
    """Write a segment without its end.

    Parameters
    ----------
    name
        E.g. ``OBX``.
    fields
        Written values by the number of the field, from 1.
    """
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))]).rstrip("|")
