"""Identifiers, parsed once at the edge so that what is inside is known to be well formed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NewType, Self

JobID = NewType("JobID", str)
"""Identifier of a job: 32 lower-case hexadecimal digits from the UIDSource."""

_UID: Final = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
_AE_TITLE: Final = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")


class UID(str):
    """A DICOM unique identifier that obeys the grammar of PS3.5 section 9.1.

    Parameters
    ----------
    value
        1 to 64 characters, digits and dots, no component with a leading zero.

    Raises
    ------
    ValueError
        If the value is not a valid UID.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        """Check the grammar, then keep the value."""
        if len(value) > 64 or not _UID.fullmatch(value):
            raise ValueError("not a valid UID (PS3.5 section 9.1)")
        return super().__new__(cls, value)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, handler: Callable[[object], object]) -> dict[str, object]:
        """Let pydantic read a UID from JSON text through the constructor, so that it is checked there too."""
        return {"type": "function-after", "function": {"type": "no-info", "function": cls}, "schema": handler(str)}


class AETitle(str):
    """An application entity title (VR AE, PS3.5 section 6.2).

    Parameters
    ----------
    value
        1 to 16 characters of the default repertoire without backslash; outer spaces are not significant.

    Raises
    ------
    ValueError
        If nothing but spaces is left, or the value is too long.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        """Strip insignificant spaces and check the repertoire."""
        stripped = value.strip(" ")
        if not _AE_TITLE.fullmatch(stripped):
            raise ValueError("not a valid AE title (PS3.5 section 6.2)")
        return super().__new__(cls, stripped)
